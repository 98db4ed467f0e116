"""What a verification finds, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snapshot.changeset.paths import absolute
from snapshot.changeset.source import FileSource
from snapshot.engine.types import Image


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: what, whether it is as it should be, and what was seen."""

    subject: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Subject:
    """The image that is checked, with its files and a way to run a command in it.

    ``run`` takes arguments and seconds, and returns exit status and stdout.
    """

    image: Image
    files: Callable[[], FileSource]
    run: Callable[[tuple[str, ...], float], tuple[int, bytes]]

    def path(self, path: str) -> str:
        """``path`` from the image's working directory."""
        return absolute(path, self.image.config.working_dir)
