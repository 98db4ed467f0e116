"""``snap rm``."""

from __future__ import annotations

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.many import confirm_on_terminal, for_each
from snapshot.cli.text import note


@click.command()
@click.option("-f", "--force", is_flag=True, help="Ask nothing, whatever is lost, and end what runs.")
@click.argument("containers", metavar="CONTAINER…", nargs=-1, required=True)
@pass_invocation
def command(invocation: Invocation, force: bool, containers: tuple[str, ...]) -> int:
    """Remove containers, with their anonymous volumes, their steps and their recordings.

    Where one runs, has changes that no image holds, or has anonymous volumes, you are asked first; without
    a terminal that is refused, with exit status 4. Images and named volumes stay.

    \b
    $ snap rm ch03
    $ snap rm --force web db
    """
    from snapshot.workflow.rm import rm

    engine = invocation.engine()
    confirm = confirm_on_terminal("Removing '{name}'", "Remove '{name}'")

    def remove_one(given: str) -> bool:
        removal = rm(engine, given, force=force, confirm=confirm)
        if removal.removed:
            click.echo(given)
        else:
            note(f"'{removal.container.name}' is kept")
        return removal.removed

    return for_each(containers, remove_one)
