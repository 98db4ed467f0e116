"""Changes of packages are told from the files of their managers that changed, and from no others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.entry import Changeset, FileType
from snapshot.changeset.trees import changes_between_trees
from snapshot.packages.changes import PackageChanges, changes_in_packages, concerns_packages
from snapshot.packages.interface import PackageChange

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing, member, symlink
else:
    from memory_files import MemoryFiles, Thing, member, symlink

STATUS = "/var/lib/dpkg/status"
SITE = "/usr/lib/python3/dist-packages"
MODULES = "/srv/app/node_modules"

Things = Mapping[str, Thing]


def status(**versions: str) -> dict[str, Thing]:
    stanzas = [
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in versions.items()
    ]
    return {STATUS: Thing(text="\n".join(stanzas))}


def of_python(name: str, version: str, place: str = SITE) -> dict[str, Thing]:
    folder = f"{place}/{name.lower()}-{version}.dist-info"
    return {
        f"{folder}/METADATA": Thing(text=f"Name: {name}\nVersion: {version}\n"),
        f"{folder}/RECORD": Thing(),
    }


def of_node(path: str, version: str) -> dict[str, Thing]:
    return {f"{MODULES}/{path}/package.json": Thing(text=json.dumps({"version": version}))}


def difference(old: MemoryFiles, new: MemoryFiles) -> Changeset:
    before, after = (
        {
            path: replace(member(path, thing).entry, sha256=thing.text if thing.type is FileType.FILE else "")
            for path, thing in side.things.items()
        }
        for side in (old, new)
    )
    return changes_between_trees(before, after)


def told(old: Things, new: Things) -> PackageChanges:
    before, after = MemoryFiles(old), MemoryFiles(new)
    return changes_in_packages(before, after, difference(before, after))


def lines(old: Things, new: Things) -> list[str]:
    found = told(old, new)
    assert not found.unreadable
    return [f"{c.manager} {c.name} {c.old or '-'} {c.new or '-'}" for c in found.changes]


def test_packages_come_go_and_are_replaced_in_the_order_of_their_names() -> None:
    old = status(sed="4.8-1", awk="1.3-1", bash="5.2-15") | of_python("Flask", "2.9") | of_node("a", "1.0.0")
    new = status(sed="4.9-10", curl="7.88.1-10", bash="5.2-15") | of_python("Flask", "3.0.0")
    new |= of_node("a", "1.0.0") | of_node("@b/c", "0.1.0") | of_node("a/node_modules/d", "7.0.0")
    assert lines(old, new) == [
        "dpkg awk 1.3-1 -",
        "dpkg curl - 7.88.1-10",
        "dpkg sed 4.8-1 4.9-10",
        "pip Flask 2.9 3.0.0",
        "npm @b/c - 0.1.0",
        "npm d - 7.0.0",
    ]


def test_the_same_name_in_two_architectures_is_two_packages() -> None:
    one = "Package: libc6\nStatus: install ok installed\nArchitecture: {}\nVersion: {}\n\n"
    old = {STATUS: Thing(text=one.format("amd64", "2.36") + one.format("i386", "2.36"))}
    new = {STATUS: Thing(text=one.format("amd64", "2.36-1") + one.format("i386", "2.36"))}
    assert told(old, new).changes == (PackageChange("dpkg", "libc6", "2.36", "2.36-1", "amd64"),)


def test_the_same_name_in_two_places_is_two_packages() -> None:
    old = of_python("Flask", "2.0") | of_python("Flask", "2.0", "/opt/venv/lib/python3.11/site-packages")
    new = of_python("Flask", "2.0") | of_python("Flask", "3.0.1", "/opt/venv/lib/python3.11/site-packages")
    assert told(old, new).changes == (
        PackageChange("pip", "Flask", "2.0", "3.0.1", place="/opt/venv/lib/python3.11/site-packages"),
    )


def test_a_name_that_is_written_otherwise_is_the_same_name() -> None:
    assert lines(of_python("Flask_Login", "0.5"), of_python("flask-login", "0.6.1")) == [
        "pip flask-login 0.5 0.6.1"
    ]
    assert lines(of_python("Flask_Login", "0.5"), of_python("flask-login", "0.5") | {"/x": Thing()}) == []


def test_several_versions_of_one_package_are_told_as_removed_and_added() -> None:
    old = of_python("pip", "1.0") | of_python("pip", "1.1")
    new = of_python("pip", "2.0") | of_python("pip", "1.1")
    assert lines(old, new) == ["pip pip 1.0 2.0"]
    assert lines(old, of_python("pip", "2.0")) == ["pip pip 1.0 -", "pip pip 1.1 -", "pip pip - 2.0"]


@pytest.mark.parametrize("gone", ["/usr", "/usr/lib/python3", SITE])
def test_packages_go_with_the_folder_that_is_deleted(gone: str) -> None:
    old = of_python("Flask", "2.0") | of_python("zipp", "3.1") | {"/usr2": Thing()}
    new = {path: thing for path, thing in old.items() if not path.startswith(f"{gone}/")}
    assert lines(old, new) == ["pip Flask 2.0 -", "pip zipp 3.1 -"]


def test_packages_go_with_the_folder_that_became_a_link() -> None:
    old = of_node("a", "1.0.0") | of_node("a/node_modules/b", "2.0.0")
    assert lines(old, {MODULES: symlink("/nowhere")}) == ["npm a 1.0.0 -", "npm b 2.0.0 -"]


def test_a_list_that_moved_tells_no_change() -> None:
    """As Alpine's did with /lib, which became a link to /usr/lib."""
    content = Thing(text="P:musl\nV:1.2.5-r0\nA:x86_64\n")
    old = {"/lib/apk/db/installed": content}
    new = {"/usr/lib/apk/db/installed": content, "/lib": symlink("usr/lib")}
    assert lines(old, new) == []


def test_where_one_side_cannot_be_read_nothing_is_made_of_the_other() -> None:
    old = of_node("a", "1.0.0") | of_node("b", "1.0.0")
    new = {f"{MODULES}/a/package.json": Thing(text="{")} | of_node("b", "1.0.10")
    found = told(old, new)
    assert found.changes == (PackageChange("npm", "b", "1.0.0", "1.0.10", place=MODULES),)
    assert found.unreadable == (f"'{MODULES}/a/package.json' is no JSON.",)


def test_many_that_cannot_be_read_are_counted() -> None:
    broken = {f"{MODULES}/p{number}/package.json": Thing(text="{") for number in range(1000)}
    found = told({}, broken)
    assert found.changes == ()
    assert len(found.unreadable) == 21
    assert found.unreadable[-1] == "980 more could not be read."


def test_only_what_changed_is_read() -> None:
    base = status(sed="4.8-1") | of_python("Flask", "2.0") | of_node("a", "1.0.0") | {"/big/file": Thing()}
    old, new = MemoryFiles(base), MemoryFiles(base | of_node("b", "1.0.0") | {"/etc/motd": Thing()})
    changes_in_packages(old, new, difference(old, new))
    for side in (old, new):
        assert all(path.startswith("/srv") for path in side.asked), side.asked


def test_paths_tell_whether_packages_are_concerned_at_all() -> None:
    base = MemoryFiles(status(sed="4.8-1") | {"/etc/motd": Thing(text="old")})
    plain = MemoryFiles(status(sed="4.8-1") | {"/etc/motd": Thing(text="newer"), "/etc/x": Thing()})
    assert not concerns_packages(difference(base, plain))
    for other in (status(sed="4.8-10"), {}, status(sed="4.8-1") | of_node("a", "1.0.0")):
        assert concerns_packages(difference(base, MemoryFiles({"/etc/motd": Thing(text="old")} | other)))


def test_more_packages_than_are_compared_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapshot.packages.changes._MOST_PACKAGES", 3)
    new = status(a="1", b="1", c="1", d="1") | of_node("e", "1.0.0")
    found = told({}, new)
    assert [change.name for change in found.changes] == ["e"]
    assert found.unreadable == (f"'{STATUS}' is left out: 3 packages are compared at most.",)


def test_more_databases_and_deleted_paths_than_are_looked_at_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("snapshot.packages.changes._MOST_DATABASES", 2)
    monkeypatch.setattr("snapshot.packages.changes._MOST_GONE", 5)
    old = {path: thing for name in "abcdefgh" for path, thing in of_node(name, "1.0.0").items()}
    found = told(old, {"/x": Thing()})
    assert len(found.changes) == 2
    assert [sentence.partition(":")[0] for sentence in found.unreadable] == [
        "Of the paths that went with their folders, 5 were looked through.",
        "More than 2 packages or lists of them changed; the others are left out.",
    ]
