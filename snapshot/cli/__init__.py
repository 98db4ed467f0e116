"""The ``snap`` command: parses, calls the workflow, prints; one file a verb."""

from snapshot.cli.main import main

__all__ = ["main"]
