"""``snap engine``: which engine is used, why that one, and what works there."""

from __future__ import annotations

from dataclasses import dataclass

from snapshot.engine.client import Engine
from snapshot.engine.endpoint import Endpoint
from snapshot.engine.types import EngineInfo


@dataclass(frozen=True)
class Ability:
    """One thing that works on an engine or does not, with what follows from that."""

    name: str
    works: bool
    detail: str


@dataclass(frozen=True)
class EngineReport:
    """The chosen endpoint, the engine that answers there, and what works."""

    endpoint: Endpoint
    info: EngineInfo
    abilities: tuple[Ability, ...]


def describe_engine(engine: Engine) -> EngineReport:
    """Ask the engine what it is, and say what works there."""
    info = engine.info()
    linux = info.os == "linux"
    version = tuple(int(part) for part in info.api_version.split(".") if part.isdigit())
    return EngineReport(
        endpoint=engine.endpoint,
        info=info,
        abilities=(
            Ability(
                "run, diff, commit, verify", linux, "" if linux else "Linux containers alone can be read"
            ),
            Ability("pause while committing", info.can_pause, "" if info.can_pause else "give --no-pause"),
            Ability("run --platform", version >= (1, 41), "" if version >= (1, 41) else "needs API 1.41"),
            Ability(
                "run without --network",
                info.has_default_network,
                "" if info.has_default_network else "no default network here: give --network none or host",
            ),
        ),
    )
