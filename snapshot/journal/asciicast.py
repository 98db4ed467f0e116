"""Recordings of a terminal: asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/), output only.

A header line in JSON, then a line an event: ``[seconds, "o", text]`` for output, and for another size of the
window ``[seconds, "r", "COLSxROWS"]``. Input is never recorded: it holds passwords. Such a file opens in the
asciinema player.

Limits of the reader: a line of 4 MiB, a window of 1,000 by 1,000 characters. Events of other kinds (input,
markers) are passed over.
"""

from __future__ import annotations

import codecs
import io
import json
import math
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from snapshot.engine.process_types import TerminalSize
from snapshot.errors import InvalidInput, SnapError

VERSION = 2

_LONGEST_LINE = 4 << 20
_LARGEST_SIDE = 1000
#: Output is cut into pieces of this many bytes, so that no event comes near the longest line.
_PIECE = 64 << 10
_SURROGATES = re.compile("[\ud800-\udfff]")
_SIZE = re.compile(r"([0-9]{1,4})x([0-9]{1,4})")


class Header(NamedTuple):
    """What a recording says of itself; empty where it does not.

    ``started`` is in seconds since 1970, UTC. ``term`` and ``shell`` are the variables ``TERM`` and ``SHELL``
    of who recorded; no other variable is kept.
    """

    size: TerminalSize
    started: int | None = None
    title: str = ""
    command: str = ""
    term: str = ""
    shell: str = ""


class Event(NamedTuple):
    """A piece of output (``text``), or another size of the window (``size``), in seconds from the start."""

    time_s: float
    text: str = ""
    size: TerminalSize | None = None


class Recording(NamedTuple):
    """A recording; ``events`` can be gone through again and again, and are read as they are asked for.

    Going through them raises :class:`~snapshot.errors.InvalidInput` at a line that is no event. A last line
    that was cut off in the middle is left out: the recorder was killed there.
    """

    header: Header
    events: Iterable[Event]


class Recorder:
    """Writes a terminal's output into a new file, each event at once: after a crash it plays up to there.

    The file is for this user alone (0600), and so are folders that have to be made for it (0700). Once
    recording fails (the disk is full, say) it stops, and :attr:`failure` says why; the session goes on.

    Parameters
    ----------
    path:
        The file.
    size:
        Size of the window now; 80 by 24 stands for what is not known (0).
    title, command:
        For the header, with all secrets cut.
    term, shell:
        The variables ``TERM`` and ``SHELL``.
    terminal:
        False where the process has no terminal: its line ends are written as a terminal shows them.
    replace:
        Whether a file that is there already may be replaced.

    Raises
    ------
    InvalidInput
        The file is there already, or is no regular file.
    SnapError
        It cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size: TerminalSize,
        *,
        title: str = "",
        command: str = "",
        term: str = "",
        shell: str = "",
        terminal: bool = True,
        replace: bool = False,
    ) -> None:
        self.path = path
        self.failure: str | None = None
        self._line_end = b"\n" if terminal else b"\r\n"
        self._decoders = {error: codecs.getincrementaldecoder("utf-8")("replace") for error in (False, True)}
        self._written = 0
        self._descriptor: int | None = _create(path, replace)
        self._size = size = _possible(size)
        env = {"TERM": term, "SHELL": shell}
        header: dict[str, object] = {
            "version": VERSION,
            "width": size.columns,
            "height": size.rows,
            "timestamp": int(time.time()),
            "title": title,
            "command": command,
            "env": {name: value for name, value in env.items() if value},
        }
        self._start = time.monotonic()
        self._write({key: value for key, value in header.items() if value})

    def output(self, data: bytes, *, stderr: bool = False) -> None:
        """Record output. The two streams may each be in the middle of a character at the same time."""
        data = data if self._line_end == b"\n" else data.replace(b"\n", self._line_end)
        for begin in range(0, len(data), _PIECE):
            self._event("o", self._decoders[stderr].decode(data[begin : begin + _PIECE]))

    def resized(self, size: TerminalSize) -> None:
        """Record that the window has another size."""
        size = _possible(size)
        if size != self._size:
            self._size = size
            self._event("r", f"{size.columns}x{size.rows}")

    def close(self) -> None:
        """End the recording; a character that never came whole is written as U+FFFD."""
        for decoder in self._decoders.values():
            self._event("o", decoder.decode(b"", final=True))
        self._close_file()

    def _event(self, code: str, text: str) -> None:
        if text:
            self._write([round(time.monotonic() - self._start, 6), code, text])

    def _write(self, value: object) -> None:
        if self._descriptor is None:
            return
        line = (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self.failure = f"The recording '{self.path}' ends early: {error.strerror}."
            self._cut_off_half_a_line()
            self._close_file()
        else:
            self._written += len(line)

    def _cut_off_half_a_line(self) -> None:
        if self._descriptor is not None:
            # The reader leaves half a line out as well, the players of others do not.
            try:
                os.ftruncate(self._descriptor, self._written)
            except OSError:
                return

    def _close_file(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            os.close(descriptor)
        except OSError as error:
            # Network file systems tell of a full disk only here.
            self.failure = self.failure or f"The recording '{self.path}' ends early: {error.strerror}."


def _possible(size: TerminalSize) -> TerminalSize:
    return TerminalSize(min(size.columns or 80, _LARGEST_SIDE), min(size.rows or 24, _LARGEST_SIDE))


def _create(path: Path, replace: bool) -> int:
    try:
        # Of a link it is the link that goes: who is led to may not have meant it.
        if replace and (path.is_symlink() or path.is_file()):
            path.unlink()
        _make_folder(path.parent)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise InvalidInput(
            f"A recording cannot be written to '{path}': it is there already.", "Name another file."
        ) from None
    except OSError as error:
        raise SnapError(
            f"A recording cannot be written to '{path}': {error.strerror or error}.",
            "Name a file that you can write.",
        ) from error


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def as_bytes(recording: Recording) -> bytes:
    """A recording as a file's content that tells nothing of the recorder: neither when it was, nor variables.

    Times are rounded to milliseconds. Raises as going through the events does.
    """
    header = recording.header
    lines: list[object] = [
        {
            "version": VERSION,
            "width": header.size.columns,
            "height": header.size.rows,
            "title": header.title,
            "command": header.command,
        }
    ]
    for event in recording.events:
        code, data = ("r", f"{event.size.columns}x{event.size.rows}") if event.size else ("o", event.text)
        lines.append([round(event.time_s, 3), code, data])
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()


def read_recording(path: Path) -> Recording:
    """Open the recording in a file; its events are read as they are asked for.

    Raises :class:`~snapshot.errors.InvalidInput` where the file cannot be read or is no asciicast v2.
    """

    def open_file() -> IO[bytes]:
        try:
            # A named pipe would be waited for.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return os.fdopen(descriptor, "rb")
            os.close(descriptor)
        except OSError as error:
            raise InvalidInput(f"The recording '{path}' cannot be read: {error.strerror}.") from error
        raise InvalidInput(f"The recording '{path}' cannot be read: it is no regular file.")

    return _recording(open_file, f"'{path}'")


def recording_from_bytes(content: bytes, name: str) -> Recording:
    """The recording whose file holds ``content``; ``name`` stands for it in sentences.

    Raises :class:`~snapshot.errors.InvalidInput` where that is no asciicast v2.
    """
    return _recording(lambda: io.BytesIO(content), name)


def _recording(open_file: Callable[[], IO[bytes]], name: str) -> Recording:
    with open_file() as file:
        line = file.readline(_LONGEST_LINE + 1)
    try:
        header = _header(_parsed(line))
    except ValueError as error:
        raise InvalidInput(f"{name} is no recording that snap can read: {error}.") from error
    return Recording(header, _Events(open_file, name))


class _Events:
    """The events of a recording, read anew each time."""

    def __init__(self, open_file: Callable[[], IO[bytes]], name: str) -> None:
        self._open_file = open_file
        self._name = name

    def __iter__(self) -> Iterator[Event]:
        with self._open_file() as file:
            file.readline(_LONGEST_LINE + 1)
            number = 1
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                try:
                    event = _event(_parsed(line)) if line.strip() else None
                except ValueError as error:
                    if not line.endswith(b"\n") and len(line) <= _LONGEST_LINE:
                        return
                    raise InvalidInput(f"Line {number} of the recording {self._name} {error}.") from error
                if event:
                    yield event


def _parsed(line: bytes) -> Any:
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"is longer than {_LONGEST_LINE:,} bytes")
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None


def _header(value: Any) -> Header:
    if not isinstance(value, dict):
        raise ValueError("its first line is no header")
    if value.get("version") != VERSION:
        raise ValueError(f"its header does not say asciicast version {VERSION}")
    env = value.get("env")
    env = env if isinstance(env, dict) else {}
    timestamp = value.get("timestamp")
    return Header(
        _size(value.get("width"), value.get("height")),
        int(timestamp) if timestamp is not None and 0 <= _number(timestamp) < 1 << 53 else None,
        _text(value.get("title")),
        _text(value.get("command")),
        _text(env.get("TERM")),
        _text(env.get("SHELL")),
    )


def _event(value: Any) -> Event | None:
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError("is no event")
    time_s, code, data = _number(value[0]), value[1], _text(value[2])
    if time_s < 0:
        raise ValueError("has a time before the start")
    if code == "o":
        return Event(time_s, data)
    if code == "r":
        match = _SIZE.fullmatch(data)
        if not match:
            raise ValueError("has no size such as 80x24")
        return Event(time_s, size=_size(int(match[1]), int(match[2])))
    return None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("has something else where a number should be")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("has a number that is too large")
    return number


def _size(columns: Any, rows: Any) -> TerminalSize:
    for side in (columns, rows):
        if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= _LARGEST_SIDE:
            raise ValueError(f"has a window that is not of 1 to {_LARGEST_SIDE:,} characters each way")
    return TerminalSize(columns, rows)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("has something else where text should be")
    # JSON can name halves of characters, which nothing can be done with.
    return _SURROGATES.sub("\ufffd", value)
