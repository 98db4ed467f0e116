"""Merging the configs of two images that come from one: part by part, as names that people know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import NamedTuple, TypeVar

from snapshot.engine.types import Config, Healthcheck
from snapshot.image.config_parts import labels_but, variables
from snapshot.image.record import OCI_BASE_DIGEST, OCI_BASE_NAME, OCI_OF_THE_BASE_ALONE

_T = TypeVar("_T")
_NOT_CARRIED = OCI_OF_THE_BASE_ALONE | {OCI_BASE_NAME, OCI_BASE_DIGEST}


class ConfigConflict(NamedTuple):
    """A part of a config that both sides changed, each in its own way; values as text, empty for none.

    ``part`` is its name, as a record has it: ``cmd``, ``env PATH``, ``label a.b``.
    """

    part: str
    old: str
    ours: str
    theirs: str


class MergedConfig(NamedTuple):
    """What became of a merge; at a conflict the config has what was chosen, and theirs without a choice."""

    config: Config
    conflicts: tuple[ConfigConflict, ...]


def merge_configs(old: Config, ours: Config, theirs: Config, *, prefer_ours: bool = False) -> MergedConfig:
    """``theirs`` with what ``ours`` changed of ``old``.

    A part is each environment variable, label, port and volume, and each other field. One that only one side
    changed is taken from there; one that both changed to the same is no conflict. Labels that snap writes
    itself are left out, and so are those in which an image speaks of itself alone (its version, title, …),
    unless ``ours`` has them: both are not true of what is made of these. Of environment variables, theirs
    keep their order and come first.
    """
    merge = _Merge(prefer_ours=prefer_ours)
    env = merge.named("env ", *(variables(config) for config in (old, ours, theirs)))
    labels = merge.named("label ", *(labels_but(config, _NOT_CARRIED) for config in (old, ours, theirs)))
    ours_alone = {key: value for key, value in ours.labels.items() if key in OCI_OF_THE_BASE_ALONE}
    config = replace(
        theirs,
        env=tuple(f"{name}={value}" for name, value in env.items()),
        labels=labels | ours_alone,
        cmd=merge.part("cmd", old.cmd, ours.cmd, theirs.cmd, _words),
        entrypoint=merge.part("entrypoint", old.entrypoint, ours.entrypoint, theirs.entrypoint, _words),
        working_dir=merge.part("workdir", old.working_dir, ours.working_dir, theirs.working_dir, str),
        user=merge.part("user", old.user, ours.user, theirs.user, str),
        stop_signal=merge.part("stop-signal", old.stop_signal, ours.stop_signal, theirs.stop_signal, str),
        healthcheck=merge.part("healthcheck", old.healthcheck, ours.healthcheck, theirs.healthcheck, _check),
        on_build=merge.part("onbuild", old.on_build, ours.on_build, theirs.on_build, _words),
        shell=merge.part("shell", old.shell, ours.shell, theirs.shell, _words),
        exposed_ports=_merged_sets(old.exposed_ports, ours.exposed_ports, theirs.exposed_ports),
        volumes=_merged_sets(old.volumes, ours.volumes, theirs.volumes),
    )
    return MergedConfig(config, tuple(merge.conflicts))


class _Merge:
    def __init__(self, *, prefer_ours: bool) -> None:
        self.conflicts: list[ConfigConflict] = []
        self._prefer_ours = prefer_ours

    def part(self, name: str, old: _T, ours: _T, theirs: _T, shown: Callable[[_T], str]) -> _T:
        """What a part is to be."""
        if theirs in (old, ours):
            return ours
        if ours == old:
            return theirs
        self.conflicts.append(ConfigConflict(name, shown(old), shown(ours), shown(theirs)))
        return ours if self._prefer_ours else theirs

    def named(
        self, prefix: str, old: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]
    ) -> dict[str, str]:
        """What values that have names are to be; one that is missing is none."""
        merged = {}
        for name in dict.fromkeys([*theirs, *ours, *old]):
            value = self.part(
                prefix + name, old.get(name), ours.get(name), theirs.get(name), lambda value: value or ""
            )
            if value is not None:
                merged[name] = value
        return merged


def _merged_sets(old: frozenset[str], ours: frozenset[str], theirs: frozenset[str]) -> frozenset[str]:
    """Of what is there or not there, both can only change the same to the same."""
    return (theirs | (ours - old)) - (old - ours)


def _words(words: tuple[str, ...]) -> str:
    return json.dumps(list(words), ensure_ascii=False) if words else ""


def _check(check: Healthcheck | None) -> str:
    return json.dumps({name: value for name, value in asdict(check).items() if value}) if check else ""
