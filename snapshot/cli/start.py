"""``snap start``."""

from __future__ import annotations

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.many import for_each
from snapshot.cli.text import note


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Names alone.")
@click.argument("containers", metavar="CONTAINER…", nargs=-1, required=True)
@pass_invocation
def command(invocation: Invocation, quiet: bool, containers: tuple[str, ...]) -> int:
    """Let containers that have ended run again, each with the command that it was made with.

    What they had changed is still there. Each start is a step that `snap log` shows.

    \b
    $ snap start ch03
    $ snap start web db
    """
    from snapshot.workflow.start import start

    engine = invocation.engine()

    def start_one(name: str) -> bool:
        started = start(engine, name)
        click.echo(name)
        if started.was_running and not quiet:
            note(f"'{started.container.name}' was running already")
        if started.journal_failure:
            note(started.journal_failure)
        return True

    return for_each(containers, start_one)
