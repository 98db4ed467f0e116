"""Processes in containers: started, watched and talked to over connections of this project's own.

Everything here loads quickly: it is what a command in a running container waits for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, cast

from snapshot.engine.answers import PATH_STAT_HEADER, read_changes, read_container, read_path_stat
from snapshot.engine.duplex import SocketDuplex
from snapshot.engine.endpoint import choose_endpoint
from snapshot.engine.process_types import Duplex, ExecSpec, ExecState, TerminalSize
from snapshot.engine.refusals import container_not_found, not_started
from snapshot.engine.types import Change, Container, PathStat
from snapshot.engine.wire import Answer, EngineSilent, Wire
from snapshot.engine.wire import of_container as _of
from snapshot.errors import (
    ContainerNotFound,
    EngineError,
    EngineGone,
    EngineUnreachable,
    NotFound,
    PathNotFound,
)

_GLOB = r"[?\[\\]"
_CANNOT_INVOKE, _NOT_FOUND = 126, 127
_RUNTIME_FAILED = b"OCI runtime exec failed"
_SIGNS_OF_NONE = (b"executable file not found", b"no such file or directory")
# A list of changes walks the whole container, and a slow disk makes it minutes.
_LOOK_TIMEOUT_S = 3600.0


class Processes:
    """What runs in the containers of one engine.

    Every method raises a :class:`~snapshot.errors.SnapError`: the one for the thing that was not found
    or refused, :class:`~snapshot.errors.EngineUnreachable` where no engine answers, or
    :class:`~snapshot.errors.EngineGone` when it goes away.

    Example
    -------
    >>> processes = Processes.connect()                                       # doctest: +SKIP
    >>> spec = ExecSpec(("date",))                                            # doctest: +SKIP
    >>> exec_id = processes.exec_create("ch03", spec)                         # doctest: +SKIP
    >>> output = processes.exec_start(exec_id, spec)                          # doctest: +SKIP
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.endpoint = wire.endpoint
        self._started: dict[str, SocketDuplex] = {}

    @classmethod
    def connect(cls, host: str | None = None, context: str | None = None) -> Processes:
        """Choose the engine that ``host``, ``context`` or the environment names; it is not talked to yet.

        Raises :class:`~snapshot.errors.InvalidInput` for a context or address that cannot be meant.
        """
        return cls(Wire(choose_endpoint(host=host, context=context)))

    def close(self) -> None:
        """Close the connection for questions; those of processes are theirs who asked for them."""
        self._wire.close()

    @property
    def is_podman(self) -> bool:
        """Whether the engine is Podman, which speaks Docker's API with words of its own; asked once."""
        return self._wire.is_podman

    # Containers

    def container(self, name: str) -> Container:
        """The container of that name or ID; raises :class:`~snapshot.errors.ContainerNotFound`."""
        return read_container(self._wire.ask("GET", f"{_of(name)}/json", subject=name).json())

    def changes(self, container_id: str) -> list[Change]:
        """What the container added, changed and deleted, as the engine itself lists it.

        Podman's list is not exact: see :mod:`snapshot.engine.podman_files`.
        """
        path = f"{_of(container_id)}/changes"
        answer = self._wire.ask("GET", path, timeout_s=_LOOK_TIMEOUT_S, subject=container_id)
        return read_changes(answer.json())

    def start(self, container_id: str, detach_keys: str = "") -> None:
        """Start a container; one that runs already is fine.

        Raises :class:`~snapshot.errors.CommandNotStarted` with 126 or 127 where its command cannot be run.
        """
        params = {"detachKeys": detach_keys} if detach_keys else None
        try:
            self._wire.ask(
                "POST", f"{_of(container_id)}/start", params=params, timeout_s=None, subject=container_id
            )
        except (NotFound, EngineUnreachable):
            raise
        except EngineError as error:
            raise not_started(error) from error

    def stop(self, container_id: str, timeout_s: int | None, signal: str = "") -> None:
        """Ask a container's first process to end, and kill it after ``timeout_s``; a stopped one is fine.

        Without ``timeout_s`` and ``signal`` the container's own or the engine's hold (10 s, ``SIGTERM``).
        Docker knows ``signal`` from 23.0 on; older engines and Podman take no notice of it.
        """
        params = {} if timeout_s is None else {"t": str(timeout_s)}
        if signal:
            params["signal"] = signal
        self._wire.ask(
            "POST", f"{_of(container_id)}/stop", params=params, timeout_s=None, subject=container_id
        )

    def wait_exit(self, container_id: str, timeout_s: float | None = None, condition: str = "") -> int:
        """Wait until a container does not run, and return its exit status.

        ``condition`` is ``not-running`` (the default), ``next-exit`` or ``removed``. Raises
        :class:`TimeoutError` after ``timeout_s``.
        """
        params = {"condition": condition} if condition else None
        path = f"{_of(container_id)}/wait"
        try:
            answer = self._wire.ask("POST", path, params=params, timeout_s=timeout_s, subject=container_id)
        except EngineSilent as error:
            raise TimeoutError(f"still running after {timeout_s} s") from error
        return _exit_code(answer, container_id)

    @contextmanager
    def exit_awaited(self, container_id: str) -> Iterator[Callable[[], int]]:
        """Let the engine watch for the end of a running container's command; gives what waits for its status.

        So the status is known even of a container that is restarted, or removed, when its command ends.
        """
        with self._wire.asked("POST", f"{_of(container_id)}/wait", subject=container_id) as answer:

            def exit_code() -> int:
                try:
                    return _exit_code(answer(), container_id)
                except EngineGone:
                    # A connection on which nothing goes may have been closed on the way.
                    return self.wait_exit(container_id)

            yield exit_code

    def attach(self, container_id: str, *, stdin: bool, logs: bool = False, detach_keys: str = "") -> Duplex:
        """A container's output from now on, and its input; with ``logs`` what it has put out before, too.

        A container that does not run is waited for. Podman looks for ``detach_keys`` in what comes key by key
        alone (two in one write are input), and says that it detached as output. It prepares a container that
        was never started here: as :meth:`start`, this may raise
        :class:`~snapshot.errors.CommandNotStarted` then.
        """
        params = {"stream": "1", "stdout": "1", "stderr": "1"}
        if stdin:
            params["stdin"] = "1"
        if logs:
            params["logs"] = "1"
        if detach_keys:
            params["detachKeys"] = detach_keys
        try:
            return self._wire.hijack(
                "POST", f"{_of(container_id)}/attach", params=params, subject=container_id
            )
        except (NotFound, EngineUnreachable):
            raise
        except EngineError as error:
            raise not_started(error) from error

    def resize_container(self, container_id: str, size: TerminalSize) -> bool:
        """Tell a container's terminal its size; ``False`` where the container does not run."""
        return self._resize(f"{_of(container_id)}/resize", size)

    # Further processes

    def exec_create(self, container_id: str, spec: ExecSpec) -> str:
        """Prepare a command in a running container, and return the ID of its process."""
        body: dict[str, object] = {
            "Cmd": list(spec.argv),
            "Tty": spec.tty,
            "AttachStdin": spec.stdin and not spec.detach,
            "AttachStdout": not spec.detach,
            "AttachStderr": not spec.detach,
            "Privileged": spec.privileged,
            "Env": list(spec.env),
            "WorkingDir": spec.working_dir,
            "User": spec.user,
            "DetachKeys": spec.detach_keys,
            **_console_size(spec),
        }
        answer = self._wire.ask("POST", f"{_of(container_id)}/exec", body=body, subject=container_id)
        return str(answer.json()["Id"])

    def exec_start(self, exec_id: str, spec: ExecSpec) -> Duplex | None:
        """Run a prepared command; its output and input, or ``None`` where ``spec`` detaches it.

        Where the command cannot be run, a detached one raises :class:`~snapshot.errors.CommandNotStarted`
        with 126 or 127. Otherwise the engine's words come as output (Docker 20.10 and 28: the only frame, on
        stdout; Podman 4.3: on stderr), and :meth:`exec_state` tells 126 from 127. A user that is not known is
        refused here by Podman, and by Docker 28 in :meth:`exec_create` already; Docker 20.10 puts it out.
        """
        path, body = f"/exec/{exec_id}/start", {"Detach": spec.detach, "Tty": spec.tty, **_console_size(spec)}
        try:
            if spec.detach:
                self._wire.ask("POST", path, body=body, timeout_s=None)
                return None
            self._started[exec_id] = duplex = self._wire.hijack("POST", path, body=body)
            return duplex
        except (NotFound, EngineUnreachable):
            raise
        except EngineError as error:
            raise not_started(error) from error

    def exec_state(self, exec_id: str) -> ExecState:
        """Whether a command runs, and what it ended with.

        Of a command that was not found Docker 20.10 says 126, as if it could not be invoked, where newer
        ones and Podman say 127: so the words that came in place of its output are looked at, if they were
        read. Podman 4.3 may say of a detached command that it runs long after it has ended.
        """
        answer = self._wire.ask("GET", f"/exec/{exec_id}/json").json()
        state = ExecState(bool(answer["Running"]), int(answer.get("ExitCode") or 0))
        started = self._started.get(exec_id)
        if started and not state.running and state.exit_code == _CANNOT_INVOKE:
            words = started.beginning
            if _RUNTIME_FAILED in words and any(sign in words for sign in _SIGNS_OF_NONE):
                return state._replace(exit_code=_NOT_FOUND)
        return state

    def resize_exec(self, exec_id: str, size: TerminalSize) -> bool:
        """Tell a command's terminal its size; ``False`` where the command does not run (yet)."""
        return self._resize(f"/exec/{exec_id}/resize", size)

    # Files

    def stat(self, container_id: str, path: str) -> PathStat | None:
        """What stands at a path in a container; ``None`` where nothing does.

        Links in the folders on the way are followed, inside the container alone; the last name is not.
        """
        where, params = f"{_of(container_id)}/archive", self._path_params(path)
        answer = self._wire.ask("HEAD", where, params=params, timeout_s=_LOOK_TIMEOUT_S)
        # Podman does not find a link that leads nowhere, and tells all the same what it is.
        if answer.status < 300 or (answer.status == 404 and PATH_STAT_HEADER in answer.headers):
            return read_path_stat(answer.headers[PATH_STAT_HEADER])
        # An answer to HEAD has no words, and these tell whether it is the container that is not there.
        try:
            with self.open_archive(container_id, path):
                raise EngineError(f"The engine cannot say what '{path}' is (HTTP {answer.status}).")
        except PathNotFound:
            return None

    @contextmanager
    def open_archive(self, container_id: str, path: str) -> Iterator[IO[bytes]]:
        """A tar stream of ``path`` and all below it; its names begin with the last part of ``path``.

        Leaving the context early ends the transfer. Raises :class:`~snapshot.errors.PathNotFound`.
        """
        params = self._path_params(path)
        with (
            _about_files_of(container_id),
            self._wire.download("GET", f"{_of(container_id)}/archive", params=params, subject=path) as body,
        ):
            yield cast("IO[bytes]", body)

    def put_archive(
        self,
        container_id: str,
        path: str,
        chunks: Iterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
    ) -> None:
        """Unpack a tar archive, whose numbers of owners count, into the folder at ``path``.

        Parameters
        ----------
        chunks:
            The archive in pieces, sent as they come.
        no_overwrite_dir_non_dir:
            Whether to refuse to put a file in a folder's place, or a folder in a file's.

        Raises :class:`~snapshot.errors.PathNotFound` where there is no such folder; Podman 4.3 makes it.
        """
        params = {"path": path}
        if no_overwrite_dir_non_dir:
            params["noOverwriteDirNonDir"] = "1"
        with _about_files_of(container_id):
            self._wire.upload("PUT", f"{_of(container_id)}/archive", chunks, params=params, subject=path)

    def _path_params(self, path: str) -> Mapping[str, str]:
        return {"path": as_podman_takes_it(path) if self._wire.is_podman else path}

    def _resize(self, path: str, size: TerminalSize) -> bool:
        try:
            self._wire.ask("POST", path, params={"h": str(size.rows), "w": str(size.columns)})
        except EngineUnreachable:
            raise
        except EngineError:
            return False
        return True


def as_podman_takes_it(path: str) -> str:
    """A path in a container for Podman's archive calls, which take it for a pattern."""
    return re.sub(_GLOB, r"\\\g<0>", path)


def _console_size(spec: ExecSpec) -> Mapping[str, object]:
    # Engines before API 1.42 do not mind it.
    return {"ConsoleSize": [spec.size.rows, spec.size.columns]} if spec.tty and spec.size else {}


def _exit_code(answer: Answer, container_id: str) -> int:
    told = answer.json()
    # Podman (4.3) says 0 of a container that was removed while it was waited for, and in some words why.
    if told["StatusCode"] == 0 and (told.get("Error") or {}).get("Message"):
        raise container_not_found(container_id)
    return int(told["StatusCode"])


@contextmanager
def _about_files_of(container_id: str) -> Iterator[None]:
    """A call that has a path for its subject: where it is the container that is not there, say that."""
    try:
        yield
    except ContainerNotFound as error:
        raise container_not_found(container_id) from error
