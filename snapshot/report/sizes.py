"""The section of the sizes: a map of folders, and the same as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from snapshot.changeset.layer_use import SizedFolder
from snapshot.report.markup import bar, more_in_words, plain, short, table
from snapshot.report.model import Report
from snapshot.report.quantity import bytes_in_words
from snapshot.report.treemap import STRIP, Box, Cell, treemap
from snapshot.report.visible import middle_cut

#: A map for wide screens and one for narrow ones; each shows where the other does not.
_MAPS = {"wide": Box(0, 0, 960, 440), "narrow": Box(0, 0, 340, 520)}
_GROUPS = 8
#: About how wide a character is, and how much room a name needs.
_CHAR_WIDTH, _LEAST_CHARS = 6.6, 4
MOST_ROWS = 400


def sizes_section(report: Report) -> Iterator[str]:
    """Where the bytes are: of each folder what lies in it and below."""
    total = sum(folder.size_bytes for folder in report.folders)
    yield f"<p>{bytes_in_words(total)} of files, as the image shows them. Areas are sizes.</p>\n"
    for kind, box in _MAPS.items():
        yield from _map(kind, box, treemap(report.folders, box))
    rows = sorted(report.folders, key=lambda folder: -folder.size_bytes)
    yield "<details><summary>The same as a table</summary>\n"
    yield table(
        "Sizes of folders",
        ("Folder", "Size", "Files", "Share"),
        (_row(folder, total) for folder in rows[:MOST_ROWS]),
        numbers=(1, 2, 3),
    )
    yield f"{more_in_words(len(rows) - MOST_ROWS, 'folder')}</details>\n"


def _row(folder: SizedFolder, total_bytes: int) -> tuple[str, ...]:
    share = folder.size_bytes / (total_bytes or 1)
    return (
        short(folder.path),
        bytes_in_words(folder.size_bytes),
        f"{folder.files:,}",
        f"{100 * share:.1f}%{bar([('own', share)])}",
    )


def _map(kind: str, box: Box, cells: Sequence[Cell]) -> Iterator[str]:
    yield (
        f'<svg class="map {kind}" viewBox="0 0 {box.width:g} {box.height:g}" role="img" '
        f'aria-label="Map of the sizes of folders; the table below tells the same">\n'
    )
    for cell in cells:
        yield _cell(cell)
    yield "</svg>\n"


def _cell(cell: Cell) -> str:
    x, y, width, height = (f"{value:.1f}" for value in cell.box)
    told = plain(f"{_named(cell)}: {bytes_in_words(cell.size_bytes)}")
    label = ""
    room = int((cell.box.width - 8) / _CHAR_WIDTH)
    if room >= _LEAST_CHARS and cell.box.height >= STRIP:
        label = f'<text x="5" y="13">{plain(middle_cut(_label(cell), room))}</text>'
        if not cell.is_divided and cell.box.height >= 2 * STRIP and room > len("999.9 MB"):
            label += f'<text class="size" x="5" y="29">{bytes_in_words(cell.size_bytes)}</text>'
    # A drawing in the drawing cuts off what a name has too much.
    colour = f"g{cell.group % _GROUPS} d{min(cell.depth, 3)}"
    return (
        f'<svg x="{x}" y="{y}" width="{width}" height="{height}" class="{colour}">'
        f'<title>{told}</title><rect width="100%" height="100%"/>{label}</svg>\n'
    )


def _named(cell: Cell) -> str:
    if cell.others > 0:
        return f"{cell.others:,} other folders in {cell.path}"
    return f"files in {cell.path}" if cell.others < 0 else cell.path


def _label(cell: Cell) -> str:
    if cell.others:
        return f"{cell.others:,} others" if cell.others > 0 else "files"
    return cell.path if cell.depth == 0 else cell.path.rpartition("/")[2]
