"""One tree of exceptions: each says what is wrong, what to do, and its exit code.

The exit codes are the same for every verb (see ``snap --help``):

====  ==========================================================
0     done
1     failed
2     wrong usage
3     verification failed
4     refused for safety
5     no engine reachable
====  ==========================================================
"""

from __future__ import annotations

import signal


class SnapError(Exception):
    """Base of everything that ``snapshot`` raises on purpose.

    Parameters
    ----------
    what:
        One sentence that says what is wrong, with the name of the thing.
    hint:
        One sentence that says what to do about it, where that is known.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class InvalidInput(SnapError):
    """Something that the user wrote cannot be meant: a bad name, instruction or option."""

    exit_code = 2


class NothingToVerify(SnapError):
    """The image has no record, and no check of the user's own was asked for."""

    exit_code = 2


class EngineUnreachable(SnapError):
    """No engine answers at the chosen endpoint, or there is no endpoint at all."""

    exit_code = 5


class SocketPermissionDenied(EngineUnreachable):
    """The engine's socket is there, but this user may not open it."""


class EngineGone(EngineUnreachable):
    """The engine answered before, and went away in the middle of the work."""


class EngineError(SnapError):
    """The engine refused or failed; the message holds the engine's own words."""


class NotFound(EngineError):
    """The engine knows no such container, image or path."""


class ContainerNotFound(NotFound):
    """The engine knows no container of that name or ID."""


class ImageNotFound(NotFound):
    """The engine knows no image of that name or ID."""


class PathNotFound(NotFound):
    """The container holds nothing at that path."""


class NameInUse(EngineError):
    """Another container has that name already."""


class PullRefused(EngineError):
    """The registry did not hand the image out, or none could be reached."""


class SparseLoadRefused(EngineError):
    """The engine did not take an image without the layers that it has, or made something else of it."""


class DiskFull(EngineError):
    """There is no room left, on the engine's disk or on this machine's."""


class CommandNotStarted(EngineError):
    """The container was made, but its command could not be started.

    ``exit_code`` is 126 (the command cannot be invoked) or 127 (it was not found), as Docker's CLI
    has them; any other failed start is 125.
    """

    def __init__(self, what: str, hint: str | None = None, *, exit_code: int = 125) -> None:
        super().__init__(what, hint)
        self.exit_code = exit_code


class ContainerUnusable(SnapError):
    """The container is in a state from which nothing can be read or committed."""


class VerificationFailed(SnapError):
    """The image does not hold what it should; ``findings`` has a line for each thing that is off."""

    exit_code = 3

    def __init__(self, what: str, hint: str | None = None, *, findings: tuple[str, ...] = ()) -> None:
        super().__init__(what, hint)
        self.findings = findings


class Refused(SnapError):
    """Refused for safety: an image cannot hold this, or should not."""

    exit_code = 4


class OutputClosed(SnapError):
    """The reader of the output went away before everything was written."""


class Interrupted(SnapError):
    """Stopped by a signal: Ctrl-C (130), a request to terminate (143), a terminal that is gone (129)."""

    def __init__(self, what: str, hint: str | None = None, *, by: KeyboardInterrupt | None = None) -> None:
        super().__init__(what, hint)
        self.exit_code = 128 + (by.signal_number if isinstance(by, Terminated) else signal.SIGINT)


class Terminated(KeyboardInterrupt):
    """A signal that ends the program (SIGTERM, SIGHUP), raised where it is at the moment, as Ctrl-C is."""

    def __init__(self, signal_number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.signal_number = signal_number
