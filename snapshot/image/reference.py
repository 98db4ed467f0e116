"""Names of images, as ``docker`` reads them, and names of containers made from them.

The grammar is that of the distribution project: ``[REGISTRY[:PORT]/]PATH[:TAG][@DIGEST]``. A name without a
registry is one of Docker Hub's, and there a single word lies below ``library/``; neither is shown to people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from snapshot.errors import InvalidInput

_HUB = "docker.io"
_OLD_HUB = "index.docker.io"
_OFFICIAL = "library/"
_DEFAULT_TAG = "latest"

_HOST_PART = "(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)"
_DOMAIN = re.compile(rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_WORD = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_WORD}(?:/{_WORD})*")
_TAG = re.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile("sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
_SHA256 = re.compile("sha256:[0-9a-f]{64}")
_LONGEST_NAME = 255

_FULL_ID = re.compile("(?:sha256:)?[a-f0-9]{64}")
_ANY_ID = re.compile("sha256:([a-f0-9]+)|([a-f0-9]{12,64})")
_EXAMPLE = "Write it as ch03-change, diamol/ch03:v2 or registry:5000/name:tag."


def is_digest(text: str) -> bool:
    """Whether a text is a digest (``sha256:…``), as those of layers and configs are, and the IDs of images.

    What a stranger wrote in place of one is nothing to ask an engine for.
    """
    return _SHA256.fullmatch(text) is not None


@dataclass(frozen=True)
class Reference:
    """A name for an image, in full: ``docker.io`` and ``library/`` are there even where nobody typed them.

    ``tag`` is empty only where ``digest`` (``sha256:…``) is not; a name with neither means ``latest``.
    """

    domain: str
    path: str
    tag: str = _DEFAULT_TAG
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read an image's name.

        Raises
        ------
        InvalidInput
            It is no image name: empty, with capitals, a bad tag or digest, too long, or it is an image ID.

        >>> Reference.parse("registry:5000/name:1")
        Reference(domain='registry:5000', path='name', tag='1', digest='')
        >>> Reference.parse("ch03-change").familiar
        'ch03-change:latest'
        """
        if _FULL_ID.fullmatch(text):
            raise InvalidInput(f"{text!r} is an image ID, not a name", _EXAMPLE)
        named, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise InvalidInput(
                f"{text!r} has no valid digest after the @", "Write it as NAME@sha256:<64 hex digits>."
            )
        domain, remainder = _split_domain(named)
        path, colon, tag = remainder.partition(":")
        if domain == _HUB and "/" not in path:
            path = _OFFICIAL + path
        _check_name(text, domain, path)
        if colon and not _TAG.fullmatch(tag):
            raise InvalidInput(
                f"{text!r} has no valid tag after the colon",
                "A tag has 1 to 128 letters, digits, _ . or -, and starts with neither . nor -.",
            )
        return cls(domain, path, tag or ("" if digest else _DEFAULT_TAG), digest)

    @classmethod
    def parse_target(cls, text: str) -> Reference:
        """Read the name that a new image shall get; beyond :meth:`parse`, it must be one that a tag can have.

        Raises
        ------
        InvalidInput
            As :meth:`parse`; or it carries a digest, which no one can choose; or it reads like an image ID.
        """
        reference = cls.parse(text)
        if reference.digest:
            raise InvalidInput(
                f"{text!r} carries a digest, which a new image cannot be given",
                f"Leave the digest out: {reference.name}:{reference.tag or _DEFAULT_TAG}.",
            )
        if reference.name == "sha256":
            # The engine would read sha256:TAG as an ID, and refuses to tag so.
            raise InvalidInput(f"{text!r} would be taken for an image ID", "Choose another name than sha256.")
        return reference

    @property
    def name(self) -> str:
        """The name as a person types it, without tag and digest: ``diamol/ch03-lab``."""
        if self.domain != _HUB:
            return f"{self.domain}/{self.path}"
        short = self.path.removeprefix(_OFFICIAL)
        return self.path if "/" in short else short

    @property
    def familiar(self) -> str:
        """The name as a person types it, with tag and digest: ``ch03-change:latest``."""
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def _split_domain(text: str) -> tuple[str, str]:
    """Tell the registry from the path: it is a first component with a dot or colon, or localhost."""
    first, slash, rest = text.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return _HUB, text
    return (_HUB if first == _OLD_HUB else first), rest


def _check_name(text: str, domain: str, path: str) -> None:
    if path != path.lower():
        # Engines since 2023 take a capital in the first component for a registry's; older ones refuse it.
        raise InvalidInput(
            f"{text!r} has capitals in its name", "Write it in lower case; only a tag may have capitals."
        )
    if not _DOMAIN.fullmatch(domain) or not _PATH.fullmatch(path):
        raise InvalidInput(f"{text!r} is not an image name", _EXAMPLE)
    if len(f"{domain}/{path}") > _LONGEST_NAME:
        raise InvalidInput(
            f"the image name {text[:40]!r}… is longer than {_LONGEST_NAME} characters", _EXAMPLE
        )


def container_name_for(image: str) -> str:
    """Make a container's name from an image's name or ID; always one that the engine takes.

    Parameters
    ----------
    image:
        What the user called the image: any name, valid or not, or an ID (``sha256:…``, 12 to 64 hex digits).

    >>> container_name_for("diamol/ch03-lab:2")
    'ch03-lab'
    >>> container_name_for("sha256:abcdef1234567890")
    'snap-abcdef123456'
    """
    if match := _ANY_ID.fullmatch(image):
        return f"snap-{(match[1] or match[2])[:12]}"
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    name = re.sub("[^a-zA-Z0-9_.-]+", "-", last).lstrip("_.-")
    return name if len(name) >= 2 else f"snap-{name or 'container'}"
