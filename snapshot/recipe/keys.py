"""What the results of steps are kept under: a chain of keys, one a step, as a Dockerfile's cache has it.

A step's key stands for all that its result depends on: the key of the step before (at first the base image),
the instruction, the content of what is copied, and what a run is given. So a changed step changes the keys of
all that follow.

Keys and the digests of inputs are HMACs (RFC 2104) with a *secret* of whoever keeps the results. A short
value (a password that a run is given) is found from its bare digest by trying, and anybody could put an image
of their own where the result of a known recipe is looked up. Without the secret neither is possible; with
another secret all keys are others, so that the results of others are not found.

As in a build of Docker's, times of files that are read from this machine are no part of it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from snapshot.engine.types import Image
from snapshot.image.record import PREFIX, chain_id, config_digests
from snapshot.journal.printable import shortened
from snapshot.packing import packed, unpacked
from snapshot.recipe.instructions import Copy, FileContent, Instruction, LocalPath, Run, TarFile

#: The label of a kept result: the steps that led to it.
CACHE_LABEL = f"{PREFIX}.cache"
#: The name of all kept results; the tag is the beginning of the key.
CACHE_REPOSITORY = "docker-snap-cache"

#: How many characters of a step's words are kept.
MOST_WORDS_CHARS = 300
#: Engines and registries take no config with a much longer label; what is longer is not kept.
MOST_LABEL_CHARS = 60 << 10

# Part of every key: results that another version would make otherwise are not taken for its own.
_SCHEMA = 1
_MOST_UNPACKED_BYTES = 2 << 20
_MOST_STEPS = 10_000
_MOST_INPUTS = 1000
_MOST_INPUT_CHARS = 400
_MOST_NAME_CHARS = 200
_LONGEST_DURATION_S = 1e9
_KEY = re.compile("[0-9a-f]{64}")
_DIGEST = re.compile("[0-9a-f]{32}")
_TAG_CHARS = 32

#: Names of inputs.
BASE, TIME, INSTRUCTION, NETWORK = "base", "fixed time", "instruction", "network"
_CONTENT_OF, _ENV = "content of ", "env "


class StepKey(NamedTuple):
    """The key of a step, 64 hex digits, and a digest (32 hex digits) of each of its own inputs, by name.

    The names: ``base`` and ``fixed time`` (of the first step), ``instruction``, ``content of NAME``,
    ``env NAME``, ``network``.
    """

    key: str
    inputs: tuple[tuple[str, str], ...]

    @property
    def own_inputs(self) -> tuple[tuple[str, str], ...]:
        """The inputs without those that are the whole chain's."""
        return tuple(item for item in self.inputs if item[0] not in (BASE, TIME))


class KeptStep(NamedTuple):
    """A step that led to a kept result.

    ``words`` are what people are shown: what could be a secret has to be cut from them already.
    ``duration_s`` is how long it took, in seconds.
    """

    key: StepKey
    words: str
    duration_s: float


def step_keys(
    base: Image,
    instructions: Sequence[Instruction],
    contents: Sequence[str],
    env: Mapping[str, str],
    fixed_time_s: int | None,
    *,
    network: str = "",
    secret: bytes,
) -> tuple[StepKey, ...]:
    """The keys of instructions that are played on ``base``, in order.

    Parameters
    ----------
    contents:
        For each instruction the digest of what it copies, empty where it copies nothing.
    env:
        Values that runs are given, by name; a run depends on those alone that it names.
    fixed_time_s:
        What stands for now, in seconds since 1970, or ``None`` for the true time, which no key depends on.
    network:
        The network of runs that name none.
    secret:
        What keys are made with, see the module.
    """
    key = ""
    found = []
    for number, (instruction, content) in enumerate(zip(instructions, contents, strict=True)):
        inputs = [] if number else [(BASE, _base_text(base))]
        if not number and fixed_time_s is not None:
            inputs.append((TIME, str(fixed_time_s)))
        inputs += _inputs(instruction, content, env, network)
        digests = tuple((name, _mac(secret, [name, text])[:32]) for name, text in inputs)
        key = _mac(secret, [_SCHEMA, key, *(list(item) for item in inputs)])
        found.append(StepKey(key, digests))
    return tuple(found)


def cache_name(key: str) -> str:
    """The name that the result with that key is kept under."""
    return f"{CACHE_REPOSITORY}:{key[:_TAG_CHARS]}"


def cache_label(steps: Sequence[KeptStep]) -> str:
    """What :data:`CACHE_LABEL` holds: the steps that led to a result, packed (JSON, zlib, base64).

    It is empty where they are too many for a label: such a result cannot be kept.
    """
    values = [
        [
            step.key.key,
            [list(item) for item in step.key.inputs],
            shortened(step.words, MOST_WORDS_CHARS),
            round(step.duration_s, 3),
        ]
        for step in steps
    ]
    content = json.dumps({"schema": _SCHEMA, "steps": values}, separators=(",", ":"))
    if len(steps) > _MOST_STEPS or len(content) > _MOST_UNPACKED_BYTES:
        return ""
    text = packed(content.encode("ascii"))
    return text if len(text) <= MOST_LABEL_CHARS else ""


def kept_steps(labels: Mapping[str, str]) -> tuple[KeptStep, ...]:
    """The steps that led to a kept result, as its labels tell them; none for another image.

    Raises :class:`ValueError` where they cannot be read: labels can be a stranger's.
    """
    text = labels.get(CACHE_LABEL, "")
    if not text:
        return ()
    if len(text) > MOST_LABEL_CHARS:
        raise ValueError("longer than any that snap writes")
    try:
        value = json.loads(unpacked(text, _MOST_UNPACKED_BYTES))
        schema, steps = value["schema"], value["steps"]
        if schema != _SCHEMA or not isinstance(steps, list) or not 0 < len(steps) <= _MOST_STEPS:
            raise ValueError("no steps that this snap reads")
        return tuple(_kept_step(*step) for step in steps)
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"damaged ({error})") from error


def _kept_step(key: object, inputs: object, words: object, duration_s: object) -> KeptStep:
    if not (isinstance(key, str) and _KEY.fullmatch(key) and isinstance(words, str)):
        raise ValueError("a step has no key or no words")
    if isinstance(duration_s, bool) or not isinstance(duration_s, int | float):
        raise ValueError("a step has no duration")
    if not 0 <= duration_s <= _LONGEST_DURATION_S:
        raise ValueError("a step has no duration that can be")
    if not isinstance(inputs, list) or len(inputs) > _MOST_INPUTS:
        raise ValueError("a step has no list of inputs")
    return KeptStep(
        StepKey(key, tuple(_input(*item) for item in inputs)),
        shortened(words, MOST_WORDS_CHARS),
        float(duration_s),
    )


def _input(name: object, digest: object) -> tuple[str, str]:
    if not (isinstance(name, str) and isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        raise ValueError("an input has no name or no digest")
    return name[:_MOST_INPUT_CHARS], digest


def _mac(secret: bytes, value: object) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return hmac.new(secret, text.encode("ascii"), hashlib.sha256).hexdigest()


def _base_text(base: Image) -> str:
    # Not its ID: a store may count what is no part of it, and the same image has two in two stores.
    value = [
        chain_id(base.layers),
        config_digests(base.config),
        base.os,
        base.os_version,
        base.architecture,
        base.variant,
    ]
    return json.dumps(value, sort_keys=True)


def _inputs(
    instruction: Instruction, content: str, env: Mapping[str, str], network: str
) -> list[tuple[str, str]]:
    if isinstance(instruction, Copy):
        name = _name_of_source(instruction)
        source = [type(instruction.source) is TarFile, name, _mtime(instruction)]
        return [
            (INSTRUCTION, _text(instruction, source, without="source")),
            (f"{_CONTENT_OF}{name[:_MOST_NAME_CHARS]}", content),
        ]
    if isinstance(instruction, Run):
        given = sorted(set(instruction.env_names))
        return [
            (INSTRUCTION, _text(instruction, without="network")),
            # Unset and empty are not the same to a command.
            *((f"{_ENV}{name[:_MOST_NAME_CHARS]}", json.dumps([name, env.get(name)])) for name in given),
            (NETWORK, instruction.network or network),
        ]
    return [(INSTRUCTION, _text(instruction))]


def _text(instruction: Instruction, *beside: object, without: str = "") -> str:
    values = [
        [field.name, _plain(getattr(instruction, field.name))]
        for field in fields(instruction)
        # Which variables there are is told by inputs of their own.
        if field.name not in (without, "env_names")
    ]
    return json.dumps([type(instruction).__name__, values, beside])


def _name_of_source(copy: Copy) -> str:
    if isinstance(copy.source, FileContent):
        return copy.source.name
    if isinstance(copy.source, TarFile):
        return "the tar"
    # The same file in another folder is the same; what is copied into a folder is known by this name there.
    return PurePosixPath(copy.source.path).name or copy.source.path


def _mtime(copy: Copy) -> int | None:
    return None if isinstance(copy.source, LocalPath | TarFile) else copy.source.mtime_s


def _plain(value: object) -> object:
    """A value of an instruction as JSON tells it apart from any other."""
    if is_dataclass(value):
        return [[field.name, _plain(getattr(value, field.name))] for field in fields(value)]
    if isinstance(value, Mapping):
        # Their order is that of the variables in the config.
        return [[name, _plain(item)] for name, item in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
