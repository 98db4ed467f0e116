"""Edits for ``snap patch``, and for each the script that does the same in a container.

Each case has a folder of its own in the base image, ``/NAME``, that holds :func:`entries_of`. In options,
``@`` stands for that folder; scripts run in it. Files to be copied are those of :func:`make_sources`, which a
container has at :data:`SOURCES`.
"""

from __future__ import annotations

import io
import os
import shlex
import socket
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from doctor import Entry, entry
from pairs import CAPABILITY

SOURCES = "/sources"
MTIME = 1_400_000_000  #: of what stands in the base: no new time, and not the one of an epoch's start
NOBODY = 65534
LONG = "n" * 255
#: Names that are trouble somewhere: in shells, terminals, tars, lists of an engine.
ODD_NAMES = (
    "caf\udce9", "\udcff\udcfe", "-rf", "--", " ", "two  words", "new\nline", "\ttab", "esc\x1b[2J", "'", '"',
    "$(id)", "`id`", "*", "?", "[a]", "back\\slash", "\\x41", "~", "...", ".hidden", "#", "ünï", "😀", "a:b",
    LONG, "é" * 127,
)  # fmt: skip
FILES_OF_BIG = 5000


def escaped(destination: str) -> str:
    """As it is written after the colon of ``--copy``."""
    return destination.replace(":", "\\:")


def _below_here(names: Iterable[str]) -> Iterator[str]:
    return (f"./{name}" for name in names)


class Case(NamedTuple):
    """Options of ``snap patch``, and the shell's way to do the same."""

    options: str
    script: str


def _far(depth: int) -> str:
    return "/".join([LONG] * depth)


#: By name of the folder.
CASES: dict[str, Case] = {
    # Text of files.
    "add-new": Case("--add-text @/new=hello --add-text @/empty=", "printf hello > new; : > empty"),
    "add-over": Case(
        "--add-text @/b/private/file=other --add-text @/b/owned/file=",
        "printf other > b/private/file; : > b/owned/file",
    ),
    "add-with": Case(
        """
        --add-text @/prog='#!/bin/sh' --chmod 4755 --chown nobody:7
        --add-text @/b/file=x --chmod u=rw,go= --chown 5
        """,
        """
        printf '#!/bin/sh' > prog; chown nobody:7 prog; chmod 4755 prog
        printf x > b/file; chown 5:5 b/file; chmod 600 b/file
        """,
    ),
    "add-text-with-signs": Case(
        "--add-text @/eq=a=b=>c= --add-text @/lines='1\n2\n' --add-text @/bytes='\udcff\udce9'",
        r"""printf 'a=b=>c=' > eq; printf '1\n2\n' > lines; printf '\377\351' > bytes""",
    ),
    "append": Case(
        "--append @/b/conf=more --append @/b/noend=more --append @/b/noend='again\n' --append @/b/empty=1",
        r"""echo more >> b/conf; printf '\nmore\nagain\n' >> b/noend; echo 1 >> b/empty""",
    ),
    "append-keeps": Case(
        "--append @/b/suid=x --append @/b/owned/file=x --append @/b/capable=x",
        r"""echo x >> b/suid; printf '\nx\n' >> b/owned/file; printf '\nx\n' >> b/capable""",
    ),
    "replace": Case(
        "--replace '@/b/conf=b=2=>b=3' --replace '@/b/noend=no=>' --replace '@/b/file=file=>two\nlines'",
        r"""sed -i s/b=2/b=3/ b/conf; printf end > b/noend; printf 'two\nlines' > b/file""",
    ),
    "replace-all": Case(
        "--replace '@/b/conf=a=1=>x' --all --replace '@/b/bytes=\udcff=>-' --all",
        r"""sed -i s/a=1/x/ b/conf; printf 'a-b-c' > b/bytes""",
    ),
    # Links on the way and at the end.
    "link-text": Case(
        """
        --append @/b/link2=1 --append @/b/absolute=2 --append @/b/chain1=3 --append @/b/above=4
        --append @/b/conf=5
        """,
        r"""
        printf '\n1\n' >> b/link2
        echo 2 >> b/absolute; echo 3 >> b/chain1; echo 4 >> b/above; echo 5 >> b/conf
        """,
    ),
    "link-dangling": Case("--add-text @/b/dangling=new", "printf new > b/dangling"),
    "link-folder": Case(
        """
        --append @/b/link/child=x --add-text @/b/absfolder/new=x --rm @/b/absfolder/child
        --mkdir @/b/link/sub/sub --copy file:@/b/link/named --copy file:@/b/link
        --symlink @/b/link/sub/l=.. --chmod @/b/link/sub=700
        """,
        r"""
        printf '\nx\n' >> b/link/child; printf x > b/absfolder/new; rm b/absfolder/child
        mkdir -p b/link/sub/sub; put file b/dir/named; put file b/dir/file; ln -s .. b/link/sub/l
        chmod 700 b/link/sub
        """,
    ),
    "link-mode": Case(
        "--chmod @/b/link2=711 --chown @/b/link2=3:4 --chmod @/b/link=500 --chown @/b/link=3",
        "chown 3:4 b/link2; chmod 711 b/link2; chown 3 b/link/.; chmod 500 b/link",
    ),
    "link-removed": Case("--rm @/b/link --rm @/b/link2 --rm @/b/dead", "rm b/link b/link2 b/dead"),
    "link-in-place": Case(
        """
        --rm @/b/link --mkdir @/b/link --add-text @/b/link/x=1
        --rm @/b/dir --symlink @/b/dir=sub --add-text @/b/dir/x=1
        """,
        "rm b/link; mkdir b/link; printf 1 > b/link/x; rm -r b/dir; ln -s sub b/dir; printf 1 > b/dir/x",
    ),
    "link-above": Case(
        """
        --symlink @/up=../../../../../.. --add-text @/up/link-above/far=x
        --add-text @/up/../../link-above/b/../near=y
        """,
        "ln -s ../../../../../.. up; printf x > far; printf y > near",
    ),
    "link-new": Case(
        """
        --symlink @/l1=nowhere --symlink @/l2=/ --symlink @/l3=' o\ndd\udce9=>' --symlink @/l4=a=b
        --symlink @/-l=-
        """,
        r"""
        ln -s nowhere l1; ln -s / l2; ln -s "$(printf ' o\ndd\351=>')" l3; ln -s a=b l4; ln -s -- - ./-l
        """,
    ),
    # Removing.
    "rm": Case(
        "--rm @/b/tree --rm @/b/file --rm @/b/fifo --rm @/b/empties/",
        "rm -r b/tree b/file b/fifo b/empties",
    ),
    "rm-hard": Case("--rm @/b/hard1", "rm b/hard1"),
    "rm-bytes": Case("--rm '@/b/caf\udce9' --rm @/b/bytesdir", "rm -r b/caf* b/bytesdir"),
    "rm-all": Case("--rm @/b", "rm -r b"),
    # Folders.
    "mkdir": Case(
        """
        --mkdir @/new --mkdir @/deep/er/still --mkdir @/b/dir
        --mkdir @/m --chmod 1770 --chown nobody:nogroup
        """,
        "mkdir -p new deep/er/still; mkdir m; chown nobody:nogroup m; chmod 1770 m",
    ),
    "mkdir-deep": Case(
        f"--mkdir @/{'/'.join('d' * 200)} --add-text @/{_far(3)}/x=y",
        f"mkdir -p {'/'.join('d' * 200)} {_far(3)}; printf y > {_far(3)}/x",
    ),
    "parents": Case(
        """
        --add-text @/b/owned/new=x --mkdir @/b/private/new --copy file:@/b/owned/more/down/file
        --append @/b/old/child=1
        """,
        """
        printf x > b/owned/new; mkdir -p b/private/new b/owned/more/down; put file b/owned/more/down/file
        echo 1 >> b/old/child
        """,
    ),
    # Modes and owners.
    "chmod": Case(
        """
        --chmod @/b/file=4711 --chmod @/b/file2=0 --chmod @/b/dir=u-x,g+ws --chmod @/b/tree=7777
        --chmod @/b/suid=a-s,a+x --chmod @/b/conf=u=rwX,go=u-w --chmod @/b/fifo=600 --chmod @/b/capable=700
        --chmod @/b/private=+t
        """,
        """
        chmod 4711 b/file; chmod 0 b/file2; chmod u-x,g+ws b/dir; chmod 7777 b/tree; chmod a-s,a+x b/suid
        chmod u=rwX,go=u-w b/conf; chmod 600 b/fifo; chmod 700 b/capable; chmod +t b/private
        """,
    ),
    "chown": Case(
        """
        --chown @/b/file=nobody --chown @/b/file2=nobody:nogroup --chown @/b/dir=:7
        --chown @/b/conf=54321:12345 --chown @/b/suid=1:1 --chown @/b/capable=1 --chown @/b/fifo=2
        --chown @/b/sticky=0:5
        """,
        """
        chown nobody b/file; chown nobody:nogroup b/file2; chown :7 b/dir; chown 54321:12345 b/conf
        chown 1:1 b/suid; chown 1 b/capable; chown 2 b/fifo; chown 0:5 b/sticky
        """,
    ),
    "same-again": Case(
        "--chmod @/b/file=644 --chown @/b/file=0:0 --chmod @/b/dir=755 --mkdir @/b/dir --chown @/b/tree=0",
        "chmod 644 b/file; chmod 755 b/dir; mkdir -p b/dir",
    ),
    # One name of several.
    "hard-edited": Case("--append @/b/hard1=x", r"printf '\nx\n' >> b/hard1"),
    "hard-moded": Case("--chmod @/b/hard2=600", "chmod 600 b/hard2"),
    "hard-replaced": Case("--copy file:@/b/hard2", "rm b/hard2; put file b/hard2"),
    # Copies of one file.
    "copy-file": Case(
        """
        --copy file:@/new --copy file:@/x/y/z --copy file:@/into/ --copy file:@/b/dir --copy prog:@/prog
        --copy linked:@/from-link --copy file:@/b/file
        """,
        """
        mkdir -p x/y into; put prog prog
        for path in new x/y/z into/file b/dir/file from-link b/file; do put file $path; done
        """,
    ),
    "copy-through-links": Case(
        """
        --copy file:@/b/link2 --copy file:@/b/dangling --copy file:@/b/above --copy tree:@/b/absfolder
        --copy file:@/b/link/
        """,
        """
        rm b/file b/conf; for path in b/file b/made b/conf b/dir/file; do put file $path; done
        cp -a /sources/tree/. b/dir; chmod 755 b/dir
        """,
    ),
    "copy-with": Case(
        """
        --copy file:@/a --chown nobody --copy file:@/b1 --chown 1000
        --copy file:@/c --chown 3:4 --chmod 4755 --copy prog:@/d --chown 1:2 --copy prog:@/e --chmod go-rx
        --copy file:@/f --chown 0:nogroup --chmod 0
        """,
        """
        for p in a b1 c f; do put file $p; done; put prog d; put prog e
        chown nobody:nogroup a; chown 1000:1000 b1; chown 3:4 c; chmod 4755 c
        chown 1:2 d; chmod 4755 d; chmod go-rx e; chown 0:nogroup f; chmod 0 f
        """,
    ),
    "copy-twice": Case("--copy prog:@/1 --copy prog:@/2 --copy file:@/2", "put prog 1; put file 2"),
    "copy-names": Case("--copy names:@/", "cp -a /sources/names/. ."),
    # Copies of folders.
    "copy-folder": Case("--copy tree:@/new/", "mkdir new; cp -a /sources/tree/. new; chmod 755 new"),
    "copy-into": Case(
        "--copy tree:@/b --copy linkedtree:@/b/tree",
        """
        for to in b b/tree; do
            ( cd $to; rm -f f hard1 link dead fifo ); cp -a /sources/tree/. $to; chmod 755 $to
        done
        """,
    ),
    "copy-folder-with": Case(
        "--copy tree:@/new --chown 8:9 --chmod g+w",
        """
        mkdir new; cp -a /sources/tree/. new; chown -hR 8:9 new; chmod 2755 new/.hidden; chmod 755 new
        find new -mindepth 1 ! -type l -exec chmod g+w {} +
        """,
    ),
    "copy-empty": Case("--copy tree/hollow:@/new --copy tree/hollow:@/b/dir", "mkdir new"),
    "copy-big": Case("--copy big:@/big", "mkdir big; cp -a /sources/big/. big; chmod 755 big"),
    "copy-tar": Case("--copy -:@/t/sub", "mkdir -p t/sub; tar xpf /sources/some.tar -C t/sub"),
    # Paths from the workdir, which is this folder's.
    "workdir": Case(
        """
        --append b/noend=x --copy file:sub/ --copy file:. --rm ./b/../b/file --mkdir ../workdir/n
        --copy tree/sub:./s
        """,
        r"""
        printf '\nx\n' >> b/noend; mkdir sub n s; put file sub/file; put file file; rm b/file
        cp -a /sources/tree/sub/. s; chmod 755 s
        """,
    ),
    # Orders that matter.
    "made-and-gone": Case(
        """
        --mkdir @/b/dir/n --copy tree:@/b/dir/n --rm @/b/dir/n --add-text @/b/old/x=1 --rm @/b/old/x
        """,
        ":",
    ),
    "made-and-half-gone": Case(
        """
        --mkdir @/n --copy tree:@/n --rm @/n/sub --chmod @/n/f=600 --append @/n/f=more
        --rm @/n/link --mkdir @/n/link
        """,
        """
        mkdir n; cp -a /sources/tree/. n; chmod 755 n; rm -r n/sub n/link; chmod 600 n/f; echo more >> n/f
        mkdir n/link
        """,
    ),
    "gone-and-made": Case(
        """
        --rm @/b/conf --add-text @/b/conf=new --rm @/b/private --mkdir @/b/private
        --rm @/b/suid --copy file:@/b/suid
        """,
        "rm -r b/conf b/private; printf new > b/conf; mkdir b/private; rm b/suid; put file b/suid",
    ),
    "gone-and-refilled": Case(
        """
        --rm @/b --mkdir @/b --add-text @/b/file=x --copy tree:@/b/tree --mkdir @/b/dir
        --symlink @/b/sub=tree
        """,
        """
        rm -r b; mkdir b; printf x > b/file; mkdir b/tree b/dir; cp -a /sources/tree/. b/tree
        chmod 755 b/tree; ln -s tree b/sub
        """,
    ),
    "types": Case(
        """
        --rm @/b/tree --add-text @/b/tree=x --rm @/b/file --copy tree:@/b/file
        --rm @/b/dir --symlink @/b/dir=sub --rm @/b/fifo --mkdir @/b/fifo/x
        """,
        """
        rm -r b/tree b/dir; rm b/file b/fifo; printf x > b/tree; mkdir -p b/file b/fifo/x
        cp -a /sources/tree/. b/file; chmod 755 b/file; ln -s sub b/dir
        """,
    ),
    "there-and-back": Case(
        """
        --rm @/b/dir --add-text @/b/dir=x --rm @/b/dir --mkdir @/b/dir
        --rm @/b/link --mkdir @/b/link --rm @/b/link --symlink @/b/link=dir --add-text @/b/link/n=1
        """,
        "rm -r b/dir; mkdir b/dir; printf 1 > b/dir/n",
    ),
    "text-in-order": Case(
        """
        --add-text @/f=one --append @/f=two --replace '@/f=one\ntwo=>three' --append @/f=one
        --replace @/f=one=>1 --chmod @/f=755 --chown @/f=1 --add-text @/f=all
        """,
        "printf all > f; chown 1 f; chmod 755 f",
    ),
    "mode-then-copy": Case(
        """
        --chmod @/b/file=4777 --chown @/b/file=nobody --copy file:@/b/file
        --chmod @/b/dir=700 --copy tree:@/b/dir
        """,
        "rm b/file; put file b/file; cp -a /sources/tree/. b/dir; chmod 700 b/dir",
    ),
    "copied-then-linked": Case(
        """
        --copy tree:@/t --append @/t/hard1=x --symlink @/t/to=@/b --add-text @/t/to/n=1 --rm @/t/to
        """,
        "mkdir t; cp -a /sources/tree/. t; chmod 755 t; echo x >> t/hard1; printf 1 > b/n",
    ),
    "odd-texts": Case(
        " ".join(f"--add-text {shlex.quote(f'@/{name}')}=x" for name in ODD_NAMES),
        "\n".join(f"printf x > {quoted}" for quoted in map(shlex.quote, _below_here(ODD_NAMES))),
    ),
    "odd-folders": Case(
        " ".join(f"--copy file:{shlex.quote(f'@/{escaped(name)}/in/it')}" for name in ODD_NAMES),
        "\n".join(f"mkdir -p {q}/in; put file {q}/in/it" for q in map(shlex.quote, _below_here(ODD_NAMES))),
    ),
}  # fmt: skip
#: Beside the folders, where every image has something.
AT_THE_ROOT = Case(
    """
    --add-text /new=x --mkdir /tmp/n --append /etc/services=x --rm /bin/wc --chmod /bin=711
    --copy file:/bin/ --add-text /../../clamped=x --chown /root=3
    --append /etc/passwd=me:x:77:78::/:/bin/sh --chown /new=me
    """,
    "printf x > /new; mkdir /tmp/n; echo x >> /etc/services; rm /bin/wc; chmod 711 /bin; put file /bin/file\n"
    "printf x > /clamped; chown 3 /root; echo me:x:77:78::/:/bin/sh >> /etc/passwd; chown me /new",
)
#: For the container: copies one file as COPY does, to the path given.
PUT = 'put() { rm -f "$2"; cp -p "/sources/$1" "$2"; chown 0:0 "$2"; test $1 != prog || chmod 4755 "$2"; }\n'


def options() -> list[str]:
    """All options, in order."""
    words = []
    for name, case in CASES.items():
        words += [word.replace("@", f"/{name}") for word in shlex.split(case.options)]
    return words + shlex.split(AT_THE_ROOT.options)


def script() -> str:
    """All scripts, in order."""
    parts = [f"( cd /{name}\n{case.script} )" for name, case in CASES.items()]
    return PUT + "\n".join([*parts, f"( {AT_THE_ROOT.script} )"]) + "\n"


def entries() -> Iterator[Entry]:
    """What the base image holds for all cases."""
    yield _folder(SOURCES.strip("/"))
    for name in CASES:
        yield _folder(name)
        yield from entries_of(name)


def entries_of(name: str) -> Iterator[Entry]:
    """What a case's folder holds."""
    b = f"{name}/b"
    capable = {"SCHILY.xattr.security.capability": CAPABILITY.decode("ascii")}
    files: list[tuple[str, bytes, dict[str, Any]]] = [
        ("file", b"file", {}), ("file2", b"2", {}), ("conf", b"a=1\nb=2\na=1\n", {}),
        ("noend", b"noend", {}), ("empty", b"", {}), ("bytes", b"a\xffb\xffc", {}), ("hard1", b"names", {}),
        ("caf\udce9", b"", {}), ("suid", b"#!\n", {"mode": 0o6755}), ("dir/child", b"child", {}),
        ("capable", b"#!", {"mode": 0o755, "pax_headers": capable}), ("tree/deep/file", b"deep", {}),
        ("private/file", b"private", {"mode": 0o600}), ("bytesdir/\udcff", b"", {}),
        ("owned/file", b"owned", {"mode": 0o640, "uid": NOBODY, "gid": 7}),
        ("old/child", b"", {"mode": 0o400}),
    ]  # fmt: skip
    folders: dict[str, dict[str, int]] = {
        "": {}, "dir": {}, "sub": {}, "tree": {}, "tree/deep": {}, "private": {"mode": 0o700},
        "old": {"mode": 0o711}, "owned": {"mode": 0o700, "uid": NOBODY, "gid": NOBODY}, "empties": {},
        "bytesdir": {}, "sticky": {"mode": 0o3770},
    }  # fmt: skip
    links = {
        "link": "dir", "link2": "file", "dead": "/nowhere", "dangling": "made", "absolute": f"/{b}/conf",
        "absfolder": f"/{b}/dir", "chain1": "sub/../chain2", "chain2": f"/{b}/chain3", "chain3": "./conf",
        "above": f"../../../../../..//{b}/conf",
    }  # fmt: skip
    for path, fields in folders.items():
        yield _folder(f"{b}/{path}".rstrip("/"), **fields)
    for path, content, fields in files:
        yield entry(f"{b}/{path}", content, **{"mtime": MTIME, **fields})
    for path, target in links.items():
        yield entry(f"{b}/{path}", type=tarfile.SYMTYPE, linkname=target, mode=0o777, mtime=MTIME)
    yield entry(f"{b}/hard2", type=tarfile.LNKTYPE, linkname=f"{b}/hard1", mtime=MTIME)
    yield entry(f"{b}/fifo", type=tarfile.FIFOTYPE, mode=0o644, mtime=MTIME)


def make_sources(top: Path, *, big: bool = True) -> Path:
    """Make the files that are copied, below a folder; returns it."""
    tree = top / "tree"
    for folder in (tree / "sub", tree / "hollow", top / "names"):
        folder.mkdir(parents=True)
    for path, mode, mtime in (
        ("file", 0o640, 1_500_000_000), ("prog", 0o4755, 999_999_999), ("tree/f", 0o600, 1),
        ("tree/sub/x", 0o444, 86_400), ("tree/hard1", 0o644, 1_300_000_000), ("tree/sub/s", 0o1644, 0),
        ("tree/.hidden", 0o2755, 1_300_000_001),
    ):  # fmt: skip
        _write(top / path, f"{path}\n".encode(), mode, mtime)
    os.link(tree / "hard1", tree / "sub/hard2")
    for link, target in {
        "linked": "file",
        "linkedtree": "tree",
        "tree/link": "sub/x",
        "tree/dead": "/etc/passwd",
    }.items():
        (top / link).symlink_to(target)
    os.mkfifo(tree / "fifo", 0o600)
    (tree / "hollow").chmod(0o711)
    (tree / "sub").chmod(0o2750)
    for name in ODD_NAMES:
        _write(top / "names" / name, os.fsencode(name), 0o644, 1_000_000_000)
    os.chown(top / "file", 1000, 1000)
    for number in range(FILES_OF_BIG if big else 0):
        folder = top / f"big/{number % 50:02}"
        folder.mkdir(parents=True, exist_ok=True)
        _write(
            folder / f"f{number}",
            b"%d\n" % number * (number % 7),
            0o400 + number % 0o400,
            1_000_000 * (1 + number % 900),
        )
    (top / "some.tar").write_bytes(some_tar())
    return top


def make_socket(path: Path) -> None:
    """A socket at a path: no copy takes it along."""
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            listening.bind(path.name)
        finally:
            os.chdir(here)


def some_tar() -> bytes:
    """A tar with owners, modes, times and links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in (
            _folder("d", mode=0o750, uid=1000, gid=100),
            entry("d/owned", b"owned", uid=NOBODY, gid=54321, mode=0o600, mtime=1_200_000_000),
            entry("d/suid", b"#!", mode=0o4755, mtime=1_200_000_001, uid=7),
            entry("./no/parents", b"x", mtime=1_200_000_002),
            entry("d/link", type=tarfile.SYMTYPE, linkname="/etc/passwd", mode=0o777),
            entry("d/name", type=tarfile.LNKTYPE, linkname="d/owned"),
            entry("d/caf\udce9", b"bytes", mtime=1_200_000_003),
        ):
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _folder(path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    return entry(path, type=tarfile.DIRTYPE, mode=mode, mtime=MTIME, uid=uid, gid=gid)


def _write(path: Path, content: bytes, mode: int, mtime: int) -> None:
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, (mtime, mtime))
