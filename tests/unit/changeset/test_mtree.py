from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType, PathChange, Skipped
from snapshot.changeset.mtree import mtree
from snapshot.engine.types import ChangeKind


def lines(*changes: PathChange) -> list[str]:
    return b"".join(mtree(changes)).decode("ascii").splitlines()


def changed(entry: FileEntry) -> PathChange:
    return PathChange(ChangeKind.CHANGED, entry.path, entry)


def test_each_type_has_its_keywords() -> None:
    assert lines(
        changed(FileEntry("/", FileType.FOLDER, 0o755, 0, 0)),
        changed(FileEntry("/a b", FileType.FOLDER, 0o1777, 1, 2)),
        changed(FileEntry("/f", FileType.FILE, 0o4755, 0, 0, 3, "ab", capability="0100")),
        changed(FileEntry("/g", FileType.FILE, 0o644, 0, 0, 3, "ab", hard_link="/f")),
        changed(FileEntry("/l", FileType.SYMLINK, 0o777, 0, 0, link_target="../x #1")),
        changed(FileEntry("/n", FileType.CHARACTER_DEVICE, 0o600, 0, 0, device="1:3")),
        changed(FileEntry("/p", FileType.FIFO, 0o600, 0, 0)),
        PathChange(ChangeKind.ADDED, "/s", Skipped("/s", "socket")),
        PathChange(ChangeKind.DELETED, "/z\n"),
    ) == [
        "#mtree",
        "# What an image changes in its base.",
        ". type=dir mode=0755 uid=0 gid=0",
        "./a\\040b type=dir mode=1777 uid=1 gid=2",
        "# capability: 0100",
        "./f type=file mode=4755 uid=0 gid=0 size=3 sha256digest=ab",
        "# hard link of: ./f",
        "./g type=file mode=0644 uid=0 gid=0 size=3 sha256digest=ab",
        "./l type=link mode=0777 uid=0 gid=0 link=../x\\040\\0431",
        "./n type=char mode=0600 uid=0 gid=0 device=linux,1,3",
        "./p type=fifo mode=0600 uid=0 gid=0",
        "# deleted: ./z\\012",
    ]


@given(st.binary(min_size=1, max_size=20).filter(lambda raw: b"\0" not in raw and b"/" not in raw))
def test_any_name_is_one_word_and_comes_back(name: bytes) -> None:
    path = "/" + name.decode("utf-8", "surrogateescape")
    *_, line = lines(changed(FileEntry(path, FileType.FIFO, 0, 0, 0)))
    word, kind, *_ = line.split(" ")
    assert kind == "type=fifo"
    back = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), word.encode())
    assert back == b"./" + name
