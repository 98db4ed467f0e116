"""The checks that a user asks of ``snap verify``, and what it does to the engine."""

from __future__ import annotations

import hashlib
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import docker
import lookalike
import pytest
from doctor import entry
from sandbox import Sandbox

from snapshot import Snapshots
from snapshot.workflow.checks import RunOutputs

pytestmark = pytest.mark.engine

ODD_NAMES = ["-rf", "--help", "*", "a b", "host:", "%41", "ünïcode", "new\nline"]
BORDER = b"x" * ((1 << 20) - 3) + b"needle" + b"y" * 100


@pytest.fixture(scope="module")
def image(
    client: docker.APIClient, host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An image without a record: the base, a large file, a link, a volume, an entrypoint."""
    space = Sandbox(client, host, base_image, tmp_path_factory.mktemp("home"))
    name = space.name("plain")
    link = entry("diamol/link", type=tarfile.SYMTYPE, linkname="../diamol/ch03.txt")
    dangling = entry("diamol/dangling", type=tarfile.SYMTYPE, linkname="/nowhere")
    above = entry("diamol/above", type=tarfile.SYMTYPE, linkname="../../../../../etc/passwd")
    loop = entry("diamol/loop", type=tarfile.SYMTYPE, linkname="loop")
    files = {"diamol/ch03.txt": b"by: Elton", "big": BORDER} | {f"odd/{name}": b"x" for name in ODD_NAMES}
    tar = lookalike.root_tar(files, extra=[link, dangling, above, loop])
    changes = [
        "WORKDIR /diamol",
        "ENV TARGET=blog",
        "LABEL team=lab",
        "VOLUME /data",
        'ENTRYPOINT ["/bin/false"]',
    ]
    lookalike.import_image(client, name, tar, changes)
    yield name
    space.clean()


@pytest.mark.parametrize(
    "options",
    [
        ["--file", "ch03.txt"],
        ["--file", "/diamol"],
        ["--file", "dangling"],
        ["--sha256", f"ch03.txt={hashlib.sha256(b'by: Elton').hexdigest()}"],
        ["--sha256", f"link={hashlib.sha256(b'by: Elton').hexdigest().upper()}"],
        ["--contains", "ch03.txt=Elton"],
        ["--contains", "link=by: "],
        ["--contains", "/big=needle"],
        ["--contains", "above=root:x:0:0:root:/root:/bin/sh\nnobody:x:65534"],
        ["--file", "loop"],
        ["--absent", "/root/.bash_history"],
        ["--absent", "ch03.txt/below"],
        ["--label", "team=lab"],
        ["--env", "TARGET=blog"],
        ["--run", "cat ch03.txt", "--expect", "Elton"],
        ["--run", "sh -c 'test -e ch03.txt'"],
        ["--run", "sh -c '! ip addr | grep -q eth0'"],
    ],
    ids=" ".join,
)
def test_a_check_that_holds_passes(sandbox: Sandbox, image: str, options: list[str]) -> None:
    done = sandbox.snap("verify", image, *options)
    assert done.stdout.startswith("ok ")
    assert "has no record" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--file", "missing"],
        ["--sha256", f"ch03.txt={'0' * 64}"],
        ["--sha256", f"missing={'0' * 64}"],
        ["--contains", "ch03.txt=Carla"],
        ["--contains", "/diamol=Elton"],
        ["--contains", "dangling=Elton"],
        ["--contains", "loop=Elton"],
        ["--contains", "ch03.txt/below=Elton"],
        ["--file", "ch03.txt/below"],
        ["--absent", "dangling"],
        ["--absent", "loop"],
        ["--contains", "/big=nneedle"],
        ["--absent", "ch03.txt"],
        ["--label", "team=other"],
        ["--label", "missing="],
        ["--env", "TARGET=other"],
        ["--run", "cat ch03.txt", "--expect", "Carla"],
        ["--run", "false"],
        ["--run", "no-such-command"],
    ],
    ids=" ".join,
)
def test_a_check_that_does_not_hold_exits_with_3(sandbox: Sandbox, image: str, options: list[str]) -> None:
    done = sandbox.snap("verify", image, *options, expect=3)
    assert done.stdout.startswith("FAIL ")
    assert "failed 1 of 1 check" in done.stderr


def test_an_unexpected_value_of_env_is_not_shown(sandbox: Sandbox, image: str) -> None:
    done = sandbox.snap("verify", image, "--env", "TARGET=other", expect=3)
    assert "blog" not in done.stdout + done.stderr


def test_without_record_and_checks_there_is_nothing_to_verify(sandbox: Sandbox, image: str) -> None:
    done = sandbox.snap("verify", image, expect=2)
    assert "has no record" in done.stderr


def test_a_command_that_does_not_end_is_ended(sandbox: Sandbox, image: str, host: str) -> None:
    with Snapshots(host) as snap:
        verification = snap.verify(image, [RunOutputs(("sleep", "60"), timeout_s=1)])
    assert [finding.detail for finding in verification.findings] == ["did not end within 1 s"]
    assert sandbox.strays() == []


def test_a_command_that_prints_more_than_the_engine_buffers_ends(
    sandbox: Sandbox, image: str, host: str
) -> None:
    much = RunOutputs(("sh", "-c", "yes abcdefg | head -c 5000000"), "abcdefg", timeout_s=20)
    endless = RunOutputs(("yes",), timeout_s=1)
    with Snapshots(host) as snap:
        found = snap.verify(image, [much, endless]).findings
    assert [finding.detail for finding in found] == ["printed the text", "did not end within 1 s"]
    assert sandbox.strays() == []


def test_odd_paths_are_taken_literally(sandbox: Sandbox, image: str) -> None:
    """V20."""
    wanted = [f"--file=/odd/{name}" for name in ODD_NAMES]
    absent = ["--absent=/odd/?", "--absent=/odd/A", "--absent=/o*", "--absent=/odd/$(id)"]
    done = sandbox.snap("verify", image, *wanted, *absent)
    assert len(done.stdout.splitlines()) == len(wanted) + len(absent)


def test_nothing_of_an_image_is_started_and_nothing_is_left(sandbox: Sandbox, image: str, host: str) -> None:
    """V12 too: reading needs no shell in the image."""
    volumes = {volume["Name"] for volume in sandbox.client.volumes()["Volumes"] or ()}
    events: list[dict[str, Any]] = []
    watcher = docker.APIClient(host, version="auto", timeout=60)
    stream = watcher.events(decode=True, filters={"type": "container"})
    thread = threading.Thread(target=lambda: events.extend(stream), daemon=True)
    thread.start()
    sandbox.snap("verify", image, "--file", "ch03.txt")
    sandbox.snap(
        "run", "-q", "--network", "none", "--name", sandbox.name("last"), "--entrypoint", "", image, "true"
    )
    # An engine may tell of it a little later.
    give_up_s = time.monotonic() + 10
    while not any(event["status"] == "start" for event in events) and time.monotonic() < give_up_s:
        time.sleep(0.02)
    stream.close()
    thread.join(10)
    watcher.close()
    started = [event["Actor"]["Attributes"]["name"] for event in events if event["status"] == "start"]
    assert started == [sandbox.name("last")]
    # Podman calls it otherwise.
    assert any(event["status"] in {"destroy", "remove"} for event in events)
    after = {volume["Name"] for volume in sandbox.client.volumes()["Volumes"] or ()}
    last = sandbox.client.inspect_container(sandbox.name("last"))["Mounts"]
    assert after - volumes == {mount["Name"] for mount in last}


def test_an_image_without_shell_and_command_is_verified(sandbox: Sandbox) -> None:
    """V12: FROM scratch with one static binary."""
    scratch, box, image = sandbox.name("scratch"), sandbox.name("box"), sandbox.name("snap")
    busybox = lookalike.find_busybox().read_bytes()
    tar = lookalike_tar(("busybox", busybox))
    lookalike.import_image(sandbox.client, scratch, tar)
    sandbox.snap("run", "-q", "--network", "none", "--name", box, scratch, "/busybox", "mkdir", "/made")
    sandbox.snap("commit", box, image)
    done = sandbox.snap("verify", image, "--file", "/made", "--absent", "/bin/sh")
    assert "FAIL" not in done.stdout


def lookalike_tar(*files: tuple[str, bytes]) -> bytes:
    """A tar of executable files alone."""
    import io

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, content in files:
            info, _ = entry(path, content, mode=0o755, size=len(content))
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_the_json_document_has_each_finding(sandbox: Sandbox, image: str) -> None:
    done = sandbox.snap("verify", image, "--file", "missing", "--format", "json", expect=3)
    document = json.loads(done.stdout)
    assert document["has_record"] is False
    assert document["passed"] is False
    assert document["findings"] == [
        {"subject": "file /diamol/missing", "passed": False, "detail": "is missing"}
    ]


@pytest.mark.parametrize(
    "options",
    [["--expect", "x"], ["--run", "'"], ["--run", ""], ["--sha256", "a=b"], ["--contains", "a"]],
    ids=" ".join,
)
def test_a_check_that_cannot_be_meant_is_wrong_usage(
    sandbox: Sandbox, image: str, options: list[str]
) -> None:
    sandbox.snap("verify", image, *options, expect=2)
