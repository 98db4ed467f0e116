"""``snap commit``: make an image of a container's changes, verified before it gets its name."""

from __future__ import annotations

import enum
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from snapshot.changeset.capture import LeftOut, NameUnknown
from snapshot.changeset.entry import Changeset
from snapshot.changeset.exclusion import Exclusion
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Container, Image
from snapshot.errors import (
    ContainerUnusable,
    ImageNotFound,
    Refused,
    SnapError,
    SparseLoadRefused,
)
from snapshot.image.config_edits import ConfigEdits
from snapshot.image.generations import Generation, generations_of
from snapshot.image.record import Record, RecordDamaged
from snapshot.image.reference import Reference
from snapshot.journal.step import Step
from snapshot.workflow.archive_file import write_archive
from snapshot.workflow.delivery import gone_on_failure
from snapshot.workflow.described import base_of, full_name_of
from snapshot.workflow.fold import check_foldable
from snapshot.workflow.making import name_image, verified
from snapshot.workflow.methods.by_engine import make_by_engine
from snapshot.workflow.methods.interface import CaptureWay, CommitOrder, Made
from snapshot.workflow.methods.sealed import make_sealed
from snapshot.workflow.named import usable_container
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.sessions.embedded import embedded_sessions
from snapshot.workflow.steps import note_commit, steps_of
from snapshot.workflow.verify import Verification

#: The classic store of Docker takes no image with more layers (moby ``layer/layer_store.go``, maxLayerDepth).
MOST_LAYERS = 125
# These load more, and then cannot mount them. Podman's storage has a limit (containers/storage, maxDepth). In
# the containerd store all paths have to fit into one page of mount options, and they grow as snapshots are
# numbered on: 499 layers at first (the kernel's own limit), some 400 with six digits.
_MOST_LAYERS_OF_PODMAN = 128
_MOST_LAYERS_OF_CONTAINERD = 400

#: From so many on, a commit warns.
MANY_LAYERS = 100


class Method(enum.Enum):
    """How the image is made."""

    AUTO = "auto"
    SEALED = "sealed"
    ENGINE = "engine"


@dataclass(frozen=True)
class CommitResult:
    """An image that was made.

    Attributes
    ----------
    name:
        The name that it has now, empty where none was asked for.
    moved_from:
        ID of the image that had this name before, empty where none had.
    fell_back:
        Why the engine's own commit was taken where a sealed one was tried; empty where it was not.
    left_out:
        The changed paths that rules kept out of it.
    layer_count:
        How many layers it has.
    verification:
        ``None`` where it was not asked for, or the image was written to a file.
    output:
        The file that it was written to, if it was.
    steps:
        What was done to the container, which the image tells.
    journal_failure:
        Why the container's journal could not be used, empty where it could.
    """

    image_id: str
    name: str
    moved_from: str
    container: Container
    changeset: Changeset
    record: Record
    fell_back: str
    left_out: tuple[LeftOut, ...]
    layer_count: int
    verification: Verification | None
    output: Path | None = None
    steps: tuple[Step, ...] = ()
    journal_failure: str = ""


@dataclass(frozen=True)
class CommitOptions:
    """What is asked of a commit.

    Attributes
    ----------
    edits:
        What is to change in the config.
    keep_env:
        Take the env that the container was given into the image.
    exclusion:
        Which changes are left out.
    squash:
        Make one layer of the new one and those that snap added to the container's image before.
    capture:
        How files are read; any way gives the same layer.
    fixed_time_s:
        Seconds since 1970 that stand for now, and that no file's time is later than: the same changes then
        make the same image.
    pause:
        Freeze the container while its files are read, if it runs, so that they cannot change meanwhile.
    check:
        Verify the image before it gets its name.
    output:
        Write the image to this file, an OCI and Docker archive, in place of the engine's store.
    embed_sessions:
        Numbers of the steps whose recordings are to go into the image; without it none does.
    """

    message: str = ""
    author: str = ""
    edits: ConfigEdits = field(default_factory=ConfigEdits)
    keep_env: bool = False
    exclusion: Exclusion = field(default_factory=Exclusion)
    squash: bool = False
    method: Method = Method.AUTO
    capture: CaptureWay = CaptureWay.AUTO
    fixed_time_s: int | None = None
    pause: bool = True
    check: bool = True
    output: Path | None = None
    embed_sessions: tuple[int, ...] = ()


def commit(
    engine: Engine,
    container: str,
    image: str | None = None,
    options: CommitOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> CommitResult:
    """Make an image of a container's changes.

    The image's config is the *base image's* with ``options.edits``, not the container's; its layers are the
    base's and one with the changes. Where the engine does not take it so, its own commit is the way out: see
    :attr:`CommitResult.fell_back`.

    Parameters
    ----------
    container:
        Name or ID of a container, running or not.
    image:
        Name for the image (``NAME[:TAG]``); without one it can be reached by its ID alone.

    Raises
    ------
    InvalidInput, Refused, ContainerNotFound, ContainerUnusable
        Nothing was made.
    VerificationFailed
        The image did not hold what was committed, and was removed; the name is where it was.
    """
    target = Reference.parse_target(image) if image else None
    options = options or CommitOptions()
    order, journal_failure = ordered(engine, container, options)
    if options.output:
        result = _written(engine, order, options.output, target, progress)
        return replace(result, journal_failure=journal_failure)
    made, fell_back = _made(engine, order, options.method, progress)
    with gone_on_failure(engine, made.image_id, is_new=made.is_new):
        # What the engine made is not known to be right until it was read back.
        check = options.check or fell_back != ""
        verification = verified(engine, made.image_id, progress) if check else None
        layer_count = len(engine.image(made.image_id).layers)
        moved_from = name_image(engine, made.image_id, target) if target else ""
    try:
        note_commit(order.container.id, made.image_id)
    except (OSError, SnapError) as error:
        journal_failure = journal_failure or str(error)
    return CommitResult(
        image_id=made.image_id,
        name=target.familiar if target else "",
        moved_from=moved_from,
        container=order.container,
        changeset=made.changeset,
        record=made.record,
        fell_back=fell_back,
        left_out=made.left_out,
        layer_count=layer_count,
        verification=verification,
        steps=order.steps,
        journal_failure=journal_failure,
    )


def ordered(engine: Engine, container: str, options: CommitOptions) -> tuple[CommitOrder, str]:
    """Look at what is to be committed, before anything is touched; raises as :func:`commit` does.

    Returns too why the container's journal could not be read, empty where it could.
    """
    found = usable_container(engine, container)
    base = _base_image(engine, found)
    wanted = options.edits.applied_to(base.config)
    if options.keep_env:
        wanted = _with_env_of(wanted, base.config, found.config)
    base_record = Record.if_intact(base.config.labels)
    inherited: tuple[Generation, ...] = ()
    with suppress(RecordDamaged):
        inherited = generations_of(base.config.labels)
    first_base = base_record.origin if base_record else None
    base_name = full_name_of(found.image_name, base)
    if options.squash and first_base:
        check_foldable(base, first_base)
        origin, first_base = first_base, None
    else:
        origin = base_of(base_name, base)
        _check_depth(engine, base, can_be_folded=first_base is not None)
    # An image can be made without them, so what goes wrong is only said.
    steps, journal_failure = steps_of(engine, found)
    order = CommitOrder(
        container=found,
        base=base,
        base_name=base_name,
        wanted=wanted,
        origin=origin,
        first_base=first_base,
        inherited=inherited,
        steps=steps,
        sessions=embedded_sessions(found.id, steps, options.embed_sessions),
        container_name=found.name,
        message=options.message,
        author=options.author,
        exclusion=options.exclusion,
        squash=options.squash,
        capture=options.capture,
        pause=options.pause,
        fixed_time_s=options.fixed_time_s,
    )
    return order, journal_failure


def _written(
    engine: Engine, order: CommitOrder, path: Path, target: Reference | None, progress: Progress
) -> CommitResult:
    name = f"{target.domain}/{target.path}:{target.tag}" if target else ""
    made = write_archive(engine, order, path, name, progress)
    return CommitResult(
        image_id=made.image_id,
        name=target.familiar if target else "",
        moved_from="",
        container=order.container,
        changeset=made.changeset,
        record=made.record,
        fell_back="",
        left_out=made.left_out,
        layer_count=len(order.base_layers) + bool(made.record.diff_id),
        verification=None,
        output=path,
        steps=order.steps,
    )


def _made(engine: Engine, order: CommitOrder, method: Method, progress: Progress) -> tuple[Made, str]:
    """The image, and why the engine's own commit was taken in the end, if it was."""
    if method is Method.ENGINE:
        return make_by_engine(engine, order, progress), ""
    try:
        return make_sealed(engine, order, progress), ""
    except (SparseLoadRefused, NameUnknown) as error:
        asked_for_more = order.exclusion.rules or order.squash or order.fixed_time_s is not None
        if method is Method.SEALED or asked_for_more:
            raise
        return make_by_engine(engine, order, progress), error.what


def _check_depth(engine: Engine, base: Image, *, can_be_folded: bool) -> None:
    if base.descriptor:
        most = _MOST_LAYERS_OF_CONTAINERD
    else:
        most = _MOST_LAYERS_OF_PODMAN if engine.is_podman else MOST_LAYERS
    if len(base.layers) >= most:
        raise Refused(
            f"The image would have {len(base.layers) + 1} layers, and this engine takes {most}.",
            "Give --squash: it folds the layers that snap added into one."
            if can_be_folded
            else "Make its layers one first: docker export, docker import.",
        )


def _base_image(engine: Engine, container: Container) -> Image:
    try:
        return engine.image(container.image_id)
    except ImageNotFound as error:
        raise ContainerUnusable(
            f"The base image of '{container.name}' ({container.image_name}) was removed from the engine,"
            " so its config and layers are not known.",
            f"Get the same image back (`docker pull {container.image_name}`), then try again.",
        ) from error


def _with_env_of(wanted: Config, base: Config, container: Config) -> Config:
    """Add the env that the container was given; what the edits set themselves stays as they set it."""
    edited = {variable.partition("=")[0] for variable in set(wanted.env) - set(base.env)}
    given = [v for v in container.env if v not in base.env and v.partition("=")[0] not in edited]
    names = {variable.partition("=")[0]: variable for variable in given}
    kept = tuple(names.pop(variable.partition("=")[0], variable) for variable in wanted.env)
    return replace(wanted, env=kept + tuple(names.values()))
