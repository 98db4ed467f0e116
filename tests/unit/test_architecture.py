"""The import rule of the house: downward only, and docker in one place (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "snapshot"

#: What each package may import of this project, beside itself.
MAY_IMPORT = {
    "cli": {
        "__init__",
        "workflow",
        "recipe",
        "packages",
        "report",
        "changeset",
        "image",
        "journal",
        "engine.types",
        "engine.process_types",
        "engine.client",
        "engine.endpoint",
        "engine.processes",
        "errors",
    },
    "api": {
        "workflow",
        "recipe",
        "packages",
        "report",
        "changeset",
        "image",
        "engine.client",
        "engine.process_types",
        "engine.types",
    },
    "workflow": {
        "__init__",
        "recipe",
        "packages",
        "report",
        "changeset",
        "image",
        "journal",
        "engine.client",
        "engine.disk_use",
        "engine.endpoint",
        "engine.frames",
        "engine.patience",
        "engine.process_types",
        "engine.processes",
        "engine.times",
        "engine.types",
        "errors",
        "packing",
    },
    "report": {"packages", "changeset", "image", "journal", "engine.process_types", "engine.types", "errors"},
    "packages": {"changeset", "engine.types", "errors"},
    "recipe": {"changeset", "image", "journal", "engine.types", "errors", "packing"},
    "changeset": {"engine.types", "errors", "packing"},
    "image": {"journal", "engine.types", "errors", "packing"},
    "journal": {"engine.process_types", "engine.types", "errors"},
    "engine": {"errors"},
    "errors": set(),
    "packing": set(),
    "__init__": {"api", "errors", "image", "recipe", "workflow"},
    "__main__": {"cli"},
}


def imports() -> Iterator[tuple[Path, str, str]]:
    """Each file, its part of the house, and each module that it imports anywhere in it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield path, part, alias.name
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield path, part, node.module


def test_imports_go_downward_only() -> None:
    for path, part, module in imports():
        if module == "snapshot":
            module = "snapshot.__init__"
        if module.startswith("snapshot."):
            inside = module.removeprefix("snapshot.")
            names = {inside, ".".join(inside.split(".")[:2]), inside.split(".")[0]}
            assert part == inside.split(".")[0] or names & MAY_IMPORT[part], f"{path} imports {module}"


@pytest.mark.parametrize(
    ("library", "part"),
    [
        ("docker", "engine"),
        ("requests", "engine"),
        ("urllib3", "engine"),
        ("click", "cli"),
        ("tabulate", "cli"),
    ],
)
def test_only_one_part_imports(library: str, part: str) -> None:
    users = {where for _, where, module in imports() if module.split(".")[0] == library}
    assert users <= {part}


def test_files_stay_small() -> None:
    sizes = {path.name: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["commit", "--help"]])
def test_help_imports_nothing_that_talks_to_an_engine(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from snapshot.cli import snap\n"
        f"sys.argv = ['snap', *{arguments!r}]\n"
        "try:\n    snap()\n"
        "except SystemExit as end:\n    status = end.code\n"
        "slow = {'docker', 'requests', 'urllib3', 'tabulate'} & sys.modules.keys()\n"
        "sys.exit(f'imported {slow}' if slow or status else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
