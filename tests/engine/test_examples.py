"""The examples do what their READMEs show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import docker
import lookalike
import pytest
from documents import ROOT, check
from python_base import make_python
from sandbox import Sandbox

pytestmark = pytest.mark.engine

EXAMPLES = ROOT / "examples"


def make_busybox(client: docker.APIClient, name: str) -> str:
    """A look-alike of busybox's own image."""
    return lookalike.import_image(client, name, lookalike.root_tar(), ['CMD ["sh"]'])


#: By example, the image that it begins with.
BASES: Mapping[str, tuple[str, Callable[[docker.APIClient, str], str]]] = {
    "web-ping": ("busybox:latest", make_busybox),
    "hotfix": ("busybox:latest", make_busybox),
    "python-env": ("python:3-slim", make_python),
    "rebase-security-update": ("busybox:latest", make_busybox),
}


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.iterdir()))
def test_the_commands_of_an_example_print_what_it_shows(
    sandbox: Sandbox, tmp_path: Path, example: str
) -> None:
    name, make = BASES[example]
    make(sandbox.client, name)
    folder = tmp_path / example
    shutil.copytree(EXAMPLES / example, folder)
    try:
        check(folder / "README.md", sandbox, folder)
    finally:
        # The names of the example's containers are no strays.
        sandbox.clean()
