"""``snap commit``: make an image of a container's changes, verified before it gets its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from snapshot import __version__
from snapshot.changeset.capture import capture
from snapshot.changeset.entry import Changeset
from snapshot.changeset.manifest import encode_manifest, manifest_digest
from snapshot.engine.client import Engine
from snapshot.engine.types import ChangeKind, Config, Container, Image
from snapshot.errors import ContainerUnusable, ImageNotFound, NotFound, Refused, SnapError, VerificationFailed
from snapshot.image.config_edits import ConfigEdits
from snapshot.image.engine_commit import kept_by_engine, merged_by_engine, without_gaps
from snapshot.image.record import (
    MOST_MANIFEST_CHARS,
    OCI_AUTHORS,
    OCI_BASE_DIGEST,
    OCI_BASE_NAME,
    OCI_CREATED,
    STARTED_LABEL,
    Base,
    Record,
    chain_id,
    config_digests,
)
from snapshot.image.reference import Reference
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.state import keep_manifest
from snapshot.workflow.usable import usable_container
from snapshot.workflow.verify import Verification, verify


@dataclass(frozen=True)
class CommitResult:
    """An image that was made.

    Attributes
    ----------
    name:
        The name that it has now, empty where none was asked for.
    moved_from:
        ID of the image that had this name before, empty where none had.
    verification:
        ``None`` where it was not asked for.
    """

    image_id: str
    name: str
    moved_from: str
    container: Container
    changeset: Changeset
    record: Record
    verification: Verification | None


def commit(
    engine: Engine,
    container: str,
    image: str | None = None,
    *,
    message: str = "",
    author: str = "",
    edits: ConfigEdits | None = None,
    keep_env: bool = False,
    pause: bool = True,
    check: bool = True,
    progress: Progress = SILENT,
) -> CommitResult:
    """Make an image of a container's changes.

    The image's config is the *base image's* with ``edits``, not the container's. The files come from the
    engine's own commit, which cannot leave out env, labels, ports and volumes of the container: what went
    in so is named in ``record.kept_by_engine``.

    Parameters
    ----------
    container:
        Name or ID of a container, running or not.
    image:
        Name for the image (``NAME[:TAG]``); without one it can be reached by its ID alone.
    keep_env:
        Take the env that the container was given into the image.
    pause:
        Freeze the container meanwhile, if it runs, so that its files cannot change under the commit.
    check:
        Verify the image before it gets its name.

    Raises
    ------
    InvalidInput, Refused, ContainerNotFound, ContainerUnusable
        Nothing was made.
    VerificationFailed
        The image did not hold what was committed, and was removed; the name is where it was.
    """
    target = Reference.parse_target(image) if image else None
    found = usable_container(engine, container)
    base = _base_image(engine, found)
    wanted = (edits or ConfigEdits()).applied_to(base.config)
    if keep_env:
        wanted = _with_env_of(wanted, base.config, found.config)
    with _frozen(engine, found, pause):
        progress.stage(f"reading what {found.name} changed")
        changeset = capture(
            engine.files(found.id), [mount.destination for mount in found.mounts], hash_content=True
        )
        _refuse_what_no_image_can_hold(found, changeset)
        config, record = _described(found, base, changeset, wanted, message=message, author=author)
        progress.stage("committing")
        image_id = engine.commit(found.id, config, author=author, message=message)
    try:
        verification = verify(engine, image_id, progress=progress) if check else None
        if verification and not verification.passed:
            raise _failed(verification)
        moved_from = _tag(engine, image_id, target) if target else ""
    except BaseException:
        with suppress(SnapError):
            engine.remove_image(image_id)
        raise
    name = target.familiar if target else ""
    return CommitResult(image_id, name, moved_from, found, changeset, record, verification)


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


@contextmanager
def _frozen(engine: Engine, container: Container, pause: bool) -> Iterator[None]:
    """Pause a running container, and let it run again whatever happens; one that the user paused stays so."""
    if not (pause and container.state == "running"):
        yield
        return
    try:
        engine.pause(container.id)
        yield
    finally:
        # Asked, not assumed: the call to pause may have been interrupted on either side of its effect.
        with suppress(NotFound):
            if engine.container(container.id).state == "paused":
                engine.unpause(container.id)


def _refuse_what_no_image_can_hold(container: Container, changeset: Changeset) -> None:
    for change in changeset.changes:
        name = change.path.rpartition("/")[2]
        if change.kind is not ChangeKind.DELETED and name.startswith(".wh."):
            raise Refused(
                f"'{change.path}' cannot be in an image: its name means that '{name[4:]}' is deleted.",
                f"Rename or remove it in '{container.name}', then try again.",
            )
    gone = [entry.path for entry in changeset.skipped if entry.reason == "gone"]
    if gone:
        raise ContainerUnusable(
            f"'{container.name}' changed while it was read: '{gone[0]}' has gone.",
            "Leave out --no-pause, or wait until the container is at rest.",
        )


def _described(
    container: Container, base: Image, changeset: Changeset, wanted: Config, *, message: str, author: str
) -> tuple[Config, Record]:
    """The config to ask the engine for, with the record of the snapshot in its labels."""
    created = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    origin = _base(container, base)
    labels = {
        **wanted.labels,
        OCI_CREATED: created,
        OCI_BASE_NAME: origin.name,
        OCI_BASE_DIGEST: origin.digest,
        # The container's would be merged in; empty, it says that no container was started so.
        STARTED_LABEL: "",
    }
    if author:
        labels[OCI_AUTHORS] = author
    wanted = without_gaps(replace(wanted, labels=labels), container.config)
    merged = merged_by_engine(wanted, container.config)
    counts = changeset.counts
    manifest = encode_manifest(changeset.changes)
    record = Record(
        tool=f"docker-snap {__version__}",
        created=created,
        container=container.name,
        message=message,
        author=author,
        base=origin,
        manifest_digest=manifest_digest(changeset.changes),
        added=counts[ChangeKind.ADDED],
        changed=counts[ChangeKind.CHANGED],
        deleted=counts[ChangeKind.DELETED],
        size_bytes=changeset.size_bytes,
        config=config_digests(merged),
        kept_by_engine=kept_by_engine(wanted, merged),
        engine_paths=changeset.engine_paths,
        skipped=tuple(entry.path for entry in changeset.skipped),
    )
    if len(manifest) > MOST_MANIFEST_CHARS:
        keep_manifest(record.manifest_digest, manifest)
    return replace(wanted, labels={**labels, **record.to_labels(manifest)}), record


def _base(container: Container, image: Image) -> Base:
    try:
        reference = Reference.parse(container.image_name)
        # In full, as the annotation's definition wants it.
        name = f"{reference.domain}/{reference.path}" + (f":{reference.tag}" if reference.tag else "")
        digests = [d for d in image.repo_digests if d.startswith(f"{reference.name}@")]
    except SnapError:
        # Started by an ID.
        name, digests = "", list(image.repo_digests)
    digest = digests[0].partition("@")[2] if digests else image.id
    return Base(name, image.id, digest, chain_id(image.layers), len(image.layers))


def _tag(engine: Engine, image_id: str, target: Reference) -> str:
    try:
        before = engine.image(target.familiar).id
    except ImageNotFound:
        before = ""
    engine.tag(image_id, target.name, target.tag)
    return before if before != image_id else ""


def _failed(verification: Verification) -> VerificationFailed:
    return VerificationFailed(
        "The new image does not hold what was committed, and was removed.",
        "See whether the container changes its files meanwhile, then try again.",
        findings=tuple(f"{finding.subject}: {finding.detail}" for finding in verification.failures),
    )
