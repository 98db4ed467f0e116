"""``snap df``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.pager import paged, pager_option
from snapshot.cli.text import bytes_in_words, note, print_json, printable, short_id, table

if TYPE_CHECKING:
    from snapshot.workflow.df import DiskUse, Share, Use


@click.command()
@format_option
@click.option("-v", "--verbose", is_flag=True, help="List each image, container and volume, too.")
@pager_option
@pass_invocation
def command(invocation: Invocation, output_format: str, verbose: bool, pager: bool | None) -> None:
    """Show where the space goes, and what images share of it.

    LISTED is what `docker image ls` adds up to, as if each image had all of its layers for itself. REAL is
    what is there: each layer once. SHARED are layers that two images or more stand on. UNUSED would go with
    all images that no container was made from, containers that are not up, and volumes without a container.
    Docker's containerd store keeps each layer packed as well; what it prepared for containers counts there.

    \b
    $ snap df
    $ snap df -v
    """
    from snapshot.workflow.df import df

    progress = invocation.progress()
    found = df(invocation.engine(), progress=progress)
    progress.clear()
    if output_format == "json":
        print_json(_document(found))
        return
    paged("\n\n".join([_summary(found, verbose), *(_lists(found) if verbose else ())]), pager)
    for sentence in found.differences or (["the engine itself counts the same"] if verbose else []):
        note(sentence)
    if found.orphans:
        note(f"layers of removed images are there for {', '.join(found.orphans)}, and nobody counts them")


def _summary(found: DiskUse, verbose: bool) -> str:
    from snapshot.workflow.df import FILES_HERE, Use

    shown = [use for use in found.uses if verbose or use.part_of != FILES_HERE]
    where = next((index for index, use in enumerate(shown) if use.what == FILES_HERE), len(shown))
    shown.insert(where, Use("in all", None, found.total_bytes))
    headers = ["", "COUNT", "LISTED", "REAL", "SHARED", "UNUSED"]
    return table([_row(use) for use in shown], headers=headers, right=(1, 2, 3, 4, 5))


def _row(use: Use) -> list[str]:
    sizes = (use.listed_bytes, use.real_bytes, use.shared_bytes, use.unused_bytes)
    return [
        f"└ {use.what}" if use.part_of else use.what,
        "-" if use.number is None else f"{use.number:,}",
        *("-" if size is None else bytes_in_words(size) for size in sizes),
    ]


def _lists(found: DiskUse) -> Iterator[str]:
    told = found.engine
    if found.images:
        headers = ["IMAGE", "ID", "LISTED", "SHARED", "OWN", "CONTAINERS"]
        yield table([_image_row(share) for share in found.images], headers, right=(2, 3, 4), shorten=(5, 0))
    if told.containers:
        rows = [
            [printable(item.name), short_id(item.id), item.state, bytes_in_words(item.written_bytes)]
            for item in told.containers
        ]
        yield table(rows, ["CONTAINER", "ID", "STATE", "WRITTEN"], right=(3,), shorten=0)
    if told.volumes:
        rows = [
            [
                printable(item.name),
                "-" if item.size_bytes is None else bytes_in_words(item.size_bytes),
                "-" if item.users is None else f"{item.users:,}",
            ]
            for item in told.volumes
        ]
        yield table(rows, ["VOLUME", "SIZE", "CONTAINERS"], right=(1, 2), shorten=0)


def _image_row(share: Share) -> list[str]:
    sizes = (share.listed_bytes, share.shared_bytes, share.own_bytes)
    return [
        printable(", ".join(share.image.tags)) or "-",
        short_id(share.image.id),
        *(bytes_in_words(size) for size in sizes),
        printable(", ".join(share.containers)) or "-",
    ]


def _document(found: DiskUse) -> dict[str, Any]:
    told = found.engine
    return {
        "schema": "docker-snap.df/1",
        "total_bytes": found.total_bytes,
        "uses": [use._asdict() | {"part_of": use.part_of or None} for use in found.uses],
        "images": [
            {
                "id": share.image.id,
                "names": list(share.image.tags),
                "listed_bytes": share.listed_bytes,
                "layers_bytes": share.layers_bytes,
                "shared_bytes": share.shared_bytes,
                "own_bytes": share.own_bytes,
                "containers": list(share.containers),
                "is_kept_result": share.is_kept_result,
            }
            for share in found.images
        ],
        "containers": [
            {
                "id": item.id,
                "name": item.name,
                "image": {"id": item.image_id, "is_here": item.name not in found.orphans},
                "state": item.state,
                "written_bytes": item.written_bytes,
            }
            for item in told.containers
        ],
        "volumes": [item._asdict() for item in told.volumes],
        "engine": {
            "images_bytes": told.layers_bytes,
            "images": [item._asdict() for item in told.images],
            "differences": list(found.differences),
        },
    }
