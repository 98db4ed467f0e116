"""What a recipe names on this machine: files in its own folder, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from snapshot.errors import InvalidInput
from snapshot.recipe.toml_table import Table

#: A tar on stdin, in place of a file.
STDIN = "-"


class RecipeFiles(NamedTuple):
    """The folder of a recipe, and the name of the one in it where contents are kept; empty for none."""

    folder: Path
    contents: str = ""

    @classmethod
    def of(cls, folder: Path, top: Table) -> RecipeFiles:
        """As the recipe says with ``files``; raises :class:`~snapshot.errors.InvalidInput`."""
        return cls(folder, top.checked("files", plain_name, ""))

    def kept(self, name: str) -> Path:
        """The file of a content; raises :class:`~snapshot.errors.InvalidInput`.

        Whoever opens it follows no link, and holds what it reads against the digest: it can be another file
        by then.
        """
        folder = self.folder / self.contents
        path = folder / plain_name(name)
        if not self.contents:
            raise InvalidInput(
                "the recipe does not say in which folder its contents are",
                'Write files = "FOLDER" at its beginning.',
            )
        if _mode_of(folder) != stat.S_IFDIR:
            raise InvalidInput(f"there is no folder {str(folder)!r}", "It belongs beside the recipe.")
        if _mode_of(path) != stat.S_IFREG:
            raise InvalidInput(f"there is no file {name!r} in {str(folder)!r}")
        return path

    def local(self, path: str) -> str:
        """A path that is written in the recipe, from here; raises :class:`~snapshot.errors.InvalidInput`."""
        top = os.path.realpath(self.folder)
        written = Path(path)
        if not path or "\0" in path or written.is_absolute() or ".." in written.parts:
            raise InvalidInput(
                f"{path!r:.200} is no path below the recipe's folder", "A recipe reads nothing else."
            )
        found = os.path.realpath(os.path.join(top, path))  # noqa: PTH118
        if found != top and not found.startswith(f"{top.rstrip('/')}/"):
            raise InvalidInput(
                f"{path!r:.200} is a link that leads out of the recipe's folder",
                "A recipe reads nothing else.",
            )
        # Joined as text: a slash or `/.` at the end means something in a copy.
        return path if str(self.folder) == "." else f"{str(self.folder).rstrip('/')}/{path}"

    def tar(self, path: str) -> str:
        """As :meth:`local`; ``-`` is stdin."""
        return path if path == STDIN else self.local(path)


def plain_name(name: str) -> str:
    """The name of a file in some folder; raises :class:`~snapshot.errors.InvalidInput`."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name or len(name) > 255:
        raise InvalidInput(
            f"{name!r:.80} is not a plain name", "Contents lie in one folder beside the recipe."
        )
    return name


def _mode_of(path: Path) -> int:
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except (OSError, ValueError):
        return 0
