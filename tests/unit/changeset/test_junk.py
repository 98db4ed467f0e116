from __future__ import annotations

import pytest

from snapshot.changeset.exclusion import Exclusion, parse_ignore_file
from snapshot.changeset.junk import JUNK, junk_as_ignore_file, junk_rules
from snapshot.engine.types import Change, ChangeKind

JUNK_FILES = [
    "/var/cache/apk/APKINDEX.tar.gz",
    "/var/cache/dnf/expired_repos.json",
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/archives/curl_8_amd64.deb",
    "/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_InRelease",
    "/var/lib/dpkg/status-old",
    "/var/cache/debconf/config.dat-old",
    "/root/.cache/pip/http/a",
    "/home/ann/.cache/uv/wheels/x",
    "/root/.npm/_cacache/index-v5/00",
    "/root/.npm/_logs/a-debug.log",
    "/usr/lib/python3/__pycache__/os.cpython-311.pyc",
    "/opt/app.pyc",
    "/root/.bash_history",
    "/home/ann/.python_history",
    "/var/lib/postgresql/.psql_history",
    "/root/.lesshst",
    "/root/.viminfo",
    "/tmp/x/y",
    "/var/tmp/x",
    "/var/log/dpkg.log",
    "/var/log/lastlog",
    "/var/log/wtmp",
    "/var/log/apt/history.log",
    "/var/log/apt/eipp.log.xz",
    "/var/log/nginx/access.log.1",
    "/var/log/journal/0/system.journal",
]

FILES_OF_USE = [
    "/tmp",
    "/var/tmp",
    "/var/log",
    "/var/log/apt",
    "/var/log/nginx",
    "/var/log/postgresql",
    "/var/cache/apt",
    "/var/lib/apt/lists",
    "/var/lib/dpkg/status",
    "/root/.cache",
    "/root/.cache/huggingface/model.bin",
    "/root/.npm",
    "/root/.bashrc",
    "/usr/lib/python3/os.py",
    "/opt/app/tmp/x",
    "/opt/app/server.log",
]


def left_out(kind: ChangeKind, paths: list[str]) -> list[str]:
    _, excluded = Exclusion.of(junk=junk_rules()).part([Change(kind, path) for path in paths])
    return sorted(item.change.path for item in excluded)


@pytest.mark.parametrize("kind", [ChangeKind.ADDED, ChangeKind.CHANGED])
def test_junk_is_left_out_and_what_is_of_use_stays(kind: ChangeKind) -> None:
    assert left_out(kind, JUNK_FILES + FILES_OF_USE) == sorted(JUNK_FILES)


def test_junk_that_is_deleted_is_deleted_in_the_image_as_well() -> None:
    assert left_out(ChangeKind.DELETED, JUNK_FILES) == []


def test_the_folder_that_a_server_logs_to_stays_without_its_logs() -> None:
    listed = [
        Change(ChangeKind.CHANGED, "/var"),
        Change(ChangeKind.CHANGED, "/var/log"),
        Change(ChangeKind.ADDED, "/var/log/nginx"),
        Change(ChangeKind.ADDED, "/var/log/nginx/access.log"),
    ]
    kept, excluded = Exclusion.of(junk=junk_rules()).part(listed)
    assert kept == listed[:3]
    assert [item.change for item in excluded] == listed[3:]


def test_junk_is_taken_back_in_by_name() -> None:
    exclusion = Exclusion.of(junk=junk_rules(), include=["/tmp/keep"])
    kept, _ = exclusion.part([Change(ChangeKind.ADDED, path) for path in ("/tmp/keep", "/tmp/x")])
    assert [change.path for change in kept] == ["/tmp/keep"]


def test_the_list_is_short_and_each_line_says_why() -> None:
    assert len(JUNK) <= 25
    assert all(junk.reason and "\n" not in junk.reason for junk in JUNK)
    assert len({junk.pattern for junk in JUNK}) == len(JUNK)


def test_every_pattern_of_the_list_matches_something_here() -> None:
    assert all(any(map(rule.matches, JUNK_FILES)) for rule in junk_rules())


def test_the_list_as_a_file_is_read_back_as_the_same_rules() -> None:
    text = junk_as_ignore_file()
    assert parse_ignore_file(text, "junk") == junk_rules()
    assert [rule.pattern for rule in parse_ignore_file(text)] == [junk.pattern for junk in JUNK]
    assert text.endswith("\n")
