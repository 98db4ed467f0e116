"""The colours in which recordings of terminals are drawn; light on dark, whatever is around them."""

from __future__ import annotations

from snapshot.journal.screen_style import Colour, Style

FOREGROUND, BACKGROUND = "#d0d7de", "#161b22"
_PALETTE = (
    *("#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4"),
    *("#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#f0f6fc"),
)


def drawn_colours(style: Style) -> tuple[str, str]:
    """The colours of characters and of what is behind them, as ``#rrggbb``.

    >>> drawn_colours(Style(foreground=196, reversed=True))
    ('#161b22', '#ff0000')
    """
    foreground = FOREGROUND if style.foreground is None else _drawn(style.foreground)
    background = BACKGROUND if style.background is None else _drawn(style.background)
    return (background, foreground) if style.reversed else (foreground, background)


def _drawn(colour: Colour) -> str:
    if not isinstance(colour, int):
        return str(colour)
    if colour < 16:
        return _PALETTE[colour]
    if colour < 232:
        # A cube of 6 by 6 by 6, then greys, as xterm has them.
        levels = (0, 95, 135, 175, 215, 255)
        red, green, blue = (colour - 16) // 36, (colour - 16) // 6 % 6, (colour - 16) % 6
        return f"#{levels[red]:02x}{levels[green]:02x}{levels[blue]:02x}"
    return "#" + f"{8 + (colour - 232) * 10:02x}" * 3
