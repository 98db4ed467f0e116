from __future__ import annotations

import base64
import random
import zlib
from pathlib import Path

import pytest

from snapshot.engine.process_types import TerminalSize
from snapshot.errors import InvalidInput, Refused, SnapError
from snapshot.journal.asciicast import Event, Recorder, Recording, read_recording, recording_from_bytes
from snapshot.journal.step import Step
from snapshot.workflow.sessions.embedded import MOST_EMBEDDED_CHARS, decode_session, encode_session
from snapshot.workflow.sessions.kept import find_session, kept_sessions, session_path
from snapshot.workflow.sessions.playing import facts, play

ID = "0a" * 32
HEADER = b'{"version": 2, "width": 80, "height": 24, "timestamp": 1700000000}\n'


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "docker-snap"


def recorded(path: Path, output: bytes = b"hello\r\n") -> Path:
    recorder = Recorder(path, TerminalSize(80, 24), title="t")
    recorder.output(output)
    recorder.close()
    return path


def recording(*lines: bytes) -> Recording:
    return recording_from_bytes(HEADER + b"".join(line + b"\n" for line in lines), "it")


def packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()


class Stage:
    """What was played, and with what pauses."""

    def __init__(self) -> None:
        self.acts: list[str | float] = []

    def play(
        self, what: Recording, speed: float = 1.0, idle_limit_s: float | None = None
    ) -> list[str | float]:
        play(what, self.acts.append, self.acts.append, speed, idle_limit_s)
        return self.acts


def test_a_session_is_kept_by_container_and_step(state: Path) -> None:
    assert session_path(ID, 3) == state / "sessions" / ID / "3.cast"


@pytest.mark.parametrize("container_id", ["", "../../etc", "box", "0A" * 32, "0a" * 33])
def test_what_is_no_id_never_becomes_a_path(container_id: str) -> None:
    with pytest.raises(ValueError, match="no ID"):
        session_path(container_id, 1)


def test_the_session_of_a_step_is_found(tmp_path: Path) -> None:
    first = recorded(session_path(ID, 1))
    own = recorded(tmp_path / "mine.cast")
    steps = [Step(1, "run", session="1.cast"), Step(2, "exec"), Step(3, "exec", session=str(own))]
    assert find_session(ID, steps, 1) == first
    assert find_session(ID, steps, 3) == own
    assert kept_sessions(ID, steps) == {1: first, 3: own}


def test_where_there_is_no_session_the_answer_says_where_some_are() -> None:
    recorded(session_path(ID, 1))
    steps = [Step(1, "run", session="1.cast"), Step(2, "exec"), Step(3, "exec", session="3.cast")]
    with pytest.raises(InvalidInput, match=r"Step 2 was not recorded\.") as caught:
        find_session(ID, steps, 2)
    assert caught.value.hint == "Sessions are recorded of step 1."
    with pytest.raises(InvalidInput, match=r"There is no step 9\."):
        find_session(ID, steps, 9)
    with pytest.raises(SnapError, match=r"The recording of step 3 is gone: '.*/3\.cast'"):
        find_session(ID, steps, 3)
    with pytest.raises(InvalidInput) as caught:
        find_session(ID, steps[1:2], 2)
    assert "--record" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["../../secret.cast", "3.cast/../4.cast", "x"])
def test_a_damaged_name_of_a_session_finds_nothing(name: str) -> None:
    with pytest.raises(SnapError, match="is gone"):
        find_session(ID, [Step(1, "run", session=name)], 1)


def test_facts_of_a_recording() -> None:
    assert facts(recording(b'[1.5, "o", "ab"]', b'[2.5, "r", "9x9"]')) == (2.5, 1, 2)


def test_playing_keeps_the_pauses() -> None:
    what = recording(b'[0.5, "o", "a"]', b'[2.5, "o", "b"]', b'[2.5, "o", "c"]')
    assert Stage().play(what) == [0.5, "a", 2.0, "b", "c"]


def test_speed_and_limit_shorten_the_pauses() -> None:
    what = recording(b'[0.5, "o", "a"]', b'[60, "o", "b"]')
    assert Stage().play(what, speed=2.0, idle_limit_s=1.0) == [0.25, "a", 0.5, "b"]
    assert Stage().play(what, idle_limit_s=0) == ["a", "b"]


def test_a_clock_that_goes_back_makes_no_pause() -> None:
    what = recording(b'[5, "o", "a"]', b'[1, "o", "b"]', b'[6, "o", "c"]')
    assert Stage().play(what) == [5.0, "a", "b", 1.0, "c"]


def test_a_pause_of_centuries_is_cut() -> None:
    assert Stage().play(recording(b'[1e300, "o", "a"]'), speed=0.001) == [86_400.0, "a"]


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_cannot_be_is_refused(speed: float) -> None:
    with pytest.raises(InvalidInput, match="speed"):
        Stage().play(recording(), speed=speed)


@pytest.mark.parametrize("limit_s", [-1.0, float("nan")])
def test_a_limit_that_cannot_be_is_refused(limit_s: float) -> None:
    with pytest.raises(InvalidInput, match="Pauses"):
        Stage().play(recording(), idle_limit_s=limit_s)


def test_the_terminal_is_put_to_rest_where_playing_is_broken_off() -> None:
    acts: list[str] = []

    def interrupted(_pause_s: float) -> None:
        raise KeyboardInterrupt

    what = recording(b'[0, "o", "\\u001b[?1049h\\u001b[31m"]', b'[1, "o", "never"]')
    with pytest.raises(KeyboardInterrupt):
        play(what, acts.append, interrupted)
    assert acts[0] == "\x1b[?1049h\x1b[31m"
    assert "\x1b[?1049l" in acts[1]
    assert "\x1b[m" in acts[1]


def test_a_session_travels_without_times_of_day_and_variables(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "1.cast", TerminalSize(80, 24), term="xterm", shell="/home/me/sh")
    recorder.output("grün\r\n".encode())
    recorder.close()
    text = encode_session(tmp_path / "1.cast")
    assert text.isascii()
    carried = decode_session(text)
    assert (carried.header.started, carried.header.shell, carried.header.term) == (None, "", "")
    for _ in range(2):
        assert [event.text for event in carried.events] == ["grün\r\n"]


def test_a_session_too_large_for_an_image_is_refused_with_its_size(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(40_000).hex().encode()
    path = recorded(tmp_path / "1.cast", noise)
    with pytest.raises(
        Refused, match=r"1\.cast' cannot .* takes \d\d,\d\d\d characters .* 24,576 is the most"
    ):
        encode_session(path)
    path = recorded(tmp_path / "2.cast", b"a" * (2 << 20))
    with pytest.raises(Refused, match=r"takes 2,\d\d\d,\d\d\d bytes, and 1,048,576 is the most"):
        encode_session(path)


def test_what_is_no_recording_is_not_carried(tmp_path: Path) -> None:
    (tmp_path / "1.cast").write_text("secrets")
    with pytest.raises(InvalidInput, match="no recording"):
        encode_session(tmp_path / "1.cast")


def test_a_bomb_in_an_image_is_not_unpacked() -> None:
    with pytest.raises(InvalidInput, match="more than 1,048,576 bytes"):
        decode_session(packed(HEADER + b" " * (8 << 20)))
    with pytest.raises(InvalidInput, match="too large"):
        decode_session("A" * (MOST_EMBEDDED_CHARS + 4))


@pytest.mark.parametrize("text", ["", "?", "AAAA", packed(HEADER)[:40], packed(b"no header"), "ü"])
def test_a_damaged_session_in_an_image_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="The session in the image"):
        decode_session(text)


def test_a_session_from_an_image_only_draws() -> None:
    hostile = (
        b'[0, "o", "a\\u001b]52;c;cm0gLXJm"]\n[1, "o", "IC8=\\u0007b"]\n[2, "o", "\\u001b[31mc\\u001b[6n"]\n'
    )
    events = decode_session(packed(HEADER + hostile)).events
    assert list(events) == [Event(0.0, "a"), Event(1.0, "b"), Event(2.0, "\x1b[31mc")]


def test_a_file_of_the_user_is_played_as_it_is(tmp_path: Path) -> None:
    path = recorded(tmp_path / "1.cast", b"\x1b]0;title\x07")
    assert "\x1b]0;title\x07" in Stage().play(read_recording(path), idle_limit_s=0)
