from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from snapshot.engine.process_types import TerminalSize
from snapshot.errors import InvalidInput, SnapError
from snapshot.journal.asciicast import (
    Event,
    Header,
    Recorder,
    as_bytes,
    read_recording,
    recording_from_bytes,
)

SIZE = TerminalSize(80, 24)
HEADER = b'{"version": 2, "width": 80, "height": 24}\n'


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Writes beyond that size fail, as they do on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def events_of(content: bytes) -> list[Event]:
    return list(recording_from_bytes(HEADER + content, "it").events)


def test_a_recording_is_asciicast_version_2(tmp_path: Path) -> None:
    path = tmp_path / "1.cast"
    recorder = Recorder(path, SIZE, title="snap run ch03", command="sh", term="xterm", shell="/bin/sh")
    recorder.output(b"\x1b[1mhi\x1b[m\r\n")
    recorder.resized(TerminalSize(100, 30))
    recorder.close()
    header, output, resize = lines_of(path)
    assert header.pop("timestamp") > 1_600_000_000
    assert header == {
        "version": 2,
        "width": 80,
        "height": 24,
        "title": "snap run ch03",
        "command": "sh",
        "env": {"TERM": "xterm", "SHELL": "/bin/sh"},
    }
    assert output[1:] == ["o", "\x1b[1mhi\x1b[m\r\n"]
    assert resize[1:] == ["r", "100x30"]
    assert 0 <= output[0] <= resize[0] < 5


def test_what_was_recorded_is_read_back(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", SIZE, title="t", command="c", term="xterm")
    recorder.output("grün".encode())
    recorder.resized(TerminalSize(100, 30))
    recorder.close()
    recording = read_recording(tmp_path / "1.cast")
    assert recording.header._replace(started=None) == Header(SIZE, None, "t", "c", "xterm", "")
    # The events can be gone through more than once.
    for _ in range(2):
        assert [event[1:] for event in recording.events] == [("grün", None), ("", TerminalSize(100, 30))]


def test_a_character_that_comes_in_two_pieces_stays_whole(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", SIZE)
    for piece in (b"\xe6", b"\xbc", b"\xa2\xff", b"\xe6"):
        recorder.output(piece)
    recorder.close()
    assert [line[2] for line in lines_of(tmp_path / "1.cast")[1:]] == ["漢\ufffd", "\ufffd"]


def test_the_two_streams_do_not_tear_each_others_characters(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", SIZE)
    recorder.output(b"\xc3")
    recorder.output("ß".encode(), stderr=True)
    recorder.output(b"\xa9")
    recorder.close()
    assert [line[2] for line in lines_of(tmp_path / "1.cast")[1:]] == ["ß", "é"]


def test_without_a_terminal_lines_end_as_a_terminal_shows_them(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", SIZE, terminal=False)
    recorder.output(b"a\nb\n")
    recorder.close()
    assert lines_of(tmp_path / "1.cast")[1][2] == "a\r\nb\r\n"


def test_large_output_can_be_read_back(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", SIZE)
    recorder.output(b"\0" * 3_000_000)
    recorder.close()
    assert sum(len(event.text) for event in read_recording(tmp_path / "1.cast").events) == 3_000_000


def test_the_same_size_again_is_no_event_and_no_size_is_an_assumed_one(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", TerminalSize(0, 0))
    recorder.resized(SIZE)
    recorder.close()
    recording = read_recording(tmp_path / "1.cast")
    assert recording.header.size == SIZE
    assert list(recording.events) == []


def test_only_this_user_can_read_a_recording_and_the_folders_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "sessions" / "id" / "1.cast"
    Recorder(path, SIZE).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]


def test_a_file_that_is_there_is_not_written_over_unless_that_was_said(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    with pytest.raises(InvalidInput, match=r"notes\.txt': it is there already"):
        Recorder(path, SIZE)
    assert path.read_text() == "notes"
    Recorder(path, SIZE, replace=True).close()
    assert lines_of(path)[0]["version"] == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_a_link_nothing_but_the_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "1.cast").symlink_to("notes.txt")
    Recorder(tmp_path / "1.cast", SIZE, replace=True).close()
    assert (tmp_path / "notes.txt").read_text() == "notes"
    assert not (tmp_path / "1.cast").is_symlink()


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="it is there already"):
        Recorder(tmp_path / "pipe", SIZE, replace=True)


def test_a_place_that_cannot_be_written_is_said_before_the_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapError, match=r"cannot be written to '.*file/1\.cast'"):
        Recorder(tmp_path / "file" / "1.cast", SIZE)


def test_a_full_disk_ends_the_recording_and_not_the_session(tmp_path: Path) -> None:
    path = tmp_path / "1.cast"
    recorder = Recorder(path, SIZE)
    recorder.output(b"before")
    with files_of_at_most(path.stat().st_size + 10):
        recorder.output(b"does not fit")
    recorder.output(b"after")
    recorder.resized(TerminalSize(1, 1))
    recorder.close()
    assert recorder.failure is not None
    assert recorder.failure.startswith(f"The recording '{path}' ends early: ")
    # What was written before is whole, for the players of others too.
    assert [line[2] for line in lines_of(path)[1:]] == ["before"]


def test_each_event_is_on_disk_at_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", SIZE)
    recorder.output(b"typed")
    assert [event.text for event in read_recording(tmp_path / "1.cast").events] == ["typed"]
    recorder.close()


def test_no_value_of_another_variable_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t")
    Recorder(tmp_path / "1.cast", SIZE).close()
    assert "s3cr3t" not in (tmp_path / "1.cast").read_text()


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_last_line_that_was_cut_off_is_left_out(cut: int) -> None:
    assert events_of((b'[1.0, "o", "a"]\n[2.0, "o", "b"]')[:-cut]) == [Event(1.0, "a")]


def test_a_last_line_without_its_line_end_counts() -> None:
    assert events_of(b'[1.0, "o", "a"]') == [Event(1.0, "a")]


def test_events_of_other_kinds_are_passed_over() -> None:
    assert events_of(b'[1, "i", "secret"]\n[2, "m", ""]\n\n[3, "o", "a"]\n') == [Event(3.0, "a")]


def test_half_characters_become_replacement_characters() -> None:
    assert events_of(b'[1, "o", "a\\ud800b"]\n') == [Event(1.0, "a\ufffdb")]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"junk", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"{}", "is no event"),
        (b'[1, "o"]', "is no event"),
        (b'["1", "o", "a"]', "something else where a number should be"),
        (b'[true, "o", "a"]', "something else where a number should be"),
        (b'[NaN, "o", "a"]', "too large"),
        (b'[1e999, "o", "a"]', "too large"),
        (b'[-1, "o", "a"]', "before the start"),
        (b'[1, "o", 7]', "something else where text should be"),
        (b'[1, "r", "80"]', "no size such as 80x24"),
        (b'[1, "r", "0x24"]', "1 to 1,000 characters"),
        (b'[1, "r", "9999x24"]', "1 to 1,000 characters"),
        (b'[1, "o", "' + b"a" * (5 << 20) + b'"]', "longer than 4,194,304 bytes"),
    ],
)
def test_a_line_that_is_no_event_is_named(line: bytes, what: str) -> None:
    with pytest.raises(InvalidInput, match=f"^Line 3 of the recording it .*{what}"):
        events_of(b'[0, "o", "a"]\n' + line + b'\n[2, "o", "b"]\n')


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (b"", "is not JSON"),
        (b"\x7fELF\0\0\n", "is not JSON"),
        (b"[]\n", "no header"),
        (b'{"version": 1}\n', "does not say asciicast version 2"),
        (b'{"version": 2, "width": "80", "height": 24}\n', "1 to 1,000 characters"),
        (b'{"version": 2, "width": true, "height": 24}\n', "1 to 1,000 characters"),
        (b'{"version": 2, "width": 100000, "height": 100000}\n', "1 to 1,000 characters"),
        (b'{"version": 2, "width": 80, "height": 24, "title": {}}\n', "where text should be"),
        (b'{"version": 2, "width": 80, "height": 24, "timestamp": "now"}\n', "where a number should be"),
        (b'{"version": 2' + b" " * (5 << 20), "longer than"),
    ],
)
def test_what_is_no_recording_is_refused(header: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "x.cast").write_bytes(header)
    with pytest.raises(InvalidInput, match=rf"x\.cast' is no recording that snap can read: .*{what}"):
        read_recording(tmp_path / "x.cast")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, what in (("nothing", "No such file"), ("", "no regular file"), ("pipe", "no regular file")):
        with pytest.raises(InvalidInput, match=what):
            read_recording(tmp_path / name)


def test_as_bytes_tells_nothing_of_the_recorder() -> None:
    content = (
        b'{"version": 2, "width": 9, "height": 3, "timestamp": 1700000000, "title": "t", "command": "c",'
        b' "env": {"SHELL": "/home/me/sh"}}\n[0.1234567, "o", "\\u00e9"]\n[1, "r", "10x4"]\n'
    )
    recording = recording_from_bytes(content, "it")
    again = recording_from_bytes(as_bytes(recording), "it")
    assert again.header == Header(TerminalSize(9, 3), None, "t", "c")
    assert list(again.events) == [Event(0.123, "é"), Event(1.0, size=TerminalSize(10, 4))]
