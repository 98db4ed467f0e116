"""Container images without a Dockerfile: run, change, see the difference, commit, verify.

The public Python API; everything else may move. See :class:`Snapshots`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from snapshot.api import Snapshots as Snapshots
    from snapshot.errors import SnapError as SnapError
    from snapshot.image.config_edits import ConfigEdits as ConfigEdits
    from snapshot.recipe.toml_reader import load_recipe as load_recipe
    from snapshot.recipe.words import instructions_of as instructions_of
    from snapshot.workflow.commit import CommitOptions as CommitOptions
    from snapshot.workflow.making import MakingOptions as MakingOptions
    from snapshot.workflow.patch import PatchOptions as PatchOptions
    from snapshot.workflow.rebase import RebaseOptions as RebaseOptions
    from snapshot.workflow.replay import ReplayOptions as ReplayOptions

__all__ = [
    "CommitOptions",
    "ConfigEdits",
    "MakingOptions",
    "PatchOptions",
    "RebaseOptions",
    "ReplayOptions",
    "SnapError",
    "Snapshots",
    "__version__",
    "instructions_of",
    "load_recipe",
]

_HOMES = {
    "CommitOptions": "snapshot.workflow.commit",
    "ConfigEdits": "snapshot.image.config_edits",
    "MakingOptions": "snapshot.workflow.making",
    "PatchOptions": "snapshot.workflow.patch",
    "RebaseOptions": "snapshot.workflow.rebase",
    "ReplayOptions": "snapshot.workflow.replay",
    "SnapError": "snapshot.errors",
    "Snapshots": "snapshot.api",
    "instructions_of": "snapshot.recipe.words",
    "load_recipe": "snapshot.recipe.toml_reader",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: the command's --help shall not wait for what talks to an engine.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
