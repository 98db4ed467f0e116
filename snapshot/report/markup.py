"""Strangers' texts as HTML that is text and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from snapshot.report.quantity import count
from snapshot.report.visible import middle_cut, visible

#: A name that is longer is shortened in the middle, with all of it below.
MOST_NAME_CHARS = 120
#: Of anything no more than this is told.
MOST_TEXT_CHARS = 4200


def text(raw: str) -> str:
    r"""``raw`` as HTML; what could hide, steer or turn around what is read is shown as an escape.

    >>> text('<b>\x1b[1m\u202e"')
    '&lt;b&gt;<i>\\x1b</i>[1m<i>\\u202e</i>&quot;'
    """
    return visible(raw, escape, lambda escaped: f"<i>{escaped}</i>")


def plain(raw: str) -> str:
    r"""As :func:`text`, without any element: for titles, attributes, and names in drawings.

    >>> plain("<b>\x1b")
    '&lt;b&gt;\\x1b'
    """
    return visible(raw, escape)


def isolated(raw: str) -> str:
    """A stranger's text that leaves the direction of what is around it alone."""
    return f"<bdi>{text(bounded(raw))}</bdi>"


def short(raw: str) -> str:
    """A name of which the middle is lost where it is long."""
    return isolated(middle_cut(raw, MOST_NAME_CHARS))


def name(raw: str) -> str:
    """A name of any length: where it is long, its middle is told on demand."""
    if len(raw) <= MOST_NAME_CHARS:
        return isolated(raw)
    return f'<details class="long"><summary>{short(raw)}</summary>{isolated(raw)}</details>'


def bounded(raw: str) -> str:
    """``raw``, or where it is too long what it begins and ends with, and how long it is."""
    if len(raw) <= MOST_TEXT_CHARS:
        return raw
    return f"{middle_cut(raw, MOST_TEXT_CHARS)} ({len(raw):,} characters)"


def table(
    label: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
    head: int = 0,
) -> str:
    """A table of cells that are HTML already; on a narrow screen it scrolls by itself.

    Parameters
    ----------
    label:
        What it is, for who does not see it.
    numbers:
        Columns that are aligned to the right.
    head:
        The column that names its row.
    """

    def cell(column: int, content: str) -> str:
        kind = ' class="num"' if column in numbers else ""
        return f'<th scope="row"{kind}>{content}</th>' if column == head else f"<td{kind}>{content}</td>"

    heads = "".join(
        f'<th scope="col"{" class=num" if column in numbers else ""}>{header}</th>'
        for column, header in enumerate(headers)
    )
    body = "".join(
        f"<tr>{''.join(cell(column, content) for column, content in enumerate(row))}</tr>\n" for row in rows
    )
    return (
        f'<div class="scroll" role="region" aria-label="Table: {label}" tabindex="0"><table>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def more_in_words(number: int, noun: str) -> str:
    """A paragraph on what is not told; empty where all is."""
    return f'<p class="more">{count(number, f"more {noun}")} not shown.</p>\n' if number > 0 else ""


def bar(parts: Sequence[tuple[str, float]]) -> str:
    """A bar of parts, each a class with its share of the whole (0 to 1); numbers beside it say the same."""
    rects: list[str] = []
    begin = 0.0
    for kind, share in parts:
        width = round(100 * share, 1)
        if width > 0:
            rects.append(f'<rect class="{kind}" x="{begin:g}" width="{width:g}" height="4"/>')
        begin = round(begin + width, 1)
    return (
        '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rects)}</svg>"
    )
