"""Random trees and random edits of them: a tar for a base image, and a shell script for a container of it.

A small model follows what stands where, so that edits meet what is there and each line of a script succeeds.
What comes out is not foretold: the container itself is the oracle.
"""

from __future__ import annotations

import os
import posixpath
import shlex
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from doctor import Entry
from hypothesis import strategies as st

FILE, FOLDER, LINK, FIFO, DEVICE = "file", "folder", "link", "fifo", "device"
_KINDS = (FILE, FILE, FILE, FOLDER, FOLDER, LINK, FIFO, DEVICE)
_TAR_TYPES = {
    FILE: tarfile.REGTYPE, FOLDER: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE, FIFO: tarfile.FIFOTYPE,
    DEVICE: tarfile.CHRTYPE,
}  # fmt: skip
_MODES = (0o644, 0o755, 0o600, 0, 0o777, 0o4755, 0o2711, 0o1777, 0o7777, 0o400)
_OWNERS = ((0, 0), (1, 1), (1000, 100), (54321, 12345), (2_000_000, 0), (0, 65534))
_LONG = {f"seq {last}": "".join(f"{number}\n" for number in range(1, last + 1)) for last in (169, 4000)}
_CONTENTS = ("", "x", "old\n", "y" * 40, *_LONG.values())
_TARGETS = ("a", "../b", "/", "/no/where", ".", "..", "a/b/c", " ", "-", "caf\udce9", "new\nline", "t" * 300)
_TIMES = (0, 1, 1_000_000_000, 1_577_836_800, 1_700_000_000, 2_147_483_647, 4_000_000_000)
_LONGEST_PATH = 1800

_PLAIN_NAMES = ("a", "b", "c", "d")
_ODD_NAMES = (
    "-rf", "--help", "-", " ", "a b", "*", "?", "[a-z]", "new\nline", "\ttab", "esc\x1b[2J", "del\x7f", "'",
    "bell\x07", '"', "$(id)", "`id`", "\\", "a\\nb", "\\x1b", "%41", "...", ".hidden", "a.b", "a-b", "A", "=",
    "a=b", "~", "ünïcode", "e\u0301", "\u202eltr", "😀", "x" * 200, "é" * 100,
    "caf\udce9", "\udcff\udcfe", "half\udcc3", "\udc80\n", ".wh", ".w", "wh.", "lost+found", "PaxHeaders",
)  # fmt: skip


def _is_name(name: str) -> bool:
    # A whiteout's name cannot be in a layer; U+FFFD is what engines list for what is not UTF-8.
    return not (
        "/" in name or "\0" in name or "\ufffd" in name or name in {".", ".."} or name.startswith(".wh.")
    )


_NAMES = st.one_of(
    st.sampled_from(_PLAIN_NAMES),
    st.sampled_from(_PLAIN_NAMES + _ODD_NAMES),
    st.binary(min_size=1, max_size=6)
    .map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    .filter(_is_name),
)


@dataclass(frozen=True)
class Spec:
    """Numbers that choose what is made or edited; ``which`` and ``other`` choose among what is there."""

    action: int
    which: int
    other: int
    name: str
    look: int

    @property
    def kind(self) -> str:
        """A type of file."""
        return _KINDS[self.look % len(_KINDS)]

    @property
    def mode(self) -> int:
        """Permission bits."""
        return _MODES[self.look % len(_MODES)]

    @property
    def owner(self) -> tuple[int, int]:
        """Owner and group."""
        return _OWNERS[self.other % len(_OWNERS)]

    @property
    def content(self) -> str:
        """What a file is to hold."""
        return _CONTENTS[(self.look + self.other) % len(_CONTENTS)]

    @property
    def target(self) -> str:
        """The text of a symlink."""
        return _TARGETS[self.other % len(_TARGETS)]

    @property
    def time_s(self) -> int:
        """A file's time."""
        return _TIMES[self.other % len(_TIMES)]


_SMALL = st.integers(0, 250)
_SPECS = st.builds(Spec, _SMALL, _SMALL, _SMALL, _NAMES, _SMALL)


@dataclass
class Tree:
    """A tree and edits of it; all paths are relative to the tree's own folder.

    Attributes
    ----------
    base:
        Makes the entries of the base image's tar, below a folder.
    script:
        Lines for the shell, to be run in the folder.
    links:
        For each further name of a file in the base the first one.
    keeps_bytes:
        Nothing of the base whose name is not UTF-8 is deleted: Docker's list does not tell such names.
    """

    keeps_bytes: bool
    base: list[Callable[[str], Entry]] = field(default_factory=list)
    script: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=lambda: {".": FOLDER})
    _of_base: set[str] = field(default_factory=set)

    def __repr__(self) -> str:
        return f"<{len(self.base)} files, {len(self.script)} edits>"

    def grow(self, spec: Spec) -> None:
        """Put one more file into the base."""
        path = self._new_path(spec)
        files = self._of_kind(FILE)
        if not path:
            return
        original = files[spec.other % len(files)] if files and spec.action % 6 == 0 else ""
        if original:
            original = self.links[path] = self.links.get(original, original)
        kind = FILE if original else spec.kind
        self.kinds[path] = kind
        self._of_base.add(path)
        self.base.append(lambda top: _entry(top, path, kind, original, spec))

    def linked_in_base(self, path: str) -> set[str]:
        """All names that a file has in the base."""
        first = self.links.get(path, path)
        return {first, *(name for name, original in self.links.items() if original == first)}

    def edit(self, spec: Spec) -> None:
        """Write one more edit into the script; nothing where there is nothing to do it to."""
        edits = (
            self._make, self._make, self._deep, self._write, self._append, self._remove, self._replace,
            self._refill, self._chmod, self._chown, self._rename, self._rename_over, self._link, self._link,
            self._touch,
        )  # fmt: skip
        edits[spec.action % len(edits)](spec)

    def _make(self, spec: Spec) -> None:
        if path := self._new_path(spec):
            self._create(path, spec.kind, spec)

    def _deep(self, spec: Spec) -> None:
        if path := self._new_path(spec):
            folders = [posixpath.join(path, *[spec.name] * depth) for depth in range(1 + spec.other % 30)]
            folders = [folder for folder in folders if len(os.fsencode(folder)) < _LONGEST_PATH]
            self.script.append(f"mkdir -p {_quoted(folders[-1])}")
            self.kinds.update(dict.fromkeys(folders, FOLDER))

    def _write(self, spec: Spec) -> None:
        if path := self._chosen(spec, FILE):
            self.script.append(_written(spec.content, path))

    def _append(self, spec: Spec) -> None:
        if path := self._chosen(spec, FILE):
            self.script.append(f"echo more >> {_quoted(path)}")

    def _remove(self, spec: Spec) -> None:
        if (path := self._chosen(spec)) and self._may_go(path):
            self._delete(path)

    def _replace(self, spec: Spec) -> None:
        if (path := self._chosen(spec)) and self._may_go(path):
            self._delete(path)
            self._create(path, spec.kind, spec)

    def _refill(self, spec: Spec) -> None:
        if (path := self._chosen(spec, FOLDER)) and self._may_go(path):
            children = [child for child in self.kinds if posixpath.dirname(child) == path]
            self._delete(path)
            self._create(path, FOLDER, spec)
            for number, child in enumerate(children):
                if (spec.other + number) % 2:
                    self._create(child, FILE, spec)

    def _chmod(self, spec: Spec) -> None:
        if path := self._chosen(spec, FILE, FOLDER, FIFO, DEVICE):
            self.script.append(f"chmod {spec.mode:o} {_quoted(path)}")

    def _chown(self, spec: Spec) -> None:
        if path := self._chosen(spec):
            self.script.append(f"chown -h {spec.owner[0]}:{spec.owner[1]} {_quoted(path)}")

    def _rename(self, spec: Spec) -> None:
        old, new = self._chosen(spec), self._new_path(spec)
        if not (old and new and self._may_go(old)) or f"{new}/".startswith(f"{old}/"):
            return
        self.script.append(f"mv {_quoted(old)} {_quoted(new)}")
        moved = {path: kind for path, kind in self.kinds.items() if f"{path}/".startswith(f"{old}/")}
        for path, kind in moved.items():
            del self.kinds[path]
            self.kinds[new + path[len(old) :]] = kind

    def _rename_over(self, spec: Spec) -> None:
        files = self._of_kind(FILE)
        if len(files) > 1:
            old, new = files[spec.which % len(files)], files[spec.other % len(files)]
            # Renaming one name of a file over another one does nothing, and mv may say so.
            if old != new and self._may_go(old):
                self.script.append(f"mv {_quoted(old)} {_quoted(new)} || rm -f {_quoted(old)}")
                del self.kinds[old]

    def _link(self, spec: Spec) -> None:
        path, new = self._chosen(spec, FILE), self._new_path(spec)
        if path and new:
            self.script.append(f"ln {_quoted(path)} {_quoted(new)}")
            self.kinds[new] = FILE

    def _touch(self, spec: Spec) -> None:
        if path := self._chosen(spec, FILE, FOLDER):
            self.script.append(f"touch -d @{spec.time_s} {_quoted(path)}")

    def _create(self, path: str, kind: str, spec: Spec) -> None:
        place = _quoted(path)
        make = {
            FILE: _written(spec.content, path),
            FOLDER: f"mkdir {place}",
            LINK: f"ln -s -- {shlex.quote(spec.target)} {place}",
            FIFO: f"mkfifo {place}",
            DEVICE: f"mknod {place} {'bc'[spec.other % 2]} {spec.other} {spec.look * 1000}",
        }
        self.script.append(make[kind])
        self.kinds[path] = kind

    def _delete(self, path: str) -> None:
        self.script.append(f"rm -rf {_quoted(path)}")
        for below in [below for below in self.kinds if f"{below}/".startswith(f"{path}/")]:
            del self.kinds[below]

    def _may_go(self, path: str) -> bool:
        return not self.keeps_bytes or not any(
            _is_not_utf8(base) for base in self._of_base if f"{base}/".startswith(f"{path}/")
        )

    def _of_kind(self, *kinds: str) -> list[str]:
        return [path for path, kind in self.kinds.items() if path != "." and (not kinds or kind in kinds)]

    def _chosen(self, spec: Spec, *kinds: str) -> str:
        paths = self._of_kind(*kinds)
        return paths[spec.which % len(paths)] if paths else ""

    def _new_path(self, spec: Spec) -> str:
        folders = [path for path, kind in self.kinds.items() if kind == FOLDER]
        path = posixpath.normpath(posixpath.join(folders[spec.which % len(folders)], spec.name))
        return "" if path in self.kinds or len(os.fsencode(path)) > _LONGEST_PATH else path


@st.composite
def trees(draw: st.DrawFn, *, keeps_bytes: bool) -> Tree:
    """A tree with some edits."""
    tree = Tree(keeps_bytes)
    for spec in draw(st.lists(_SPECS, min_size=2, max_size=14)):
        tree.grow(spec)
    for spec in draw(st.lists(_SPECS, min_size=4, max_size=16)):
        tree.edit(spec)
    return tree


class Batch(tuple[Tree, ...]):
    """Trees of one commit."""

    def __repr__(self) -> str:
        # All of them would be a book.
        return f"<{len(self)} trees>"


@st.composite
def batches(draw: st.DrawFn, size: int, *, keeps_bytes: bool) -> Batch:
    """So many trees."""
    return Batch(draw(trees(keeps_bytes=keeps_bytes)) for _ in range(size))


def entries(trees: Batch) -> Iterator[Entry]:
    """What a base image holds of all trees: a folder ``tNUMBER`` each."""
    for number, tree in enumerate(trees):
        yield _entry(f"t{number}", ".", FOLDER, "", Spec(0, 0, 0, "", 1))
        for make in tree.base:
            yield make(f"t{number}")


def script_of(trees: Batch) -> bytes:
    """All edits in one script, which fails where one of them does."""
    lines = ["set -e"]
    for number, tree in enumerate(trees):
        lines += [f"cd /t{number}", *tree.script]
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def _entry(top: str, path: str, kind: str, original: str, spec: Spec) -> Entry:
    info = tarfile.TarInfo(posixpath.normpath(f"{top}/{path}"))
    info.type = tarfile.LNKTYPE if original else _TAR_TYPES[kind]
    info.mode, info.mtime = spec.mode, spec.time_s
    info.uid, info.gid = spec.owner
    content = spec.content.encode() if kind == FILE and not original else b""
    info.size = len(content)
    if original:
        info.linkname = f"{top}/{original}"
    elif kind == LINK:
        info.linkname, info.mode = spec.target, 0o777
    elif kind == DEVICE:
        info.devmajor, info.devminor = spec.other, spec.look * 1000
    return info, content


def _written(content: str, path: str) -> str:
    short = [command for command, text in _LONG.items() if text == content]
    return f"{short[0] if short else f'printf %s {shlex.quote(content)}'} > {_quoted(path)}"


def _quoted(path: str) -> str:
    return shlex.quote(f"./{path}")


def _is_not_utf8(text: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in text)
