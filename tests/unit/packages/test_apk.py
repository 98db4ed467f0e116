"""Packages of apk are read from its list, of which the example is in the form that Alpine documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from snapshot.packages.apk import APK
from snapshot.packages.interface import NotReadable, Package

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing
else:
    from memory_files import MemoryFiles, Thing

INSTALLED = "/lib/apk/db/installed"

#: https://wiki.alpinelinux.org/wiki/Apk_spec: the fields of a package, then its folders and files.
LIST = """\
C:Q1Deb0jNytkrjPW4N/eKLZ43BwOlw=
P:musl
V:1.2.2-r7
A:x86_64
S:383152
I:622592
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
m:Somebody <somebody@example.org>
t:1632431095
c:bf5bbfdbf780092f387b7abe401fbfceda90c84d
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q12adwqQOjo9dFl+VJD2Ecd901vhE=

C:Q1zwvKMnYs1b6ZdPTBJ0Z7D5P3jyA=
P:alpine-keys
V:2.4-r1
A:noarch
F:etc
F:etc/apk
M:0:0:755
"""


def told(text: str, path: str = INSTALLED) -> list[Package]:
    return list(APK.packages_of(MemoryFiles({path: Thing(text=text)}), path))


def test_name_version_and_architecture_are_told() -> None:
    expected = [
        Package("apk", "musl", "1.2.2-r7", "x86_64"),
        Package("apk", "alpine-keys", "2.4-r1", "noarch"),
    ]
    assert told(LIST) == expected
    assert told(f"{LIST}\n", "/usr/lib/apk/db/installed") == expected


def test_what_a_package_provides_is_not_its_name() -> None:
    assert told("p:so:other=1\nP:musl\nv:9\nV:1\n") == [Package("apk", "musl", "1")]


def test_the_list_in_the_form_of_apk_3_is_named_as_not_read() -> None:
    path = f"{INSTALLED}.adb"
    assert APK.database_of(path) == path
    with pytest.raises(NotReadable, match=r"'/lib/apk/db/installed\.adb' is in the form of apk 3"):
        told("ADB.", path)
    assert list(APK.packages_of(MemoryFiles({}), path)) == []


def test_only_its_lists_are_its_databases() -> None:
    assert APK.database_of(INSTALLED) == INSTALLED
    for path in ("/lib/apk/db/triggers", "/etc/apk/world", "/srv/lib/apk/db/installed", "/lib/apk/db"):
        assert APK.database_of(path) == ""
