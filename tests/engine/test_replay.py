"""Recipes played again: the same image, or what differs, and what cannot be played."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from docker.errors import ImageNotFound
from sandbox import Sandbox

from snapshot.image.record import chain_id
from snapshot.recipe.keys import CACHE_LABEL

pytestmark = pytest.mark.engine

MOMENT = "2026-01-01T00:00:00Z"
EDITS = [
    'add-text = "/etc/motd"\ntext = "hello"',
    'append = "/etc/motd"\ntext = "world"',
    'symlink = "/etc/welcome"\ntarget = "motd"',
    'env = { GREETING = "hello" }',
]
#: What it writes is another each time that it is run.
RUN = 'run = "cat /proc/sys/kernel/random/uuid > /stamp"'


def recipe(
    space: Sandbox, steps: list[str], *, first: dict[str, Any] | None = None, base: str = "", stem: str = "r"
) -> str:
    """A recipe in a file, by its name."""
    base = base or f'id = "{space.inspect(space.base_image)["Id"]}"'
    parts = ['schema = "docker-snap.recipe/1"', f'[base]\nname = "{space.base_image}"\n{base}']
    parts += [f"[[step]]\n{step}" for step in steps]
    if first:
        parts.append(
            f"[result]\nlayers = {json.dumps(first['layers'])}\n"
            f'changes = "{first["changes"]["digest"]}"\nid = "{first["id"]}"'
        )
    path = space.home / f"{stem}-{space.name()}.toml"
    path.write_text("\n\n".join(parts) + "\n")
    return str(path)


def replay(space: Sandbox, *arguments: str) -> dict[str, Any]:
    done = space.snap("replay", "--network", "none", "--format", "json", *arguments)
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["schema"] == "docker-snap.replay/1"
    return document


def said(space: Sandbox, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    return space.snap("replay", "--network", "none", *arguments, expect=expect)


def kinds(document: dict[str, Any]) -> list[str]:
    return [f"{change['kind']} {change['path']}" for change in document["difference"]["changes"]]


def made(sandbox: Sandbox) -> set[str]:
    """IDs of the images that are there, without the kept results of steps."""
    return {
        image
        for image in sandbox.new_images()
        if CACHE_LABEL not in (sandbox.inspect(image)["Config"]["Labels"] or {})
    }


@pytest.fixture(scope="module")
def first(space: Sandbox) -> dict[str, Any]:
    """The first image that came of the edits."""
    return replay(space, recipe(space, EDITS), "-t", space.name("first"), "--timestamp", MOMENT)


@pytest.fixture(scope="module")
def stamped(space: Sandbox) -> dict[str, Any]:
    """The first image that came of a command that never does the same, which is kept as a result."""
    return replay(space, recipe(space, [RUN, EDITS[0]]), "-t", space.name("stamped"))


def test_a_recipe_makes_a_verified_image(space: Sandbox, first: dict[str, Any]) -> None:
    assert first["verified"] is True
    assert first["steps"] == 4
    assert len(first["layers"]) == 1
    assert first["difference"] == {"sameness": "unknown", "first": None, "changes": None, "config": []}
    assert space.output_of(first["name"], "cat", "/etc/welcome") == "hello\nworld\n"
    assert "GREETING=hello" in space.config(first["name"])["Env"]


def test_with_the_same_time_it_is_the_same_byte_for_byte(space: Sandbox, first: dict[str, Any]) -> None:
    path = recipe(space, EDITS, first=first)
    again = replay(space, path, "--timestamp", MOMENT, "--check")
    assert again["layers"] == first["layers"]
    assert again["difference"]["sameness"] == "same layers"
    assert again["difference"]["first"] == first["id"]
    # In another store it has another ID.
    elsewhere = recipe(space, EDITS, first=first | {"id": "sha256:" + "0" * 64})
    done = said(space, elsewhere, "--timestamp", MOMENT)
    assert f"the same as the first image ({first['id'][7:19]}), byte for byte" in done.stderr


def test_at_another_time_it_has_the_same_files_and_passes_a_check(
    space: Sandbox, first: dict[str, Any]
) -> None:
    again = replay(space, recipe(space, EDITS, first=first), "--check")
    assert again["layers"] != first["layers"]
    assert again["difference"]["sameness"] == "same changes"
    assert kinds(again) == []


def test_what_differs_is_told_path_by_path(space: Sandbox, first: dict[str, Any]) -> None:
    steps = [*EDITS[:1], 'append = "/etc/motd"\ntext = "there"', 'mkdir = "/srv/new"', EDITS[3]]
    path = recipe(space, steps, first=first)
    again = replay(space, path)
    assert again["difference"]["sameness"] == "other"
    assert again["difference"]["first"] == first["id"]
    expected = ["C /etc/motd", "D /etc/welcome", "A /srv", "A /srv/new"]
    assert [line for line in kinds(again) if line != "A /srv"] == [e for e in expected if e != "A /srv"]
    done = said(space, path)
    assert "this differs from the first image" in done.stderr
    assert any(line.startswith("D") and line.endswith("/etc/welcome") for line in done.stdout.splitlines())


def test_a_differing_config_is_told(space: Sandbox, first: dict[str, Any]) -> None:
    path = recipe(space, [*EDITS[:3], 'env = { GREETING = "bye", OTHER = "1" }'], first=first)
    again = replay(space, path, "--timestamp", MOMENT)
    assert again["difference"]["sameness"] == "same layers"
    assert again["difference"]["config"] == ["env GREETING", "env OTHER"]
    done = said(space, path, "--check", expect=3)
    assert "FAIL env GREETING: is not as it was" in done.stderr


def test_without_the_first_image_only_the_digests_are_compared(space: Sandbox, first: dict[str, Any]) -> None:
    gone = first | {
        "id": "sha256:" + "0" * 64,
        "layers": ["sha256:" + "1" * 64],
        "changes": {"digest": "sha256:" + "2" * 64},
    }
    again = replay(space, recipe(space, EDITS, first=gone))
    assert again["difference"] == {"sameness": "other", "first": None, "changes": None, "config": []}
    done = said(space, recipe(space, EDITS, first=gone), "--check", expect=3)
    assert "the first image is not here" in done.stderr


def test_a_failed_check_leaves_nothing_and_moves_no_name(sandbox: Sandbox) -> None:
    name = sandbox.name("checked")
    first = replay(sandbox, recipe(sandbox, EDITS), "-t", name)
    before = made(sandbox)
    path = recipe(sandbox, [*EDITS, 'remove = "/etc/welcome"'], first=first)
    done = said(sandbox, path, "-t", name, "--check", expect=3)
    assert done.stdout == ""
    assert "FAIL D /etc/welcome" in done.stderr
    assert sandbox.inspect(name)["Id"] == first["id"]
    assert made(sandbox) == before


def test_an_image_that_was_there_before_stays_after_a_failed_check(sandbox: Sandbox) -> None:
    steps = [*EDITS, 'remove = "/etc/welcome"']
    mine = replay(sandbox, recipe(sandbox, steps), "--timestamp", MOMENT)
    first = replay(sandbox, recipe(sandbox, EDITS), "--timestamp", MOMENT)
    path = recipe(sandbox, steps, first=first)
    said(sandbox, path, "-t", sandbox.name("new"), "--check", "--timestamp", MOMENT, expect=3)
    assert mine["id"] in sandbox.new_images()
    with pytest.raises(ImageNotFound):
        sandbox.inspect(sandbox.name("new"))


def test_a_check_without_a_first_result_is_a_mistake(space: Sandbox) -> None:
    done = said(space, recipe(space, EDITS), "--check", expect=2)
    assert "tells of no first result" in done.stderr


def test_a_moved_name_is_said(sandbox: Sandbox) -> None:
    name = sandbox.name("moved")
    first = replay(sandbox, recipe(sandbox, EDITS[:1]), "-t", name)
    second = replay(sandbox, recipe(sandbox, EDITS), "-t", name)
    assert second["moved_from"] == first["id"]
    assert sandbox.inspect(name)["Id"] == second["id"]


UNREPLAYABLE = 'unreplayable = "bash"\nnote = "it was interactive"'


def test_a_step_that_cannot_be_replayed_is_named(space: Sandbox, first: dict[str, Any]) -> None:
    done = said(space, recipe(space, [*EDITS, UNREPLAYABLE], first=first), expect=1)
    assert "Step 5 of the recipe (bash) cannot be replayed: it was interactive." in done.stderr
    assert "--changes" in done.stderr


def test_the_changes_themselves_can_be_replayed(space: Sandbox, first: dict[str, Any]) -> None:
    path = recipe(space, [*EDITS, UNREPLAYABLE], first=first)
    name = space.name("carried")
    again = replay(space, path, "-t", name, "--changes", "--check")
    assert again["layers"] == first["layers"]
    assert again["difference"]["sameness"] == "same layers"
    assert again["steps"] == first["steps"]
    assert space.output_of(name, "cat", "/etc/welcome") == "hello\nworld\n"
    assert "GREETING=hello" in space.config(name)["Env"]
    space.snap("verify", "--deep", name)


def test_changes_of_several_layers_are_replayed_as_they_are(space: Sandbox, stamped: dict[str, Any]) -> None:
    assert len(stamped["layers"]) == 2
    again = replay(space, recipe(space, [UNREPLAYABLE], first=stamped), "--changes")
    assert again["layers"] == stamped["layers"]
    assert again["changes"] == stamped["changes"]


def test_changes_over_two_snapshots_are_replayed_on_the_first_base(
    space: Sandbox, first: dict[str, Any]
) -> None:
    second = replay(
        space,
        recipe(space, ['remove = "/etc/welcome"'], base=f'id = "{first["id"]}"'),
        "-t",
        space.name("second"),
    )
    both = second | {
        "layers": [*first["layers"], *second["layers"]],
        "changes": {"digest": "sha256:" + "0" * 64},
    }
    again = replay(space, recipe(space, [UNREPLAYABLE], first=both), "--changes")
    assert again["layers"] == both["layers"]
    assert again["steps"] == 5
    assert again["base"]["id"] == first["base"]["id"]
    played = replay(space, recipe(space, [*EDITS, 'remove = "/etc/welcome"'], first=both))
    assert played["difference"]["sameness"] == "same changes"
    assert len(played["layers"]) == 1


def test_changes_of_an_image_that_is_not_here_are_refused(space: Sandbox, first: dict[str, Any]) -> None:
    gone = first | {"id": "sha256:" + "0" * 64, "layers": ["sha256:" + "1" * 64]}
    for path in (recipe(space, EDITS), recipe(space, EDITS, first=gone)):
        done = said(space, path, "--changes", expect=1)
        assert "is not here" in done.stderr
        assert "snap import-diff" in done.stderr


def test_changes_are_for_their_own_base(space: Sandbox, first: dict[str, Any]) -> None:
    done = said(space, recipe(space, EDITS, first=first), "--changes", "--base", space.base_image, expect=2)
    assert "snap rebase" in done.stderr


def test_a_base_that_is_not_here_is_refused_with_what_has_its_name(space: Sandbox) -> None:
    missing = 'id = "sha256:' + "0" * 64 + '"'
    path = recipe(space, EDITS, base=missing)
    done = said(space, path, expect=1)
    assert "sha256:" + "0" * 64 in done.stderr
    assert (
        f"'{space.base_image}' here is another image, {space.inspect(space.base_image)['Id']}." in done.stderr
    )
    assert "--base" in done.stderr
    # The user may know better.
    assert replay(space, path, "--base", space.base_image)["verified"] is True


def test_a_base_with_another_id_is_known_by_its_layers(space: Sandbox) -> None:
    layers = tuple(space.inspect(space.base_image)["RootFS"]["Layers"])
    of_another_store = 'id = "sha256:' + "0" * 64 + f'"\nchain = "{chain_id(layers)}"'
    assert replay(space, recipe(space, EDITS, base=of_another_store))["verified"] is True


def test_on_another_base_it_is_the_same_change_where_it_is(space: Sandbox, first: dict[str, Any]) -> None:
    other = replay(
        space,
        recipe(space, ['add-text = "/etc/motd"\ntext = "old"', 'mkdir = "/opt/x"']),
        "-t",
        space.name("other"),
    )
    path = recipe(space, EDITS, first=first)
    again = replay(space, path, "--base", other["name"], "--timestamp", MOMENT)
    assert again["layers"] == first["layers"]
    assert again["difference"]["sameness"] == "same layers"
    assert again["base"]["id"] == other["id"]
    # A difference is told without what the bases differ in.
    again = replay(space, recipe(space, [*EDITS, 'mkdir = "/srv/new"'], first=first), "--base", other["name"])
    assert [line for line in kinds(again) if line != "A /srv"] == ["A /srv/new"]


def test_commands_get_variables_that_no_image_holds(sandbox: Sandbox) -> None:
    path = recipe(sandbox, ['run = "echo $TOKEN | sha256sum > /sum"\nenv = ["TOKEN"]'])
    done = said(sandbox, path, expect=2)
    assert "need TOKEN" in done.stderr
    assert "--set TOKEN=…" in done.stderr
    done = said(sandbox, path, "--set", "TOKEN=hunter2", "--set", "TOKNE=x", expect=2)
    assert "asks for TOKNE" in done.stderr
    name = sandbox.name("made")
    replay(sandbox, path, "--set", "TOKEN=hunter2", "-t", name)
    expected = hashlib.sha256(b"hunter2\n").hexdigest()
    assert sandbox.output_of(name, "cat", "/sum").startswith(expected)
    for image in sandbox.new_images():
        told = sandbox.inspect(image), sandbox.client.history(image)  # type: ignore[no-untyped-call]
        assert "hunter2" not in json.dumps(told)


def test_kept_results_are_used_up_to_the_first_change(space: Sandbox, stamped: dict[str, Any]) -> None:
    same = replay(space, recipe(space, [RUN, EDITS[0]], first=stamped), "--explain", "--check")
    assert [step["cache"] for step in same["explained"]] == ["hit", "hit"]
    assert same["layers"] == stamped["layers"]
    changed = recipe(space, [RUN, 'add-text = "/etc/motd"\ntext = "bye"'], first=stamped)
    again = replay(space, changed, "--explain")
    assert [step["cache"] for step in again["explained"]] == ["hit", "miss"]
    assert again["layers"][0] == stamped["layers"][0]
    assert kinds(again) == ["C /etc/motd"]
    done = said(space, changed, "--no-cache", "--explain")
    assert done.stderr.count("kept results were not to be used") == 2
    assert "/stamp" in done.stdout


def test_with_a_fixed_time_it_is_the_same_image_with_and_without_kept_results(space: Sandbox) -> None:
    steps = [EDITS[0], 'run = "echo a > /a"', *EDITS[1:]]
    path = recipe(space, steps)
    runs = [replay(space, path, "--timestamp", MOMENT, *more) for more in (["--no-cache"], [], [])]
    assert len({image["id"] for image in runs}) == 1
    assert len(runs[0]["layers"]) == 3
    assert runs[0]["changes"]["added"] == 3
    space.snap("verify", "--deep", runs[0]["id"])


def test_a_change_before_a_command_has_it_run_anew(space: Sandbox, stamped: dict[str, Any]) -> None:
    # Of the edits alone, others have kept results.
    edit = 'add-text = "/etc/motd"\ntext = "hello"\nmode = "0600"'
    done = said(space, recipe(space, [edit, RUN], first=stamped), "--explain")
    assert "as step 1 is made again" in done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line[:2] in ("A ", "C ", "D ")]
    assert [row[-1] for row in rows] == ["/etc/motd", "/stamp"]


def test_a_step_that_fails_leaves_nothing(sandbox: Sandbox) -> None:
    before = made(sandbox)
    done = said(sandbox, recipe(sandbox, [EDITS[0], 'run = "echo oops; exit 7"']), "--no-cache", expect=1)
    assert "oops" in done.stderr
    assert "status 7" in done.stderr
    assert made(sandbox) == before


def test_a_mistake_in_a_recipe_is_told_before_any_engine_is_asked(space: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('schema = "docker-snap.recipe/1"\n[base]\nname = "x"\n[[step]]\nrunn = "x"\n')
    done = space.snap("-H", "unix:///nowhere.sock", "replay", str(path), expect=2)
    assert f"{path}:5:" in done.stderr
