"""``snap attach``."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import RecordedCommand, detach_keys_option, record_option
from snapshot.errors import InvalidInput

if TYPE_CHECKING:
    from snapshot.workflow.sessions.recording import RecordingPlace


@click.command(cls=RecordedCommand)
@click.option("--no-stdin", is_flag=True, help="Show its output, and give it no input.")
@detach_keys_option
@record_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of what was changed.")
@click.argument("container")
@pass_invocation
def command(
    invocation: Invocation,
    no_stdin: bool,
    detach_keys: str,
    record: RecordingPlace | None,
    quiet: bool,
    container: str,
) -> int:
    """Connect this terminal to the command that CONTAINER was started with.

    It ends when that command does, with its exit status; ctrl-p ctrl-q leaves it running.

    \b
    $ snap attach ch03
    $ snap attach --no-stdin web
    """
    from snapshot.cli.afterwards import tell_after
    from snapshot.cli.sitting import sitting
    from snapshot.workflow.attach import attach

    processes = invocation.processes()
    found = processes.container(container)
    takes_input = found.stdin and not no_stdin
    if takes_input and found.tty and found.is_up and not sys.stdin.isatty():
        raise InvalidInput(
            f"'{found.name}' has a terminal, and the input here is none.",
            "Give --no-stdin to see its output alone.",
        )
    result = attach(
        processes,
        container,
        partial(sitting, tty=found.tty, stdin=takes_input),
        stdin=takes_input,
        detach_keys=detach_keys,
        recording=record,
    )
    is_session = found.tty and takes_input
    tell_after(found.name, result, is_session=is_session, quiet=quiet)
    return result.exit_code or 0
