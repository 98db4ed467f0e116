"""The verbs as methods of one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from snapshot.engine.client import Engine
from snapshot.engine.process_types import ExecSpec
from snapshot.engine.types import ContainerSpec
from snapshot.recipe.document import Recipe
from snapshot.recipe.instructions import Instruction
from snapshot.report.model import Report
from snapshot.workflow.attach import attach
from snapshot.workflow.checks import Check
from snapshot.workflow.commit import CommitOptions, CommitResult, commit
from snapshot.workflow.cp import CopyOptions, CopyResult, copy_in, copy_out
from snapshot.workflow.df import DiskUse, df
from snapshot.workflow.diff import Comparison, compare
from snapshot.workflow.difference import Difference
from snapshot.workflow.engine import EngineReport, describe_engine
from snapshot.workflow.exec import exec_
from snapshot.workflow.export.diff_file import DiffExport, export_diff
from snapshot.workflow.export.dockerfile import DockerfileExport, export_dockerfile
from snapshot.workflow.export.import_diff import import_diff
from snapshot.workflow.export.oci_layout import OciExport, export_oci
from snapshot.workflow.family import Relative, family
from snapshot.workflow.layers import LayersView, layers
from snapshot.workflow.log import Log, log
from snapshot.workflow.ls import Listing, ls
from snapshot.workflow.making import MadeImage, MakingOptions
from snapshot.workflow.named import usable_container
from snapshot.workflow.patch import PatchOptions, PatchResult, patch
from snapshot.workflow.patching.player import PlaySettings
from snapshot.workflow.patching.running import RunSettings
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.ps import ListedContainer, ps
from snapshot.workflow.pulling import PullPolicy
from snapshot.workflow.rebase import RebaseOptions, RebaseResult, rebase
from snapshot.workflow.recipe_of import recipe_of
from snapshot.workflow.replay import ReplayOptions, ReplayResult, replay
from snapshot.workflow.report import report_on
from snapshot.workflow.reset import Reset, reset
from snapshot.workflow.rm import Removal, rm
from snapshot.workflow.run import RunResult, run
from snapshot.workflow.sessions.connection import SessionResult
from snapshot.workflow.sessions.recording import RecordingPlace
from snapshot.workflow.sessions.streams import OutputSink, Sitting, Streams
from snapshot.workflow.show import ContainerView, ImageView, show
from snapshot.workflow.squash import squash
from snapshot.workflow.start import Started, start
from snapshot.workflow.stop import Stopped, stop
from snapshot.workflow.tree import Tree, tree
from snapshot.workflow.undo import Undone, undo
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
        volumes: Sequence[str] = (),
        network: str = "",
        platform: str = "",
        labels: Mapping[str, str] | None = None,
        pull: PullPolicy = PullPolicy.MISSING,
        detach: bool = False,
        replace_existing: bool = False,
        output: OutputSink | None = None,
        recording: RecordingPlace | None = None,
    ) -> RunResult:
        """Start a named container and keep it; see :func:`snapshot.workflow.run.run`.

        ``binds`` are ``SOURCE:PATH[:OPTIONS]``, ``volumes`` paths of anonymous ones. ``output`` is told what
        the command prints; without it the output is read and dropped.
        """
        spec = ContainerSpec(
            image=image,
            name=name,
            command=tuple(command),
            entrypoint=tuple(entrypoint),
            env=tuple(f"{key}={value}" for key, value in (env or {}).items()),
            working_dir=working_dir,
            user=user,
            binds=tuple(binds),
            volumes=tuple(volumes),
            network=network,
            platform=platform,
            labels=labels or {},
            detach=detach,
        )
        return run(
            self._engine,
            spec,
            pull=pull,
            replace_existing=replace_existing,
            sitting=_told_to(output),
            recording=recording,
            progress=self._progress,
        )

    def exec(
        self,
        container: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        working_dir: str = "",
        user: str = "",
        privileged: bool = False,
        detach: bool = False,
        output: OutputSink | None = None,
        recording: RecordingPlace | None = None,
    ) -> SessionResult:
        """Run a command in a running container, as a step; see :func:`snapshot.workflow.exec.exec_`."""
        spec = ExecSpec(
            argv=tuple(command),
            env=tuple(f"{key}={value}" for key, value in (env or {}).items()),
            working_dir=working_dir,
            user=user,
            privileged=privileged,
            detach=detach,
        )
        return exec_(self._engine.processes, container, spec, _told_to(output), recording)

    def attach(
        self,
        container: str,
        *,
        output: OutputSink | None = None,
        recording: RecordingPlace | None = None,
    ) -> SessionResult:
        """Follow the output of a container's command; see :func:`snapshot.workflow.attach.attach`."""
        return attach(self._engine.processes, container, _told_to(output), recording=recording)

    def start(self, container: str) -> Started:
        """Let a container run again, as a step; see :func:`snapshot.workflow.start.start`."""
        return start(self._engine, container)

    def stop(self, container: str, *, timeout_s: int | None = None, signal: str = "") -> Stopped:
        """End a container's processes; see :func:`snapshot.workflow.stop.stop`."""
        return stop(self._engine, container, timeout_s=timeout_s, signal=signal)

    def copy_in(
        self, source: str | BinaryIO, container: str, path: str, options: CopyOptions | None = None
    ) -> CopyResult:
        """Copy files into a container, as a step; see :func:`snapshot.workflow.cp.copy_in`."""
        found = usable_container(self._engine, container)
        given = options or CopyOptions()
        return copy_in(self._engine.processes, found, source, path, given, progress=self._progress)

    def copy_out(
        self, container: str, path: str, destination: str | BinaryIO, options: CopyOptions | None = None
    ) -> CopyResult:
        """Copy files out of a container; see :func:`snapshot.workflow.cp.copy_out`."""
        found = usable_container(self._engine, container)
        return copy_out(
            self._engine.processes,
            found,
            path,
            destination,
            options or CopyOptions(),
            progress=self._progress,
        )

    def ps(self, *, everything: bool = False) -> tuple[ListedContainer, ...]:
        """The containers that snap started; see :func:`snapshot.workflow.ps.ps`."""
        return ps(self._engine, everything=everything)

    def rm(self, container: str, *, force: bool = False) -> Removal:
        """Remove a container whose changes an image holds; see :func:`snapshot.workflow.rm.rm`."""
        return rm(self._engine, container, force=force)

    def reset(self, container: str, *, to: str = "", force: bool = False) -> Reset:
        """Put a container back to its image or a snapshot; see :func:`snapshot.workflow.reset.reset`."""
        return reset(self._engine, container, to=to, force=force)

    def log(self, name: str) -> Log:
        """The steps of a container or an image; see :func:`snapshot.workflow.log.log`."""
        return log(self._engine, name)

    def family(self) -> tuple[Relative, ...]:
        """All snapshots, each after what it was made from; see :func:`snapshot.workflow.family.family`."""
        return family(self._engine)

    def compare(
        self,
        name: str,
        *,
        against: str | None = None,
        old_side: Snapshots | None = None,
        since: int | None = None,
        with_engine_paths: bool = False,
        hash_content: bool = False,
        thorough: bool = False,
        paths: Sequence[str] = (),
    ) -> Comparison:
        """What differs, and both sides to read more from; see :func:`snapshot.workflow.diff.compare`.

        ``against`` is on the engine of ``old_side``, by default on the same one. What it gives is for
        :func:`snapshot.workflow.content_diff.file_diffs` (what differs inside of files) and
        :func:`snapshot.workflow.package_changes.package_changes`.
        """
        return compare(
            self._engine,
            name,
            against=against,
            old_engine=old_side._engine if old_side else None,
            since=since,
            with_engine_paths=with_engine_paths,
            hash_content=hash_content,
            thorough=thorough,
            paths=paths,
            progress=self._progress,
        )

    def diff(
        self,
        name: str,
        *,
        against: str | None = None,
        since: int | None = None,
        with_engine_paths: bool = False,
        hash_content: bool = False,
        thorough: bool = False,
        paths: Sequence[str] = (),
    ) -> Difference:
        """What a container or an image changed; see :func:`snapshot.workflow.diff.compare`."""
        return self.compare(
            name,
            against=against,
            since=since,
            with_engine_paths=with_engine_paths,
            hash_content=hash_content,
            thorough=thorough,
            paths=paths,
        ).difference

    def layers(self, image: str) -> LayersView:
        """What each layer of an image weighs; see :func:`snapshot.workflow.layers.layers`."""
        return layers(self._engine, image, progress=self._progress)

    def df(self) -> DiskUse:
        """Where the space goes; see :func:`snapshot.workflow.df.df`."""
        return df(self._engine, progress=self._progress)

    def tree(self, image: str = "") -> Tree:
        """Which images stand on which; see :func:`snapshot.workflow.tree.tree`."""
        return tree(self._engine, image, progress=self._progress)

    def report(self, name: str, *, with_recordings: bool = True) -> Report:
        """What is known of an image or a container; see :func:`snapshot.workflow.report.report_on`.

        :func:`snapshot.report.page.page` and :func:`snapshot.report.markdown.markdown` write it down.
        """
        return report_on(self._engine, name, with_recordings=with_recordings, progress=self._progress)

    def commit(
        self, container: str, image: str | None = None, options: CommitOptions | None = None
    ) -> CommitResult:
        """Make an image of a container's changes; see :func:`snapshot.workflow.commit.commit`."""
        return commit(self._engine, container, image, options, progress=self._progress)

    def patch(
        self,
        image: str,
        instructions: Sequence[Instruction],
        target: str | None = None,
        options: PatchOptions | None = None,
        settings: PlaySettings | None = None,
    ) -> PatchResult:
        """Make an image of another one, with edits; see :func:`snapshot.workflow.patch.patch`."""
        played = settings or PlaySettings(RunSettings({}))
        return patch(self._engine, image, instructions, target, played, options, progress=self._progress)

    def replay(
        self,
        recipe: Recipe,
        target: str | None = None,
        options: ReplayOptions | None = None,
        settings: PlaySettings | None = None,
    ) -> ReplayResult:
        """Play a recipe; see :func:`snapshot.workflow.replay.replay`."""
        played = settings or PlaySettings(RunSettings({}))
        return replay(self._engine, recipe, target, played, options, progress=self._progress)

    def recipe(self, image: str, contents_folder: Path | None = None) -> Recipe:
        """The steps of an image as a recipe; see :func:`snapshot.workflow.recipe_of.recipe_of`."""
        return recipe_of(self._engine, image, contents_folder)

    def rebase(
        self, image: str, onto: str, target: str | None = None, options: RebaseOptions | None = None
    ) -> RebaseResult:
        """Carry an image's changes to another base; see :func:`snapshot.workflow.rebase.rebase`."""
        return rebase(self._engine, image, onto, target, options, progress=self._progress)

    def squash(
        self, image: str, target: str | None = None, options: MakingOptions | None = None
    ) -> MadeImage:
        """Fold the layers that snap added; see :func:`snapshot.workflow.squash.squash`."""
        return squash(self._engine, image, target, options, progress=self._progress)

    def export_dockerfile(self, image: str, folder: Path) -> DockerfileExport:
        """Write a Dockerfile that builds the same; see :mod:`snapshot.workflow.export.dockerfile`."""
        return export_dockerfile(self._engine, image, folder, progress=self._progress)

    def export_oci(self, image: str, path: Path) -> OciExport:
        """Write an OCI image layout; see :mod:`snapshot.workflow.export.oci_layout`."""
        return export_oci(self._engine, image, path, progress=self._progress)

    def export_diff(self, image: str, path: Path) -> DiffExport:
        """Write what a snapshot changed; see :mod:`snapshot.workflow.export.diff_file`."""
        return export_diff(self._engine, image, path, progress=self._progress)

    def import_diff(self, path: Path, base: str, target: str | None = None) -> MadeImage:
        """Make the image of an exported difference; see :mod:`snapshot.workflow.export.import_diff`."""
        return import_diff(self._engine, path, base, target, progress=self._progress)

    def undo(self, name: str) -> Undone:
        """Set a name back to the earlier image; see :func:`snapshot.workflow.undo.undo`."""
        return undo(self._engine, name)

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


def _told_to(output: OutputSink | None) -> Sitting:
    return lambda: nullcontext(Streams(output=output))
