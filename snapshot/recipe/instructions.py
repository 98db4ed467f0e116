"""The instructions of a patch or a recipe, as values.

A *file edit* changes what stands in the image, a *run* executes a command in a container of what is there by
then, a *config edit* changes how containers of the image are started.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from snapshot.image.config_edits import ConfigEdits


@dataclass(frozen=True)
class LocalPath:
    """A file or folder on this machine, as the user wrote it; of a folder, what is in it is copied."""

    path: str


@dataclass(frozen=True)
class TarFile:
    """A tar, plain or compressed, whose members keep their owners, modes and times; ``-`` is stdin.

    ``sha256`` are the hex digits of what the file has to hold, empty where that is not known. Where there is
    ``content``, that is the tar, and ``path`` what it is called.
    """

    path: str
    sha256: str = ""
    content: bytes = b""


@dataclass(frozen=True)
class FileContent:
    """One file: its content, or where that is kept on this machine.

    ``name`` is what it is called where it is copied into a folder. ``mtime_s`` is in seconds since 1970,
    ``None`` for now. ``sha256`` are the hex digits that a kept content has to have.
    """

    name: str
    content: bytes | Path
    mode: int = 0o644
    mtime_s: int | None = None
    sha256: str = ""


#: Where the files of a copy come from.
Source = LocalPath | TarFile | FileContent


@dataclass(frozen=True)
class Copy:
    """Copy files to ``destination``, by the rules of a Dockerfile's COPY.

    ``owner`` is ``USER[:GROUP]``, by name or number, empty for root; ``mode`` is octal or symbolic
    (``0644``, ``u+x``), empty for that of the source. Both hold for all that is copied.
    """

    source: Source
    destination: str
    owner: str = ""
    mode: str = ""


@dataclass(frozen=True)
class AddText:
    """Make a file with that text, or put it in place of what the file holds, whose mode and owner stay.

    ``owner`` and ``mode``, where given, hold in any case.
    """

    path: str
    text: str
    owner: str = ""
    mode: str = ""


@dataclass(frozen=True)
class AppendText:
    """Write text at the end of a file; a newline is put between and after where there is none."""

    path: str
    text: str


@dataclass(frozen=True)
class ReplaceText:
    """Put ``new`` in the place of ``old``, which has to be there exactly once, unless ``all`` is set."""

    path: str
    old: str
    new: str
    all: bool = False


@dataclass(frozen=True)
class Remove:
    """Remove a file, a link itself, or a folder with all that is in it; it has to be there."""

    path: str


@dataclass(frozen=True)
class MakeFolder:
    """Make a folder, and those on the way; one that is there already is left as it is."""

    path: str
    owner: str = ""
    mode: str = ""


@dataclass(frozen=True)
class MakeSymlink:
    """Make a link with that text where nothing stands yet."""

    path: str
    target: str


@dataclass(frozen=True)
class ChangeMode:
    """Change the mode of what is there: octal, or symbolic as chmod(1) takes it."""

    path: str
    mode: str


@dataclass(frozen=True)
class ChangeOwner:
    """Change owner and group of what is there: ``USER``, ``USER:GROUP`` or ``:GROUP``, by name or number."""

    path: str
    owner: str


@dataclass(frozen=True)
class Run:
    """Run a command in a container: text for the image's shell, or a sequence of arguments.

    ``env_names`` are the variables that it needs besides the image's own; their values are given to who plays
    it, and are in no image. ``network`` is an engine's network mode, empty for its default. ``user`` and
    ``working_dir`` are empty where those of the image are to be in force.
    """

    command: str | tuple[str, ...]
    env_names: tuple[str, ...] = ()
    network: str = ""
    user: str = ""
    working_dir: str = ""


@dataclass(frozen=True)
class EditConfig:
    """Change the config of the image."""

    edits: ConfigEdits = field(default_factory=ConfigEdits)


#: Changes files without a container.
FileEdit = (
    Copy | AddText | AppendText | ReplaceText | Remove | MakeFolder | MakeSymlink | ChangeMode | ChangeOwner
)
Instruction = FileEdit | Run | EditConfig
