"""``snap reset``."""

from __future__ import annotations

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.many import confirm_on_terminal
from snapshot.cli.text import note


@click.command()
@click.option("--to", default="", metavar="IMAGE", help="A snapshot of the container's image to go to.")
@click.option("-f", "--force", is_flag=True, help="Ask nothing, whatever is lost, and take any image.")
@click.option("-q", "--quiet", is_flag=True, help="The container's new ID alone.")
@click.argument("container")
@pass_invocation
def command(invocation: Invocation, to: str, force: bool, quiet: bool, container: str) -> int:
    """Put a container back to its image, or to a snapshot of it.

    A new container takes the place of CONTAINER, with its name, command, variables, mounts, networks and
    limits, and runs if that one ran. The old one is removed last: where anything fails, it is as it was.

    Its changes go, and its steps. Where no image holds them you are asked first; without a terminal that is
    refused, with exit status 4. Named volumes and mounted folders keep their data; anonymous volumes
    are made anew, and are empty.

    \b
    $ snap reset ch03
    $ snap reset ch03 --to ch03-change
    """
    from snapshot.workflow.reset import reset

    done = reset(
        invocation.engine(),
        container,
        to=to,
        force=force,
        confirm=confirm_on_terminal("Resetting '{name}'", "Reset '{name}'"),
    )
    if not done.container_id:
        note(f"'{done.name}' is as it was")
        return 1
    click.echo(done.container_id)
    if done.journal_failure:
        note(done.journal_failure)
    if not quiet:
        image = to or next(iter(done.image.tags), "its image")
        state = "runs" if done.runs else "is stopped"
        following = f"snap exec -it {done.name} sh" if done.runs else f"snap start {done.name}"
        note(f"'{done.name}' is as {image} has it, and {state}. Next: {following}")
    return 0
