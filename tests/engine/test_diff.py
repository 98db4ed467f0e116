"""What ``snap diff`` lists (conformance D), held against scripts that are known to do it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import lookalike
import pytest
from diff_cases import CASES, FOLDERS, Case, entries_of
from sandbox import Sandbox

from snapshot import Snapshots
from snapshot.changeset.entry import PathChange
from snapshot.changeset.overlay import NotReadableDirectly
from snapshot.changeset.paths import component_order

pytestmark = pytest.mark.engine


class Changed:
    """A container in which all scripts were run, and what ``snap diff`` says of it."""

    def __init__(self, space: Sandbox, container: str) -> None:
        self.space = space
        self.container = container
        self.table: str = space.snap("diff", container).stdout
        self.document: dict[str, Any] = json.loads(space.snap("diff", "--format", "json", container).stdout)

    def below(self, folder: str) -> list[str]:
        """The table's lines for a folder, without their alignment and with paths below it."""
        lines = []
        for line in self.table.splitlines():
            *columns, path = line.split(None, 5)
            if path == folder or path.startswith(f"{folder}/"):
                lines.append(" ".join([*columns, path[len(folder) + 1 :] or "."]))
        return lines


@pytest.fixture(scope="module")
def changed(space: Sandbox) -> Changed:
    """The container of the cases; it is read by many tests and changed by none."""
    image = space.name("cases")
    files = {"/etc/services": b"http 80/tcp\n", "/etc/motd": b"welcome\n"}
    extra = [entry for folder in FOLDERS for entry in entries_of(folder)]
    lookalike.import_image(space.client, image, lookalike.root_tar(files, extra=extra))
    scripts = [f"( cd {case.folder}; {case.script} )" for case in CASES]
    scripts += ["cd /", "touch /zz-new /bin/new", "rm /bin/wc", "rm /etc/services", "echo x > /etc/new"]
    scripts += ["echo edited > /D32/file"]
    return Changed(space, space.changed("\n".join(scripts), "cases", image=image))


def differences(sandbox: Sandbox, container: str, *options: str) -> list[str]:
    """``A /path`` and the like for each change, from the JSON."""
    document = json.loads(sandbox.snap("diff", *options, "--format", "json", container).stdout)
    return [f"{change['kind']} {change['path']}" for change in document["changes"]]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_each_kind_of_change_has_its_letter_type_mode_owner_size_and_path(
    changed: Changed, case: Case
) -> None:
    assert without_links(changed.below(case.folder)) == without_links(case.expected)


def without_links(lines: Sequence[str]) -> list[str]:
    """Lines of the table without a file's other names: the quickest calls need not tell them."""
    return [line.partition(" = ")[0] for line in lines]


def test_the_names_of_one_file_are_told_where_its_content_is_read(changed: Changed) -> None:
    with Snapshots(changed.space.host) as snap:
        found = snap.diff(changed.container, hash_content=True).changeset.changes
    links = {change.path: change.file.hard_link for change in found if change.file and change.file.hard_link}
    lines = [(case, line.split(None, 5)[5].partition(" = ")) for case in CASES for line in case.expected]
    assert links == {f"{case.folder}/{path}": original for case, (path, _, original) in lines if original}


def test_it_is_the_same_list_where_the_files_cannot_be_read_here(
    changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_here(*_: object) -> None:
        raise NotReadableDirectly("the engine may be on another machine")

    with Snapshots(changed.space.host) as snap:
        found = snap.diff(changed.container).changeset
        monkeypatch.setattr("snapshot.workflow.diff.open_upper", not_here)
        over_the_api = snap.diff(changed.container).changeset
    assert [_without_link(change) for change in found.changes] == [
        _without_link(change) for change in over_the_api.changes
    ]
    assert found.engine_paths == over_the_api.engine_paths


def _without_link(change: PathChange) -> PathChange:
    return replace(change, entry=replace(change.file, hard_link="")) if change.file else change


def test_changes_in_the_root_folder_and_in_a_folder_of_the_base_stand_with_their_parents(
    changed: Changed,
) -> None:
    # D04
    assert [line for line in changed.below("/bin") if not line.endswith(" .")] == [
        "A file 0644 0:0 0 new",
        "D - - - - wc",
    ]
    assert changed.below("/bin")[0].startswith("C folder")
    assert changed.below("/zz-new") == ["A file 0644 0:0 0 ."]


def test_the_json_parts_added_changed_and_deleted_paths(changed: Changed) -> None:
    # D05
    found = [c for c in changed.document["changes"] if c["path"].startswith("/etc")]
    assert [(change["kind"], change["path"]) for change in found] == [
        ("C", "/etc"),
        ("A", "/etc/new"),
        ("D", "/etc/services"),
    ]
    assert found[1] == {
        "kind": "A", "path": "/etc/new", "type": "file", "mode": "0644", "uid": 0, "gid": 0, "size_bytes": 2,
    }  # fmt: skip


def test_an_edit_under_one_of_two_hard_linked_names_is_listed_as_the_container_sees_it(
    changed: Changed,
) -> None:
    # D32: overlayfs breaks the link on the first write, other drivers keep it.
    other = changed.space.sh(changed.container, "cat /D32/other-name")
    listed = {line.split()[-1] for line in changed.below("/D32")}
    assert listed == {".", "file", "other-name"} if other == "edited\n" else {".", "file"}


def test_the_order_is_lexical_a_path_component_at_a_time_in_the_table_the_json_and_the_plain_paths(
    changed: Changed,
) -> None:
    paths = [change["path"] for change in changed.document["changes"]]
    quiet = changed.space.snap("diff", "-q", changed.container).stdout.splitlines()

    assert paths == sorted(paths, key=component_order)
    assert quiet == paths
    assert [line.split(None, 5)[5].split(" ")[0] for line in changed.table.splitlines()] == paths


def test_the_json_says_the_same_as_the_table(changed: Changed) -> None:
    rows = []
    for change in changed.document["changes"]:
        size = str(change.get("size_bytes")) if change.get("type") == "file" else change.get("device", "-")
        owner = f"{change['uid']}:{change['gid']}" if "uid" in change else "-"
        target = f" -> {change['link_target']}" if "link_target" in change else ""
        other = f" = {change['hard_link']}" if "hard_link" in change else ""
        columns = [change["kind"], change.get("type", "-"), change.get("mode", "-"), owner, size]
        rows.append([*columns, change["path"] + target + other])
    assert [line.split(None, 5) for line in changed.table.splitlines()] == rows


def test_the_json_names_the_container_and_its_base(changed: Changed) -> None:
    inspected = changed.space.client.inspect_container(changed.container)
    assert changed.document["schema"] == "docker-snap.diff/1"
    assert changed.document["container"] == {"id": inspected["Id"], "name": changed.container}
    # Podman gives the names of Docker Hub in full.
    name = inspected["Config"]["Image"].removeprefix("docker.io/library/")
    assert changed.document["base"] == {"id": inspected["Image"], "name": name}


def test_the_table_is_aligned_with_sizes_to_the_right(changed: Changed) -> None:
    lines = changed.table.splitlines()
    starts = {line.index("/") for line in lines if ":" not in line}
    assert len(starts) == 1, "the paths do not begin in one column"
    assert all(line[starts.copy().pop() - 3] != " " for line in lines), "the sizes do not end in one column"


def test_the_container_can_be_named_by_its_id_or_the_beginning_of_it(changed: Changed) -> None:
    # D49
    container_id = changed.document["container"]["id"]
    for name in (container_id, container_id[:12]):
        assert json.loads(changed.space.snap("diff", "--format", "json", name).stdout) == changed.document


def test_a_container_that_changed_nothing_has_no_lines_in_whatever_state_it_is(sandbox: Sandbox) -> None:
    # D01
    running, created = sandbox.hold("running"), sandbox.name("created")
    sandbox.client.create_container(sandbox.base_image, ["true"], name=created)
    for container in (running, created):
        done = sandbox.snap("diff", "--exit-code", container)
        assert done.stdout == ""
        assert done.stderr == f"snap: '{container}' changed nothing.\n"
    assert differences(sandbox, running) == []
    sandbox.client.pause(running)
    assert differences(sandbox, running) == []


def test_running_paused_and_exited_containers_have_one_and_the_same_list(sandbox: Sandbox) -> None:
    # D03
    container = sandbox.changed("mkdir /new && echo x > /new/file && rm /diamol/ch03.txt")
    expected = ["C /diamol", "D /diamol/ch03.txt", "A /new", "A /new/file"]

    assert differences(sandbox, container) == expected
    sandbox.client.pause(container)
    assert differences(sandbox, container) == expected
    assert sandbox.state(container) == "paused"
    sandbox.client.unpause(container)
    sandbox.client.kill(container)
    sandbox.client.wait(container)
    assert differences(sandbox, container) == expected
    assert sandbox.state(container) == "exited"


def test_exit_code_is_1_only_when_asked_for_and_only_with_a_change(sandbox: Sandbox) -> None:
    container = sandbox.changed("echo >> ch03.txt")
    sandbox.snap("diff", container, expect=0)
    assert sandbox.snap("diff", "--exit-code", "-q", container, expect=1).stdout == (
        "/diamol\n/diamol/ch03.txt\n"
    )
    sandbox.snap("diff", "--exit-code", "--format", "json", container, expect=1)


def test_a_name_that_nothing_has_is_an_error_that_says_it(sandbox: Sandbox) -> None:
    # D40
    done = sandbox.snap("diff", "no-such-box", expect=1)
    assert done.stdout == ""
    assert done.stderr.startswith("snap: Neither a container nor an image is named 'no-such-box'.\n")


@pytest.mark.parametrize("arguments", [[], ["one", "two", "three"], ["--format", "xml", "one"]])
def test_wrong_usage_exits_with_2(sandbox: Sandbox, arguments: list[str]) -> None:
    # D41
    done = sandbox.snap("diff", *arguments, expect=2)
    assert "Usage: snap diff" in done.stderr


def test_an_image_of_the_same_name_does_not_stand_in_the_containers_way(sandbox: Sandbox) -> None:
    # D42
    container = sandbox.changed("touch /new", "clash")
    sandbox.client.tag(sandbox.base_image, container)
    try:
        assert differences(sandbox, container) == ["A /new"]
    finally:
        sandbox.client.remove_image(container)
    sandbox.client.remove_container(container, force=True)
    sandbox.client.tag(sandbox.base_image, container)
    try:
        assert "has no record of snap's" in sandbox.snap("diff", container, expect=2).stderr
    finally:
        sandbox.client.remove_image(container)


def test_mount_points_are_left_out_and_their_data_is_named_on_stderr(sandbox: Sandbox) -> None:
    source = sandbox.home / "source"
    source.mkdir()
    (source / "from-outside").touch()
    container = sandbox.changed(
        "touch /mnt/bind/x /var/data/x /own/volume/x /own/kept && echo 127.0.0.1 me >> /etc/hosts",
        "box", "-v", f"{source}:/mnt/bind", "-v", "/var/data", "-v", "/own/volume",
    )  # fmt: skip

    done = sandbox.snap("diff", "-q", container)

    assert done.stdout.splitlines() == ["/own", "/own/kept"]
    assert sorted(done.stderr.splitlines()) == [
        "snap: not part of this, nor of any image: the data of the bind at /mnt/bind",
        "snap: not part of this, nor of any image: the data of the volume at /own/volume",
        "snap: not part of this, nor of any image: the data of the volume at /var/data",
    ]
    document = json.loads(sandbox.snap("diff", "--format", "json", container).stdout)
    assert {"kind": "bind", "source": str(source), "destination": "/mnt/bind"} in document["mounts"]
    # Podman makes what it mounts something on, and does not list it; and it lists the folder of /etc/mtab.
    unlisted = {"/dev", "/proc", "/run", "/run/.containerenv", "/sys"} if sandbox.is_podman else set()
    no_change = {"/etc"} if sandbox.is_podman else set()
    paths = ["/mnt", "/mnt/bind", "/own/volume", "/var", "/var/data"]
    assert document["engine_paths"] == sorted([*paths, *unlisted])
    # --all is the engine's own list, no more and no less.
    engines = {item["Path"] for item in sandbox.client.diff(container)}
    listed = set(sandbox.snap("diff", "--all", "-q", container).stdout.splitlines())
    assert listed - unlisted == engines - no_change
    assert {"/mnt/bind", "/var/data", "/own/volume"} < engines


def test_a_container_that_snap_did_not_make_is_read_like_any_other(sandbox: Sandbox) -> None:
    container = sandbox.name("foreign")
    sandbox.client.create_container(
        sandbox.base_image,
        ["sh", "-c", "touch /new && touch /scratch/x"],
        name=container,
        host_config=sandbox.client.create_host_config(network_mode="none", tmpfs={"/scratch": ""}),
    )
    sandbox.client.start(container)
    sandbox.client.wait(container)

    done = sandbox.snap("diff", container)

    assert done.stdout == "A  file  0644  0:0  0  /new\n"
    assert done.stderr == "snap: not part of this, nor of any image: the data of the tmpfs at /scratch\n"


def test_a_socket_is_listed_as_one(sandbox: Sandbox) -> None:
    # V17. syslogd makes its socket where the link at /dev/log leads to.
    container = sandbox.changed(
        "ln -s /run-log /dev/log && syslogd && until test -S /run-log; do :; done && touch /run-zz"
    )

    done = sandbox.snap("diff", container)

    assert [line.split() for line in done.stdout.splitlines()] == [
        ["A", "socket", "-", "-", "-", "/run-log"],
        ["A", "file", "0644", "0:0", "0", "/run-zz"],
    ]
    document = json.loads(sandbox.snap("diff", "--format", "json", container).stdout)
    assert document["changes"][0] == {"kind": "A", "path": "/run-log", "skipped": "socket"}


ODD_NAMES = [
    "a space", " lead", "trail ", "new\nline", "\ttab", "esc\x1b[2J\x1b]0;title\x07", "bell\x07", "del\x7f",
    "c1\x9b2J", 'quo"te', "apos'trophe", "-rf", "--help", "*", "?", "[a-z]", "$(id)", "`id`", "back\\slash",
    "\\x1b", "%41", "+plus", "a&b=c#d?e", "~", "ünïcode", "e\u0301", "\u202eltr", "\u200bzero", "\ufeffbom",
    "😀", "->", ".hidden", "...", "x" * 255, "café",
]  # fmt: skip
NOT_UTF8 = ["caf\udce9", "\udcff\udcfe", "half\udcc3", "new\n\udc80"]


@pytest.fixture(scope="module")
def odd_image(space: Sandbox) -> str:
    """An image with a file for each odd name."""
    image = space.name("odd")
    files = {f"/odd/{name}": b"x" for name in ODD_NAMES}
    lookalike.import_image(space.client, image, lookalike.root_tar(files))
    return image


def touch(names: list[str]) -> str:
    """A script that makes files of these names, whatever bytes they have."""
    quoted = ("".join(f"\\{byte:03o}" for byte in name.encode("utf-8", "surrogateescape")) for name in names)
    return "\n".join(f"touch -- \"$(printf '{text}')\"" for text in quoted)


def assert_steers_no_terminal(text: str) -> None:
    assert [char for char in text if not char.isprintable() and char != "\n"] == []


def test_odd_names_are_taken_literally_and_shown_without_what_steers_a_terminal(
    sandbox: Sandbox, odd_image: str
) -> None:
    # V20.
    container = sandbox.changed(
        'cd /odd; for name in * .[h.]*; do chmod 600 ./"$name"; done', image=odd_image
    )

    document = json.loads(sandbox.snap("diff", "--format", "json", container).stdout)
    table = sandbox.snap("diff", container).stdout
    paths = sandbox.snap("diff", "-q", container).stdout

    files = document["changes"][1:]
    assert document["changes"][0]["path"] == "/odd"
    assert {change["path"] for change in files} == {f"/odd/{name}" for name in ODD_NAMES}
    assert {(c["kind"], c.get("type"), c.get("mode"), c.get("size_bytes")) for c in files} == {
        ("C", "file", "0600", 1)
    }
    for text in (table, paths):
        assert_steers_no_terminal(text)
        assert len(text.splitlines()) == len(ODD_NAMES) + 1
    assert "/odd/esc\\x1b[2J\\x1b]0;title\\x07\n" in paths
    assert "/odd/new\\nline\n" in paths


def test_names_that_are_not_utf8_keep_their_bytes(sandbox: Sandbox, odd_image: str) -> None:
    names = NOT_UTF8 + ODD_NAMES
    script = f"mkdir /bytes\ncd /bytes\n{touch(names)}\ncd /\n{touch(NOT_UTF8)}\nrm -- /odd/'$(id)'"
    container = sandbox.changed(script, image=odd_image)

    done = sandbox.snap("diff", "--format", "json", container)
    table = sandbox.snap("diff", container).stdout

    assert done.stdout.isascii()
    assert {change["path"] for change in json.loads(done.stdout)["changes"]} == {
        "/bytes", "/odd", "/odd/$(id)",
        *(f"/bytes/{name}" for name in names), *(f"/{name}" for name in NOT_UTF8),
    }  # fmt: skip
    assert_steers_no_terminal(table)
    assert len(table.splitlines()) == len(names) + len(NOT_UTF8) + 3
    assert "/bytes/caf\\xe9\n" in table


def test_link_targets_are_shown_without_what_steers_a_terminal(sandbox: Sandbox) -> None:
    container = sandbox.changed("ln -s \"$(printf 'to\\033[2J\\351')\" /link")
    table = sandbox.snap("diff", container).stdout
    document = json.loads(sandbox.snap("diff", "--format", "json", container).stdout)
    assert table == "A  symlink  0777  0:0  -  /link -> to\\x1b[2J\\xe9\n"
    assert document["changes"][0]["link_target"] == "to\x1b[2J\udce9"
