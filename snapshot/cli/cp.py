"""``snap cp``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.text import count, note
from snapshot.errors import InvalidInput

if TYPE_CHECKING:
    from snapshot.workflow.cp import CopyResult

_MOST_SHOWN = 5


@click.command()
@click.option(
    "-a", "--archive", is_flag=True, help="Keep the numbers of user and group; else root's, or yours here."
)
@click.option("-L", "--follow-link", is_flag=True, help="Copy what a link as the source leads to.")
@click.option("-q", "--quiet", is_flag=True, help="Do not say how much was copied.")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DEST")
@pass_invocation
def command(
    invocation: Invocation, archive: bool, follow_link: bool, quiet: bool, source: str, destination: str
) -> None:
    """Copy files into a container, as a step that its journal keeps, or out of it.

    One of SRC and DEST is CONTAINER:PATH, the other a path here; one here that has a colon is written
    './a:b'. The container may run or not. A folder comes into a folder under its name, and with '/.' at its
    end only what is in it. A destination that is not there is made under that name, in a folder that is.
    Links at the destination are followed inside the container.

    '-' as SRC unpacks a tar from stdin in a folder of the container, '-' as DEST writes one to stdout.

    \b
    $ snap cp site/. web:/usr/share/nginx/html
    $ snap cp web:/var/log/nginx - | tar t
    """
    from snapshot.workflow.copying.rules import STREAM, parse_places
    from snapshot.workflow.cp import CopyOptions, copy_in, copy_out
    from snapshot.workflow.progress import SILENT

    here, there = parse_places(source, destination)
    options = CopyOptions(keep_owner=archive, follow_link=follow_link)
    processes = invocation.processes()
    container = processes.container(here.container or there.container)
    progress = SILENT if quiet else invocation.progress()
    if there.container:
        if source == STREAM and sys.stdin.isatty():
            raise InvalidInput(
                "A tar comes from a pipe or a file.", f"Write: snap cp - {destination} < FILE.tar"
            )
        given = sys.stdin.buffer if source == STREAM else here.path
        result = copy_in(processes, container, given, there.path, options=options, progress=progress)
    elif destination != STREAM:
        result = copy_out(processes, container, here.path, there.path, options=options, progress=progress)
    else:
        if sys.stdout.isatty():
            raise InvalidInput(
                "A tar is not for a terminal.", f"Write it to a file: snap cp {source} - > FILE.tar"
            )
        # What it shows would be in between what the reader of the tar says.
        result = copy_out(processes, container, here.path, sys.stdout.buffer, options=options)
        quiet = True
    _say(result, destination, quiet=quiet)


def _say(result: CopyResult, destination: str, *, quiet: bool) -> None:
    if result.skipped:
        names = ", ".join(result.skipped[:_MOST_SHOWN])
        more = len(result.skipped) - _MOST_SHOWN
        note(f"left out, being devices or sockets: {names}" + (f" and {more:,} more" if more > 0 else ""))
    if result.journal_failure:
        note(result.journal_failure)
    if not quiet:
        note(f"copied {count(result.files, 'file')}, {count(result.size_bytes, 'byte')} to {destination}")
