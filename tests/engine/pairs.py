"""Two containers of one image in which the same is done: one for the engine's own commit, one for snap's."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sandbox import Sandbox
from trees import Node, never_started, tree_of

#: ``cap_net_bind_service=ep``: a ``struct vfs_cap_data`` of the kernel (``linux/capability.h``).
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
_CAPABILITY_RECORD = {"SCHILY.xattr.security.capability": CAPABILITY.decode("ascii")}


@dataclass(frozen=True)
class Pair:
    """Two containers, by name."""

    space: Sandbox
    for_engine: str
    for_snap: str

    @property
    def both(self) -> tuple[str, str]:
        """Their names."""
        return self.for_engine, self.for_snap

    def sh(self, script: str) -> None:
        """Run a script in both."""
        for box in self.both:
            self.space.sh(box, script)

    def put_capable(self, *paths: str) -> None:
        """Make an executable file with a capability in both, at each path."""
        for box in self.both:
            assert self.space.client.put_archive(box, "/", archive_of_capable(*paths))

    def trees(self, *options: str, stem: str = "") -> tuple[dict[str, Node], dict[str, Node]]:
        """Commit both, and give the files of the two images; ``options`` are of ``snap commit``.

        What was written since the test began has no time: it was not written at once in both.
        """
        by_engine, by_snap = self.space.name(f"by-engine{stem}"), self.space.name(f"by-snap{stem}")
        self.space.client.commit(self.for_engine, by_engine)
        self.space.snap("commit", *options, self.for_snap, by_snap)
        return tree_of_image(self.space, by_engine), tree_of_image(self.space, by_snap)


def started_pair(
    space: Sandbox, image: str, stem: str = "box", *, binds: Sequence[str] = (), tty: bool = False
) -> Pair:
    """Two running containers of an image."""
    pair = Pair(space, space.name(f"{stem}-e"), space.name(f"{stem}-s"))
    for name in pair.both:
        start(space, image, name, binds=binds, tty=tty)
    return pair


def start(space: Sandbox, image: str, name: str, *, binds: Sequence[str] = (), tty: bool = False) -> None:
    """Start a container that sleeps, with no help of snap's."""
    config = space.client.create_host_config(network_mode="none", binds=list(binds))
    space.client.create_container(image, ["sleep", "600"], name=name, host_config=config, tty=tty)
    space.client.start(name)


def tree_of_image(space: Sandbox, image: str) -> dict[str, Node]:
    """The files of an image, without the times of those that the test itself wrote."""
    with never_started(space.client, image, space.name("look")) as look:
        return without_new_times(tree_of(space.client, look))


def without_new_times(tree: Mapping[str, Node]) -> dict[str, Node]:
    """The tree with no times between the newest of a base image's files and a far future."""
    return {
        path: replace(node, mtime=0) if 1_700_000_000 < node.mtime < 2_100_000_000 else node
        for path, node in tree.items()
    }


def differing(
    left: Mapping[str, Node],
    right: Mapping[str, Node],
    *,
    but: Callable[[Node, Node], bool] = lambda _left, _right: False,
) -> dict[str, dict[str, tuple[Any, Any]]]:
    """The paths at which two trees are not the same, with what is not the same there, left and right.

    ``but`` says which differences are none.
    """
    nothing: dict[str, Any] = dict.fromkeys(field.name for field in fields(Node))
    found = {}
    for path in sorted(left.keys() | right.keys()):
        one, other = left.get(path), right.get(path)
        if one == other or (one and other and but(one, other)):
            continue
        ones, others = (vars(node) if node else nothing for node in (one, other))
        found[path] = {key: (ones[key], others[key]) for key in ones if ones[key] != others[key]}
    return found


def archive_of_capable(*paths: str) -> bytes:
    """A tar of executable files that have a capability."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths:
            info = tarfile.TarInfo(path.strip("/"))
            info.mode, info.size, info.pax_headers = 0o755, 2, _CAPABILITY_RECORD
            tar.addfile(info, io.BytesIO(b"#!"))
    return out.getvalue()
