"""The ``snap`` command: parses, calls the workflow, prints; one file a verb."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["snap"]


def snap() -> NoReturn:
    """Run the command line; what goes wrong leaves as one sentence and an exit code."""
    from snapshot.cli.leaving import leave, prepare
    from snapshot.cli.plain_exec import plain_command, run_plainly

    prepare()
    if plain := plain_command(sys.argv[1:]):
        leave(run_plainly(*plain))
    from snapshot.cli.main import main_with_options

    sys.exit(main_with_options())
