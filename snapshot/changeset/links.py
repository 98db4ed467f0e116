"""Following the links of an image inside the image."""

from __future__ import annotations

from snapshot.changeset.entry import FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.errors import InvalidInput

#: As Linux has it (path_resolution(7)).
MOST_LINKS = 40


def resolve(files: ImageFiles, path: str, *, follow_last: bool = True) -> str:
    """Where ``path`` leads in an image, its links followed as a process in a container would follow them.

    An absolute link begins at the image's ``/`` again, and ``..`` goes no further up than that. From a name
    that is not there on, all stays as it was written.

    Parameters
    ----------
    path:
        Absolute path in the image, normalised or not.
    follow_last:
        Whether a link at the end is followed as well.

    Raises :class:`~snapshot.errors.InvalidInput` for more than :data:`MOST_LINKS` links.
    """
    waiting = _parts(path)
    done: list[str] = []
    # So many of those are there; what is below nothing needs no look.
    there = 0
    followed = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            del done[-1:]
            there = min(there, len(done))
            continue
        done.append(part)
        if there < len(done) - 1 or not (waiting or follow_last):
            continue
        member = files.at("/" + "/".join(done))
        if member is None:
            continue
        if member.entry.type is not FileType.SYMLINK:
            there = len(done)
            continue
        followed += 1
        if followed > MOST_LINKS:
            raise InvalidInput(
                f"'{path}' leads nowhere in the image: its links go round in a circle.",
                "Name the place itself.",
            )
        target = member.entry.link_target
        if target.startswith("/"):
            done.clear()
            there = 0
        else:
            done.pop()
        waiting += _parts(target)
    return "/" + "/".join(done)


def _parts(path: str) -> list[str]:
    """The parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]
