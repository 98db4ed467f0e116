"""A Dockerfile that makes an image of its base and of an archive with what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from snapshot.image.dockerfile_config import MOST_LINE_BYTES, exec_form
from snapshot.journal.printable import printable

#: What the archive is called that stands beside the Dockerfile.
CHANGES_FILE = "changes.tar"

#: Names to be deleted: of one RUN, and of all. The commands stand in the image's history too, and an engine
#: takes no config of more than 4 MiB (Podman).
_MOST_RUN_BYTES = 256 << 10
_MOST_NAME_BYTES = 1 << 20

# For names that are no text, and so cannot be in a list of JSON: %b reads \0351 (POSIX printf). The dot keeps
# line ends at the end of a name.
_REMOVE_QUOTED = 'for name do name=$(printf "%b." "$name") && {rm} -rf -- "${{name%.}}" || exit 1; done'


class TooManyDeletions(ValueError):
    """The names of what is to be deleted are too long for the commands of a Dockerfile."""


class Removal(NamedTuple):
    """What is to be deleted, and the programs of the base that can do it.

    ``rm`` and ``shell`` are absolute paths; the shell is needed only for names that are no UTF-8.
    ``last`` are paths that other commands need: what stands at or above them is deleted last.
    """

    paths: tuple[str, ...] = ()
    rm: str = "/bin/rm"
    shell: str = "/bin/sh"
    last: tuple[str, ...] = ()


class DockerfileParts(NamedTuple):
    """What a Dockerfile is written of.

    Attributes
    ----------
    base:
        What stands after FROM.
    platform:
        Of the base, where a builder would not take it by itself; else empty.
    removal:
        What is deleted of the base.
    has_changes:
        Whether there is an archive to unpack.
    as_root:
        Whether the user has to be set to root first, for deleting.
    instructions:
        For the config, each as the lines that it takes.
    heading, steps, notes:
        For comments: what it is, what was done, and what is not the same. A line each, made printable here.
    """

    base: str
    platform: str = ""
    removal: Removal = Removal()
    has_changes: bool = True
    as_root: bool = False
    instructions: Sequence[str] = ()
    heading: Sequence[str] = ()
    steps: Sequence[str] = ()
    notes: Sequence[str] = ()


def is_text(path: str) -> bool:
    r"""Whether a name is UTF-8; bytes that are not are surrogate escapes.

    >>> is_text("/caf\udce9")
    False
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def dockerfile(parts: DockerfileParts) -> str:
    """The text of the Dockerfile. Raises :class:`TooManyDeletions`.

    The first line is a comment of ours, so no later one is taken for a directive of the builder's.
    """
    return "".join(f"{line}\n" for line in _lines(parts))


def _lines(parts: DockerfileParts) -> Iterator[str]:
    yield from _comments("Made by snap export.")
    for line in parts.heading:
        yield from _comments(line)
    if parts.steps:
        yield from _comments("", "What was done, oldest first:")
        for step in parts.steps:
            yield from _comments(f"  {step}")
    if parts.notes:
        yield from _comments("", "What this file cannot say:")
        for note in parts.notes:
            yield from _comments(f"  {note}")
    yield ""
    yield f"FROM --platform={parts.platform} {parts.base}" if parts.platform else f"FROM {parts.base}"
    commands = list(_commands(parts.removal))
    if commands and parts.as_root:
        yield "USER 0"
    yield from commands
    if parts.has_changes:
        yield ""
        yield from _comments(
            "What was added or changed: ADD unpacks the archive, with modes, owners, times and links."
            " (COPY would make root the owner of all.)"
        )
        yield f"ADD {CHANGES_FILE} /"
    if parts.instructions:
        yield ""
        yield from parts.instructions


def _comments(*lines: str) -> Iterator[str]:
    for line in lines:
        text = printable(line)
        # Counted as if each character were four bytes, the longest that there are.
        most = MOST_LINE_BYTES // 4 - 4
        yield f"# {text if len(text) <= most else text[: most - 1] + '…'}".rstrip()


def _commands(removal: Removal) -> Iterator[str]:
    if sum(len(path.encode("utf-8", "surrogateescape")) for path in removal.paths) > _MOST_NAME_BYTES:
        raise TooManyDeletions
    plain = [path for path in removal.paths if is_text(path)]
    others = [_for_printf(path) for path in removal.paths if not is_text(path)]
    script = _REMOVE_QUOTED.format(rm=removal.rm)
    for names in _parted(others):
        yield _run([removal.shell, "-c", script, "rm"], names)
    plain.sort(key=lambda path: any(f"{needed}/".startswith(f"{path}/") for needed in removal.last))
    for names in _parted(plain):
        yield _run([removal.rm, "-rf", "--"], names)


def _parted(names: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size_bytes = 0
    for name in names:
        size_bytes += len(name.encode()) + 16
        if part and size_bytes > _MOST_RUN_BYTES:
            yield part
            part, size_bytes = [], len(name.encode()) + 16
        part.append(name)
    if part:
        yield part


def _run(words: Sequence[str], names: Sequence[str]) -> str:
    """A RUN with a name a line: together they can be longer than a line may be."""
    listed = ", \\\n     ".join(exec_form([name])[1:-1] for name in names)
    return f"RUN {exec_form(words)[:-1]}, \\\n     {listed}]"


def _for_printf(path: str) -> str:
    r"""A name in which all but plain characters are escapes of ``printf %b``.

    >>> _for_printf("/caf\udce9 \\")
    '/caf\\0351 \\0134'
    """
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\0{byte:03o}"
        for byte in path.encode("utf-8", "surrogateescape")
    )
