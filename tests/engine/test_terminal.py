"""Terminals and pipes into containers, through real pseudo-terminals, as a person uses them."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import docker
import lookalike
import pytest
from processes import wait_until
from sandbox import Sandbox
from second_engine import small_engine
from terminal import (
    CTRL_C,
    CTRL_P,
    CTRL_Q,
    CTRL_Z,
    ESCAPE,
    SHELL,
    shell_at_terminal,
    snap_at_terminal,
    snap_piped,
)

pytestmark = pytest.mark.engine

# From high to low: upwards it would hold ctrl-p ctrl-q, and that detaches.
EVERY_BYTE = bytes(range(255, -1, -1))
PASTE = EVERY_BYTE * (5 * 4096)  # 5 MiB


@pytest.fixture(scope="module")
def box(space: Sandbox) -> str:
    """A container that many tests run their commands in."""
    return space.hold()


# --- the lab ---


def test_the_lab_is_played_by_hand(sandbox: Sandbox) -> None:
    lab, image, again = sandbox.name("ch03"), sandbox.name("ch03-change"), sandbox.name("again")
    said = sandbox.home / "said"

    with shell_at_terminal(sandbox, lab, stderr=said) as terminal:
        for key in "echo Elton >> ch03.txt":
            terminal.types(key)
            terminal.sees(key)
        terminal.types("\r")
        terminal.sees(SHELL)
        terminal.answers("cat ch03.txt", "Lab solution, by: Elton\r\n")
        terminal.types_line("exit")
        assert terminal.ends()[0] == 0
        assert terminal.attributes() == terminal.before
    lines = [" ".join(line.split()) for line in said.read_text().splitlines()]
    assert "C /diamol/ch03.txt" in lines
    assert f"snap commit {lab}" in lines[-1]

    sandbox.snap("commit", lab, image, "-m", "sign the lab")

    with shell_at_terminal(sandbox, again, image=image) as terminal:
        terminal.answers("cat ch03.txt", "Lab solution, by: Elton\r\n")
        terminal.types_line("exit")
        assert terminal.ends()[0] == 0


def test_a_shell_without_a_terminal_is_told_how_to_get_one(sandbox: Sandbox) -> None:
    name = sandbox.name()
    with snap_at_terminal(
        sandbox, "run", "--network", "none", "--name", name, sandbox.base_image
    ) as terminal:
        status, said = terminal.ends()
    assert status == 0
    assert f"snap run -it {sandbox.base_image}" in said


# --- what a terminal does ---


def test_the_window_has_its_size_at_the_start_and_when_it_changes(space: Sandbox, box: str) -> None:
    wait = 'until [ "$(stty size)" = "{}" ]; do sleep 0.1; done; echo it""is'
    with snap_at_terminal(space, "exec", "-it", box, "sh", size=(100, 30)) as terminal:
        terminal.sees(SHELL)
        terminal.answers(wait.format("30 100"), "itis")
        terminal.types_line(wait.format("40 132"))
        terminal.sees("\r\n")
        terminal.resize(132, 40)
        terminal.sees("itis", SHELL)
        terminal.answers("stty size", "40 132")


def test_the_first_process_has_the_size_of_the_window_too(sandbox: Sandbox) -> None:
    with shell_at_terminal(sandbox, sandbox.name(), size=(90, 20)) as terminal:
        terminal.answers('until [ "$(stty size)" = "20 90" ]; do sleep 0.1; done; echo it""is', "itis")


@pytest.mark.only_on("docker28", "docker28-containerd", reason="no other takes the size before the start")
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_the_window_has_its_size_before_the_command_can_ask(space: Sandbox, box: str, verb: str) -> None:
    words = ["run", "--network", "none", "--name", space.name("early"), space.base_image]
    for _ in range(3):
        begin = ["exec", "-it", box] if verb == "exec" else [words[0], "-it", "--replace", *words[1:]]
        with snap_at_terminal(space, *begin, "stty", "size", size=(101, 31)) as terminal:
            terminal.sees("31 101\r\n")
            assert terminal.ends()[0] == 0


def test_vi_changes_a_file(space: Sandbox, box: str) -> None:
    space.sh(box, "printf 'Lab solution, by: ' > /tmp/lab.txt")
    with snap_at_terminal(space, "exec", "-it", box, "sh") as terminal:
        terminal.sees(SHELL)
        terminal.types_line("vi /tmp/lab.txt")
        terminal.sees("Lab solution, by:")
        terminal.types("A")
        terminal.types("Grace")
        terminal.sees("Grace")
        # Keys that follow at once would be taken for those that a terminal sends for an arrow or the like.
        terminal.types(ESCAPE)
        terminal.sees("- /tmp/lab.txt")
        terminal.types(":wq\r")
        terminal.sees(SHELL)
        terminal.types_line("exit")
        assert terminal.ends()[0] == 0
    assert space.sh(box, "cat /tmp/lab.txt") == "Lab solution, by: Grace"


@pytest.mark.only_on("docker20", reason="one kind's terminals are enough for an editor of Debian's")
def test_nano_changes_a_file(sandbox: Sandbox) -> None:
    image = sandbox.name("nano")
    lookalike.import_image(sandbox.client, image, with_program("nano"), [f"ENV PATH={lookalike.PATH}"])
    name = sandbox.hold(image=image)
    with snap_at_terminal(sandbox, "exec", "-it", name, "nano", "/root/note.txt") as terminal:
        terminal.sees("New File")
        terminal.types("Gr\u00fc\u00dfe")
        terminal.types("\x0f")  # write out
        terminal.sees("File Name to Write")
        terminal.types("\r")
        terminal.sees("Wrote 1 line")
        terminal.types("\x18")  # exit
        assert terminal.ends()[0] == 0
        assert terminal.attributes() == terminal.before
    assert sandbox.sh(name, "cat /root/note.txt") == "Gr\u00fc\u00dfe\n"


def with_program(name: str) -> bytes:
    """A root folder with a program of this machine, its libraries, and what it has to know of terminals."""
    program = subprocess.run(["which", name], check=True, capture_output=True, text=True).stdout.strip()
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    executable = []
    for path in [program, *(word for word in listed.split() if word.startswith("/"))]:
        entry = tarfile.TarInfo(path.lstrip("/"))
        content = Path(path).read_bytes()
        entry.mode, entry.mtime, entry.size = 0o755, lookalike.MTIME, len(content)
        executable.append((entry, content))
    described = "/lib/terminfo/x/xterm"
    return lookalike.root_tar({described: Path(described).read_bytes()}, extra=executable)


def test_ctrl_c_reaches_the_command_and_not_snap(space: Sandbox, box: str) -> None:
    with snap_at_terminal(space, "exec", "-it", box, "sh") as terminal:
        terminal.sees(SHELL)
        trap = """trap "echo cau""ght; exit 7" INT"""
        terminal.types_line(f"""sh -c '{trap}; echo rea""dy; while :; do sleep 0.1; done'""")
        terminal.sees("ready")
        terminal.types(CTRL_C)
        terminal.sees("caught", SHELL)
        terminal.answers('echo "status $?"', "status 7")


def test_ctrl_z_stops_a_command_of_the_containers_shell(space: Sandbox, box: str) -> None:
    with snap_at_terminal(space, "exec", "-it", box, "sh") as terminal:
        terminal.sees(SHELL)
        terminal.types_line("echo rea''dy; cat")
        terminal.sees("ready")
        terminal.types_line("is it there")
        terminal.sees("is it there\r\n", "is it there\r\n")
        terminal.types(CTRL_Z)
        terminal.sees("Stopped", SHELL)
        terminal.types_line("fg")
        terminal.sees("cat\r\n")
        terminal.types_line("it goes on")
        terminal.sees("it goes on\r\n", "it goes on\r\n")
        terminal.types(CTRL_C)
        terminal.sees(SHELL)


def test_text_in_utf_8_goes_both_ways(space: Sandbox, box: str) -> None:
    with snap_at_terminal(space, "exec", "-it", box, "sh") as terminal:
        terminal.sees(SHELL)
        terminal.types_line("""echo rea''dy; read line; echo "<$line>" """)
        terminal.sees("ready")
        terminal.types_line("Gr\u00fc\u00dfe \u65e5\u672c \U0001f40b")
        terminal.sees("<Gr\u00fc\u00dfe \u65e5\u672c \U0001f40b>", SHELL)


def test_a_paste_of_5_mib_arrives_whole(space: Sandbox, box: str) -> None:
    with snap_at_terminal(space, "exec", "-it", box, "sh") as terminal:
        terminal.sees(SHELL)
        terminal.types_line(f"stty raw -echo; echo rea''dy; head -c {len(PASTE)} | sha256sum; stty sane")
        terminal.sees("ready")
        terminal.types(PASTE)
        terminal.sees(hashlib.sha256(PASTE).hexdigest())


# --- pipes ---


def test_what_is_piped_in_arrives_whole_and_ends(sandbox: Sandbox) -> None:
    words = ["run", "-q", "-i", "--network", "none", "--name", sandbox.name(), sandbox.base_image]
    status, stdout, stderr = snap_piped(sandbox, PASTE, *words, "sha256sum")
    assert (status, stdout.split()[0].decode()) == (0, hashlib.sha256(PASTE).hexdigest()), stderr


def test_every_byte_goes_both_ways_as_it_is(space: Sandbox, box: str) -> None:
    content = bytes(range(256)) + PASTE
    assert snap_piped(space, content, "exec", "-i", box, "cat") == (0, content, b"")


def test_input_that_ends_at_once_ends_the_command(space: Sandbox, box: str) -> None:
    assert snap_piped(space, b"x", "exec", "-i", box, "cat") == (0, b"x", b"")
    assert snap_piped(space, b"", "exec", "-i", box, "sh", "-c", "cat; echo done") == (0, b"done\n", b"")


@pytest.mark.only_on(
    "docker20",
    "docker28",
    "docker28-containerd",
    reason="Podman drops the last output of a command to which it cannot write any more",
)
def test_a_command_that_reads_none_of_its_input_ends_by_itself(space: Sandbox, box: str) -> None:
    assert snap_piped(space, PASTE, "exec", "-i", box, "sh", "-c", "echo done; exit 4") == (4, b"done\n", b"")


def test_output_and_errors_are_told_apart(space: Sandbox, box: str) -> None:
    script = "echo out; echo err >&2; exit 3"
    assert snap_piped(space, b"", "exec", box, "sh", "-c", script) == (3, b"out\n", b"err\n")


def test_a_terminal_without_keys_needs_none_here(space: Sandbox, box: str) -> None:
    assert snap_piped(space, b"", "exec", "-t", box, "sh", "-c", "test -t 1 && echo tty") == (
        0,
        b"tty\r\n",
        b"",
    )


@pytest.mark.parametrize("words", [["run", "--name"], ["exec"]])
def test_a_terminal_is_refused_where_the_input_is_none(sandbox: Sandbox, words: list[str]) -> None:
    name = sandbox.name()
    status, _, stderr = snap_piped(sandbox, b"", words[0], "-it", *words[1:], name, sandbox.base_image, "sh")
    assert status == 2
    assert b"Leave out -t" in stderr
    assert not [item for item in sandbox.client.containers(all=True) if f"/{name}" in item["Names"]]


# --- leaving and coming back ---


def test_ctrl_p_ctrl_q_leaves_the_container_running_and_attach_comes_back(sandbox: Sandbox) -> None:
    name = sandbox.name()
    with shell_at_terminal(sandbox, name) as terminal:
        terminal.answers("kept=here")
        terminal.types(CTRL_P + CTRL_Q)
        status, said = terminal.ends()
        assert status == 0
        assert f"snap attach {name}" in said
        assert terminal.attributes() == terminal.before
    assert sandbox.state(name) == "running"

    with snap_at_terminal(sandbox, "attach", name) as terminal:
        terminal.waits_for_keys()
        terminal.answers('echo "still $kept"', "still here\r\n")
        terminal.types_line("exit 3")
        assert terminal.ends()[0] == 3
        assert terminal.attributes() == terminal.before


def test_keys_to_detach_may_be_others(sandbox: Sandbox) -> None:
    name = sandbox.name()
    with shell_at_terminal(sandbox, name, "--detach-keys", "ctrl-a,d") as terminal:
        # The usual ones mean nothing then: the shell has the line before once more, and nothing else.
        terminal.answers("echo o''nce", "once\r\n")
        terminal.types(CTRL_P + CTRL_Q)
        terminal.sees("echo o''nce")
        terminal.types("\x01d")
        assert terminal.ends()[0] == 0
    with snap_at_terminal(sandbox, "attach", "--detach-keys", "ctrl-x", name) as terminal:
        terminal.waits_for_keys()
        terminal.types("\x18")
        assert terminal.ends()[0] == 0
    assert sandbox.state(name) == "running"


def test_a_command_may_be_detached_from(space: Sandbox, box: str) -> None:
    with snap_at_terminal(space, "exec", "-it", "--detach-keys", "ctrl-a,d", box, "sh") as terminal:
        terminal.sees(SHELL)
        terminal.types_line("touch /tmp/begun; sleep 599")
        wait_until(lambda: "begun" in space.sh(box, "ls /tmp"), "the command has begun")
        terminal.types("\x01d")
        status, said = terminal.ends()
        assert status == 0
    # `snap attach` would come to another process.
    assert "attach" not in said
    assert f"the command runs on in '{box}'" in said
    assert "sleep 599" in space.sh(box, "ps -o args")


def test_attach_without_input_shows_the_output_alone(sandbox: Sandbox) -> None:
    name = sandbox.name()
    script = "while :; do echo tick; sleep 0.2; done"
    sandbox.snap(
        "run", "-d", "-q", "--network", "none", "--name", name, sandbox.base_image, "sh", "-c", script
    )  # fmt: skip
    with snap_at_terminal(sandbox, "attach", "--no-stdin", name) as terminal:
        terminal.sees("tick", "tick")
        terminal.types(CTRL_C)
        assert terminal.ends()[0] == 130
    assert sandbox.state(name) == "running"


# --- ends ---


@pytest.mark.parametrize(
    ("command", "status"), [(["sh", "-c", "exit 7"], 7), (["no-such-program"], 127), (["/etc"], 126)]
)
def test_the_status_of_a_command_is_passed_on(
    space: Sandbox, box: str, command: list[str], status: int
) -> None:
    with snap_at_terminal(space, "exec", "-it", box, *command) as terminal:
        assert terminal.ends()[0] == status
        assert terminal.attributes() == terminal.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_that_ends_snap_gives_the_terminal_back(
    space: Sandbox, box: str, number: signal.Signals
) -> None:
    with snap_at_terminal(space, "exec", "-it", box, "sh") as terminal:
        terminal.sees(SHELL)
        assert terminal.attributes() != terminal.before
        os.kill(terminal.pid, number)
        status, said = terminal.ends()
        assert terminal.attributes() == terminal.before
    assert status == 128 + number
    assert f"'{box}' was left alone" in said
    assert "Traceback" not in said


def test_a_signal_that_ends_run_ends_its_command_and_gives_the_terminal_back(sandbox: Sandbox) -> None:
    name = sandbox.name()
    with shell_at_terminal(sandbox, name) as terminal:
        os.kill(terminal.pid, signal.SIGTERM)
        status, said = terminal.ends()
        assert terminal.attributes() == terminal.before
    assert status == 143
    assert "the container is kept" in said
    assert sandbox.state(name) == "exited"


@pytest.mark.only_on("docker20", reason="what happens on this side is the same for each kind")
def test_an_engine_that_is_killed_leaves_one_sentence_and_a_sane_terminal(tmp_path: Path) -> None:
    with small_engine(64, "docker20") as engine, closing(docker.APIClient(engine.host)) as client:
        image = "snap-test/small:latest"
        lookalike.make_ch03_lab(client, image)
        space = Sandbox(client, engine.host, image, tmp_path)
        said = tmp_path / "said"
        with snap_at_terminal(
            space, "run", "-it", "--network", "none", "--name", space.name(), image, stderr=said
        ) as terminal:
            terminal.sees(SHELL)
            engine.kill()
            status, _ = terminal.ends()
            assert terminal.attributes() == terminal.before
        engine.up()
        space.clean()
    assert status == 5
    what, hint = said.read_text().splitlines()
    assert what.startswith(("snap: The engine went away", "snap: No engine can be reached"))
    assert hint


# --- a command beside ---


def test_a_command_may_be_left_running(sandbox: Sandbox) -> None:
    name = sandbox.hold()
    sandbox.snap("exec", "-d", name, "sh", "-c", "echo done > /tmp/done; sleep 600")
    wait_until(lambda: "done" in sandbox.sh(name, "cat /tmp/done 2>/dev/null || :"), "the command has run")


def test_a_command_has_its_own_variables_folder_and_user(space: Sandbox, box: str) -> None:
    done = space.snap(
        "exec", "-e", "WHO=Ada", "-w", "/tmp", "-u", "nobody", box, "sh", "-c", 'echo "$WHO $PWD $(id -un)"'
    )  # fmt: skip
    assert done.stdout == "Ada /tmp nobody\n"
