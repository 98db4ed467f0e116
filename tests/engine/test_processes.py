"""Processes over the own connection: no byte lost, the exit status told, on each kind of engine."""

from __future__ import annotations

import io
import select
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from sandbox import Sandbox

from snapshot.engine.endpoint import Endpoint
from snapshot.engine.frames import FrameReader
from snapshot.engine.process_types import Duplex, ExecSpec, ExecState, TerminalSize
from snapshot.engine.processes import Processes
from snapshot.engine.wire import Wire
from snapshot.errors import CommandNotStarted, ContainerNotFound, PathNotFound

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def processes(host: str) -> Iterator[Processes]:
    with closing(Processes(Wire(Endpoint(host, "a test", None)))) as made:
        yield made


@pytest.fixture(scope="module")
def box(space: Sandbox) -> str:
    """A running container that tests only run commands in."""
    name = space.name("processes")
    config = space.client.create_host_config(network_mode="none")
    space.client.create_container(space.base_image, ["sleep", "600"], name=name, host_config=config)
    space.client.start(name)
    return name


def all_of(duplex: Duplex) -> bytes:
    """Everything that comes until the end; the connection is closed then."""
    found = b""
    waiting = select.poll()
    waiting.register(duplex.fileno(), select.POLLIN)
    while True:
        if not duplex.has_buffered:
            assert waiting.poll(30_000), f"nothing more came after {found!r}"
        data = duplex.read()
        if data == b"":
            duplex.close()
            return found
        found += data or b""


def streams_of(output: bytes) -> dict[int, bytes]:
    """What each stream brought, by its number."""
    reader = FrameReader()
    found: dict[int, bytes] = {}
    for stream, data in reader.feed(output):
        found[stream] = found.get(stream, b"") + data
    assert not reader.incomplete
    return found


def run(processes: Processes, box: str, spec: ExecSpec, given: bytes = b"") -> tuple[bytes, ExecState]:
    """Run a command to its end; its raw output and what became of it."""
    exec_id = processes.exec_create(box, spec)
    duplex = processes.exec_start(exec_id, spec)
    assert duplex
    if spec.stdin:
        while given:
            given = given[duplex.write(given) :]
        duplex.half_close()
    return all_of(duplex), processes.exec_state(exec_id)


def test_200_short_commands_lose_no_byte(processes: Processes, box: str) -> None:
    for number in range(200):
        script = f"printf 'number {number:03} to stdout'; printf 'error {number:03}' >&2; exit {number % 120}"
        output, state = run(processes, box, ExecSpec(("sh", "-c", script)))
        expected = {1: f"number {number:03} to stdout".encode(), 2: f"error {number:03}".encode()}
        assert streams_of(output) == expected
        assert state == ExecState(running=False, exit_code=number % 120)


def test_input_ends_where_it_is_half_closed(processes: Processes, box: str) -> None:
    output, state = run(processes, box, ExecSpec(("wc", "-c"), stdin=True), b"some input")
    assert streams_of(output)[1].strip() == b"10"
    assert state.exit_code == 0


def test_a_command_has_what_its_spec_says(processes: Processes, box: str) -> None:
    script = 'echo "$WHO $PWD $(id -u)"'
    spec = ExecSpec(("sh", "-c", script), env=("WHO=Elton",), working_dir="/tmp", user="12")
    assert streams_of(run(processes, box, spec)[0]) == {1: b"Elton /tmp 12\n"}


def test_a_terminal_has_the_size_that_it_is_given(processes: Processes, box: str) -> None:
    spec = ExecSpec(("sh", "-c", "read x; stty size"), tty=True, stdin=True)
    exec_id = processes.exec_create(box, spec)
    size = TerminalSize(columns=101, rows=33)
    duplex = processes.exec_start(exec_id, spec)
    assert duplex
    assert processes.resize_exec(exec_id, size)
    duplex.write(b"go\n")
    assert all_of(duplex).endswith(b"33 101\r\n")
    assert not processes.resize_exec(exec_id, size)


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize(("command", "status"), [("nonesuch", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_be_run_has_dockers_status(
    processes: Processes, box: str, command: str, status: int, tty: bool
) -> None:
    output, state = run(processes, box, ExecSpec((command,), tty=tty))
    assert command.encode() in output
    assert state == ExecState(running=False, exit_code=status)


def test_a_detached_command_that_cannot_be_run_is_refused(processes: Processes, box: str) -> None:
    spec = ExecSpec(("nonesuch",), detach=True)
    exec_id = processes.exec_create(box, spec)
    with pytest.raises(CommandNotStarted) as caught:
        processes.exec_start(exec_id, spec)
    assert caught.value.exit_code == 127


def test_a_container_is_attached_started_and_waited_for(processes: Processes, sandbox: Sandbox) -> None:
    config = sandbox.client.create_host_config(network_mode="none")
    made = sandbox.client.create_container(
        sandbox.base_image,
        ["sh", "-c", "cat; exit 5"],
        name=sandbox.name(),
        stdin_open=True,
        host_config=config,
    )["Id"]
    duplex = processes.attach(made, stdin=True)
    processes.start(made)
    with pytest.raises(TimeoutError):
        processes.wait_exit(made, timeout_s=0.2)
    duplex.write(b"hello")
    duplex.half_close()
    assert streams_of(all_of(duplex)) == {1: b"hello"}
    assert processes.wait_exit(made) == 5
    assert processes.container(made).state == "exited"


@pytest.mark.parametrize(("command", "status"), [("nonesuch", 127), ("/etc/passwd", 126)])
def test_a_container_whose_command_cannot_be_run_has_dockers_status(
    processes: Processes, sandbox: Sandbox, command: str, status: int
) -> None:
    config = sandbox.client.create_host_config(network_mode="none")
    made = sandbox.client.create_container(
        sandbox.base_image, [command], name=sandbox.name(), host_config=config
    )["Id"]
    with pytest.raises(CommandNotStarted) as caught:
        processes.start(made)
    assert caught.value.exit_code == status


def test_detach_keys_leave_the_process_running(processes: Processes, sandbox: Sandbox) -> None:
    config = sandbox.client.create_host_config(network_mode="none")
    made = sandbox.client.create_container(
        sandbox.base_image, ["sh"], name=sandbox.name(), stdin_open=True, tty=True, host_config=config
    )["Id"]
    duplex = processes.attach(made, stdin=True, detach_keys="ctrl-x,x")
    processes.start(made)
    duplex.write(b"\x18")
    # Podman takes them for input where it reads both at once.
    time.sleep(0.2)
    duplex.write(b"x")
    all_of(duplex)
    assert processes.container(made).state == "running"
    processes.stop(made, 0)
    assert processes.wait_exit(made) == 137


def test_files_go_in_and_come_out(processes: Processes, box: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("name [1]?.bin")
        info.size = 3_000_000
        tar.addfile(info, io.BytesIO(b"\xa5" * info.size))
    data = archive.getvalue()
    processes.put_archive(box, "/tmp", (data[at : at + 70_000] for at in range(0, len(data), 70_000)))
    path = f"/tmp/{info.name}"
    stat = processes.stat(box, path)
    assert stat
    assert stat.size_bytes == info.size
    with processes.open_archive(box, path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        member = next(iter(tar))
        content = tar.extractfile(member)
        assert content
        assert (member.name, content.read()) == (info.name, b"\xa5" * info.size)
    assert path in {change.path for change in processes.changes(box)}


def test_what_is_not_there_is_told_apart(processes: Processes, box: str) -> None:
    assert processes.stat(box, "/nonesuch") is None
    with pytest.raises(ContainerNotFound, match="No container is named 'nonesuch'"):
        processes.stat("nonesuch", "/etc")
    with pytest.raises(PathNotFound), processes.open_archive(box, "/nonesuch"):
        pass
