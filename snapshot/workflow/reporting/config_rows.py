"""A config before and after, without the secrets in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from snapshot.engine.types import Config
from snapshot.image.config_parts import variables
from snapshot.journal.redaction import redacted_argv
from snapshot.journal.secret_words import CUT, is_secret_name, redacted_word, without_known_forms
from snapshot.recipe.config_between import edits_between
from snapshot.recipe.config_words import config_words
from snapshot.recipe.values import command_in_words
from snapshot.report.model import ConfigRow

_NAMED = ("--env", "--label")


def config_rows(before: Config | None, after: Config) -> tuple[ConfigRow, ...]:
    """Each part of either config, by the name of the option of ``snap patch`` that sets it.

    Values that could be secret are cut, by the rules for the steps of a journal. A part that is cut on both
    sides, and differs, says so.

    >>> config_rows(Config(), Config(env=("DB_PASSWORD=x",)))
    (ConfigRow(name='env DB_PASSWORD', before=None, after='…'),)
    """
    told_before, told_after = (_parts(_shareable(config)) for config in (before or Config(), after))
    whole_before, whole_after = _parts(before or Config()), _parts(after)
    rows = []
    for name in sorted(told_before.keys() | told_after.keys()):
        was, now = told_before.get(name), told_after.get(name)
        if was is not None and was == now and whole_before.get(name) != whole_after.get(name):
            now = f"{now} (another value)"
        rows.append(ConfigRow(name, was, now))
    return tuple(rows)


def _parts(config: Config) -> dict[str, str]:
    words = list(config_words(edits_between(Config(), config)))
    if config.shell:
        words += ["--shell", command_in_words(config.shell)]
    parts: dict[str, str] = {}
    for option, text in zip(words[::2], words[1::2], strict=True):
        name = option.removeprefix("--")
        if option in _NAMED:
            key, _, text = text.partition("=")
            name = f"{name} {key}"
        parts[name] = f"{parts[name]}, {text}" if name in parts else text
    return parts


def _shareable(config: Config) -> Config:
    """The config without what could hold a secret."""
    secrets = [f"{key}={value}" for key, value in variables(config).items() if is_secret_name(key)]
    check = config.healthcheck
    return replace(
        config,
        env=tuple(_without_secret(*variable.partition("=")[::2]) for variable in config.env),
        labels={
            key: _without_secret(key, value).removeprefix(f"{key}=") for key, value in config.labels.items()
        },
        cmd=_command(config.cmd, secrets),
        entrypoint=_command(config.entrypoint, secrets),
        healthcheck=check and replace(check, test=_command(check.test, secrets)),
        on_build=_command(config.on_build, secrets),
    )


def _command(argv: Sequence[str], secrets: Sequence[str]) -> tuple[str, ...]:
    return redacted_argv(argv, secrets)[0]


def _without_secret(name: str, value: str) -> str:
    if is_secret_name(name) and value:
        return f"{name}={CUT}"
    return f"{name}={redacted_word(without_known_forms(value))}"
