"""Parts of a config by the names that people know, and as they are written."""

from __future__ import annotations

from collections.abc import Collection

from snapshot.engine.types import Config, Healthcheck
from snapshot.image.record import PREFIX


def variables(config: Config) -> dict[str, str]:
    """The environment variables by name."""
    return {name: value for name, _, value in (entry.partition("=") for entry in config.env)}


def labels_but(config: Config, left_out: Collection[str]) -> dict[str, str]:
    """The labels without those names, and without all that are snap's alone."""
    return {
        name: value
        for name, value in config.labels.items()
        if name not in left_out and not name.startswith(f"{PREFIX}.")
    }


def healthcheck_options(check: Healthcheck) -> list[str]:
    """What stands between HEALTHCHECK and CMD.

    >>> healthcheck_options(Healthcheck(("CMD", "true"), interval_ns=1_500_000_000, retries=2))
    ['--interval=1500ms', '--retries=2']
    """
    times = {
        "interval": check.interval_ns,
        "timeout": check.timeout_ns,
        "start-period": check.start_period_ns,
        "start-interval": check.start_interval_ns,
    }
    options = [f"--{name}={_duration(time_ns)}" for name, time_ns in times.items() if time_ns]
    return [*options, f"--retries={check.retries}"] if check.retries else options


def _duration(time_ns: int) -> str:
    """A time as Go reads it.

    >>> _duration(90_000_000_000), _duration(1_500_000)
    ('90s', '1500us')
    """
    for unit, factor in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if time_ns % factor == 0:
            return f"{time_ns // factor}{unit}"
    return f"{time_ns}ns"
