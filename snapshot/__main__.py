"""``python -m snapshot``: the ``snap`` command."""

from snapshot.cli import main

if __name__ == "__main__":
    main()
