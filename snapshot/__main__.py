"""``python -m snapshot``: the ``snap`` command."""

from snapshot.cli import snap

if __name__ == "__main__":
    snap()
