"""Text that is safe to show: names, paths and commands come from strangers."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""``text`` with everything that could steer a terminal or hide in it written as an escape.

    >>> printable("a\x1b[2Jb\n\udcff")
    'a\\x1b[2Jb\\n\\xff'
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def shortened(text: str, most_chars: int) -> str:
    """A text of at most so many characters; one that was longer ends in ``…``.

    >>> shortened("snap patch --rm /bin/vi", 12)
    'snap patch …'
    """
    return text if len(text) <= most_chars else f"{text[: most_chars - 1]}…"


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        # A byte that is not UTF-8.
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
