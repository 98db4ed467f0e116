"""SVG of a film: each row of text is drawn once, frames stand side by side, and CSS moves along them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from html import escape
from itertools import groupby

from cast_film import Film

from snapshot.journal.escapes import shows
from snapshot.journal.screen_style import Style
from snapshot.report.recording_frames import Frame, Line
from snapshot.report.terminal_colours import BACKGROUND, FOREGROUND, drawn_colours

_CELL_WIDTH, _CELL_HEIGHT, _PADDING = 8.4, 19, 16
_BASELINE = 14
#: Rows are drawn in blocks of this many: where one changes, not all of the screen is listed again.
_BLOCK = 5
#: Inside ``<style>``.
_FONT = (
    "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
    f"white-space:pre;fill:{FOREGROUND}}}\n"
    f".cursor{{fill:{FOREGROUND};opacity:.5}}\n"
)


def drawing(film: Film, title: str) -> str:
    """The whole SVG of a film; text is escaped, and there is no script in it."""
    drawn = _Drawn()
    width = film.size.columns * _CELL_WIDTH
    height = film.size.rows * _CELL_HEIGHT
    step = width + _PADDING
    frames = "".join(
        f'<g transform="translate({_number(number * step)})">{drawn.frame(frame)}</g>\n'
        for number, frame in enumerate(film.frames)
    )
    last = f"translate({_number(-(len(film.frames) - 1) * step)})"
    outer_width, outer_height = _number(width + 2 * _PADDING), _number(height + 2 * _PADDING)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{outer_width}" height="{outer_height}" '
        f'viewBox="0 0 {outer_width} {outer_height}" role="img" xml:space="preserve">\n'
        f"<title>{_escaped(title)}</title>\n"
        f"<style>\n{_FONT}{drawn.style_sheet()}{_animation(film, step)}</style>\n"
        f"<defs>\n{drawn.definitions()}</defs>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n'
        f'<svg x="{_PADDING}" y="{_PADDING}" width="{_number(width)}" height="{_number(height)}">\n'
        f'<g class="film" transform="{last}">\n{frames}</g>\n</svg>\n</svg>\n'
    )


def _animation(film: Film, step: float) -> str:
    if len(film.frames) == 1:
        return ""
    begin_s, duration_s = film.frames[0].begin_s, film.duration_s
    moments = "".join(
        f"{_number((frame.begin_s - begin_s) / duration_s * 100, 3)}%"
        f"{{transform:translateX({_number(-number * step)}px)}}"
        for number, frame in enumerate(film.frames)
    )
    end = f"to{{transform:translateX({_number(-(len(film.frames) - 1) * step)}px)}}"
    # Without the animation the group's own attribute counts, which shows the last frame.
    return (
        f"@keyframes film{{{moments}{end}}}\n"
        f".film{{animation:film {_number(duration_s, 3)}s steps(1,end) infinite}}\n"
        "@media (prefers-reduced-motion:reduce){.film{animation:none}}\n"
    )


class _Drawn:
    """What has been drawn until now: each line, block of lines and style once."""

    def __init__(self) -> None:
        self._ids: dict[Hashable, str] = {}
        self._definitions: list[str] = []
        self._classes: dict[str, str] = {}

    def frame(self, frame: Frame) -> str:
        """A frame, as references to its blocks of lines, and its cursor."""
        cursor = ""
        if frame.cursor:
            row, column = frame.cursor
            cursor = (
                f'<rect class="cursor" x="{_number(column * _CELL_WIDTH)}" y="{row * _CELL_HEIGHT}" '
                f'width="{_CELL_WIDTH}" height="{_CELL_HEIGHT}"/>'
            )
        blocks = "".join(
            self._use(self._block(frame.lines[top : top + _BLOCK]), top)
            for top in range(0, len(frame.lines), _BLOCK)
        )
        return blocks + cursor

    def style_sheet(self) -> str:
        """The classes that were used, in the order of their first use."""
        return "".join(f".{name}{{{rules}}}\n" for rules, name in self._classes.items())

    def definitions(self) -> str:
        """The lines and blocks that were used."""
        return "".join(self._definitions)

    def _block(self, lines: tuple[Line, ...]) -> str:
        if not any(lines):
            return ""
        return self._defined(
            ("block", lines),
            lambda: "".join(self._use(self._line(line), row) for row, line in enumerate(lines)),
        )

    def _line(self, line: Line) -> str:
        return self._defined(("line", line), lambda: self._runs(line)) if line else ""

    def _defined(self, key: Hashable, draw: Callable[[], str]) -> str:
        if key not in self._ids:
            content = draw()
            self._ids[key] = f"g{len(self._ids):x}"
            self._definitions.append(f'<g id="{self._ids[key]}">{content}</g>\n')
        return self._ids[key]

    @staticmethod
    def _use(name: str, row: int) -> str:
        if not name:
            return ""
        place = f' y="{row * _CELL_HEIGHT}"' if row else ""
        return f'<use href="#{name}"{place}/>'

    def _runs(self, line: Line) -> str:
        parts, column = [], 0
        for style, cells in groupby(line, key=lambda cell: cell.style):
            texts = [cell.text for cell in cells]
            parts.append(self._run("".join(texts), style, column, len(texts)))
            column += len(texts)
        return "".join(parts)

    def _run(self, text: str, style: Style, column: int, columns: int) -> str:
        foreground, background = drawn_colours(style)
        left, width = _number(column * _CELL_WIDTH), _number(columns * _CELL_WIDTH)
        parts = []
        if background != BACKGROUND:
            name = self._class(f"fill:{background}")
            parts.append(f'<rect class="{name}" x="{left}" width="{width}" height="{_CELL_HEIGHT}"/>')
        inner = text.strip(" ")
        if inner:
            before = len(text) - len(text.lstrip(" "))
            after = len(text) - len(text.rstrip(" "))
            left = _number((column + before) * _CELL_WIDTH)
            width = _number((columns - before - after) * _CELL_WIDTH)
            rules = _rules(style, foreground)
            name = f' class="{self._class(rules)}"' if rules else ""
            # The length keeps columns in line whatever font the reader has.
            parts.append(
                f'<text{name} x="{left}" y="{_BASELINE}" textLength="{width}" '
                f'lengthAdjust="spacingAndGlyphs">{_escaped(inner)}</text>'
            )
        return "".join(parts)

    def _class(self, rules: str) -> str:
        return self._classes.setdefault(rules, f"s{len(self._classes)}")


def _rules(style: Style, foreground: str) -> str:
    rules = [f"fill:{foreground}"] if foreground != FOREGROUND else []
    rules += ["font-weight:bold"] if style.bold else []
    rules += ["opacity:.6"] if style.dim else []
    rules += ["font-style:italic"] if style.italic else []
    lines = [name for name, on in (("underline", style.underlined), ("line-through", style.struck)) if on]
    rules += [f"text-decoration:{' '.join(lines)}"] if lines else []
    return ";".join(rules)


def _escaped(text: str) -> str:
    # XML 1.0 has no room for these at all, not even escaped.
    return escape("".join(char if shows(char) else "\ufffd" for char in text))


def _number(value: float, digits: int = 1) -> str:
    return f"{round(value, digits):g}" if abs(value) < 1e5 else f"{round(value, digits):.{digits}f}"
