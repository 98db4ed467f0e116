"""``snap rebase``: changes carried to another base (issue 5)."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import lookalike
import pytest
from doctor import entry
from pairs import tree_of_image
from sandbox import Sandbox
from steps import folder
from trees import Node

pytestmark = pytest.mark.engine

LINES = [f"line {number}\n" for number in range(9)]
CONFIG = [f"ENV PATH={lookalike.PATH}", "ENV LEVEL=1", 'CMD ["sh"]', "LABEL team=web"]


class Bases:
    """A base image, a newer one, and what both hold."""

    def __init__(self, space: Sandbox) -> None:
        self.space = space
        self.old, self.new = space.name("old"), space.name("new")
        common = [folder("app"), folder("app/lib"), folder("app/gone"), entry("app/gone/file", b"x")]
        for name, files, config in (
            (self.old, {"conf": "".join(LINES), "lib/a": "a 1", "lib/b": "b", "tool": "tool 1"}, CONFIG),
            (
                self.new,
                {"conf": "".join([*LINES[:-1], "theirs\n"]), "lib/a": "a 22", "lib/b": "b", "tool": "tool 2"},
                [*CONFIG, "ENV LEVEL=2", "ENV NEW=1"],
            ),
        ):
            extra = common if name == self.old else common[:2]
            content = [
                entry(f"app/{path}", text.encode(), mtime=1_700_000_000) for path, text in files.items()
            ]
            tar = lookalike.root_tar({}, extra=[*extra, *content])
            lookalike.import_image(space.client, name, tar, config)

    def patched(self, stem: str, edits: str, *, base: str = "") -> str:
        """A snapshot of the old base."""
        name = self.space.name(stem)
        self.space.snap("patch", base or self.old, "-t", name, *shlex.split(edits))
        return name

    def rebased(self, image: str, *options: str, expect: int = 0) -> dict[str, Any]:
        """What a rebase onto the new base says."""
        words = ("rebase", image, "--onto", self.new, *options, "--format", "json")
        document: dict[str, Any] = json.loads(self.space.snap(*words, expect=expect).stdout)
        return document

    def changed(self, image: str) -> dict[str, str]:
        """What an image holds otherwise than the new base: digests of files, ``gone``, or ``folder``."""
        old, new = tree_of_image(self.space, self.new), tree_of_image(self.space, image)
        return {path: new[path].sha256 or "folder" if path in new else "gone" for path in differing(old, new)}


def holding(text: str) -> str:
    """The digest of a file's content."""
    return hashlib.sha256(text.encode()).hexdigest()


def differing(old: Mapping[str, Node], new: Mapping[str, Node]) -> list[str]:
    """The paths at which two trees are not the same; the times of folders say nothing."""
    trees = [
        {path: replace(node, mtime=0) if node.type == b"5" else node for path, node in tree.items()}
        for tree in (old, new)
    ]
    return sorted(path for path in old.keys() | new.keys() if trees[0].get(path) != trees[1].get(path))


@pytest.fixture(scope="module")
def bases(space: Sandbox) -> Bases:
    return Bases(space)


def test_carried_to_the_same_base_it_has_the_same_layer_and_the_same_changes(bases: Bases) -> None:
    box = bases.space.changed(
        "echo x > /new; ln /new /app/linked; rm -r /app/gone; touch /app/lib/b", image=bases.old
    )
    image, again = bases.space.name("plain"), bases.space.name("plain-again")
    bases.space.snap("commit", box, image)
    made = json.loads(
        bases.space.snap("rebase", image, "--onto", bases.old, "-t", again, "--format", "json").stdout
    )
    assert bases.space.inspect(again)["RootFS"] == bases.space.inspect(image)["RootFS"]
    first = json.loads(bases.space.snap("diff", image, "--format", "json").stdout)
    assert (
        json.loads(bases.space.snap("diff", again, "--format", "json").stdout)["changes"] == first["changes"]
    )
    assert made["conflicts"] == made["config_conflicts"] == []


def test_a_newer_base_gets_the_changes_of_all_snapshots_and_keeps_its_own(bases: Bases) -> None:
    """In one layer, with the steps and both sides' config, as a commit ends."""
    first = bases.patched(
        "app1", "--add-text /app/own=one --env MINE=1 --append /app/lib/b=more --workdir /app"
    )
    second = bases.patched(
        "app2", "--add-text /app/own=three --rm /app/gone --chmod /app/lib=0700 -m no", base=first
    )
    target = bases.space.name("rebased")
    made = bases.rebased(second, "-t", target)
    assert made["old_base"].startswith(bases.old)
    assert bases.changed(target) == {
        "app/lib": "folder",
        "app/lib/b": holding("b\nmore\n"),
        "app/own": holding("three"),
    }
    assert (
        len(bases.space.inspect(target)["RootFS"]["Layers"])
        == len(bases.space.inspect(bases.new)["RootFS"]["Layers"]) + 1
    )
    config = bases.space.config(target)
    assert {"LEVEL=2", "NEW=1", "MINE=1"} <= set(config["Env"])
    assert config["WorkingDir"] == "/app"
    log = bases.space.snap("log", target).stdout
    for words in ("--append /app/lib/b=more", "--rm /app/gone", "rebased from"):
        assert words in log
    assert bases.space.snap("verify", target, "--base", bases.new)
    assert f"{bases.new}:latest" in bases.space.snap("show", target).stdout


CLASHING = (
    "--replace '/app/conf=line 0=>ours' --append /app/tool=ours --add-text /app/gone/own=x --env LEVEL=3"
)


def test_what_both_changed_is_listed_and_nothing_is_made(bases: Bases) -> None:
    image = bases.patched("clash", CLASHING)
    before = bases.space.new_images()
    document = bases.rebased(image, "-t", bases.space.name("refused"), expect=1)
    assert [(item["path"], item["kind"]) for item in document["conflicts"]] == [
        ("/app/conf", "both-changed"),
        ("/app/gone", "no-folder"),
        ("/app/tool", "both-changed"),
    ]
    assert [
        (item["part"], item["old"], item["ours"], item["theirs"]) for item in document["config_conflicts"]
    ] == [("env LEVEL", "1", "3", "2")]
    done = bases.space.snap("rebase", image, "--onto", bases.new, expect=1)
    assert "changed below (and 1 below)" in done.stdout
    assert "changed 3 paths and 1 part of the config" in done.stderr
    left = bases.rebased(image, "--merge", expect=1)
    assert [item["path"] for item in left["conflicts"]] == ["/app/gone", "/app/tool"]
    assert bases.space.new_images() == before


def test_two_choices_at_once_are_a_mistake(space: Sandbox) -> None:
    done = space.snap("rebase", "gone", "--onto", "gone", "--ours", "--merge", expect=2)
    assert "--ours, --theirs and --merge exclude each other" in done.stderr


def test_a_side_is_taken_where_it_is_chosen(bases: Bases) -> None:
    image = bases.patched("chosen", CLASHING)
    ours, theirs = bases.space.name("chosen-ours"), bases.space.name("chosen-theirs")
    document = bases.rebased(image, "--ours", "-t", ours)
    assert {item["taken"] for item in document["conflicts"] + document["config_conflicts"]} == {"ours"}
    assert bases.changed(ours) == {
        "app/conf": holding("".join(["ours\n", *LINES[1:]])),
        "app/gone": "folder",
        "app/gone/own": holding("x"),
        "app/tool": holding("tool 1\nours\n"),
    }
    assert "LEVEL=3" in bases.space.config(ours)["Env"]
    bases.rebased(image, "--theirs", "-t", theirs)
    assert bases.changed(theirs) == {}
    assert "LEVEL=2" in bases.space.config(theirs)["Env"]
    assert bases.space.snap("verify", "--deep", ours)


def test_text_is_merged_where_it_is_asked_for(bases: Bases) -> None:
    image = bases.patched("merge", "--replace '/app/conf=line 0=>ours' --chmod /app/tool=0755")
    target = bases.space.name("merged")
    document = bases.rebased(image, "--merge", "-t", target)
    assert {item["taken"] for item in document["conflicts"]} == {"merged"}
    assert bases.changed(target) == {
        "app/conf": holding("".join(["ours\n", *LINES[1:-1], "theirs\n"])),
        "app/tool": holding("tool 2"),
    }


def test_without_a_name_the_images_own_is_taken_and_undo_gives_it_back(bases: Bases) -> None:
    image = bases.patched("moved", "--add-text /app/own=x")
    before = bases.space.inspect(image)["Id"]
    done = bases.space.snap("rebase", image, "--onto", bases.new)
    assert before.removeprefix("sha256:")[:12] in done.stderr
    after = bases.space.inspect(image)["Id"]
    assert after != before
    undone = json.loads(bases.space.snap("undo", image, "--format", "json").stdout)
    assert (undone["id"], undone["undone"]) == (before, after)
    assert bases.space.inspect(image)["Id"] == before


def test_the_changes_against_another_image_can_be_carried(bases: Bases) -> None:
    """Also of an image that snap did not make."""
    first = bases.patched("from1", "--add-text /app/one=x")
    second = bases.patched("from2", "--add-text /app/two=x", base=first)
    target = bases.space.name("from-first")
    bases.rebased(second, "--from", first, "-t", target)
    assert bases.changed(target) == {"app/two": holding("x")}
    foreign = bases.space.name("foreign")
    box = bases.space.changed(
        "echo x > /app/foreign; ln /app/lib/b /app/its-name", "foreign-box", image=bases.old
    )
    bases.space.client.commit(box, foreign)
    done = bases.space.snap("rebase", foreign, "--onto", bases.new, expect=2)
    assert "no record" in done.stderr
    bases.rebased(foreign, "--from", bases.old, "-t", f"{target}-2")
    assert bases.changed(f"{target}-2").keys() >= {"app/foreign", "app/its-name"}


def test_without_the_old_base_nothing_is_made(bases: Bases) -> None:
    old = bases.space.name("short-lived")
    lookalike.import_image(bases.space.client, old, lookalike.root_tar({"/short": b"lived"}), CONFIG)
    image = bases.patched("orphan", "--add-text /own=x", base=old)
    bases.space.client.remove_image(old)
    done = bases.space.snap("rebase", image, "--onto", bases.new, expect=1)
    assert "is not here" in done.stderr
