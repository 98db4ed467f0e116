"""``snap exec``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snapshot.cli.options import RecordedCommand, all_variables, process_options
from snapshot.cli.plain_exec import as_docker_exits
from snapshot.cli.session import Session, pass_session

if TYPE_CHECKING:
    from snapshot.workflow.recording import Recording


@click.command(cls=RecordedCommand, context_settings={"allow_interspersed_args": False})
@click.option("--privileged", is_flag=True, help="Give the command all rights.")
@process_options
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of what it changed.")
@click.argument("container")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_session
def command(
    session: Session,
    interactive: bool,
    tty: bool,
    detach: bool,
    env: tuple[str, ...],
    env_file: tuple[Path, ...],
    workdir: str,
    user: str,
    privileged: bool,
    detach_keys: str,
    record: Recording | None,
    quiet: bool,
    container: str,
    command: tuple[str, ...],
) -> int:
    """Run a command in CONTAINER, which runs; what it changes is a step in the container's journal.

    The command's output is streamed, and its exit status is snap's own.

    \b
    $ snap exec web -- sh -c 'echo hello > /site/index.html'
    $ snap exec -it web sh
    """
    from snapshot.cli.sitting import need_terminal, sitting
    from snapshot.engine.process_types import ExecSpec
    from snapshot.errors import EngineError, EngineUnreachable
    from snapshot.workflow.exec import exec_

    if not detach:
        need_terminal(tty=tty, stdin=interactive)
    spec = ExecSpec(
        argv=command[1:] if command[:1] == ("--",) else command,
        tty=tty,
        stdin=interactive,
        detach=detach,
        env=all_variables(env, env_file),
        working_dir=workdir,
        user=user,
        privileged=privileged,
        detach_keys=detach_keys,
    )
    try:
        result = exec_(
            session.processes(), container, spec, partial(sitting, tty=tty, stdin=interactive), record
        )
    except EngineUnreachable:
        raise
    except EngineError as error:
        raise as_docker_exits(error) from error
    if result.failure or result.exit_code is None or (interactive and tty):
        from snapshot.cli.afterwards import tell_after

        tell_after(
            result.container.name,
            result.exit_code,
            result.step,
            result.failure,
            interactive and tty,
            quiet or detach,
        )
    return result.exit_code or 0
