"""``snap attach``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from snapshot.cli.options import RecordedCommand, detach_keys_option, record_option
from snapshot.cli.session import Session, pass_session

if TYPE_CHECKING:
    from snapshot.workflow.recording import Recording


@click.command(cls=RecordedCommand)
@click.option("--no-stdin", is_flag=True, help="Show its output, and give it no input.")
@detach_keys_option
@record_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of what was changed.")
@click.argument("container")
@pass_session
def command(
    session: Session,
    no_stdin: bool,
    detach_keys: str,
    record: Recording | None,
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

    processes = session.processes()
    found = processes.container(container)
    takes_input = found.stdin and not no_stdin
    result = attach(
        processes,
        container,
        partial(sitting, tty=found.tty, stdin=takes_input),
        stdin=takes_input,
        detach_keys=detach_keys,
        recording=record,
    )
    is_session = found.tty and takes_input
    tell_after(found.name, result.exit_code, result.step, result.failure, is_session, quiet)
    return result.exit_code or 0
