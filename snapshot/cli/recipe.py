"""Printing recipes."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from snapshot.cli.text import note

if TYPE_CHECKING:
    from snapshot.engine.client import Engine

_STDOUT = 1


def print_recipe(engine: Engine, image: str, files: Path | None) -> None:
    """The recipe of an image on stdout; its larger contents go into a folder, where there is one for them."""
    from snapshot.recipe.toml_writer import write_recipe
    from snapshot.workflow.recipe_of import recipe_of

    folder = files or _beside_stdout()
    recipe = recipe_of(engine, image, folder)
    text = write_recipe(recipe, folder)
    # TOML is UTF-8, whatever the terminal is.
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()
    if folder and "\nfiles = " in text.partition("\n[base]")[0]:
        note(f"its larger contents are in {folder}, which belongs beside it")
    for index in range(len(recipe.instructions)):
        if why := recipe.note(index):
            note(f"step {index + 1} cannot be replayed: {why}")


def _beside_stdout() -> Path | None:
    """``FILE.files``, where stdout goes to ``FILE.toml``; ``None`` where it is no file of that name."""
    try:
        path = Path(f"/proc/self/fd/{_STDOUT}").readlink()
        here, there = os.fstat(_STDOUT), path.stat()
    except OSError:
        return None
    is_file = stat.S_ISREG(here.st_mode) and (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
    return path.with_suffix(".files") if is_file and path.suffix == ".toml" else None
