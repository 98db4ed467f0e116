"""Changes of an image's config as the words of ``snap patch``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from snapshot.errors import InvalidInput
from snapshot.image.config_edits import ConfigEdits
from snapshot.recipe.values import checked_variable, command_in_words, command_of


def _key_value(text: str) -> dict[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidInput(f"{text!r:.80} is no variable or label with its value", "Write it as KEY=VALUE.")
    return {key: value}


#: What each option adds to edits; in the order in which they are told, which is that of their effect.
CONFIG_OPTIONS: Mapping[str, Callable[[ConfigEdits, str], ConfigEdits]] = {
    "--change": lambda edits, text: replace(edits, instructions=(*edits.instructions, text)),
    "--entrypoint": lambda edits, text: replace(edits, entrypoint=command_of(text)),
    "--cmd": lambda edits, text: replace(edits, cmd=command_of(text)),
    "--healthcheck": lambda edits, text: replace(edits, healthcheck=text),
    "--unset-env": lambda edits, text: replace(edits, unset_env=(*edits.unset_env, checked_variable(text))),
    "--unlabel": lambda edits, text: replace(edits, unset_labels=(*edits.unset_labels, text)),
    "--env": lambda edits, text: replace(edits, env={**edits.env, **_key_value(text)}),
    "--label": lambda edits, text: replace(edits, labels={**edits.labels, **_key_value(text)}),
    "--workdir": lambda edits, text: replace(edits, working_dir=text),
    "--user": lambda edits, text: replace(edits, user=text),
    "--stop-signal": lambda edits, text: replace(edits, stop_signal=text),
    "--expose": lambda edits, text: replace(edits, exposed_ports=(*edits.exposed_ports, text)),
    "--volume": lambda edits, text: replace(edits, volumes=(*edits.volumes, text)),
    "--onbuild": lambda edits, text: replace(edits, on_build=(*edits.on_build, text)),
}


def takes_away(edits: ConfigEdits, option: str, text: str) -> bool:
    """Whether the option takes away what these edits set: then it is to be applied after them."""
    return text in {"--unset-env": edits.env, "--unlabel": edits.labels}.get(option, {})


def config_words(edits: ConfigEdits) -> Iterator[str]:
    """Each option and its value, as words."""
    for option, texts in _texts(edits).items():
        for text in texts:
            yield from (option, text)


def _texts(edits: ConfigEdits) -> Mapping[str, list[str]]:
    def one(value: str | None) -> list[str]:
        return [] if value is None else [value]

    return {
        "--change": list(edits.instructions),
        "--entrypoint": [] if edits.entrypoint is None else [command_in_words(edits.entrypoint)],
        "--cmd": [] if edits.cmd is None else [command_in_words(edits.cmd)],
        "--healthcheck": one(edits.healthcheck),
        "--unset-env": list(edits.unset_env),
        "--unlabel": list(edits.unset_labels),
        "--env": [f"{name}={value}" for name, value in edits.env.items()],
        "--label": [f"{name}={value}" for name, value in edits.labels.items()],
        "--workdir": one(edits.working_dir),
        "--user": one(edits.user),
        "--stop-signal": one(edits.stop_signal),
        "--expose": list(edits.exposed_ports),
        "--volume": list(edits.volumes),
        "--onbuild": list(edits.on_build),
    }
