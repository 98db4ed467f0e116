"""``snap exec``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.leaving import refusals_as_docker
from snapshot.cli.options import RecordedCommand, all_variables, process_options

if TYPE_CHECKING:
    from snapshot.workflow.sessions.recording import RecordingPlace


@click.command(cls=RecordedCommand, context_settings={"allow_interspersed_args": False})
@click.option("--privileged", is_flag=True, help="Give the command all rights.")
@process_options
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of what it changed.")
@click.argument("container")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_invocation
def command(
    invocation: Invocation,
    interactive: bool,
    tty: bool,
    detach: bool,
    env: tuple[str, ...],
    env_file: tuple[Path, ...],
    workdir: str,
    user: str,
    privileged: bool,
    detach_keys: str,
    record: RecordingPlace | None,
    quiet: bool,
    container: str,
    command: tuple[str, ...],
) -> int:
    """Run a command in a running CONTAINER; what it changes is a step in its journal.

    The command's output is streamed, and its exit status is snap's own. Ctrl-C goes to the command with
    `-it`; without, it ends snap alone, and the command runs on.

    \b
    $ snap exec web -- sh -c 'echo hello > /site/index.html'
    $ snap exec -it web sh
    """
    from snapshot.cli.sitting import need_terminal, sitting, window_size
    from snapshot.engine.process_types import ExecSpec
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
        size=window_size() if tty else None,
    )
    with refusals_as_docker():
        result = exec_(
            invocation.processes(), container, spec, partial(sitting, tty=tty, stdin=interactive), record
        )
    if result.failure or result.exit_code is None or record is not None or (interactive and tty):
        from snapshot.cli.afterwards import tell_after

        is_session = interactive and tty
        tell_after(result.container.name, result, is_session=is_session, quiet=quiet or detach)
    return result.exit_code or 0
