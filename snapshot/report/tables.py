"""The sections that are tables: packages, layers, config."""

from __future__ import annotations

from collections.abc import Iterator

from snapshot.engine.types import ChangeKind
from snapshot.packages.interface import PackageChange
from snapshot.report.markup import bar, isolated, more_in_words, name, short, table, text
from snapshot.report.model import ConfigRow, Report, ReportLayer
from snapshot.report.quantity import bytes_in_words, count

#: So many rows are told of each.
MOST_PACKAGES = 2000
MOST_LAYERS = 500
MOST_CONFIG_ROWS = 400
_MOST_SHARING = 20
#: What became of a package or a part of the config.
KINDS = {ChangeKind.ADDED: "added", ChangeKind.CHANGED: "changed", ChangeKind.DELETED: "removed"}


def packages_section(report: Report) -> Iterator[str]:
    """What the package managers have installed, taken away and upgraded."""
    if report.packages:
        yield table(
            "Packages",
            ("Package", "What", "From", "To", "Manager", "Where"),
            (_package(change) for change in report.packages[:MOST_PACKAGES]),
        )
    elif not report.package_notes:
        yield "<p>No package came, went or was upgraded.</p>\n"
    yield more_in_words(len(report.packages) - MOST_PACKAGES, "package")
    for note in report.package_notes:
        yield f'<p class="dim">{isolated(note)}</p>\n'


def _marked(kind: ChangeKind) -> str:
    return f'<b class="{kind.value}">{KINDS[kind]}</b>'


def _package(change: PackageChange) -> tuple[str, ...]:
    named = f"{change.name}:{change.architecture}" if change.architecture else change.name
    return (
        short(named),
        _marked(change.kind),
        short(change.old),
        short(change.new),
        text(change.manager),
        short(change.place),
    )


def layers_section(report: Report) -> Iterator[str]:
    """What each layer holds, how much of it is wasted, and who else has it."""
    largest = max((layer.size_bytes for layer in report.layers), default=0)
    wasted = sum(layer.wasted_bytes for layer in report.layers)
    total = sum(layer.size_bytes for layer in report.layers)
    yield (
        f"<p>{count(len(report.layers), 'layer')}, {bytes_in_words(total)} in all"
        f"{f', {bytes_in_words(wasted)} of them stored again or deleted higher up' if wasted else ''}."
        " The base's first comes first.</p>\n"
    )
    yield table(
        "Layers",
        ("Layer", "Size", "Wasted", "Files", "Deleted", "Created by", "Shared with"),
        (_layer(layer, largest) for layer in report.layers[:MOST_LAYERS]),
        numbers=(1, 2, 3, 4),
    )
    yield more_in_words(len(report.layers) - MOST_LAYERS, "layer")


def _layer(layer: ReportLayer, largest_bytes: int) -> tuple[str, ...]:
    scale = largest_bytes or 1
    kept = layer.size_bytes - layer.wasted_bytes
    sizes = bar([("own", kept / scale), ("wasted", layer.wasted_bytes / scale)])
    return (
        f"{layer.number}",
        f"{bytes_in_words(layer.size_bytes)}{sizes}",
        bytes_in_words(layer.wasted_bytes) if layer.wasted_bytes else "-",
        f"{layer.files:,}",
        f"{layer.deleted:,}" if layer.deleted else "-",
        f'<div class="mono">{name(layer.created_by)}</div><small>{_short_id(layer.diff_id)}</small>',
        _sharing(layer.shared_with),
    )


def _short_id(digest: str) -> str:
    """The first 12 digits, as Docker's CLI shows it."""
    return isolated(digest.removeprefix("sha256:")[:12])


def _sharing(names: tuple[str, ...]) -> str:
    if not names:
        return "no other image here"
    told = ", ".join(isolated(image) for image in names[:_MOST_SHARING])
    more = len(names) - _MOST_SHARING
    if len(names) == 1:
        return told
    return (
        f"<details><summary>{count(len(names), 'image')}</summary>{told}"
        f"{f' and {more:,} more' if more > 0 else ''}</details>"
    )


def config_section(report: Report) -> Iterator[str]:
    """How it runs, before and after; what is the same is folded away."""
    if not report.compared_with:
        rows = [(name(row.name), name(row.after or "")) for row in report.config[:MOST_CONFIG_ROWS]]
        yield table("Config", ("Part", "Value"), rows)
        yield more_in_words(len(report.config) - MOST_CONFIG_ROWS, "part")
        return
    changed = [row for row in report.config if row.before != row.after]
    same = [row for row in report.config if row.before == row.after]
    if changed:
        yield table(
            "Changed config",
            ("Part", "What", "Before", "After"),
            (_config(row) for row in changed[:MOST_CONFIG_ROWS]),
        )
    else:
        yield f"<p>The config is that of {isolated(report.compared_with)}.</p>\n"
    yield more_in_words(len(changed) - MOST_CONFIG_ROWS, "changed part")
    if same:
        rows = [(name(row.name), name(row.after or "")) for row in same[:MOST_CONFIG_ROWS]]
        yield f"<details><summary>{count(len(same), 'part')} as before</summary>\n"
        yield table("Config as before", ("Part", "Value"), rows)
        yield f"{more_in_words(len(same) - MOST_CONFIG_ROWS, 'part')}</details>\n"


def _config(row: ConfigRow) -> tuple[str, ...]:
    return (
        name(row.name),
        _marked(row.kind),
        "-" if row.before is None else name(row.before),
        "-" if row.after is None else name(row.after),
    )
