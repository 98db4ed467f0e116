"""``snap run``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.leaving import refusals_as_docker
from snapshot.cli.options import RecordedCommand, all_variables, key_value, process_options

if TYPE_CHECKING:
    from snapshot.workflow.sessions.recording import RecordingPlace


@click.command(cls=RecordedCommand, context_settings={"allow_interspersed_args": False})
@click.option("--name", default="", metavar="NAME", help="Its name; by default made from the image's.")
@process_options
@click.option(
    "--entrypoint", default=None, metavar="PROGRAM", help="Entrypoint instead of the image's; '' clears it."
)
@click.option(
    "-v",
    "--volume",
    multiple=True,
    metavar="[SOURCE:]PATH[:OPTIONS]",
    help="Mount a folder or volume; its data is never in an image.",
)
@click.option("--network", default="", metavar="NAME", help="Network: bridge, host, none or one of yours.")
@click.option("--platform", default="", metavar="OS[/ARCH[/VARIANT]]", help="Platform of the image.")
@click.option(
    "--pull",
    type=click.Choice(["always", "missing", "never"]),
    default="missing",
    show_default=True,
    help="When to pull the image.",
)
@click.option(
    "-l", "--label", multiple=True, type=key_value, metavar="KEY=VALUE", help="Label on the container."
)
@click.option("--replace", is_flag=True, help="Remove a container of the same name once this one runs.")
@click.option("-q", "--quiet", is_flag=True, help="No advice on what to do next.")
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_invocation
def command(
    invocation: Invocation,
    name: str,
    env: tuple[str, ...],
    env_file: tuple[Path, ...],
    workdir: str,
    user: str,
    entrypoint: str | None,
    volume: tuple[str, ...],
    network: str,
    platform: str,
    pull: str,
    label: tuple[tuple[str, str], ...],
    interactive: bool,
    tty: bool,
    detach: bool,
    detach_keys: str,
    record: RecordingPlace | None,
    replace: bool,
    quiet: bool,
    image: str,
    command: tuple[str, ...],
) -> int:
    """Start a container from IMAGE that has a name and is kept when its command ends.

    The command's output is streamed, and its exit status is snap's own. Ctrl-C ends the command. `-it` gives
    a shell, which gets all keys; ctrl-p ctrl-q leaves it running, and `snap attach` comes back to it.

    \b
    $ snap run --name ch03 -e WHO=Elton diamol/ch03-lab -- sh -c 'echo $WHO >> ch03.txt'
    $ snap run -it --name ch03 --record diamol/ch03-lab
    """
    from snapshot.cli.afterwards import tell_after, tell_how_to_get_a_shell
    from snapshot.cli.sitting import need_terminal, sitting, window_size
    from snapshot.engine.types import ContainerSpec
    from snapshot.workflow.pulling import PullPolicy
    from snapshot.workflow.run import run

    if not detach:
        need_terminal(tty=tty, stdin=interactive)

    spec = ContainerSpec(
        image=image,
        name=name,
        command=command[1:] if command[:1] == ("--",) else command,
        entrypoint=() if entrypoint is None else (entrypoint,),
        env=all_variables(env, env_file),
        working_dir=workdir,
        user=user,
        binds=tuple(_absolute_source(text) for text in volume if ":" in text),
        volumes=tuple(text for text in volume if ":" not in text),
        network=network,
        platform=platform,
        labels=dict(label),
        tty=tty,
        stdin=interactive,
        detach=detach,
        size=window_size() if tty else None,
    )
    with refusals_as_docker():
        result = run(
            invocation.engine(),
            spec,
            pull=PullPolicy(pull),
            replace_existing=replace,
            sitting=partial(sitting, tty=tty, stdin=interactive),
            detach_keys=detach_keys,
            recording=record,
            progress=invocation.progress(),
        )
    if detach:
        click.echo(result.container_id)
    if not (detach or interactive or tty or spec.command) and not quiet:
        tell_how_to_get_a_shell(result.image, image)
    tell_after(result.name, result, is_session=interactive and tty, quiet=quiet)
    return result.exit_code or 0


def _absolute_source(bind: str) -> str:
    """A bind with a source from this folder, made absolute as Docker's CLI does: the engine wants it so."""
    source, colon, rest = bind.partition(":")
    return f"{Path(source).resolve()}{colon}{rest}" if source.startswith(".") else bind
