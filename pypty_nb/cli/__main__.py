"""``python -m pypty_nb.cli``."""

from pypty_nb.cli import main

if __name__ == "__main__":
    main()
