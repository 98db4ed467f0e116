"""``snap exec CONTAINER [--] COMMAND`` without any option, which is what scripts call a thousand times.

It does what :mod:`snapshot.cli.exec` does and loads neither ``click`` nor what parses options.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from snapshot.cli.leaving import refusals_as_docker, report


def plain_command(arguments: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """The container and the command of such a call; ``None`` for any other.

    >>> plain_command(["exec", "web", "--", "ls", "-l"])
    ('web', ('ls', '-l'))
    >>> plain_command(["exec", "-it", "web", "sh"])
    """
    if len(arguments) < 3 or arguments[0] != "exec":
        return None
    container, *rest = arguments[1:]
    argv = tuple(rest[1:] if rest[0] == "--" else rest)
    return (container, argv) if argv and container and not container.startswith("-") else None


def run_plainly(container: str, argv: tuple[str, ...]) -> int:
    """Run the command, and return the status to exit with."""
    try:
        from snapshot.cli.sitting import sitting
        from snapshot.engine.process_types import ExecSpec
        from snapshot.engine.processes import Processes
        from snapshot.workflow.exec import exec_

        processes = Processes.connect()
        try:
            with refusals_as_docker():
                result = exec_(processes, container, ExecSpec(argv), partial(sitting, tty=False, stdin=False))
        finally:
            processes.close()
        if result.failure or result.exit_code is None:
            from snapshot.cli.afterwards import tell_after

            tell_after(result.container.name, result, is_session=False, quiet=False)
        return result.exit_code or 0
    except (KeyboardInterrupt, Exception) as error:
        return report(error, debug=False)
