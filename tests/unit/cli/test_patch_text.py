from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType, PathChange, Skipped
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.text_diff import text_diff
from snapshot.cli.patch_text import patch_lines
from snapshot.engine.types import ChangeKind

FILE, FOLDER, SYMLINK = FileType.FILE, FileType.FOLDER, FileType.SYMLINK
OLD = FileEntry("/m", FILE, 0o644, 0, 0, 4, sha256="a" * 64)
NEW = replace(OLD, size_bytes=1310, sha256="b" * 64)
DIRECTORY = FileEntry("/m", FOLDER, 0o755, 0, 0)
DEVICE = FileEntry("/m", FileType.BLOCK_DEVICE, 0o600, 0, 0, device="8:0")
BOTH = "4 -> 1,310 bytes, sha256 aaaaaaaaaaaa -> bbbbbbbbbbbb"


def diff_of(path: str, old: bytes | None, new: bytes | None, mode: int = 0o644) -> FileDiff:
    """A text file that came, went or was edited."""
    kind = ChangeKind.ADDED if old is None else ChangeKind.DELETED if new is None else ChangeKind.CHANGED
    entries = [
        None if content is None else FileEntry(path, FILE, mode, 0, 0, len(content)) for content in (old, new)
    ]
    hunks = text_diff(old or b"", new or b"").hunks
    return FileDiff(PathChange(kind, path, entries[1]), entries[0], entries[1], hunks)


def lines_of(*diffs: FileDiff, raw: bool = False) -> list[str]:
    return list(patch_lines(diffs, raw=raw))


def changed(old: FileEntry | None, new: FileEntry | None, not_told: str = "", lines_cut: int = 0) -> FileDiff:
    entry = new or old
    assert entry
    kind = ChangeKind.ADDED if old is None else ChangeKind.DELETED if new is None else ChangeKind.CHANGED
    return FileDiff(PathChange(kind, entry.path, new), old, new, not_told=not_told, lines_cut=lines_cut)


def test_a_head_in_words_and_the_text_with_an_empty_line_between_files() -> None:
    edited = diff_of("/etc/motd", b"one\ntwo\n", b"one\n2\n")
    assert lines_of(edited, diff_of("/srv/new", None, b"x")) == [
        "C file /etc/motd",
        "  size 8 -> 6",
        "diff --git a/etc/motd b/etc/motd",
        "--- a/etc/motd",
        "+++ b/etc/motd",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
        "",
        "A file /srv/new",
        "  mode 0644, owner 0:0, size 1",
        "diff --git a/srv/new b/srv/new",
        "new file mode 100644",
        "--- /dev/null",
        "+++ b/srv/new",
        "@@ -0,0 +1 @@",
        "+x",
        "\\ No newline at end of file",
    ]


@pytest.mark.parametrize(
    ("old", "new", "head", "facts"),
    [
        (OLD, replace(OLD, mode=0o4755, uid=1, gid=2), "C file /m", "mode 0644 -> 4755, owner 0:0 -> 1:2"),
        (OLD, replace(OLD, capability="0100"), "C file /m", "capability none -> 0100"),
        (None, replace(OLD, hard_link="/a"), "A file /m", "mode 0644, owner 0:0, size 4, another name of /a"),
        (OLD, DIRECTORY, "C file -> folder /m", "mode 0644 -> 0755, size 4 -> none"),
        (DIRECTORY, None, "D folder /m", "mode 0755, owner 0:0"),
        (None, DEVICE, "A blockdev /m", "mode 0600, owner 0:0, device 8:0"),
    ],
)
def test_the_head_tells_both_sides_where_they_differ(
    old: FileEntry | None, new: FileEntry | None, head: str, facts: str
) -> None:
    assert lines_of(changed(old, new))[:2] == [head, f"  {facts}"]


def test_of_what_was_only_touched_it_is_said_that_nothing_in_it_differs() -> None:
    assert lines_of(changed(OLD, OLD)) == ["C file /m", "  content, mode and owner are the same"]


def test_where_a_symlink_leads_is_told_in_the_head_and_in_the_text() -> None:
    link = FileEntry("/l", SYMLINK, 0o777, 0, 0, link_target="a\x1b[2J")
    diff = replace(changed(link, replace(link, link_target="b")), hunks=text_diff(b"a\x1b[2J", b"b").hunks)
    lines = lines_of(diff)
    assert lines[:2] == ["C symlink /l", r"  target a\x1b[2J -> b"]
    assert lines[-4:] == [r"-a\x1b[2J", "\\ No newline at end of file", "+b", "\\ No newline at end of file"]


@pytest.mark.parametrize(
    ("diff", "line"),
    [
        (changed(OLD, NEW, "binary"), f"Binary files differ: {BOTH}"),
        (changed(None, NEW, "binary"), "Binary file: 1,310 bytes, sha256 bbbbbbbbbbbb"),
        (changed(OLD, None, "binary"), "Binary file: 4 bytes, sha256 aaaaaaaaaaaa"),
        (
            changed(OLD, NEW, "too long"),
            f"Too long to look into: {BOTH}; --full looks into files of more bytes",
        ),
        (
            changed(None, replace(NEW, sha256=""), "not here"),
            "What stood there before is not to be had",
        ),
        (changed(OLD, NEW, lines_cut=1234), "(1,234 more lines; --full shows all)"),
    ],
)
def test_what_is_not_shown_is_said(diff: FileDiff, line: str) -> None:
    assert lines_of(diff)[-1] == line


def test_what_no_image_can_hold_has_its_reason() -> None:
    change = PathChange(ChangeKind.ADDED, "/run/s", Skipped("/run/s", "socket"))
    assert lines_of(FileDiff(change, None, None)) == ["A socket /run/s"]


HOSTILE = "\x1b]0;title\x07\u202e<script>\r"


def test_nothing_in_it_steers_a_terminal() -> None:
    diff = diff_of(
        f"/etc/{HOSTILE}", b"same\n", f"same\n\ta\t{HOSTILE}\udcff\n".encode("utf-8", "surrogateescape")
    )
    lines = lines_of(diff)
    assert all(part.isprintable() for line in lines for part in line.split("\t"))
    assert lines[-1] == "+\ta\t\\x1b]0;title\\x07\\u202e<script>\\r\\xff"


def test_a_pipe_gets_lines_of_files_as_they_are() -> None:
    assert lines_of(diff_of("/x", None, b"\x1b[31m\xff\r\n"), raw=True)[-1] == "+\x1b[31m\udcff\r"


def test_a_line_of_a_megabyte_loses_its_end_on_a_terminal_alone() -> None:
    diff = diff_of("/x", None, b"x" * 1_000_000 + b"\n")
    assert lines_of(diff)[-1] == "+" + "x" * 3999 + "… (996,001 more characters)"
    assert len(lines_of(diff, raw=True)[-1]) == 1_000_001


def test_letters_and_marks_stay_where_there_are_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    diffs = [diff_of("/etc/motd", b"one\ntwo\n", b"one\n2\n"), changed(OLD, NEW, "binary")]
    plain = lines_of(*diffs)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    colour = lines_of(*diffs)
    assert colour != plain
    assert [click.unstyle(line) for line in colour] == plain
    assert "\x1b[32m+2\x1b[0m" in colour
    assert "\x1b[31m-two\x1b[0m" in colour


NAMES = st.text(st.sampled_from('ab \t\n"\\é\udcff-+@'), min_size=1, max_size=8)
LINES = [b"a\n", b"b\n", b"--- x\n", b"\r\n", b"\xff\n", b"\n", b"@@ -1 +1 @@\n", b"1d\n"]
CONTENTS = st.none() | st.builds(
    lambda lines, end: b"".join(lines) + end,
    st.lists(st.sampled_from(LINES), max_size=12),
    st.sampled_from([b"", b"end"]),
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(CONTENTS, CONTENTS), min_size=1, max_size=4))
def test_git_takes_all_of_it_as_a_patch(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, tuple[bytes | None, bytes | None]]
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    diffs = [diff_of(f"/top/{name}", old, new) for name, (old, new) in sorted(contents.items()) if old != new]
    for name, (old, _) in contents.items():
        if old is not None:
            put(folder / "top" / name, old)
    text = "".join(f"{line}\n" for line in patch_lines(diffs, raw=True)).encode("utf-8", "surrogateescape")
    if diffs:
        done = subprocess.run(["git", "apply", "-"], cwd=folder, input=text, capture_output=True, check=False)
        assert done.returncode == 0, (done.stderr, text)
    for name, (_, new) in contents.items():
        path = folder / "top" / name
        assert (path.read_bytes() if path.exists() else None) == new


def test_gnu_patch_takes_it_too(tmp_path: Path) -> None:
    contents = {
        "/etc/motd": (b"one\ntwo\n1d\n", b"one\n2\n1d\n"),
        "/etc/a name": (None, b"x\n"),
        "/etc/gone": (b"y\n", None),
        "/etc/caf\udce9": (b"\xff\r\nend", b"\xff\r\nthe end"),
    }
    for path, (old, _) in contents.items():
        if old is not None:
            put(tmp_path / path.lstrip("/"), old)
    diffs = [diff_of(path, old, new) for path, (old, new) in contents.items()]
    diffs.insert(1, changed(OLD, NEW, "binary"))
    diffs.insert(0, changed(OLD, replace(OLD, uid=12)))
    text = "".join(f"{line}\n" for line in patch_lines(diffs, raw=True)).encode("utf-8", "surrogateescape")
    subprocess.run(
        ["patch", "-p1", "--batch"], cwd=tmp_path, input=text, check=True, stdout=subprocess.DEVNULL
    )
    for path, (_, new) in contents.items():
        there = tmp_path / path.lstrip("/")
        assert (there.read_bytes() if there.exists() else None) == new


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
