"""The command group: its options, the verbs, and how errors leave the program."""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import takewhile
from typing import Any

import click

from snapshot import __version__
from snapshot.cli.invocation import Invocation
from snapshot.cli.leaving import report
from snapshot.errors import OutputClosed

#: Verb -> what it does. Each stands in ``snapshot.cli.<verb>`` as ``command`` (``-`` is ``_`` there), loaded
#: when it is asked for.
VERBS = {
    "run": "Start a named container that is kept.",
    "exec": "Run a command in a running container.",
    "attach": "Connect a terminal to a container's command.",
    "cp": "Copy files into a container or out of it.",
    "start": "Let containers that have ended run again.",
    "stop": "End the processes of containers; their files stay.",
    "ps": "List the containers that snap started, and which have unsaved changes.",
    "reset": "Put a container back to its image, or to a snapshot of it.",
    "rm": "Remove containers, and ask where that loses changes.",
    "diff": "Show what a container or an image changed.",
    "layers": "Show the layers of an image: what each weighs, wastes and shares.",
    "df": "Show where the space goes, and what images share of it.",
    "tree": "Draw which images here stand on which.",
    "report": "Write a page about an image or a container, to show around.",
    "commit": "Make an image of a container's changes.",
    "patch": "Change an image, in most cases without starting any container.",
    "replay": "Make an image from a recipe, and say how it differs from the first one.",
    "rebase": "Carry the changes of an image to another base image.",
    "squash": "Fold the layers that snap added to an image into one.",
    "undo": "Set a name back to the image that its image was made from.",
    "verify": "Hold an image against its record and your own checks.",
    "ls": "List the containers and images that snap made.",
    "log": "Show the steps that made an image or a container.",
    "export": "Write an image as a Dockerfile, an OCI layout or a difference.",
    "import-diff": "Make an image of a difference that was exported elsewhere.",
    "cache": "List the kept results of steps, or clear them away.",
    "show": "Show what a snapshot or a container is.",
    "engine": "Say which engine is used, and why that one.",
}


class _Verbs(click.Group):
    """A group that imports a verb's module only when it is called: ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(f"snapshot.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click would end the program here, without a word.
            raise OutputClosed("The output was closed before everything was written.") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 3 verification failed, 4 refused for safety, "
    "5 no engine reachable. `snap run`, `exec` and `attach` pass the command's own status on; 125 is the "
    "engine's refusal, 126 and 127 are a command that cannot be started.",
)
@click.version_option(__version__, prog_name="snap", message="%(prog)s %(version)s")
@click.option("-H", "--host", metavar="URL", help="Address of the engine, such as unix:///run/docker.sock.")
@click.option("--context", metavar="NAME", help="Docker context that names the engine.")
@click.option(
    "--debug", is_flag=True, help="Say how the work is done, and where in the program an error comes from."
)
@click.pass_context
def cli(ctx: click.Context, host: str | None, context: str | None, debug: bool) -> None:
    """Make container images without a Dockerfile.

    Run a container, change it, see the difference, commit it, verify the image.

    \b
    $ snap run --name ch03 -e WHO=Elton diamol/ch03-lab -- sh -c 'echo $WHO >> ch03.txt'
    $ snap diff ch03
    $ snap commit ch03 ch03-change -m "sign the lab"
    $ snap verify ch03-change
    """
    ctx.obj = Invocation(host, context, debug)


def main_with_options() -> int:
    """Parse the command line and do what it says; returns the status to exit with."""
    # Before click has parsed anything, an error must know of it already.
    debug = "--debug" in takewhile(lambda word: word not in VERBS, sys.argv[1:])
    try:
        status = cli.main(prog_name="snap", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort as error:
        # click makes one of every KeyboardInterrupt.
        return report(error.__cause__ or KeyboardInterrupt(), debug=debug)
    except (KeyboardInterrupt, Exception) as error:
        return report(error, debug=debug)
    return status if isinstance(status, int) else 0
