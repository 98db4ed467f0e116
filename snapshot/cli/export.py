"""``snap export``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.text import count, note, print_json, printable, table
from snapshot.journal.step_words import counts_in_words

if TYPE_CHECKING:
    from snapshot.changeset.entry import Changeset
    from snapshot.engine.client import Engine
    from snapshot.workflow.progress import Progress

#: What is printed: rows for people, the document, notes, and what to do next.
_Shown = tuple[list[tuple[str, str]], dict[str, Any], tuple[str, ...], str]


@click.command()
@format_option
@click.option("-q", "--quiet", is_flag=True, help="Print where it was written, and nothing else.")
@click.option(
    "--oci", type=click.Path(path_type=Path), metavar="DIR|FILE", help="Write an OCI layout with all layers."
)
@click.option(
    "--diff", type=click.Path(path_type=Path), metavar="FILE", help="Write what the base lacks, in one file."
)
@click.argument("image")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@pass_invocation
def command(
    invocation: Invocation,
    output_format: str,
    quiet: bool,
    oci: Path | None,
    diff: Path | None,
    image: str,
    folder: Path | None,
) -> None:
    """Write an image as a Dockerfile, an OCI layout, or a difference to its base.

    DIR gets a Dockerfile, and beside it an archive of what changed: `docker build DIR`, BuildKit and buildah
    make the same files of it on the same base. An OCI layout is a file where its name ends in .tar or is one
    already, and else a folder. A difference is taken in by `snap import-diff`. Folders have to be new or
    empty.

    \b
    $ snap export ch03-change ch03 && docker build ch03
    $ snap export ch03-change --oci ch03.tar && docker load -i ch03.tar
    $ snap export ch03-change --diff ch03-diff.tar
    """
    path = _only_one(folder, oci, diff)
    progress = invocation.progress()
    export = _export_oci if oci else _export_diff if diff else _export_dockerfile
    rows, document, notes, following = export(invocation.engine(), image, path, progress)
    progress.clear()
    if quiet:
        click.echo(str(path))
    elif output_format == "json":
        print_json(document)
    else:
        click.echo(table([[key, printable(value)] for key, value in rows]))
    for text in notes:
        note(text)
    if not quiet:
        note(f"Next: {following}")


def _only_one(folder: Path | None, oci: Path | None, diff: Path | None) -> Path:
    asked = [path for path in (folder, oci, diff) if path is not None]
    if not asked:
        raise click.UsageError("Say where to: DIR for a Dockerfile, --oci DIR|FILE or --diff FILE.")
    if len(asked) > 1:
        raise click.UsageError("DIR, --oci and --diff exclude each other.")
    return asked[0]


def _export_dockerfile(engine: Engine, image: str, path: Path, progress: Progress) -> _Shown:
    from snapshot.workflow.export.dockerfile import export_dockerfile

    result = export_dockerfile(engine, image, path, progress=progress)
    document = {
        "base": result.base,
        "changes": _changes_document(result.changeset),
        "notes": list(result.notes),
    }
    rows = [("base", result.base), ("changes", _changes_in_words(result.changeset))]
    shown = ("Dockerfile", str(path / "Dockerfile"))
    return (
        [("image", image), shown, *rows],
        _document("dockerfile", result.image_id, path, document),
        result.notes,
        f"docker build {shlex.quote(str(path))}",
    )


def _export_oci(engine: Engine, image: str, path: Path, progress: Progress) -> _Shown:
    from snapshot.workflow.export.oci_layout import export_oci

    result = export_oci(engine, image, path, progress=progress)
    kind = "folder" if result.is_folder else "file"
    document = {
        "is_folder": result.is_folder,
        "name": result.name or None,
        "manifest": result.manifest_digest,
        "config": result.config_digest,
        "size_bytes": result.size_bytes,
    }
    quoted = shlex.quote(str(path))
    load = f"tar -C {quoted} -c . | docker load" if result.is_folder else f"docker load -i {quoted}"
    return (
        [
            ("image", image),
            (kind, str(path)),
            ("manifest", result.manifest_digest),
            ("size", count(result.size_bytes, "byte")),
        ],
        _document("oci", result.image_id, path, document),
        (),
        load,
    )


def _export_diff(engine: Engine, image: str, path: Path, progress: Progress) -> _Shown:
    from snapshot.workflow.export.diff_file import export_diff

    result = export_diff(engine, image, path, progress=progress)
    base = result.document.base
    document = {
        "base": {"name": base.name, "id": base.id, "digest": base.digest, "chain": base.chain_id},
        "layers": [layer.digest for layer in result.document.layers],
        "changes": _changes_document(result.changeset),
        "size_bytes": result.size_bytes,
    }
    named = base.shown
    return (
        [
            ("image", image),
            ("file", f"{path}, {count(result.size_bytes, 'byte')}"),
            ("base", named),
            ("changes", _changes_in_words(result.changeset)),
        ],
        _document("diff", result.image_id, path, document),
        (),
        f"snap import-diff {shlex.quote(str(path))} --base {named} -t {image}",
    )


def _document(kind: str, image_id: str, path: Path, rest: dict[str, Any]) -> dict[str, Any]:
    return {"schema": "docker-snap.export/1", "kind": kind, "id": image_id, "path": str(path), **rest}


def _changes_in_words(changeset: Changeset) -> str:
    words = counts_in_words(*changeset.counts.values())
    return f"{words}, {count(changeset.size_bytes, 'byte')}" if words else "none"


def _changes_document(changeset: Changeset) -> dict[str, int]:
    added, changed, deleted = changeset.counts.values()
    return {"added": added, "changed": changed, "deleted": deleted, "size_bytes": changeset.size_bytes}
