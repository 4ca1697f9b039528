"""Runs as processes of their own: started, queued, resumed, ended; all of it read from and written to files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from filelock import FileLock

from pypty_nb.files import write_text
from pypty_nb.params import ParameterError, Preset
from pypty_nb.runs import Follower, Phase, RunFolder, RunFolderError, RunState, send
from pypty_nb.runs.follow import OUTPUT
from pypty_nb.runs.full import keep_full
from pypty_nb.runs.lock import FolderLock
from pypty_nb.runs.recorded import anywhere
from pypty_nb.runs.state import Owner, read_state, write_state
from pypty_nb.workspace.paths import run_folders, stays

#: A process that ends a run of a project starts the next one of its queue; these tell it which, and how many may run.
QUEUE_VARIABLE = "PYPTY_NB_QUEUE"
AT_MOST_VARIABLE = "PYPTY_NB_AT_MOST"
_REGISTER = ".queue.json"
_LOCK = ".queue.lock"
_LOCK_S = 10.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One run of a project, and its state."""

    folder: Path
    state: RunState


class Jobs:
    """The runs of a project folder, at most `at_most` of them at a time; the others wait for their turn in order.

    Nothing is kept in memory beside the children to be reaped: another `Jobs` of the same root, in this process or another,
    sees and does the same.

    Parameters
    ----------
    root : Path
        The project folder; runs lie in ``root/runs`` or elsewhere below it.
    at_most : int
        Runs under way at a time.
    threads : int, optional
        Threads of each run's arithmetic; as the surroundings say, where not given.
    """

    def __init__(self, root: Path, at_most: int = 1, threads: int | None = None):
        self.root, self.at_most = root.resolve(), at_most
        self._threads = threads
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, preset: Preset, folder: Path, full: Preset | None = None) -> RunState:
        """Put a run of `preset` into the queue, and start it where its turn has come.

        Where it is a quick look, `full` is the preset that it looks at, of which the folder keeps what was left out.

        Raises
        ------
        RunFolderError
            Where the folder cannot be written or holds a run.
        """
        run = RunFolder.create(folder, anywhere(preset))
        if full is not None:
            keep_full(run, anywhere(full))
        return self._enqueue(run, RunState(Phase.QUEUED, preset.epoch_prev, preset.epoch_prev, preset.epoch_max))

    def resume(self, folder: Path) -> RunState:
        """Put a run that ended early into the queue, to go on after its last complete epoch.

        Raises
        ------
        RunFolderError
            Where `folder` is no run, or the run is under way or has finished.
        """
        run, state = RunFolder.open(folder), self.state(folder)
        if state.busy:
            raise RunFolderError(f"{folder} is under way already")
        if run.is_finished():
            raise RunFolderError(f"{folder} has finished; nothing is left to do")
        return self._enqueue(run, replace(state, phase=Phase.QUEUED, message="", owner=None))

    def abort(self, folder: Path, grace_s: float = 5.0) -> RunState:
        """End a run at once, queued or under way; complete epochs stay. Blocks for `grace_s` at most and a little.

        A run inside a notebook or on another machine is told, and ends as soon as it hears.
        """
        with self._queue():
            state = self.state(folder)
            if state.phase is Phase.QUEUED:
                return self._withdrawn(folder, state)
        owner = state.owner
        if not state.owned or owner is None:
            return state
        if not (owner.is_here and owner.own and owner.pid != os.getpid()):
            send(folder, "abort")
            return state
        _end_process(owner, grace_s)
        self._reap()
        state = read_state(folder) or state
        if state.owned:
            # it was killed before it could say so
            with _held(folder):
                state = replace(state, phase=Phase.STOPPED, message="aborted", owner=None)
                write_state(folder, state)
                RunFolder(folder).note("stopped", why="aborted")
        self.advance()
        return state

    def state(self, folder: Path) -> RunState:
        """The state of one run, with its place in the queue."""
        state = Follower(folder).poll().state
        if state.phase is Phase.QUEUED:
            waiting = [path for path in self._registered() if _phase(path) is Phase.QUEUED]
            return replace(state, place=waiting.index(folder.resolve()) + 1 if folder.resolve() in waiting else 0)
        return state

    def list(self) -> list[Job]:
        """All runs of the project, by their folders' names."""
        self._reap()
        runs = run_folders(self.root) if (self.root / "runs").is_dir() else []
        found = {path.resolve() for path in runs if RunFolder(path).is_run()}
        found |= {path for path in self._registered() if RunFolder(path).is_run()}
        return [Job(path, self.state(path)) for path in sorted(found)]

    def advance(self) -> list[Path]:
        """Start what may be started; gives the folders. Cheap: call it whenever something may have ended."""
        self._reap()
        begun: list[Path] = []
        if not any(_phase(path) is Phase.QUEUED for path in self._registered()):
            return begun
        with self._queue():
            paths = self._registered()
            running = sum(_is_under_way(path) for path in paths)
            for path in paths:
                if running >= self.at_most:
                    break
                if _phase(path) is Phase.QUEUED:
                    self._launch(path)
                    begun.append(path)
                    running += 1
            self._write_register([path for path in paths if _phase(path) is Phase.QUEUED or _is_under_way(path)])
        return begun

    # ---- the queue
    def _enqueue(self, run: RunFolder, state: RunState) -> RunState:
        path = run.path.resolve()
        with self._queue():
            with _held(path):
                write_state(path, replace(state, folder=path))
            self._write_register([*(other for other in self._registered() if other != path), path])
        self.advance()
        return self.state(path)

    def _withdrawn(self, folder: Path, state: RunState) -> RunState:
        with _held(folder):
            state = replace(state, phase=Phase.STOPPED, message="taken out of the queue", place=0)
            write_state(folder, state)
            RunFolder(folder).note("stopped", why=state.message)
        return state

    @contextmanager
    def _queue(self) -> Iterator[None]:
        """Alone with the queue."""
        (self.root / "runs").mkdir(exist_ok=True)
        with FileLock(self.root / "runs" / _LOCK, timeout=_LOCK_S, thread_local=False):
            yield

    def _registered(self) -> list[Path]:
        """The folders of queued runs and of those under way, in the order of the queue."""
        try:
            plain = json.loads((self.root / "runs" / _REGISTER).read_text(encoding="utf-8"))
            found = [self.root / name for name in plain]
            return [path for path in found if path.is_dir() and stays(self.root, path)]
        except (OSError, ValueError, TypeError):
            return []

    def _write_register(self, paths: list[Path]) -> None:
        names = [os.path.relpath(path, self.root) for path in paths]
        write_text(self.root / "runs" / _REGISTER, json.dumps(names, indent=1) + "\n", durable=False)

    # ---- processes
    def _launch(self, path: Path) -> None:
        folder = RunFolder(path)
        arguments = ["resume", str(path)] if folder.is_started() else ["run", str(path / "params.json"), "--out", str(path)]
        state = read_state(path) or RunState(folder=path)
        # until its state names the child, nobody else may begin, nor the child itself
        with _held(path), (path / OUTPUT).open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "pypty_nb.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.root,
                env=self._environment(),
                start_new_session=True,
            )
            self._children.append(child)
            write_state(path, replace(state, phase=Phase.PREPARING, message="", owner=Owner.of(child.pid, own=True)))

    def _environment(self) -> Mapping[str, str]:
        variables = dict(os.environ) | {QUEUE_VARIABLE: str(self.root), AT_MOST_VARIABLE: str(self.at_most)}
        return variables | (dict.fromkeys(_THREADS, str(self._threads)) if self._threads is not None else {})

    def _reap(self) -> None:
        self._children = [child for child in self._children if child.poll() is None]


def most_at_a_time() -> int:
    """How many runs of a project may be under way at a time, as the surroundings say: 1 where they do not.

    Raises
    ------
    ParameterError
        Where they say what is no number from 1 on.
    """
    said = os.environ.get(AT_MOST_VARIABLE, "1")
    if not said.isdecimal() or int(said) < 1:
        raise ParameterError(f"{AT_MOST_VARIABLE}: {said!r:.40} is no number of runs; give 1 or more")
    return int(said)


def advance_surroundings() -> None:
    """Start the next run of the queue that this process' run came from, if it came from one."""
    root = os.environ.get(QUEUE_VARIABLE)
    if root and Path(root).is_dir():
        Jobs(Path(root), most_at_a_time()).advance()


def _phase(path: Path) -> Phase | None:
    state = read_state(path)
    return state.phase if state is not None else None


def _is_under_way(path: Path) -> bool:
    state = read_state(path)
    return state is not None and state.owned and state.owner_lives()


@contextmanager
def _held(path: Path) -> Iterator[None]:
    lock = FolderLock(path)
    try:
        yield
    finally:
        lock.release()


def _end_process(owner: Owner, grace_s: float) -> None:
    """Ask a job's process to end, then its whole group the hard way."""
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        group = os.getpgid(owner.pid)
        send_signal = (lambda number: os.killpg(group, number)) if group == owner.pid else psutil.Process(owner.pid).send_signal
        if not owner.lives():
            return
        send_signal(signal.SIGTERM)
        until = time.monotonic() + grace_s
        while owner.lives():
            if time.monotonic() > until:
                send_signal(signal.SIGKILL)
                until = float("inf")
            time.sleep(0.05)
