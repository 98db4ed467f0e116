"""``snap patch``: what it prints, where the result goes, what is told of it, and what runs leave behind."""

from __future__ import annotations

import json
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lookalike
import pytest
from doctor import take_apart
from pairs import differing, tree_of_image
from processes import finished, started_snap, wait_until
from proxy import Proxy
from sandbox import Sandbox

pytestmark = pytest.mark.engine

MOMENT = ("--timestamp", "1767225600")
ALONE = ("--network", "none")
#: The lab's file signed, one more, one less, and a variable.
EDITS = (
    "--append", "/diamol/ch03.txt=Elton", "--add-text", "/new=hello", "--chmod", "600", "--rm", "/bin/wc",
    "-e", "WHO=Elton",
)  # fmt: skip
#: Of the layer that they make on any engine at that time.
DIGEST = "sha256:b2ace755ca5ea6a008bce17fd804da5bdb4974d14fc2e6e5e907cc9ca3fd54fe"


def patched(space: Sandbox, *options: str, image: str = "", to: str = "new", **more: Any) -> dict[str, Any]:
    """Patch an image, and return what the command says as JSON."""
    done = space.snap(
        "patch", image or space.base_image, "-t", space.name(to), "--format", "json", *options, **more
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def layers(space: Sandbox, image: str) -> list[str]:
    """The diff IDs of an image's layers, lowest first."""
    found: list[str] = space.inspect(image)["RootFS"]["Layers"]
    return found


def record_of(space: Sandbox, image: str) -> dict[str, Any]:
    """What an image's record holds."""
    record: dict[str, Any] = json.loads(space.snap("show", "--format", "json", image).stdout)["record"]
    return record


def steps_of(space: Sandbox, image: str) -> list[dict[str, Any]]:
    """The steps that made an image."""
    log = json.loads(space.snap("log", "--format", "json", image).stdout)
    steps: list[dict[str, Any]] = log["generations"][-1]["steps"]
    return steps


# --- what is printed ---


def test_the_id_alone_one_document_or_a_table_is_printed(sandbox: Sandbox) -> None:
    image = sandbox.name("new")
    command = ["patch", sandbox.base_image, "-t", image, *MOMENT, *EDITS]
    quiet = sandbox.snap(*command, "-q")
    image_id = sandbox.inspect(image)["Id"]
    assert quiet.stdout.removeprefix("sha256:").strip() == image_id.removeprefix("sha256:")
    document = json.loads(sandbox.snap(*command, "--format", "json").stdout)
    assert document["schema"].startswith("docker-snap.")
    assert document["id"].removeprefix("sha256:") == image_id.removeprefix("sha256:")
    assert document["verified"] is True
    assert [document["changes"][key] for key in ("added", "changed", "deleted")] == [1, 3, 1]
    table = sandbox.snap(*command)
    for words in (image, "1 added, 3 changed, 1 deleted", "verified"):
        assert words in table.stdout


def test_one_layer_is_added_and_the_base_is_as_it_was(sandbox: Sandbox) -> None:
    before = sandbox.inspect(sandbox.base_image)
    document = patched(sandbox, *MOMENT, *EDITS)
    image = sandbox.name("new")
    assert layers(sandbox, image) == [*before["RootFS"]["Layers"], *document["layers"]]
    assert len(document["layers"]) == 1
    assert sandbox.inspect(sandbox.base_image) == before
    assert "WHO=Elton" in sandbox.config(image)["Env"]
    assert sandbox.output_of(image, "cat", "/diamol/ch03.txt", "/new").splitlines()[-1] == "hello"


def test_the_same_edits_at_a_fixed_time_make_the_same_image(sandbox: Sandbox) -> None:
    """The layer's digest is that on any engine."""
    first = patched(sandbox, *MOMENT, *EDITS, to="one")
    assert first["layers"] == [DIGEST]
    time.sleep(1.1)  # so that no time of now can be the same by chance
    assert patched(sandbox, *MOMENT, *EDITS, to="two")["id"] == first["id"]


def test_edits_of_the_config_alone_or_that_change_nothing_add_no_layer(sandbox: Sandbox) -> None:
    options = ["-w", "/srv", "--chmod", "/diamol=755", "--mkdir", "/diamol"]
    options += ["--add-text", "/x=1", "--rm", "/x"]
    document = patched(sandbox, *options)
    image = sandbox.name("new")
    assert document["layers"] == []
    assert layers(sandbox, image) == layers(sandbox, sandbox.base_image)
    assert sandbox.config(image)["WorkingDir"] == "/srv"
    assert take_apart(sandbox.client, image).config["history"][-1]["empty_layer"] is True
    sandbox.snap("verify", "--deep", image)


def test_a_dry_run_shows_the_changes_as_diff_does_and_makes_nothing(sandbox: Sandbox) -> None:
    for form in ("table", "json"):
        tried = sandbox.snap("patch", sandbox.base_image, "--dry-run", "--format", form, *MOMENT, *EDITS)
        assert sandbox.new_images() == set()
        sandbox.snap("patch", sandbox.base_image, "-t", sandbox.name("new"), *MOMENT, *EDITS)
        shown = sandbox.snap("diff", "--format", form, sandbox.name("new"))
        if form == "json":
            assert json.loads(tried.stdout)["changes"] == json.loads(shown.stdout)["changes"]
        else:
            assert tried.stdout == shown.stdout
        sandbox.clean()
    assert sandbox.strays() == []


# --- where it goes ---


def test_without_a_name_there_is_an_image_that_has_its_id_alone(sandbox: Sandbox) -> None:
    before = names_and_images(sandbox)
    image_id = sandbox.snap("patch", sandbox.base_image, "-q", *EDITS).stdout.strip()
    assert not sandbox.inspect(image_id)["RepoTags"]
    assert {name for name, _ in names_and_images(sandbox) - before} <= {"<none>", "<none>:<none>"}
    sandbox.snap("verify", "--deep", image_id)


def test_in_place_the_name_moves_and_the_old_image_is_named(sandbox: Sandbox) -> None:
    name = sandbox.name("tag") + ":v1"
    sandbox.client.tag(sandbox.base_image, sandbox.name("tag"), "v1")
    old = sandbox.inspect(name)["Id"]
    kept = f"{name}-before-{old.removeprefix('sha256:')[:12]}"
    done = sandbox.snap("patch", name, "--in-place", *EDITS)
    assert sandbox.inspect(name)["Id"] != old
    assert sandbox.inspect(kept)["Id"] == old
    assert kept in done.stderr
    assert sandbox.output_of(name, "cat", "/new") == "hello"


def test_amending_replaces_the_layer_and_keeps_what_it_held(sandbox: Sandbox) -> None:
    base = layers(sandbox, sandbox.base_image)
    first, second = sandbox.name("first"), sandbox.name("second")
    patched(sandbox, *EDITS, to="first")
    options = ("--append", "/new=more", "--rm", "/bin/tac", "--add-text", "/bin/wc=mine", "-e", "TOO=1")
    document = patched(sandbox, "--amend", *options, image=first, to="second")
    assert layers(sandbox, second)[: len(base)] == base
    assert len(layers(sandbox, second)) == len(base) + 1
    records = [record_of(sandbox, image) for image in (first, second)]
    assert records[0]["base"] == records[1]["base"]
    changes = {item["path"]: item["kind"] for item in changes_of(sandbox, second)}
    assert {path: changes.get(path) for path in ("/diamol/ch03.txt", "/new", "/bin/wc", "/bin/tac")} == {
        "/diamol/ch03.txt": "C",
        "/new": "A",
        "/bin/wc": "C",
        "/bin/tac": "D",
    }
    assert document["changes"]["deleted"] == 1
    assert {"WHO=Elton", "TOO=1"} <= set(sandbox.config(second)["Env"])
    sandbox.snap("verify", "--deep", second)
    # The same files as two patches, one on the other.
    patched(sandbox, *options, image=first, to="other")
    trees = [tree_of_image(sandbox, sandbox.name(name)) for name in ("second", "other")]
    assert differing(*trees) == {}


def test_amending_away_all_that_was_added_leaves_no_layer(sandbox: Sandbox) -> None:
    patched(sandbox, "--add-text", "/new=x", to="first")
    document = patched(sandbox, "--amend", "--rm", "/new", image=sandbox.name("first"), to="second")
    assert document["layers"] == []
    assert layers(sandbox, sandbox.name("second")) == layers(sandbox, sandbox.base_image)


def test_an_image_that_snap_did_not_make_cannot_be_amended(sandbox: Sandbox) -> None:
    done = sandbox.snap("patch", sandbox.base_image, "-t", "x", "--amend", "--mkdir", "/x", expect=None)
    assert done.returncode in {1, 2}
    assert sandbox.base_image in done.stderr
    assert sandbox.new_images() == set()


@pytest.mark.parametrize("sign", [b"/history", b"/images/load", b"/tag?"])
@pytest.mark.parametrize("options", [("-t", "NEW"), ("--in-place",)], ids=["new", "in place"])
def test_a_patch_that_is_stopped_leaves_names_and_images_as_they_were(
    sandbox: Sandbox, socket_folder: Path, sign: bytes, options: tuple[str, ...]
) -> None:
    sandbox.client.tag(sandbox.base_image, sandbox.name("tag"), "v1")
    name = sandbox.name("tag") + ":v1"
    before = names_and_images(sandbox)
    words = [sandbox.name("new") if word == "NEW" else word for word in options]
    with (
        Proxy(sandbox.host, socket_folder, sign) as proxy,
        started_snap(sandbox, "--host", proxy.url, "patch", name, *words, *EDITS) as process,
    ):
        assert proxy.stopped.wait(30), "it did not come to that request"
        process.send_signal(signal.SIGINT)
        status, stdout, stderr = finished(process)
    assert (status, stdout) == (130, "")
    assert "Traceback" not in stderr
    assert names_and_images(sandbox) == before
    assert sandbox.strays() == []


def names_and_images(space: Sandbox) -> set[tuple[str, str]]:
    """All names of images with what they name, and images without a name."""
    images = space.client.images(all=True)
    return {(name, item["Id"]) for item in images for name in item["RepoTags"] or ["<none>"]}


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """Where a socket can be: its address must be short."""
    with tempfile.TemporaryDirectory(prefix="snap-", dir="/tmp") as folder:
        yield Path(folder)


# --- what is told of it ---


def changes_of(space: Sandbox, image: str) -> list[dict[str, Any]]:
    """What an image changed against its base."""
    changes: list[dict[str, Any]] = json.loads(space.snap("diff", "--format", "json", image).stdout)[
        "changes"
    ]
    return changes


def test_it_is_a_snapshot_like_any_other(sandbox: Sandbox) -> None:
    image = sandbox.name("new")
    patched(sandbox, "-m", "sign the lab", *EDITS)
    for deep in ([], ["--deep"]):
        assert (
            "FAIL" not in sandbox.snap("verify", *deep, image, "--file", "/new", "--absent", "/bin/wc").stdout
        )
    assert image in sandbox.snap("ls").stdout
    assert "sign the lab" in sandbox.snap("show", image).stdout
    assert record_of(sandbox, image)["base"]["name"].endswith(sandbox.base_image)
    steps = steps_of(sandbox, image)
    assert [step["verb"] for step in steps] == ["patch"] * 4
    assert [step["argv"][0] for step in steps] == ["--append", "--add-text", "--rm", "--env"]
    assert steps[1]["argv"] == ["--add-text", "/new=hello", "--chmod", "600"]
    assert "--append /diamol/ch03.txt=Elton" in sandbox.snap("log", image).stdout
    # A second one stands on the first.
    patched(sandbox, "--rm", "/new", image=image, to="again")
    assert len(layers(sandbox, sandbox.name("again"))) == len(layers(sandbox, sandbox.base_image)) + 2
    assert [item["path"] for item in changes_of(sandbox, sandbox.name("again"))] == ["/new"]
    sandbox.snap("verify", "--deep", sandbox.name("again"))


def test_what_was_copied_is_in_the_steps_with_its_digest(sandbox: Sandbox) -> None:
    (sandbox.home / "app.js").write_text("content")
    patched(sandbox, "--copy", "app.js:/web/", cwd=sandbox.home)
    (step,) = steps_of(sandbox, sandbox.name("new"))
    assert step["argv"] == ["--copy", "app.js:/web/"]
    (copied,) = step["copied"]
    assert copied["path"] == "/web/app.js"
    assert copied["sha256"].removeprefix("sha256:").startswith("ed7002b4")


# --- containers ---


@contextmanager
def container_events(space: Sandbox) -> Iterator[list[str]]:
    """What happened to containers meanwhile."""
    begun = int(time.time())
    actions: list[str] = []
    yield actions
    events = space.client.events(
        since=begun, until=int(time.time()) + 1, decode=True, filters={"type": "container"}
    )
    actions += [str(event.get("Action") or event.get("status")) for event in events]


def test_no_container_is_started_where_nothing_is_run(sandbox: Sandbox) -> None:
    with container_events(sandbox) as actions:
        patched(sandbox, *EDITS)
    assert not [action for action in actions if action.startswith(("start", "init"))]
    assert sandbox.client.containers(all=True) == []


def test_runs_stand_between_edits_each_with_a_layer_of_its_own(sandbox: Sandbox) -> None:
    image = sandbox.name("new")
    with container_events(sandbox) as actions:
        document = patched(
            sandbox, "--add-text", "/in=edited", "--run", "tr a-z A-Z < /in > /diamol/out; rm /bin/wc",
            *ALONE, "--append", "/diamol/out=after", "--run", '["cp", "out", "/copy"]', *ALONE,
        )  # fmt: skip
    assert len([action for action in actions if action == "start"]) == 2
    assert len(document["layers"]) == 4
    assert layers(sandbox, image)[-4:] == document["layers"]
    assert sandbox.output_of(image, "cat", "/copy") == "EDITED\nafter\n"
    changes = {item["path"]: item["kind"] for item in changes_of(sandbox, image)}
    assert {path: changes.get(path) for path in ("/in", "/diamol/out", "/bin/wc", "/copy")} == {
        "/in": "A",
        "/diamol/out": "A",
        "/bin/wc": "D",
        "/copy": "A",
    }
    steps = steps_of(sandbox, image)
    assert [step["argv"][0] for step in steps] == ["--add-text", "--run", "--append", "--run"]
    assert [step.get("exit_code") for step in steps] == [None, 0, None, 0]
    sandbox.snap("verify", "--deep", image)
    base, made = sandbox.config(sandbox.base_image), sandbox.config(image)
    assert [made[key] for key in ("Cmd", "Entrypoint", "Env", "WorkingDir")] == [
        base[key] for key in ("Cmd", "Entrypoint", "Env", "WorkingDir")
    ]
    assert sandbox.strays() == []


def test_variables_and_network_of_a_run_are_in_no_image(sandbox: Sandbox) -> None:
    image = sandbox.name("new")
    options = [
        "--run",
        "echo ${#TOKEN} $OTHER > /n; ls /sys/class/net > /net",
        "--run-env",
        "TOKEN=s3cr3t-value",
    ]
    done = sandbox.snap(
        "patch", sandbox.base_image, "-t", image, *options, "--run-env", "OTHER", "--network", "none",
        env={"OTHER": "0ther-value"},
    )  # fmt: skip
    assert sandbox.output_of(image, "cat", "/n", "/net").split() == ["12", "0ther-value", "lo"]
    saved = take_apart(sandbox.client, image)
    for value in ("s3cr3t-value", "0ther-value"):
        assert value not in json.dumps(saved.config)
        assert value not in done.stdout + done.stderr + sandbox.snap("log", image).stdout
    assert sandbox.config(image)["Env"] == sandbox.config(sandbox.base_image)["Env"]


def test_a_run_has_the_images_user_folder_and_variables_but_not_its_entrypoint(sandbox: Sandbox) -> None:
    base = sandbox.name("base")
    lookalike.import_image(
        sandbox.client,
        base,
        lookalike.root_tar(),
        [f"ENV PATH={lookalike.PATH}", 'ENTRYPOINT ["false"]', "WORKDIR /tmp", "USER nobody"],
    )
    patched(sandbox, *ALONE, "-e", "A=1", "--run", "echo $A; id -un; pwd; touch here", image=base)
    out = patched(
        sandbox, *ALONE, "--run", "{ echo $A; id -un; pwd; } > out", image=sandbox.name("new"), to="two"
    )
    tree = tree_of_image(sandbox, sandbox.name("two"))
    assert out["verified"]
    assert (tree["tmp/here"].owner, tree["tmp/out"].size) == ((65534, 65534), len("1\nnobody\n/tmp\n"))


def test_what_a_run_prints_is_no_data(sandbox: Sandbox) -> None:
    done = sandbox.snap(
        "patch",
        sandbox.base_image,
        "-t",
        sandbox.name("new"),
        "-q",
        *ALONE,
        "--run",
        "echo spoken; echo up >&2",
    )
    assert "spoken" not in done.stdout
    assert {"spoken", "up"} <= set(done.stderr.split())


def test_a_run_that_fails_leaves_nothing(sandbox: Sandbox) -> None:
    options = [
        *ALONE,
        "--add-text",
        "/x=1",
        "--run",
        "touch /y",
        "--run",
        "echo no luck >&2; exit 3",
        "--rm",
        "/x",
    ]
    done = sandbox.snap(
        "patch", sandbox.base_image, "-t", sandbox.name("new"), "--no-cache", *options, expect=1
    )
    assert "no luck" in done.stderr
    assert "status 3" in done.stderr
    assert done.stdout == ""
    assert sandbox.new_images() == set()
    assert sandbox.client.containers(all=True) == []


def test_a_command_that_cannot_be_started_fails_like_any_other(sandbox: Sandbox) -> None:
    for options in (
        ["--run", '["no-such-program"]', *ALONE],
        ["--run", "true", *ALONE, "--run-user", "nosuch"],
    ):
        done = sandbox.snap("patch", sandbox.base_image, "-t", sandbox.name("new"), *options, expect=1)
        assert "no-such-program" in done.stderr or "nosuch" in done.stderr
    assert sandbox.new_images() == set()
    assert sandbox.client.containers(all=True) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_leaves_nothing(sandbox: Sandbox, number: signal.Signals, status: int) -> None:
    options = [*ALONE, "--add-text", "/x=1", "--run", "touch /y; sleep 600"]
    with started_snap(
        sandbox, "patch", sandbox.base_image, "-t", sandbox.name("new"), "--no-cache", *options
    ) as process:
        wait_until(lambda: bool(sandbox.client.containers() or process.poll()), "the command runs")
        process.send_signal(number)
        code, stdout, stderr = finished(process)
    assert (code, stdout) == (status, "")
    assert "Traceback" not in stderr
    assert sandbox.new_images() == set()
    assert sandbox.client.containers(all=True) == []


# --- this machine ---


def test_paths_in_the_image_never_touch_this_machine(sandbox: Sandbox) -> None:
    """The same paths stand here, with links in the way."""
    here = sandbox.home / "here"
    (here / "folder").mkdir(parents=True)
    (here / "file").write_text("mine")
    (here / "link").symlink_to("folder")
    before = [(path, path.lstat().st_mtime_ns, path.lstat().st_ino) for path in sorted(here.rglob("*"))]
    patched(
        sandbox,
        "--add-text", f"{here}/file=theirs", "--append", f"{here}/file=more",
        "--mkdir", f"{here}/link", "--add-text", f"{here}/link/x=1", "--chmod", f"{here}/file=4777",
        "--mkdir", f"{here}/folder/x", "--rm", f"{here}/folder",
        "--symlink", f"{here}/up=/../../../..{here}", "--add-text", f"{here}/up/y=2",
        "--copy", f"{here}/link:{here}/copy",
    )  # fmt: skip
    after = [(path, path.lstat().st_mtime_ns, path.lstat().st_ino) for path in sorted(here.rglob("*"))]
    assert after == before
    assert (here / "file").read_text() == "mine"
    tree = tree_of_image(sandbox, sandbox.name("new"))
    below = str(here).strip("/")
    assert {path.removeprefix(below): node.type for path, node in tree.items() if path.startswith(below)} == {
        "": b"5", "/file": b"0", "/link": b"5", "/link/x": b"0", "/up": b"2", "/y": b"0", "/copy": b"5",
    }  # fmt: skip
