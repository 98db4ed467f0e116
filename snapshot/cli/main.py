"""The command group: its options, the verbs, and how errors leave the program."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from snapshot import __version__
from snapshot.cli.session import Session
from snapshot.cli.text import printable
from snapshot.errors import DiskFull, Interrupted, OutputClosed, SnapError, Terminated, VerificationFailed

#: Verb -> what it does. Each stands in ``snapshot.cli.<verb>`` as ``command``, loaded when it is asked for.
VERBS = {
    "run": "Start a named container that is kept.",
    "diff": "Show what a container changed.",
    "commit": "Make an image of a container's changes.",
    "verify": "Hold an image against its record and your own checks.",
    "ls": "List the containers and images that snap made.",
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
        command = import_module(f"snapshot.cli.{cmd_name}").command
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
    "5 no engine reachable. `snap run` passes the command's own status on; 125 is the engine's refusal, "
    "126 and 127 are a command that cannot be started.",
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
    ctx.obj = Session(host, context, debug)


def main() -> NoReturn:
    """Run the command line; what goes wrong leaves as one sentence and an exit code."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Before click has parsed anything, an error must know of it already.
    debug = "--debug" in sys.argv
    sys.exit(_exit_code(debug))


def _exit_code(debug: bool) -> int:
    try:
        status = cli.main(prog_name="snap", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort, Exception) as error:
        if debug:
            traceback.print_exc()
        return _report(_as_snap_error(error))
    return status if isinstance(status, int) else 0


def _as_snap_error(error: BaseException) -> SnapError:
    """What the program did not foresee, as an error that says so in a sentence."""
    if isinstance(error, click.Abort) and error.__cause__:
        # click makes one of every KeyboardInterrupt.
        error = error.__cause__
    if isinstance(error, SnapError):
        return error
    if isinstance(error, Terminated):
        return Interrupted("Stopped by a request to terminate.", exit_code=143)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Interrupted("Stopped by Ctrl-C.")
    if isinstance(error, BrokenPipeError):
        return OutputClosed("The output was closed before everything was written.")
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"This machine's disk is full: {error}", "Make room, then try again.")
    if isinstance(error, OSError):
        return SnapError(str(error))
    return SnapError(
        f"snap itself failed: {type(error).__name__}: {error}",
        "`snap --debug …` shows where; please report it.",
    )


def _report(error: SnapError) -> int:
    lines = [f"snap: {printable(error.what)}"]
    if isinstance(error, VerificationFailed):
        lines += [f"  FAIL {printable(finding)}" for finding in error.findings]
    if error.hint:
        lines.append(f"  {printable(error.hint)}")
    try:
        print("\n".join(lines), file=sys.stderr, flush=True)
    except BrokenPipeError:
        _discard(sys.stderr.fileno())
    try:
        sys.stdout.flush()
    except OSError:
        # What is left in the buffer would fail once more when the interpreter ends, and change the status.
        _discard(sys.stdout.fileno())
    return error.exit_code


def _discard(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _on_sigterm(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
