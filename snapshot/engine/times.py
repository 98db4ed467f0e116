"""Times as engines write them."""

from __future__ import annotations

import re
from datetime import datetime

_RFC_3339 = r"(.{19})(?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"


def whole_seconds(time: str) -> int | None:
    """RFC 3339, with any number of digits for fractions, in whole seconds since 1970, rounded down.

    ``None`` for what is no such time.

    >>> whole_seconds("1970-01-01T01:00:01.999999999+01:00")
    1
    """
    parts = re.fullmatch(_RFC_3339, time)
    if not parts:
        return None
    zone = "+00:00" if parts[2] == "Z" else parts[2]
    try:
        return int(datetime.fromisoformat(parts[1] + zone).timestamp())
    except ValueError:
        return None
