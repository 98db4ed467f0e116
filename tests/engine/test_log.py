"""``snap log``: an image and a container know how they were made, and tell no secrets."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from doctor import put_together, take_apart
from sandbox import Sandbox

from snapshot.image.record import RECORD_LABELS, SESSIONS_LABEL, STEPS_LABEL, label_chars
from snapshot.journal.journal import Journal
from snapshot.journal.step import Step

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on(
        "docker28-containerd", "podman", reason="what an image tells is the same in the classic stores"
    ),
]

SECRETS = ("hunter2-flag", "hunter2-mysql", "hunter2-url", "hunter2-env")
UNKNOWN = "unknown step (docker exec, the container's own work)"


@pytest.fixture(scope="module")
def space(
    client: docker.APIClient, host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """Three generations: run and ended; exec and a copy; secrets, and work behind snap's back."""
    shared = Sandbox(client, host, base_image, tmp_path_factory.mktemp("home"))
    name = shared.name
    shared.snap(
        "run", "-q", "--network", "none", "--name", name("one"), base_image, "sh", "-c", "echo 1 > /one"
    )
    shared.snap("commit", name("one"), name("image1"), "-m", "first")
    two = shared.hold("two", image=name("image1"))
    shared.snap("exec", "-u", "0", "-w", "/tmp", "-e", "WHO=me", two, "--", "sh", "-c", "echo $WHO > two")
    (shared.home / "file").write_text("content")
    shared.snap("cp", str(shared.home / "file"), f"{two}:/copied")
    shared.snap("commit", two, name("image2"), "-m", "second")
    three = shared.hold("three", "-e", f"TOKEN={SECRETS[3]}", image=name("image2"))
    flag, mysql, url, env = SECRETS
    for command in (
        ["true", f"--password={flag}"],
        ["sh", "-c", f"true; exit 3; mysql -p{mysql}"],
        ["true", f"https://me:{url}@example.org/"],
        ["true", env],
    ):
        shared.snap("exec", "-e", f"TOKEN={env}", three, "--", *command, expect=None)
    shared.sh(three, "touch /behind; rm /bin/wc")
    shared.snap("commit", three, name("image3"), "-m", "third")
    yield shared
    shared.clean()


def words_of_history(sandbox: Sandbox, image: str) -> list[str]:
    """What ``docker history`` shows of each entry, oldest first."""
    history: Any = sandbox.client.history(image)  # type: ignore[no-untyped-call]
    return [item["CreatedBy"] for item in reversed(history)]


def log_of(sandbox: Sandbox, name: str, *options: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sandbox.snap("log", name, "--format", "json", *options).stdout)
    assert document["schema"] == "docker-snap.log/1"
    return document


def state_of(sandbox: Sandbox) -> Path:
    return sandbox.home / ".local" / "state" / "docker-snap"


STEPS_1 = ["snap run -- sh -c 'echo 1 > /one'"]
STEPS_2 = ["snap run -- sleep 600", "snap exec -u 0 -w /tmp -e WHO -- sh -c 'echo $WHO > two'", "snap cp "]
STEPS_3 = [
    "snap run -e TOKEN -- sleep 600",
    "snap exec -e TOKEN -- true --password=…",
    "snap exec -e TOKEN -- sh -c ",
    "snap exec -e TOKEN -- true https://me:…@example.org/",
    "snap exec -e TOKEN -- true …",
    f"{UNKNOWN}: 1 added, 1 deleted",
]


def assert_begin(lines: list[str], beginnings: list[str]) -> None:
    assert [line[: len(words)] for line, words in zip(lines, beginnings, strict=True)] == beginnings


def test_docker_history_shows_each_step_of_all_generations(space: Sandbox) -> None:
    words = words_of_history(space, space.name("image3"))[1:]
    commit = "snap commit: "
    assert_begin(words, [*STEPS_1, commit, *STEPS_2, commit, *STEPS_3, commit])
    assert words[0].endswith(" # 1 added")
    assert words[4].endswith(" # 1 added")


def test_log_of_an_image_shows_the_steps_of_all_generations(space: Sandbox) -> None:
    assert_begin(
        space.snap("log", "-q", space.name("image3")).stdout.splitlines(), [*STEPS_1, *STEPS_2, *STEPS_3]
    )
    lines = space.snap("log", space.name("image3")).stdout.splitlines()
    headings = [line for line in lines if line.startswith("image ")]
    for heading, number, message in zip(headings, (1, 2, 3), ("first", "second", "third"), strict=True):
        name = space.name(f"image{number}")
        image_id = space.inspect(name)["Id"].removeprefix("sha256:")[:12]
        assert f"{name}:latest ({image_id}) from docker.io/" in heading
        assert heading.endswith(f'message "{message}"')
    (failed,) = (line for line in lines if "exit 3" in line)
    assert failed.split()[5:8] == ["3", "none", "snap"]


def test_log_lists_paths_and_digests_where_it_is_asked_to(space: Sandbox) -> None:
    lines = space.snap("log", "--verbose", space.name("image3")).stdout.splitlines()
    assert {"A /one", "A /tmp/two", "A /copied", "A /behind", "D /bin/wc"} <= {line.strip() for line in lines}
    sha256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert f"copied /copied, 7 bytes, sha256:{sha256}" in {line.strip() for line in lines}


def test_log_as_json_is_whole(space: Sandbox) -> None:
    document = log_of(space, space.name("image3"))
    first, second, third = document["generations"]
    assert (document["kind"], document["steps"]) == ("image", None)
    assert (first["message"], first["container"]) == ("first", space.name("one"))
    assert first["base"]["id"] == space.inspect(space.base_image)["Id"]
    assert second["base"]["id"] == first["image"]["id"] == space.inspect(space.name("image1"))["Id"]
    assert third["image"]["names"] == [f"{space.name('image3')}:latest"]
    (run,) = first["steps"]
    assert (run["number"], run["verb"], run["exit_code"]) == (1, "run", 0)
    assert run["changes"] == {"added": 1, "listed": ["A /one"]}


def test_log_of_a_container_has_the_generations_of_its_image_and_its_own_steps(space: Sandbox) -> None:
    document = log_of(space, space.name("three"))
    assert [made["message"] for made in document["generations"]] == ["first", "second"]
    assert [step["verb"] for step in document["steps"]] == ["run", "exec", "exec", "exec", "exec", "unknown"]
    shown = space.snap("log", space.name("three")).stdout
    assert f"\ncontainer {space.name('three')} (" in shown


def test_secrets_are_nowhere(space: Sandbox) -> None:
    image = space.name("image3")
    told = json.dumps([space.inspect(image), take_apart(space.client, image).config])
    told += zlib.decompress(base64.b64decode(space.config(image)["Labels"][STEPS_LABEL])).decode()
    told += "".join(words_of_history(space, image)) + space.snap("log", "-v", space.name("three")).stdout
    told += "".join(
        path.read_bytes().decode("latin-1") for path in state_of(space).rglob("*") if path.is_file()
    )
    assert [secret for secret in SECRETS if secret in told] == []
    done = space.snap("commit", space.name("three"))
    assert "what could hold a secret was cut from 4 steps" in done.stderr


def test_the_family_tree_has_each_image_below_the_one_that_it_was_made_from(space: Sandbox) -> None:
    lines = space.snap("log", "--graph", space.name("image2")).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if space.base_image in line)
    first, second, third = lines[at + 1 : at + 4]
    assert f"── {space.name('image1')}:latest (" in first
    assert f"└── * {space.name('image2')}:latest (" in second
    assert second.endswith('"second", 3 steps')
    assert third.index("── ") > second.index("── ") > first.index("── ")
    family = json.loads(space.snap("log", "--graph", "--format", "json").stdout)
    ids = {name: image["id"] for image in family["images"] for name in image["names"]}
    (child,) = (item for item in family["images"] if space.name("image3") in "".join(item["names"]))
    assert child["parent"] == next(ids[name] for name in ids if space.name("image2") in name)


def test_labels_that_were_edited_tell_nothing(space: Sandbox, sandbox: Sandbox) -> None:
    copy, name = take_apart(space.client, space.name("image3")), sandbox.name("doctored")
    copy.labels[STEPS_LABEL] = take_apart(space.client, space.name("image2")).labels[STEPS_LABEL]
    put_together(sandbox.client, copy, name)
    assert "FAIL  record" in sandbox.snap("verify", name, expect=3).stdout
    assert "the record or what goes with it was edited" in sandbox.snap("log", name, expect=1).stderr
    box = sandbox.changed("touch /new", image=name)
    sandbox.snap("commit", box, sandbox.name("image"))
    assert len(log_of(sandbox, sandbox.name("image"))["generations"]) == 1


def test_of_an_image_without_a_record_nothing_is_known(sandbox: Sandbox) -> None:
    done = sandbox.snap("log", sandbox.base_image)
    assert done.stdout == ""
    assert done.stderr.startswith(f"snap: nothing is known of how '{sandbox.base_image}' was made; ")
    assert "`snap layers --history " in done.stderr
    assert sandbox.snap("log", "--format", "json", sandbox.base_image).stdout


def test_hundreds_of_long_steps_find_room(sandbox: Sandbox) -> None:
    box, image = sandbox.hold(), sandbox.name("image")
    container_id = sandbox.client.inspect_container(box)["Id"]
    journal = Journal(state_of(sandbox) / "journals", container_id)
    for number in range(500):
        script = "; ".join(f"echo {number * other}" for other in range(60))
        step = journal.begin(Step(0, "exec", ("sh", "-c", script)), None)
        journal.end(step, None, exit_code=0, duration_s=1.0)
    sandbox.snap("commit", box, image)
    labels = sandbox.config(image)["Labels"]
    assert label_chars({name: text for name, text in labels.items() if name in RECORD_LABELS}) < 64 << 10
    words = words_of_history(sandbox, image)
    assert "snap: 402 earlier steps" in words
    assert len(words) == len(words_of_history(sandbox, sandbox.base_image)) + 101
    shown = sandbox.snap("log", image).stdout
    (made,) = log_of(sandbox, image)["generations"]
    assert f"  {made['summed_up']} earlier steps are summed up\n" in shown
    assert made["summed_up"] + len(made["steps"]) == 501
    sandbox.snap("verify", image)


def test_the_same_steps_make_the_same_image_where_the_time_is_fixed(sandbox: Sandbox) -> None:
    (sandbox.home / "file").write_text("content")
    ids = set()
    for stem in ("box", "twin"):
        box = sandbox.hold(stem)
        sandbox.snap("exec", box, "--", "sh", "-c", "echo x > /new")
        sandbox.snap("cp", "file", f"{box}:/copied")
        sandbox.sh(box, "touch -d @0 /behind")
        done = sandbox.snap("commit", "-q", "--timestamp", "1767225600", box, sandbox.name("image"))
        ids.add(done.stdout)
    assert len(ids) == 1
    (made,) = log_of(sandbox, sandbox.name("image"))["generations"]
    assert {step["started"] for step in made["steps"]} == {"2026-01-01T00:00:00Z"}


def test_the_same_steps_folded_make_the_same_image_whenever_what_is_below_was_made(sandbox: Sandbox) -> None:
    ids = set()
    for stem in ("one", "twin"):
        below = sandbox.name(f"below-{stem}")
        sandbox.snap("commit", sandbox.changed("touch -d @0 /one", stem), below)
        box = sandbox.changed("touch -d @0 /two", f"{stem}-two", image=below)
        done = sandbox.snap("commit", "-q", "--squash", "--timestamp", "1767225600", box)
        ids.add(done.stdout.strip())
    (image_id,) = ids
    assert [len(made["steps"]) for made in log_of(sandbox, image_id)["generations"]] == [2, 2]
    assert "folded into the next one" in sandbox.snap("log", image_id).stdout


def test_the_engines_own_commit_tells_the_steps_and_says_that_its_history_does_not(sandbox: Sandbox) -> None:
    box, image = sandbox.hold(), sandbox.name("image")
    sandbox.snap("exec", box, "--", "touch", "/new")
    done = sandbox.snap("commit", "--method", "engine", box, image)
    assert "its history shows the command of the container and no steps" in done.stderr
    assert sandbox.snap("log", "-q", image).stdout.splitlines()[1:] == ["snap exec -- touch /new"]


def test_a_recording_goes_into_an_image_where_it_is_asked_for_alone(sandbox: Sandbox) -> None:
    box, image = sandbox.hold(), sandbox.name("image")
    sandbox.snap("exec", "--record", box, "--", "echo", "recorded words")
    sandbox.snap("commit", box, sandbox.name("without"))
    assert SESSIONS_LABEL not in sandbox.config(sandbox.name("without"))["Labels"]
    sandbox.snap("commit", "--embed-session", "2", box, image)
    assert sandbox.snap("log", image, "--session", "2", "--text").stdout == "recorded words\n"
    assert "(recorded)" in sandbox.snap("log", image).stdout.splitlines()[-1]
    sandbox.snap("verify", image)
    for number, words in (("1", "was not recorded"), ("9", "no step 9")):
        assert words in sandbox.snap("commit", "--embed-session", number, box, expect=2).stderr
    child = sandbox.changed("touch /more", "child", image=image)
    for method in ("sealed", "engine"):
        sandbox.snap("commit", "--method", method, child, sandbox.name(method))
        assert not sandbox.config(sandbox.name(method))["Labels"].get(SESSIONS_LABEL)
        sandbox.snap("verify", sandbox.name(method))


def test_images_that_are_no_longer_here_are_told_by_their_names(sandbox: Sandbox) -> None:
    below, image = sandbox.name("below"), sandbox.name("image")
    sandbox.snap("commit", sandbox.changed("touch /one", "one"), below)
    box = sandbox.changed("touch /two", "two", image=below)
    sandbox.snap("commit", "--squash", box, image)
    for container in ("one", "two"):
        sandbox.client.remove_container(sandbox.name(container), force=True)
    sandbox.client.remove_image(below)
    first, second = (
        line for line in sandbox.snap("log", image).stdout.splitlines() if line.startswith("image ")
    )
    assert f"{below}" in first
    assert ", not here) from " in first
    assert "not here" not in second
