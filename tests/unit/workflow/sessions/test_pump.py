"""The pump between a process's connection and this side's streams, on sockets, pipes and pseudo-terminals."""

from __future__ import annotations

import os
import pty
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from snapshot.engine.duplex import SocketDuplex
from snapshot.engine.process_types import TerminalSize
from snapshot.errors import EngineError, EngineGone
from snapshot.workflow.sessions.pump import pump
from snapshot.workflow.sessions.streams import Streams

PATIENCE_S = 60.0
#: 5 MiB. From high to low: upwards it would hold the keys that detach.
BIG = bytes(range(255, -1, -1)) * (5 * 4096)


class Process:
    """The other end of a connection: what a process in a container is to the pump.

    ``taken`` is the input that it has read.
    """

    def __init__(self, here: socket.socket, there: socket.socket) -> None:
        self.duplex = SocketDuplex(here)
        self.end = there
        self.taken = b""
        there.settimeout(PATIENCE_S)

    def say_and_end(self, *output: bytes) -> None:
        """Write output, and end."""
        for piece in output:
            self.end.sendall(piece)
        self.end.close()

    def listen_and_end(self, output: bytes = b"") -> None:
        """Read all input until that ends; then write output, and end."""
        self.taken = b"".join(iter(lambda: self.end.recv(65536), b""))
        self.say_and_end(output)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process(*socket.socketpair())
    yield made
    made.duplex.close()
    made.end.close()


class Collected:
    """Takes output, and keeps the pieces of both streams."""

    def __init__(self) -> None:
        self.stdout = b""
        self.stderr = b""

    def __call__(self, stdout: bytes | None, stderr: bytes | None) -> None:
        self.stdout += stdout or b""
        self.stderr += stderr or b""


@contextmanager
def going_on(work: Callable[[], object]) -> Iterator[None]:
    """Do ``work`` beside the block, and wait for it at the end."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


@contextmanager
def piped(content: bytes = b"", *, ends: bool = True) -> Iterator[int]:
    """A pipe to read ``content`` from (no more than a pipe holds); it stays open unless it ``ends``."""
    reader, writer = os.pipe()
    try:
        os.write(writer, content)
        if ends:
            os.close(writer)
        yield reader
    finally:
        os.close(reader)
        if not ends:
            os.close(writer)


def frame(stream: int, content: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(content)) + content


def test_output_of_a_terminal_is_handed_on_as_it_is(process: Process) -> None:
    seen = Collected()
    process.say_and_end(frame(2, b"looks like a frame"))

    pump(process.duplex, Streams(output=seen), tty=True)

    assert (seen.stdout, seen.stderr) == (frame(2, b"looks like a frame"), b"")


def test_output_in_frames_is_told_apart(process: Process) -> None:
    seen = Collected()
    process.say_and_end(frame(1, b"out ") + frame(2, b"err ") + frame(1, b"") + frame(1, b"more"))

    pump(process.duplex, Streams(output=seen), tty=False)

    assert (seen.stdout, seen.stderr) == (b"out more", b"err ")


def test_output_that_nobody_wants_is_read_nevertheless(process: Process) -> None:
    with going_on(lambda: process.say_and_end(BIG)):
        pump(process.duplex, Streams(), tty=True)


def test_output_that_came_with_the_answer_is_not_forgotten(process: Process) -> None:
    seen = Collected()
    process.duplex.push_back(b"early ")
    process.say_and_end(b"late")

    pump(process.duplex, Streams(output=seen), tty=True)

    assert seen.stdout == b"early late"


@pytest.mark.parametrize("cut", [1, 7, 8, 10])
def test_output_that_ends_within_a_frame_means_that_the_engine_is_gone(process: Process, cut: int) -> None:
    seen = Collected()
    process.say_and_end((frame(1, b"whole") + frame(1, b"broken"))[: 13 + cut])

    with pytest.raises(EngineGone, match="in the middle"):
        pump(process.duplex, Streams(output=seen), tty=False)

    assert seen.stdout == b"whole" + b"broken"[: max(0, cut - 8)]


def test_a_connection_that_breaks_is_said_so() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        here = socket.create_connection(server.getsockname())
        there, _ = server.accept()
    process = Process(here, there)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    there.close()

    with closing(process.duplex), pytest.raises(EngineGone):
        pump(process.duplex, Streams(), tty=True)


def test_input_is_sent_with_its_end_and_output_goes_on_after_it(process: Process) -> None:
    seen = Collected()

    with piped(b"some input") as source, going_on(lambda: process.listen_and_end(frame(1, b"got it"))):
        pump(process.duplex, Streams(stdin=source, output=seen), tty=False)

    assert process.taken == b"some input"
    assert seen.stdout == b"got it"


def test_without_input_the_connection_is_not_half_closed(process: Process) -> None:
    def look() -> None:
        process.end.settimeout(0.1)
        with pytest.raises(TimeoutError):
            process.end.recv(1)
        process.end.close()

    with going_on(look):
        pump(process.duplex, Streams(), tty=False)


def test_much_input_arrives_whole_while_the_process_echoes_it(process: Process) -> None:
    seen = Collected()

    def echo() -> None:
        # It reads nothing more until what it wrote has been taken: both directions are full at times.
        while piece := process.end.recv(4096):
            process.end.sendall(piece)
        process.end.close()

    reader, writer = os.pipe()
    with going_on(echo), going_on(lambda: write_and_close(writer, BIG)):
        pump(process.duplex, Streams(stdin=reader, output=seen), tty=True)
    os.close(reader)

    assert seen.stdout == BIG


def write_and_close(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.close(descriptor)


def test_input_is_left_unread_while_the_process_takes_none(process: Process, tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(BIG)

    with file.open("rb") as source:

        def end_once_no_more_is_read() -> None:
            before, now = -1, 0
            while now == 0 or now != before:
                time.sleep(0.05)
                before, now = now, os.lseek(source.fileno(), 0, os.SEEK_CUR)
            process.end.close()

        with going_on(end_once_no_more_is_read):
            pump(process.duplex, Streams(stdin=source.fileno()), tty=True)
        read_bytes = os.lseek(source.fileno(), 0, os.SEEK_CUR)

    # What a socket holds, and what the pump does.
    assert 0 < read_bytes < 1024 * 1024


def test_a_file_is_input_like_any_other(process: Process, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BIG)

    with (tmp_path / "file").open("rb") as source, going_on(process.listen_and_end):
        pump(process.duplex, Streams(stdin=source.fileno()), tty=False)

    assert process.taken == BIG


def test_when_the_output_ends_no_more_input_is_waited_for(process: Process) -> None:
    process.say_and_end(b"bye")
    seen = Collected()

    with piped(b"unread", ends=False) as source:
        pump(process.duplex, Streams(stdin=source, output=seen), tty=True)

    assert seen.stdout == b"bye"


def test_a_process_that_takes_no_more_input_is_listened_to_until_it_ends(process: Process) -> None:
    process.end.shutdown(socket.SHUT_RD)
    seen = Collected()

    with piped(b"nobody reads this", ends=False) as source:

        def speak_once_it_is_read() -> None:
            while has_content(source):
                time.sleep(0.01)
            process.say_and_end(b"still here")

        with going_on(speak_once_it_is_read):
            pump(process.duplex, Streams(stdin=source, output=seen), tty=True)

    assert seen.stdout == b"still here"


def has_content(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def test_the_end_that_is_typed_at_a_terminal_ends_the_input(process: Process) -> None:
    outer, inner = pty.openpty()
    os.write(outer, b"a line\n\x04")

    with going_on(process.listen_and_end):
        pump(process.duplex, Streams(stdin=inner), tty=False)
    os.close(outer)
    os.close(inner)

    assert process.taken == b"a line\n"


def test_a_terminal_that_is_gone_ends_the_input(process: Process) -> None:
    outer, inner = pty.openpty()
    os.close(outer)

    with going_on(process.listen_and_end):
        pump(process.duplex, Streams(stdin=inner), tty=False)
    os.close(inner)


def test_a_descriptor_that_is_closed_ends_the_input(process: Process) -> None:
    with piped() as source:
        closed = source

    with going_on(process.listen_and_end):
        pump(process.duplex, Streams(stdin=closed), tty=False)


def test_the_keys_to_detach_leave_the_process_alone(process: Process) -> None:
    with piped(b"typed before\x01dnot this", ends=False) as source:
        assert pump(process.duplex, Streams(stdin=source), tty=True, detach_keys="ctrl-a,d")

    process.duplex.close()
    assert process.end.recv(100) == b"typed before"


def test_keys_that_only_begin_like_those_to_detach_are_sent(process: Process) -> None:
    with piped(b"\x10x\x10") as source, going_on(process.listen_and_end):
        assert not pump(process.duplex, Streams(stdin=source), tty=True)

    assert process.taken == b"\x10x\x10"


def test_without_a_terminal_no_keys_detach(process: Process) -> None:
    with piped(b"\x10\x11") as source, going_on(process.listen_and_end):
        pump(process.duplex, Streams(stdin=source), tty=False)

    assert process.taken == b"\x10\x11"


def test_the_size_is_told_at_once_and_whenever_it_may_have_changed(process: Process) -> None:
    sizes = [TerminalSize(80, 24), TerminalSize(100, 30)]
    told: list[TerminalSize] = []

    with piped(b"..", ends=False) as wake:

        def resize(size: TerminalSize) -> None:
            told.append(size)
            if len(told) == 2:
                process.end.close()

        streams = Streams(window=lambda: sizes[len(told)], wake=wake)
        pump(process.duplex, streams, tty=True, resize=resize)

        assert not has_content(wake)
    assert told == sizes


def test_the_size_is_told_again_until_the_process_has_started(process: Process) -> None:
    told = []

    def resize(size: TerminalSize) -> bool:
        told.append(size)
        if len(told) == 2:
            raise EngineError("not yet")
        if len(told) == 4:
            process.end.close()
        return len(told) == 4

    pump(process.duplex, Streams(window=lambda: TerminalSize(80, 24)), tty=True, resize=resize)

    assert told == [TerminalSize(80, 24)] * 4


def test_a_size_that_is_not_known_is_not_told(process: Process) -> None:
    told: list[TerminalSize] = []
    process.end.close()

    pump(process.duplex, Streams(window=lambda: None), tty=True, resize=told.append)

    assert told == []


@pytest.mark.parametrize("failure", [None, EngineGone("the question was cut off")])
def test_a_size_that_no_engine_takes_does_not_hold_up_the_output(
    process: Process, failure: Exception | None
) -> None:
    seen = Collected()
    process.say_and_end(b"output")

    def resize(_size: TerminalSize) -> bool:
        if failure:
            raise failure
        return False

    streams = Streams(output=seen, window=lambda: TerminalSize(80, 24))
    pump(process.duplex, streams, tty=True, resize=resize)

    assert seen.stdout == b"output"
