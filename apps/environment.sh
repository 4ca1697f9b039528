# Sourced by apps/run and tests/run: an environment of the project's own, on a machine that has only Python.

# as_root COMMAND...: run it as root where that is possible, else fail.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo -n "$@"; else return 1; fi
}

# apt_install PACKAGE...: install with apt where there is apt.
apt_install() {
  command -v apt-get >/dev/null || return 1
  as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# find_python: the name of a Python of version 3.11 or later.
find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$name"; return; fi
  done
  echo "pypty_nb needs Python 3.11 or later; none was found on the PATH" >&2
  return 1
}

# make_environment FOLDER: a virtual environment there, if there is none yet that works.
make_environment() {
  local python
  python=$(find_python)
  "$1/bin/python" -c 'import pip' 2>/dev/null && return
  rm -rf "$1"
  if ! "$python" -m venv "$1" 2>/dev/null; then
    echo "Installing python3-venv …"
    apt_install "$(basename "$("$python" -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}")')")-venv" || apt_install python3-venv
    rm -rf "$1"
    "$python" -m venv "$1"
  fi
}
