"""The documents say what the commands do: each command of theirs is run, and its output compared."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lookalike
import pytest
from documents import ROOT, check, environment
from sandbox import Sandbox

from snapshot.cli.main import VERBS

LAB = "diamol/ch03-lab:latest"


@pytest.fixture
def lab(sandbox: Sandbox) -> Iterator[Sandbox]:
    """An engine with the lab's image, and nothing of the documents' names."""
    names = {name for item in sandbox.client.images() for name in item["RepoTags"] or ()}
    if LAB not in names:
        # The documents tell who shares its layer, and the sandbox has an image of the same files.
        lookalike.make_ch03_lab(sandbox.client, LAB, padding=bytes(512))
    yield sandbox
    # The documents' names are no strays.
    sandbox.clean()


@pytest.mark.engine
@pytest.mark.parametrize("document", ["README.md", "docs/lab.md", "docs/see.md"])
def test_the_commands_print_what_the_document_shows(lab: Sandbox, tmp_path: Path, document: str) -> None:
    copy = tmp_path / "document.md"
    shutil.copy(ROOT / document, copy)
    # Where the engine is, and which one, differs from machine to machine.
    text = re.sub(
        r"^\$ snap engine\n(?:.+\n)*?(?=```)", "$ snap engine >/dev/null\n", copy.read_text(), flags=re.M
    )
    copy.write_text(text)
    check(copy, lab, tmp_path)


@pytest.mark.engine
def test_the_python_of_the_readme_runs(lab: Sandbox, tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment(lab),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["C /diamol", "C /diamol/ch03.txt"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_readme_and_has_a_page_of_help_with_examples(verb: str) -> None:
    assert f"`snap {verb}" in (ROOT / "README.md").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "snapshot", verb, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    examples = [line for line in done.stdout.splitlines() if line.strip().startswith("$ snap ")]
    assert 1 <= len(examples) <= 3
    assert len(done.stdout.splitlines()) <= 60
