"""``snap run``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from snapshot.cli.options import key_value, variables_from_file, variables_given
from snapshot.cli.session import Session, pass_session
from snapshot.cli.text import note
from snapshot.errors import EngineError, EngineUnreachable, OutputClosed, SnapError


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--name", default="", help="Name of the container; by default made from the image's.")
@click.option(
    "-e", "--env", multiple=True, metavar="KEY[=VALUE]", help="Set a variable, or take it from here."
)
@click.option(
    "--env-file",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Read variables from a file, one a line.",
)
@click.option("-w", "--workdir", default="", metavar="PATH", help="Working folder in the container.")
@click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="User, by name or number.")
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
@click.option("-d", "--detach", is_flag=True, help="Leave it running and print its ID.")
@click.option("--replace", is_flag=True, help="Remove a container of the same name once this one runs.")
@click.option("-q", "--quiet", is_flag=True, help="No advice on what to do next.")
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_session
def command(
    session: Session,
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
    detach: bool,
    replace: bool,
    quiet: bool,
    image: str,
    command: tuple[str, ...],
) -> int:
    """Start a container from IMAGE that has a name and is kept when its command ends.

    The command's output is streamed, and its exit status is snap's own.

    \b
    $ snap run --name ch03 -e WHO=Elton diamol/ch03-lab -- sh -c 'echo $WHO >> ch03.txt'
    $ snap run -d --name web --env-file web.env -v "$PWD/site:/site:ro" nginx
    """
    from snapshot.engine.types import ContainerSpec
    from snapshot.workflow.run import PullPolicy, run

    variables = [variable for path in env_file for variable in variables_from_file(path)]
    spec = ContainerSpec(
        image=image,
        name=name,
        command=command[1:] if command[:1] == ("--",) else command,
        entrypoint=() if entrypoint is None else (entrypoint,),
        env=tuple(variables + variables_given(env)),
        working_dir=workdir,
        user=user,
        binds=tuple(_absolute_source(text) for text in volume if ":" in text),
        volumes=tuple(text for text in volume if ":" not in text),
        network=network,
        platform=platform,
        labels=dict(label),
    )
    try:
        result = run(
            session.engine(),
            spec,
            pull=PullPolicy(pull),
            detach=detach,
            replace_existing=replace,
            output=_write,
            progress=session.progress(),
        )
    except EngineUnreachable:
        raise
    except EngineError as error:
        raise _as_docker_exits(error) from error
    if result.exit_code is None:
        click.echo(result.container_id)
    if not quiet:
        state = "runs" if result.exit_code is None else "is kept"
        note(f"'{result.name}' {state}. Next: snap diff {result.name}, snap commit {result.name} IMAGE")
    return result.exit_code or 0


def _as_docker_exits(error: EngineError) -> SnapError:
    """What an engine refuses is 125 here, so that it is not taken for the command's own status."""
    if error.exit_code == EngineError.exit_code:
        error.exit_code = 125
    return error


def _absolute_source(bind: str) -> str:
    """A bind with a source from this folder, made absolute as Docker's CLI does: the engine wants it so."""
    source, colon, rest = bind.partition(":")
    return f"{Path(source).resolve()}{colon}{rest}" if source.startswith(".") else bind


def _write(stdout: bytes | None, stderr: bytes | None) -> None:
    try:
        for piece, stream in ((stdout, sys.stdout), (stderr, sys.stderr)):
            if piece:
                stream.buffer.write(piece)
                stream.flush()
    except BrokenPipeError as error:
        raise OutputClosed(
            "The output was closed; the container runs on.", "`docker logs` has the rest of what it prints."
        ) from error
