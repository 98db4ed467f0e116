"""The image that has come out of instructions by now: what the engine has of it, and what it has not yet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace

from snapshot.changeset.entry import Changeset
from snapshot.changeset.folding import folded
from snapshot.changeset.layer import Layer
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, HistoryEntry, Image
from snapshot.errors import SnapError
from snapshot.image.config_blob import Commit, config_blob
from snapshot.image.record import PREFIX
from snapshot.recipe.instructions import EditConfig
from snapshot.workflow.delivery import deliver
from snapshot.workflow.described import moment
from snapshot.workflow.image_files import files_of
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.progress import Progress


class ImageSoFar:
    """An image that grows layer by layer.

    Parameters
    ----------
    capture:
        How the files of the base are read.
    fixed_time_s:
        Seconds since 1970 that stand for now; ``None`` for the true time.
    stack:
        At its end the images go that were made on the way.

    Attributes
    ----------
    image:
        An image of the engine with all layers so far, save for ``pending``.
    pending:
        The layer on top of it that the engine does not have yet.
    config:
        The config so far.
    changeset:
        All that was changed against the base.
    """

    def __init__(
        self,
        engine: Engine,
        base: Image,
        config: Config,
        *,
        capture: CaptureWay,
        fixed_time_s: int | None,
        progress: Progress,
        stack: ExitStack,
    ) -> None:
        self.image = base
        self.pending: Layer | None = None
        self.config = config
        self.changeset = Changeset(())
        self._engine = engine
        self._base = base
        self._capture = capture
        self._fixed_time_s = fixed_time_s
        self._progress = progress
        self._stack = stack

    @property
    def layers(self) -> tuple[str, ...]:
        """The digests of all layers so far."""
        return self.image.layers + self._added

    @property
    def _added(self) -> tuple[str, ...]:
        return (self.pending.diff_id,) if self.pending else ()

    def resume(self, image: Image, changeset: Changeset) -> None:
        """Begin with an image of the engine that was made of the base; the config is not taken from it."""
        self.image, self.changeset = image, changeset

    def edit_config(self, edit: EditConfig) -> None:
        """Make an edit of the config."""
        self.config = edit.edits.applied_to(self.config)

    def add(self, layer: Layer | None, added: Changeset) -> None:
        """Put a layer on top, which nothing is pending below; ``added`` is what it changes."""
        self.pending = layer
        if not self.changeset.changes:
            self.changeset = added
        elif added.changes:
            with files_of(self._engine, self._base, self._capture) as files:
                self.changeset = folded(files, [self.changeset, added])

    def settle(self) -> None:
        """Let the engine have an image with all that was done so far, which goes in the end."""
        if (self.pending or self.config != self.image.config) and self.deliver({}):
            self.forget_in_the_end(self.image)

    def deliver(self, labels: Mapping[str, str]) -> bool:
        """Let the engine have it with these labels and no others of snap's own; returns whether it is new."""
        plain = {
            name: value for name, value in self.config.labels.items() if not name.startswith(f"{PREFIX}.")
        }
        config = replace(self.config, labels={**plain, **labels})
        layers = self.image.layers
        created = moment(self._fixed_time_s)
        # Podman tells no history in which an entry has no time.
        history = [HistoryEntry(created, "snap: a layer of what was begun with") for _ in layers]
        commit = Commit(created, "snap: kept result", "", "", self._added)
        blob = config_blob(self.image, layers, history, config, commit)
        self.image, is_new = deliver(self._engine, self.image, layers, blob, self.pending, self._progress)
        self.pending = None
        return is_new

    def forget_in_the_end(self, image: Image) -> None:
        """Remove an image when all is done."""
        self._stack.callback(self._forget, image)

    def _forget(self, image: Image) -> None:
        with suppress(SnapError):
            self._engine.remove_image(image.id)
