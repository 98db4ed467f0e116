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
    from snapshot.workflow.commit import CommitOptions as CommitOptions

__all__ = ["CommitOptions", "ConfigEdits", "SnapError", "Snapshots", "__version__"]

_HOMES = {
    "CommitOptions": "snapshot.workflow.commit",
    "ConfigEdits": "snapshot.image.config_edits",
    "SnapError": "snapshot.errors",
    "Snapshots": "snapshot.api",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: the command's --help shall not wait for what talks to an engine.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
