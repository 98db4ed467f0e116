"""What is done to files in the containers of the tests: a folder of a base image, and scripts that change it.

The scripts name files relative to the folder that holds :func:`base_entries`, and run there.
"""

from __future__ import annotations

import tarfile

from doctor import Entry, entry


def folder(path: str, mode: int = 0o755) -> Entry:
    """A tar entry of a folder."""
    return entry(path, type=tarfile.DIRTYPE, mode=mode)


def symlink(path: str, target: str) -> Entry:
    """A tar entry of a symlink."""
    return entry(path, type=tarfile.SYMTYPE, linkname=target, mode=0o777)


def base_entries(prefix: str = "") -> list[Entry]:
    """What a base image holds for the scripts to change; ``prefix`` is ``""`` or ends with a slash."""
    b = f"{prefix}b"
    return [
        folder(b), entry(f"{b}/unchanged", b"unchanged"), entry(f"{b}/moved", b"moved"), entry(f"{b}/gone"),
        entry(f"{b}/hard1", b"two names"), entry(f"{b}/hard2", type=tarfile.LNKTYPE, linkname=f"{b}/hard1"),
        folder(f"{b}/dir"), entry(f"{b}/dir/child", b"child"), symlink(f"{b}/link", "dir"),
        entry(f"{b}/file", b"file"),
        folder(f"{b}/sub"), folder(f"{b}/sub/dir"), entry(f"{b}/sub/dir/child"),
        symlink(f"{b}/sub/link", "dir"),
        folder(f"{b}/dir2"), entry(f"{b}/dir2/child"), symlink(f"{b}/link2", "file"), entry(f"{b}/file2"),
        folder(f"{b}/tree"), folder(f"{b}/tree/deep"), entry(f"{b}/tree/deep/file"),
        symlink(f"{b}/dead", "/nowhere"), folder(f"{b}/moded"), folder(f"{b}/old", 0o711),
        folder(f"{b}/refilled"), entry(f"{b}/refilled/before"),
        folder(f"{b}/private", 0o700), entry(f"{b}/private/file", b"private"),
        entry(f"{b}/caf\udce9", b"bytes"),
    ]  # fmt: skip


CASES = {
    "F01 bytes": "printf 'a\\000\\377' > foo; : > empty; yes large | head -c 3000000 > large",
    "F05 a new name of a file of the base": """
        ln b/unchanged b/linked
        echo x > n1; ln n1 n2; ln n1 b/n3
    """,
    "F05-private a new name of a file in a folder of another mode": "ln b/private/file linked",
    "F05-bytes a new name of a file of the base, neither UTF-8": """
        d=$(printf 'b/in\\200'); mkdir "$d"; ln "$(printf 'b/caf\\351')" "$d/name"; ln "$d/name" "$d/too"
    """,
    "F06 one of two names of a file removed": "rm b/hard1",
    "F07 setuid and setgid": "for m in 4755 2755 6711; do touch m$m; chmod $m m$m; done",
    "F08 sticky": "mkdir -m 1777 sticky; mkdir -m 3770 sticky2; chmod 2755 b/moded",
    "F14 link targets": """
        ln -s rel/../x l1; ln -s /abs l2; ln -s nowhere b/l3; ln -s / l5
        ln -s "$(printf ' o\\ndd\\351->')" l4
    """,
    "F15 links and folders for one another": """
        cd b; rm link; mkdir link; echo x > link/x; rm -r dir; ln -s file dir
        cd sub; rm link; mkdir link; rm -r dir; ln -s .. dir
    """,
    "F16 deleted": "rm -r b/tree b/dead b/gone",
    "F17 other types for one another": """
        cd b; rm -r dir2; echo x > dir2; rm link2; echo x > link2
        rm file file2; ln -s x file; mkdir -p file2/x
    """,
    "F23 a folder's mode with a new child": "chmod 500 b/old; touch b/old/child",
    "F24 folders above a new file": "umask 027; mkdir -p x/y/z; chmod 711 x/y; touch x/y/z/file",
    "F25 no permissions": "echo x > none; mkdir -p nodir/x; chmod 0 none nodir b/unchanged",
    "F26 moved out of the base's folder": "mv b/moved moved",
    "F27 owners without a name": """
        touch owned; chown 54321:12345 owned; chown 9 b/sub
        ln -s x ol; chown -h 7:8 ol
    """,
    "F30 long paths": """
        n=$(printf %0200d 7); mkdir -p $n/$n; echo x > $n/$n/$n
        ln -s /$n/$n/$n long; ln $n/$n/$n $n/hard
    """,
    "F39 times": "touch -d '1999-12-31 23:59:59' past; touch -d '2037-01-01 00:00:01' future",
    "devices and pipes": "mkfifo -m 640 pipe; mknod null c 1 3; mknod block b 7 200",
    "F20 an emptied and refilled folder": "rm -r b/refilled; mkdir b/refilled; touch b/refilled/after",
    "V20 names": """
        mkdir names; cd names
        for n in -rf '*' ' x ' "$(printf '\\351')" "$(printf 'a\\nb')" 'a\\b' .x ...; do echo > "./$n"; done
    """,
}
