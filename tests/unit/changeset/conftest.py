"""How the random tests are run here."""

from __future__ import annotations

from hypothesis import settings

# Files are written and tars are made: on a busy machine one example can take long, and that is no failure.
settings.register_profile("with-files", deadline=None)
settings.load_profile("with-files")
