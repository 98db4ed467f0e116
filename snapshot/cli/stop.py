"""``snap stop``."""

from __future__ import annotations

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.many import for_each
from snapshot.cli.text import note


@click.command()
@click.option(
    "-t",
    "--time",
    "timeout_s",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="How long a container may take to end before it is killed; 10 unless it was made with another time.",
)
@click.option(
    "-s",
    "--signal",
    default="",
    metavar="SIGNAL",
    help="Signal to send, such as INT, in place of the image's.",
)
@click.option("-q", "--quiet", is_flag=True, help="Names alone.")
@click.argument("containers", metavar="CONTAINER…", nargs=-1, required=True)
@pass_invocation
def command(
    invocation: Invocation, timeout_s: int | None, signal: str, quiet: bool, containers: tuple[str, ...]
) -> int:
    """End the processes of containers. Their files stay, and can be committed.

    \b
    $ snap stop ch03
    $ snap stop -t 2 -s INT web db
    """
    from snapshot.workflow.stop import stop

    engine = invocation.engine()

    def stop_one(given: str) -> bool:
        stopped = stop(engine, given, timeout_s=timeout_s, signal=signal)
        click.echo(given)
        if not quiet:
            name = stopped.container.name
            state = "is stopped and kept" if stopped.was_running else "did not run"
            note(f"'{name}' {state}. Next: snap diff {name}, snap commit {name} IMAGE")
        return True

    return for_each(containers, stop_one)
