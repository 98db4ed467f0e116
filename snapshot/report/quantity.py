"""Numbers as people read them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_MOST_S = 1e9
_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


def bytes_in_words(size_bytes: int) -> str:
    """A size as people say it, in powers of 1,000 as Docker's CLI has them.

    >>> bytes_in_words(1_234_567), bytes_in_words(-42_000), bytes_in_words(1)
    ('1.23 MB', '-42 kB', '1 byte')
    """
    sign, amount = "-" if size_bytes < 0 else "", float(abs(size_bytes))
    if amount < 1000:
        return sign + count(int(amount), "byte")
    units = iter(_UNITS)
    # What is rounded to 1,000 is one of the next unit.
    while amount >= 999.5:
        amount /= 1000
        unit = next(units)
    return f"{sign}{amount:.3g} {unit}"


def count(number: int, noun: str) -> str:
    """``1 file``, ``1,200 files``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def duration_in_words(duration_s: float) -> str:
    """A time that something took; strangers may tell of any.

    >>> duration_in_words(0.84), duration_in_words(75), duration_in_words(7384)
    ('0.84 s', '1 min 15 s', '2 h 3 min')
    >>> duration_in_words(float("inf"))
    'an unknown time'
    """
    if not 0 <= duration_s < _MOST_S:
        return "an unknown time"
    if duration_s < 60:
        return f"{duration_s:.2f} s"
    minutes, seconds = divmod(int(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def moment_in_words(moment: str) -> str:
    """A time in RFC 3339 to the second, in UTC; what is none is given back as it is.

    >>> moment_in_words("2025-03-01T13:00:05.25+01:00")
    '2025-03-01 12:00:05 UTC'
    """
    try:
        # Engines tell nanoseconds, which Python 3.10 does not read.
        told = datetime.fromisoformat(re.sub(r"\.\d+", "", moment).replace("Z", "+00:00"))
        return f"{told.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC" if told.tzinfo else moment
    except (ValueError, OverflowError):
        return moment
