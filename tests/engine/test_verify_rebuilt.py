"""Images that others made of a snapshot, with its labels on them: what ``snap verify`` says of those."""

from __future__ import annotations

import json
import tarfile
from typing import Any

import pytest
from doctor import Entry, edited, entry, put_together, take_apart
from sandbox import Sandbox
from trees import never_started

pytestmark = pytest.mark.engine

PREFIX = "io.github.docker-snap"
RECORD = {f"{PREFIX}.{suffix}" for suffix in ("record", "manifest", "seal", "steps")}


@pytest.fixture
def snapshot(sandbox: Sandbox) -> str:
    """An image with one new file."""
    box, image = sandbox.changed("echo x > /new"), sandbox.name("image")
    sandbox.snap("commit", box, image)
    return image


def verdicts(sandbox: Sandbox, image: str, *options: str) -> dict[str, tuple[bool, str]]:
    """What verify found wrong or right in an image that fails."""
    done = sandbox.snap("verify", image, "--format", "json", *options, expect=3)
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["passed"] is False
    return {f["subject"]: (f["passed"], f["detail"]) for f in document["findings"]}


def engine_commit(sandbox: Sandbox, image: str, script: str) -> str:
    """An image that the engine's own commit makes: it inherits all labels."""
    name = sandbox.name("on-top")
    box = sandbox.changed(script, "top", image=image)
    sandbox.client.commit(box, name, changes='CMD ["/bin/sh"]')
    return name


def test_a_layer_of_the_engines_own_commit_on_top_is_named(sandbox: Sandbox, snapshot: str) -> None:
    found = verdicts(sandbox, engine_commit(sandbox, snapshot, "touch /evil"), "--deep")
    assert found["base"][0] is False
    assert "2 layers stand on" in found["base"][1]
    assert found["changes"][0] is True


def test_what_the_engines_own_commit_did_to_recorded_files_is_named(sandbox: Sandbox, snapshot: str) -> None:
    top = engine_commit(sandbox, snapshot, "echo y > /new; echo z >> ch03.txt")
    assert verdicts(sandbox, top)["base"][0] is False
    found = verdicts(sandbox, top, "--deep")
    passed, detail = found["A /new"]
    assert not passed
    assert detail.startswith("sha256 is ")


def test_a_flattened_copy_passes_for_its_files_and_is_said_to_have_other_layers(
    sandbox: Sandbox, snapshot: str
) -> None:
    """V13: the findings say which of the two it is."""
    done = sandbox.snap("verify", flattened(sandbox, snapshot, snapshot), "--format", "json")
    found = {f["subject"]: (f["passed"], f["detail"]) for f in json.loads(done.stdout)["findings"]}
    assert found.keys() == {"record", "layers", "content", "config"}
    assert found["layers"] == (True, "are not the recorded ones: squashed or flattened")
    assert found["content"][1].endswith("/ch03-lab:latest with 1 path changed")


def test_a_flattened_copy_with_other_files_does_not_pass(sandbox: Sandbox, snapshot: str) -> None:
    box = sandbox.changed("echo y > /new; echo x > /evil; rm /bin/wc; chmod 600 ch03.txt", "other")
    files = sandbox.name("files")
    sandbox.client.commit(box, files)
    found = verdicts(sandbox, flattened(sandbox, snapshot, files))
    assert found["base"][0] is False
    wrong = {subject.split()[-1]: detail for subject, (passed, detail) in found.items() if not passed}
    del wrong["base"]
    # Podman makes it in a container, and its commit takes it along.
    wrong.pop("/run", None)
    assert wrong.pop("/new").startswith("sha256 is ")
    assert wrong == {
        "/evil": "is there and was not recorded",
        "/bin/wc": "is missing and was not recorded",
        "/diamol/ch03.txt": "mode is 0600, recorded 0644",
    }


def flattened(sandbox: Sandbox, snapshot: str, files: str) -> str:
    """An image of one layer with the config of ``snapshot`` and the files of another image."""
    parts = take_apart(sandbox.client, snapshot)
    with never_started(sandbox.client, files, sandbox.name("look")) as look:
        parts.layers = [b"".join(sandbox.client.export(look))]
    parts.config["history"] = [{"created_by": "flattened"}]
    put_together(sandbox.client, parts, sandbox.name("flat"))
    return sandbox.name("flat")


def test_a_record_on_an_image_it_is_not_of_does_not_pass(sandbox: Sandbox, snapshot: str) -> None:
    """V10: all labels of the snapshot on the base alone, which lacks the file."""
    parts = take_apart(sandbox.client, sandbox.base_image)
    parts.config["config"]["Labels"] = sandbox.config(snapshot)["Labels"]
    put_together(sandbox.client, parts, sandbox.name("other"))
    found = verdicts(sandbox, sandbox.name("other"))
    assert found["record"][0] is True
    assert found["A /new"] == (False, "is missing")


@pytest.mark.parametrize(
    ("instead", "named"),
    [
        pytest.param(entry("app", b"evil"), {"A /app", "A /app/a"}, id="file"),
        pytest.param(
            entry("app", type=tarfile.SYMTYPE, linkname="app"), {"A /app", "A /app/a"}, id="link to itself"
        ),
        # What is found by way of the link is the same; the link is not what was there.
        pytest.param(
            entry("app", type=tarfile.SYMTYPE, linkname="/elsewhere"), {"A /app"}, id="link to its like"
        ),
    ],
)
def test_a_folder_with_something_else_in_its_place_is_named(
    sandbox: Sandbox, instead: Entry, named: set[str]
) -> None:
    box = sandbox.changed("for f in app elsewhere; do mkdir /$f; echo x > /$f/a; done")
    sandbox.snap("commit", box, sandbox.name("image"))
    parts = take_apart(sandbox.client, sandbox.name("image"))
    parts.layers[-1] = edited(
        parts.layers[-1],
        lambda info, content: None if info.name.startswith("app") else (info, content),
        [instead],
    )
    put_together(sandbox.client, parts, sandbox.name("doctored"))
    found = verdicts(sandbox, sandbox.name("doctored"))
    assert found["A /app"][1].startswith("type is ")
    failed = {subject for subject, (passed, _) in found.items() if not passed}
    # An export, by which files are read on Podman, has nothing below a link.
    assert failed == {"layer", *named} | ({"A /app/a"} if sandbox.is_podman else set())


def test_a_path_too_many_in_the_layer_is_named(sandbox: Sandbox, snapshot: str) -> None:
    parts = take_apart(sandbox.client, snapshot)
    more = [entry("bin/evil", b"x", mode=0o755), entry("etc/passwd", b"the base's, replaced")]
    parts.layers[-1] = edited(parts.layers[-1], lambda *each: each, more)
    put_together(sandbox.client, parts, sandbox.name("doctored"))
    found = verdicts(sandbox, sandbox.name("doctored"))
    assert not found["layer"][0]
    assert found["A /bin/evil"] == (False, "is there and was not recorded")
    assert found["C /etc/passwd"][1].startswith("size is ")


def test_an_image_whose_labels_were_all_removed_has_no_record(sandbox: Sandbox, snapshot: str) -> None:
    """V10: with nothing left of it, an image is one like any other; it does not pass unasked."""
    parts = take_apart(sandbox.client, snapshot)
    for key in RECORD:
        del parts.labels[key]
    put_together(sandbox.client, parts, sandbox.name("bare"))
    assert "has no record" in sandbox.snap("verify", sandbox.name("bare"), expect=2).stderr


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        '"x"',
        '{"schema":99}',
        "{" * 5000,
        '{"schema":1,"base":{"name":3}}',
        "x" * (1 << 17),
    ],
    ids=lambda text: text[:24],
)
def test_a_record_of_a_strangers_making_is_a_finding_and_no_crash(
    sandbox: Sandbox, snapshot: str, text: str
) -> None:
    parts = take_apart(sandbox.client, snapshot)
    parts.labels[f"{PREFIX}.record"] = text
    put_together(sandbox.client, parts, sandbox.name("forged"))
    done = sandbox.snap("verify", sandbox.name("forged"), expect=3)
    assert done.stdout.startswith("FAIL  record")
    assert "Traceback" not in done.stderr
