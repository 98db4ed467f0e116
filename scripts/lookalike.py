"""Make base images where no registry can be reached: busybox and a few files, imported.

``python scripts/lookalike.py [NAME]`` makes a look-alike of ``diamol/ch03-lab`` on the engine that snap
would choose, and prints its ID. The tests import the functions for images of their own.
"""

from __future__ import annotations

import argparse
import io
import json
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import docker
import docker.errors

from snapshot.engine.connection import connect
from snapshot.engine.endpoint import choose_endpoint
from snapshot.errors import SnapError

BUSYBOX = Path("/bin/busybox")
MTIME = 1_577_836_800  #: of every path in the image (2020-01-01): the same files give the same layer
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_ACCOUNTS = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
}


class BusyboxMissing(Exception):
    """No busybox is here that would run inside an image."""


def find_busybox(path: Path = BUSYBOX) -> Path:
    """Return the path of the static busybox, or raise `BusyboxMissing`."""
    try:
        program = path.read_bytes()
    except OSError:
        raise BusyboxMissing(f"{path} is missing: install the package busybox-static") from None
    if _is_dynamic(program):
        raise BusyboxMissing(f"{path} needs libraries: install the package busybox-static in its place")
    return path


def _is_dynamic(program: bytes) -> bool:
    """Tell whether an ELF program names a loader (a PT_INTERP header), and so needs libraries."""
    if program[:4] != b"\x7fELF":
        return True  # a script, which needs even more
    is_64bit = program[4] == 2
    order = "<" if program[5] == 1 else ">"
    (table,) = struct.unpack_from(order + ("Q" if is_64bit else "I"), program, 32 if is_64bit else 28)
    entry_size, count = struct.unpack_from(order + "HH", program, 54 if is_64bit else 42)
    pt_interp = 3
    return any(
        struct.unpack_from(order + "I", program, table + index * entry_size)[0] == pt_interp
        for index in range(count)
    )


def root_tar(
    files: Mapping[str, bytes] | None = None,
    *,
    extra: Iterable[tuple[tarfile.TarInfo, bytes]] = (),
) -> bytes:
    """Return an uncompressed tar of a root folder: busybox, its links, accounts, ``/tmp``, the given files.

    Parameters
    ----------
    files:
        Content by path; the folders above are made, a leading slash makes no difference. A path that is here
        already, such as ``/etc/passwd``, is replaced.
    extra:
        Entries of any other sort (links, devices, other modes), written last and as they are.
    """
    busybox = find_busybox()
    listed = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout
    applets = sorted(set(listed.split()) - {"busybox"})
    contents = _ACCOUNTS | {path.lstrip("/"): content for path, content in (files or {}).items()}

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        folders = {"bin", "root"}
        for path in contents:
            folders.update(str(parent) for parent in PurePosixPath(path).parents if parent.name)
        for folder in sorted(folders - {"tmp"}):
            tar.addfile(_entry(folder, tarfile.DIRTYPE, 0o755))
        tar.addfile(_entry("tmp", tarfile.DIRTYPE, 0o1777))
        _add_file(tar, _entry("bin/busybox", mode=0o755), busybox.read_bytes())
        for applet in applets:
            link = _entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777)
            link.linkname = "/bin/busybox"
            tar.addfile(link)
        for path, content in sorted(contents.items()):
            _add_file(tar, _entry(path), content)
        for entry, content in extra:
            _add_file(tar, entry, content)
    return out.getvalue()


def _entry(path: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.mtime = kind, mode, MTIME
    return entry


def _add_file(tar: tarfile.TarFile, entry: tarfile.TarInfo, content: bytes) -> None:
    if entry.isreg():
        entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def import_image(client: docker.APIClient, name: str, tar: bytes, changes: Sequence[str] = ()) -> str:
    """Import a root folder as an image of one layer, and return the image's ID.

    Parameters
    ----------
    client:
        The engine.
    name:
        The image's name, with or without a tag.
    tar:
        The root folder.
    changes:
        Dockerfile instructions for the image's config, such as ``WORKDIR /diamol``.
    """
    repository, _, tag = name.rpartition(":")
    if not repository or "/" in tag:  # no tag; the colon, if any, is before a registry's port
        repository, tag = name, "latest"
    answer = client.import_image_from_data(tar, repository, tag, changes=list(changes))
    # A stream of JSON lines; a failure comes in it too, since the status was sent before.
    lines = [json.loads(line) for line in answer.splitlines() if line.strip()]
    for line in lines:
        if "error" in line:
            raise docker.errors.ImageLoadError(line["error"])
    return str(lines[-1]["status"])


def make_ch03_lab(
    client: docker.APIClient, name: str = "diamol/ch03-lab:latest", *, padding: bytes = b""
) -> str:
    """Make the look-alike of ``diamol/ch03-lab``, and return its ID.

    The real one is Alpine with the same file: it ends without a line end, for the lab to add the name.
    ``padding`` of zeros makes another layer of the same files: no image shares it that has another padding.
    """
    tar = root_tar({"/diamol/ch03.txt": b"Lab solution, by: "}) + padding
    return import_image(client, name, tar, ["WORKDIR /diamol", 'CMD ["/bin/sh"]', f"ENV PATH={PATH}"])


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(
        description="Make a look-alike of diamol/ch03-lab of busybox, on the engine that snap would choose; "
        "print its ID. An image of that name is left as it is.",
    )
    parser.add_argument("name", nargs="?", default="diamol/ch03-lab:latest", help="[%(default)s]")
    parser.add_argument("--check", action="store_true", help="only see whether there is a busybox for it")
    arguments = parser.parse_args()
    try:
        find_busybox()
        if not arguments.check:
            client = connect(choose_endpoint())
            if client.images(arguments.name):
                raise SnapError(f"The image {arguments.name} is here already.")
            print(make_ch03_lab(client, arguments.name))
    except (BusyboxMissing, SnapError, docker.errors.DockerException) as error:
        print(f"lookalike.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
