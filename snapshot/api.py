"""The verbs as methods of one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

from snapshot.engine.client import Engine
from snapshot.engine.types import ContainerSpec
from snapshot.workflow.checks import Check
from snapshot.workflow.commit import CommitOptions, CommitResult, commit
from snapshot.workflow.diff import Difference, diff
from snapshot.workflow.engine import EngineReport, describe_engine
from snapshot.workflow.ls import Listing, ls
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.run import OutputSink, PullPolicy, RunResult, run
from snapshot.workflow.show import ContainerView, ImageView, show
from snapshot.workflow.verify import Verification, verify


class Snapshots:
    """What ``snap`` does, for Python: each verb is a method with a typed result.

    Parameters
    ----------
    host:
        Address of an engine (``unix:///run/docker.sock``); by default the one that Docker's CLI would use.
    context:
        Name of a Docker context.
    progress:
        Told of long work; says nothing by default.

    All methods raise :class:`~snapshot.errors.SnapError`.

    Example
    -------
    >>> from snapshot import Snapshots                              # doctest: +SKIP
    >>> with Snapshots() as snap:                                   # doctest: +SKIP
    ...     snap.run("diamol/ch03-lab", ["touch", "new"], name="ch03")
    ...     image = snap.commit("ch03", "ch03-change").image_id
    """

    def __init__(
        self, host: str | None = None, context: str | None = None, *, progress: Progress = SILENT
    ) -> None:
        self._engine = Engine.connect(host, context)
        self._progress = progress

    def __enter__(self) -> Snapshots:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the engine."""
        self._engine.close()

    def run(
        self,
        image: str,
        command: Sequence[str] = (),
        *,
        name: str = "",
        env: Mapping[str, str] | None = None,
        entrypoint: Sequence[str] = (),
        working_dir: str = "",
        user: str = "",
        binds: Sequence[str] = (),
        network: str = "",
        platform: str = "",
        labels: Mapping[str, str] | None = None,
        pull: PullPolicy = PullPolicy.MISSING,
        detach: bool = False,
        replace_existing: bool = False,
        output: OutputSink | None = None,
    ) -> RunResult:
        """Start a named container and keep it; see :func:`snapshot.workflow.run.run`."""
        spec = ContainerSpec(
            image=image,
            name=name,
            command=tuple(command),
            entrypoint=tuple(entrypoint),
            env=tuple(f"{key}={value}" for key, value in (env or {}).items()),
            working_dir=working_dir,
            user=user,
            binds=tuple(binds),
            network=network,
            platform=platform,
            labels=labels or {},
        )
        return run(
            self._engine,
            spec,
            pull=pull,
            detach=detach,
            replace_existing=replace_existing,
            output=output,
            progress=self._progress,
        )

    def diff(
        self, container: str, *, with_engine_paths: bool = False, hash_content: bool = False
    ) -> Difference:
        """What a container changed; see :func:`snapshot.workflow.diff.diff`."""
        return diff(
            self._engine,
            container,
            with_engine_paths=with_engine_paths,
            hash_content=hash_content,
            progress=self._progress,
        )

    def commit(
        self, container: str, image: str | None = None, options: CommitOptions | None = None
    ) -> CommitResult:
        """Make an image of a container's changes; see :func:`snapshot.workflow.commit.commit`."""
        return commit(self._engine, container, image, options, progress=self._progress)

    def verify(
        self, image: str, checks: Sequence[Check] = (), *, deep: bool = False, base: str = ""
    ) -> Verification:
        """Hold an image against its record; see :func:`snapshot.workflow.verify.verify`."""
        return verify(self._engine, image, checks, deep=deep, base=base, progress=self._progress)

    def ls(self) -> Listing:
        """The containers and images that snap made."""
        return ls(self._engine)

    def show(self, name: str) -> ContainerView | ImageView:
        """What a snapshot or a container is; see :func:`snapshot.workflow.show.show`."""
        return show(self._engine, name)

    def engine(self) -> EngineReport:
        """Which engine is used, why that one, and what works there."""
        return describe_engine(self._engine)
