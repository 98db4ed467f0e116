"""``snap report``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snapshot.cli.commit import check_can_be_written
from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.text import note
from snapshot.errors import SnapError

if TYPE_CHECKING:
    from snapshot.report.model import Report

_ENDINGS = {"html": ".html", "markdown": ".md"}
_MOST_NAME_CHARS = 100


@click.command()
@click.option(
    "--format",
    "output_format",
    type=click.Choice(list(_ENDINGS)),
    default="html",
    show_default=True,
    help="A page, or a short text for a pull request or a chat.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write it there, - for stdout.  [default: NAME-report.html]"
)
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@click.option("--no-recordings", is_flag=True, help="Leave out the recordings of sessions.")
@click.argument("name", metavar="IMAGE|CONTAINER")
@pass_invocation
def command(
    invocation: Invocation,
    output_format: str,
    output: str | None,
    opens: bool,
    no_recordings: bool,
    name: str,
) -> None:
    """Write a page about an image or a container, to show around.

    One HTML file that needs nothing else: what it is and from what, whether it is as recorded, the steps that
    made it, what changed, down to the text of files, its packages, sizes, layers and config, and recorded
    sessions, to be played. Secrets are cut where they are known by name or form; read it before you hand it
    on. Where both have that name, it is about the container.

    \b
    $ snap report ch03-change --open
    $ snap report ch03-change --format markdown -o - | gh pr comment --body-file -
    """
    if opens and output == "-":
        raise click.UsageError("--open needs a file: leave out `-o -`.")
    from snapshot.workflow.report import report_on

    path = None if output == "-" else Path(output or file_name(name, output_format))
    check_can_be_written(path)
    progress = invocation.progress()
    report = report_on(invocation.engine(), name, with_recordings=not no_recordings, progress=progress)
    progress.clear()
    # What no encoding can hold came from a stranger, and is no reason to fail.
    pieces = (piece.encode("utf-8", "backslashreplace") for piece in _written(report, output_format))
    if path is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()
        return
    _write(path, pieces)
    note(f"the report on '{name}' is in '{path}'")
    click.echo(str(path))
    if opens and not _opened(path):
        note("nothing is here to open it with")


def file_name(name: str, output_format: str) -> str:
    """A file in the current folder, whatever the name holds.

    >>> file_name("diamol/ch03-lab:2", "html")
    'diamol-ch03-lab-2-report.html'
    """
    safe = re.sub("[^A-Za-z0-9._-]+", "-", name)[:_MOST_NAME_CHARS].strip("-.")
    return f"{safe or 'image'}-report{_ENDINGS[output_format]}"


def _written(report: Report, output_format: str) -> Iterator[str]:
    if output_format == "html":
        from snapshot.report.page import page

        return page(report)
    from snapshot.report.markdown import markdown

    return iter((markdown(report),))


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    from snapshot.workflow.whole_file import write_whole

    try:
        write_whole(path, pieces, lambda _: None)
    except OSError as error:
        raise SnapError(f"The report '{path}' cannot be written: {error.strerror}.") from error


def _opened(path: Path) -> bool:
    """Hand a file to what opens files here, without waiting for it; whether there is such a thing."""
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if program is None:
        return False
    quiet = subprocess.DEVNULL
    subprocess.Popen(
        [program, str(path.resolve())], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )
    return True
