"""The ``snap`` command: parses, calls the workflow, prints; one file a verb."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

__all__ = ["snap"]


def snap() -> NoReturn:
    """Run the command line; what goes wrong leaves as one sentence and an exit code."""
    try:
        from snapshot.cli.leaving import leave, prepare, report
        from snapshot.cli.plain_exec import plain_command, run_plainly

        prepare()
    except KeyboardInterrupt:
        # Nothing is loaded yet that could say more.
        sys.exit(128 + signal.SIGINT)
    try:
        if plain := plain_command(sys.argv[1:]):
            leave(run_plainly(*plain))
        from snapshot.cli.main import main_with_options

        status = main_with_options()
    except KeyboardInterrupt as error:
        # While all that is loaded, which takes a moment, or while another error is told.
        status = report(error, debug=False)
    sys.exit(status)
