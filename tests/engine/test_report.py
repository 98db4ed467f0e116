"""``snap report``: what it gathers of images and containers, and where it writes that."""

from __future__ import annotations

import os
import select
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sandbox import Sandbox

from snapshot.engine.client import Engine
from snapshot.report.model import Report
from snapshot.workflow.report import report_on

pytestmark = pytest.mark.engine

SECRET = "hush-hush-7"
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"
CHANGES = f"""
echo Elton >> ch03.txt
mkdir -p /srv/app && echo hello > /srv/app/hello && printf 'a\\0b' > /srv/app/binary
echo {SECRET} > /srv/app/key && chmod 600 /srv/app/key
rm /bin/wc
touch "/srv/$(printf '<script>alert(1)<\\57script>\\033[2J')"
"""


@pytest.fixture(scope="module")
def space(space: Sandbox) -> Sandbox:
    """A container with a recorded step, and its image."""
    name = space.hold("box", "-e", f"DB_PASSWORD={SECRET}", "-l", f"note={HOSTILE}")
    space.snap("exec", "--record", name, "sh", "-c", CHANGES + "echo recorded output")
    space.snap(
        "commit", name, space.name("image"), "-m", f"sign {HOSTILE}", "--embed-session", "2",
        "--change", "ENV WHO=Elton", "--change", f"ENV API_TOKEN={SECRET}",
    )  # fmt: skip
    return space


def reported(space: Sandbox, name: str) -> Report:
    """The report as the library gives it, with the state folder of the commands."""
    with pytest.MonkeyPatch.context() as patch, closing(Engine.connect(space.host)) as engine:
        patch.setenv("HOME", str(space.home))
        return report_on(engine, name)


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_image_is_told_from_its_base_to_its_recordings(space: Sandbox) -> None:
    report = reported(space, space.name("image"))
    assert (report.title, report.kind, report.passed) == (space.name("image"), "image", True)
    assert dict(report.facts)["id"] == space.inspect(space.name("image"))["Id"]
    assert space.base_image in report.compared_with
    assert [step.verb for step in report.stages[-1].steps] == ["run", "exec"]
    letters = {change.path: change.kind.value for change in report.changes}
    assert (letters["/diamol/ch03.txt"], letters["/srv/app/hello"], letters["/bin/wc"]) == ("C", "A", "D")
    inside = {diff.change.path: diff for diff in report.file_diffs}
    assert [line.text for hunk in inside["/srv/app/hello"].hunks for line in hunk.lines] == ["hello"]
    assert inside["/srv/app/binary"].not_told == "binary"
    assert [layer.number for layer in report.layers] == list(range(len(report.layers)))
    assert sum(folder.size_bytes for folder in report.folders) > 0
    rows = {row.name: (row.before, row.after) for row in report.config}
    assert rows["env WHO"] == (None, "Elton")
    assert rows["env API_TOKEN"] == (None, "…")
    assert [recording.step for recording in report.recordings] == [2]
    assert "recorded output" in report.recordings[0].text


def test_a_container_is_told_with_what_was_done_to_it(space: Sandbox) -> None:
    report = reported(space, space.name())
    assert (report.title, report.kind, report.passed) == (space.name(), "container", None)
    assert report.stages[-1].name == space.name()
    assert "/srv/app/hello" in [change.path for change in report.changes]
    assert {row.name: row.after for row in report.config}["env DB_PASSWORD"] == "…"
    assert [recording.step for recording in report.recordings] == [2]
    assert report.layers


def test_an_image_without_a_record_is_told_without_a_base(space: Sandbox) -> None:
    report = reported(space, space.base_image)
    assert (report.compared_with, report.changes, report.findings) == ("", (), ())
    assert "no record" in report.not_verified
    assert report.layers
    assert {row.before for row in report.config} == {None}


@pytest.mark.parametrize("which", ["box", "image"])
def test_nothing_of_a_secret_is_in_a_report(space: Sandbox, which: str) -> None:
    for output_format in ("html", "markdown"):
        written = space.snap("report", space.name(which), "--format", output_format, "-o", "-").stdout
        assert SECRET not in written
        assert "Elton" in written


def test_hostile_names_stay_text(space: Sandbox) -> None:
    html = space.snap("report", space.name("image"), "-o", "-").stdout
    page = Page(html)
    assert page.tags.count("script") == 3  # the page's, the player's, and the data of the recording
    assert "<script>alert(1)" in page.text
    assert not [char for char in html if char in "\x1b\u202e"]


def test_a_record_that_was_edited_costs_the_steps_and_no_more(sandbox: Sandbox) -> None:
    name = sandbox.changed("echo Elton >> ch03.txt", "edited")
    sandbox.snap("commit", name, sandbox.name("image"))
    made = sandbox.client.create_container(sandbox.name("image"), "true", name=sandbox.name("forging"))
    edited = sandbox.name("forged")
    sandbox.client.commit(made["Id"], edited, changes=["LABEL io.github.docker-snap.record=none"])
    report = reported(sandbox, edited)
    assert report.passed is False
    assert (report.stages, report.changes) == ((), ())
    assert any("edited" in note for note in report.notes)
    assert report.layers


def test_a_base_that_is_gone_costs_what_needs_it_and_no_more(sandbox: Sandbox) -> None:
    base = sandbox.name("base")
    sandbox.snap("commit", sandbox.changed("echo one > /one", "first"), base)
    name = sandbox.changed("echo Elton >> ch03.txt; echo two > /two", "second", image=base)
    sandbox.snap("commit", name, sandbox.name("image"))
    sandbox.client.remove_container(name, force=True)
    sandbox.client.remove_image(base)
    report = reported(sandbox, sandbox.name("image"))
    assert report.passed is True
    assert {change.path for change in report.changes} >= {"/diamol/ch03.txt", "/two"}
    inside = {diff.change.path: diff for diff in report.file_diffs}
    assert inside["/two"].lines_added == 1
    assert inside["/diamol/ch03.txt"].not_told == "not here"
    assert report.config == ()
    assert any(note.startswith("The config is not told") for note in report.notes)


def test_it_is_written_to_a_file_of_the_name_and_the_path_is_printed(sandbox: Sandbox) -> None:
    done = sandbox.snap("report", sandbox.base_image)
    path = sandbox.home / done.stdout.strip()
    assert path.name == sandbox.base_image.replace("/", "-").replace(":", "-") + "-report.html"
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert done.stderr == f"snap: the report on '{sandbox.base_image}' is in '{path.name}'\n"
    assert sandbox.snap("report", sandbox.base_image, "--format", "markdown").stdout.strip().endswith(".md")


def test_a_place_where_nothing_can_be_written_ends_it_before_the_work(sandbox: Sandbox) -> None:
    done = sandbox.snap("report", sandbox.base_image, "-o", "nowhere/report.html", expect=2)
    assert "cannot be written" in done.stderr
    assert "--open needs a file" in sandbox.snap("report", "x", "--open", "-o", "-", expect=2).stderr


def test_it_is_opened_by_what_opens_files_here(sandbox: Sandbox) -> None:
    told = sandbox.home / "told"
    os.mkfifo(told)
    opener = sandbox.home / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    opener.chmod(0o755)
    descriptor = os.open(told, os.O_RDWR | os.O_NONBLOCK)
    try:
        sandbox.snap(
            "report", sandbox.base_image, "-o", "it.html", "--open",
            env={"PATH": f"{opener.parent}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert select.select([descriptor], [], [], 30)[0]
        assert os.read(descriptor, 4096).decode() == f"{sandbox.home / 'it.html'}\n"
    finally:
        os.close(descriptor)


def test_nothing_on_the_engine_changes(sandbox: Sandbox) -> None:
    name = sandbox.changed("echo Elton >> ch03.txt")
    before = sandbox.client.containers(all=True), sandbox.new_images()
    sandbox.snap("report", name, "-o", os.devnull)
    sandbox.snap("report", sandbox.base_image, "-o", os.devnull)
    after = sandbox.client.containers(all=True), sandbox.new_images()
    assert [item["Id"] for item in after[0]] == [item["Id"] for item in before[0]]
    assert after[1] == before[1]
    assert Path(os.devnull).is_char_device()
