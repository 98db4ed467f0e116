"""The steps that made an image and the snapshots that it stands on: in one of its labels, and in its history.

A *generation* is one commit: its base image and the steps that were done to a container of that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from snapshot.engine.types import HistoryEntry
from snapshot.image.record import STEPS_LABEL, Record, RecordDamaged
from snapshot.journal.printable import shortened
from snapshot.journal.step import Step, numbered
from snapshot.journal.step_json import MOST_COUNT, step_from_json, step_to_json
from snapshot.journal.step_words import earlier_in_words, in_history
from snapshot.packing import packed, unpacked

#: How long the label is at most, whatever was done.
MOST_STEPS_CHARS = 10 << 10
#: How many entries of the history one commit writes for its steps, and how long one is.
MOST_HISTORY_ENTRIES = 100
MOST_HISTORY_CHARS = 300

_SCHEMA = 1
# A label from a stranger's image could be a bomb.
_MOST_UNPACKED_BYTES = 2 << 20
_MOST_GENERATIONS = 200
_MOST_STEP_CHARS = 4000
_MOST_ARGV_CHARS = 1500
_MOST_MESSAGE_CHARS = 300
_MOMENT = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ")
_CONTAINER_PATH = re.compile(r"[^/.:-][^/:]*:(?=.)")


class Generation(NamedTuple):
    """One commit and the steps that led to it.

    Attributes
    ----------
    base_name, base_id:
        The image that the steps were done on; no name where it was started by its ID.
    container:
        Name of the container, empty where the time was fixed.
    message:
        What the commit was told.
    created:
        When it was made, RFC 3339 in UTC.
    steps:
        In order.
    summed_up:
        How many older steps there were that are not told.
    image:
        ID of the image that was made, empty for the last generation: no image can hold its own.
    """

    base_name: str
    base_id: str
    container: str
    message: str
    created: str
    steps: tuple[Step, ...] = ()
    summed_up: int = 0
    image: str = ""

    @property
    def step_count(self) -> int:
        """How many steps it had, told or not."""
        return len(self.steps) + self.summed_up


def generations_of(labels: Mapping[str, str]) -> tuple[Generation, ...]:
    """The generations that an image's labels tell of, oldest first; none where it has no record.

    An image from before there were steps has one generation without any.

    Raises
    ------
    RecordDamaged
        The seal or the form of the record or of the steps is broken.
    """
    record = Record.from_labels(labels)
    if record is None:
        return ()
    newest = Generation(record.base.name, record.base.id, record.container, record.message, record.created)
    if not labels.get(STEPS_LABEL):
        return (newest,)
    try:
        *older, last = _unpacked(labels[STEPS_LABEL])
        found = [_from_json(item, Generation("", "", "", "", "")) for item in older]
        found.append(_from_json(last, newest))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RecordDamaged(f"the steps cannot be read ({error})") from error
    images = [*(generation.base_id for generation in found[1:]), ""]
    return tuple(made._replace(image=image) for made, image in zip(found, images, strict=True))


def steps_label(before: Sequence[Generation], new: Generation, record: Record) -> str:
    """What :data:`STEPS_LABEL` holds: all generations, packed (JSON, zlib, base64).

    It has :data:`MOST_STEPS_CHARS` characters at most: where there are too many steps, the oldest are summed
    up, and then the oldest generations told as one. A step that is very long by itself is shortened.

    Parameters
    ----------
    record:
        That of the image; what it says of the new generation is not said twice.
    """
    generations = [
        made._replace(
            steps=tuple(_shortened(step) for step in made.steps),
            message=shortened(made.message, _MOST_MESSAGE_CHARS) if made is not new else made.message,
        )
        for made in (*before, new)
    ]
    while len(generations) > _MOST_GENERATIONS:
        generations[:2] = [_merged(*generations[:2])]
    while True:
        text = _fitting(generations, record)
        if text or len(generations) == 1:
            return text
        generations[:2] = [_merged(*generations[:2])]


def history_entries(steps: Sequence[Step], created: str) -> list[HistoryEntry]:
    """An entry of the history for each step, none of which has a layer; of too many, the oldest share one.

    ``created`` is the time of those whose own is not known.
    """
    most = MOST_HISTORY_ENTRIES - 1 if len(steps) > MOST_HISTORY_ENTRIES else len(steps)
    earlier, told = steps[: len(steps) - most], steps[len(steps) - most :]
    words = [(step, in_history(step, MOST_HISTORY_CHARS)) for step in told]
    if earlier:
        words.insert(0, (earlier[-1], f"snap: {earlier_in_words(len(earlier))}"))
    return [
        # An engine takes no history with something else for a time.
        HistoryEntry(step.started if _MOMENT.fullmatch(step.started) else created, text, empty_layer=True)
        for step, text in words
    ]


def for_an_image(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps without what leads to this machine alone: the names of recordings."""
    return tuple(step._replace(session="") for step in steps)


def steps_since(generations: Sequence[Generation], base_id: str) -> tuple[Step, ...]:
    """What was done on top of the image with that ID, numbered through; all where none was made from it."""
    first = next((number for number, made in enumerate(generations) if made.base_id == base_id), 0)
    return numbered(step for made in generations[first:] for step in made.steps)


def at_a_fixed_time(steps: Sequence[Step], moment: str) -> tuple[Step, ...]:
    """Steps without what two runs of the same work, or two engines, differ in: they make the same image.

    What a step changed is left out: an engine's list misses some of what is seen in the files themselves.
    Only of edits of files, which no engine has a part in, it is the same each time.

    >>> at_a_fixed_time([Step(1, "cp", ("./a", "box:/a"), duration_s=0.1)], "2026-01-01T00:00:00Z")[0].argv
    ('./a', 'CONTAINER:/a')
    """
    return tuple(
        step._replace(
            argv=tuple(_CONTAINER_PATH.sub("CONTAINER:", argument, count=1) for argument in step.argv)
            if step.verb == "cp"
            else step.argv,
            started=moment,
            duration_s=None,
            changes=step.changes if step.verb == "patch" and step.exit_code is None else None,
            session="",
            interrupted=False,
            overlaps=False,
        )
        for step in steps
    )


def folded_at_a_fixed_time(generations: Sequence[Generation], moment: str) -> list[Generation]:
    """Generations that were folded into one image, without what two runs of the same work differ in.

    Only the first one's base is below the image; the others were made in between.
    """
    return [
        made._replace(
            base_name="" if number else made.base_name,
            base_id="" if number else made.base_id,
            container="",
            created=moment,
            steps=at_a_fixed_time(made.steps, moment),
            image="",
        )
        for number, made in enumerate(generations)
    ]


def _fitting(generations: Sequence[Generation], record: Record) -> str:
    """The label with as few of the oldest steps summed up as needed, empty where even all are too few."""
    most = sum(len(made.steps) for made in generations)
    if text := _packed(generations, record):
        return text
    fewest = 1
    found = _packed(_summed_up(generations, most), record)
    while found and fewest < most:
        middle = (fewest + most) // 2
        if text := _packed(_summed_up(generations, middle), record):
            found, most = text, middle
        else:
            fewest = middle + 1
    return found


def _packed(generations: Sequence[Generation], record: Record) -> str:
    """The label's text, empty where it is too long."""
    *older, newest = generations
    known = Generation(record.base.name, record.base.id, record.container, record.message, record.created)
    values = [*(_to_json(made, Generation("", "", "", "", "")) for made in older), _to_json(newest, known)]
    content = json.dumps({"schema": _SCHEMA, "generations": values}, separators=(",", ":"), sort_keys=True)
    if len(content) > _MOST_UNPACKED_BYTES:
        return ""
    text = packed(content.encode("ascii"))
    return text if len(text) <= MOST_STEPS_CHARS else ""


def _unpacked(text: str) -> list[Any]:
    value = json.loads(unpacked(text, _MOST_UNPACKED_BYTES))
    if value["schema"] != _SCHEMA:
        raise ValueError(f"they have schema {value['schema']!r:.60}, this snap reads {_SCHEMA}")
    generations = value["generations"]
    if not isinstance(generations, list) or not 0 < len(generations) <= _MOST_GENERATIONS:
        raise ValueError("they are no list of generations")
    return generations


_TEXTS = ("base_name", "base_id", "container", "message", "created")


def _to_json(made: Generation, known: Generation) -> dict[str, Any]:
    """A generation without what ``known`` says as well."""
    value: dict[str, Any] = {
        name: getattr(made, name) for name in _TEXTS if getattr(made, name) != getattr(known, name)
    }
    value["steps"] = [step_to_json(step) for step in made.steps]
    return value | ({"summed_up": made.summed_up} if made.summed_up else {})


def _from_json(value: Any, known: Generation) -> Generation:
    texts = {name: value[name] for name in _TEXTS if name in value}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("a generation has something else than text")
    summed_up = value.get("summed_up", 0)
    if type(summed_up) is not int or not 0 <= summed_up <= MOST_COUNT:
        raise ValueError("a generation has no number of steps")
    steps = value["steps"]
    if not isinstance(steps, list):
        raise ValueError("a generation has no list of steps")
    return known._replace(**texts, steps=tuple(step_from_json(step) for step in steps), summed_up=summed_up)


def _summed_up(generations: Sequence[Generation], number: int) -> list[Generation]:
    """Generations of which the ``number`` oldest steps are only counted."""
    kept = []
    for made in generations:
        here = min(number, len(made.steps))
        number -= here
        kept.append(made._replace(steps=made.steps[here:], summed_up=min(made.summed_up + here, MOST_COUNT)))
    return kept


def _merged(older: Generation, newer: Generation) -> Generation:
    """Two generations as one, of which the older one's steps are only counted."""
    return newer._replace(
        base_name=older.base_name,
        base_id=older.base_id,
        # A stranger's image may count more steps than its reader believes.
        summed_up=min(newer.summed_up + older.step_count, MOST_COUNT),
    )


def _shortened(step: Step) -> Step:
    """A step that one alone does not fill the label with."""
    if _chars(step) > _MOST_STEP_CHARS and step.changes:
        step = step._replace(changes=step.changes._replace(listed=()))
    if _chars(step) > _MOST_STEP_CHARS:
        argv = _shortened_texts(step.argv, _MOST_ARGV_CHARS)
        step = step._replace(
            argv=argv,
            cut=step.cut or argv != step.argv,
            env_names=_shortened_texts(step.env_names, _MOST_ARGV_CHARS // 2),
            user=shortened(step.user, _MOST_ARGV_CHARS // 10),
            working_dir=shortened(step.working_dir, _MOST_ARGV_CHARS // 4),
        )
    if _chars(step) > _MOST_STEP_CHARS:
        step = step._replace(copied=())
    return step


def _chars(step: Step) -> int:
    return len(json.dumps(step_to_json(step)))


def _shortened_texts(texts: Sequence[str], most_chars: int) -> tuple[str, ...]:
    kept: list[str] = []
    for text in texts:
        kept.append(shortened(text, most_chars))
        # An empty word takes room too.
        most_chars -= len(kept[-1]) + 3
        if most_chars <= 0:
            return (*kept, "…") if len(kept) < len(texts) else tuple(kept)
    return tuple(kept)
