"""What is told of packages is what dpkg, pip and npm say before and after, inside a container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from package_managers import SHELF, add_managers, debian_packages, node_packages, python_packages
from python_base import make_python
from sandbox import Sandbox

from snapshot.engine.client import Engine
from snapshot.packages.changes import PackageChanges, changes_in_packages
from snapshot.packages.interface import PackageChange
from snapshot.workflow.diff import compare
from snapshot.workflow.image_files import files_of
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.package_changes import package_changes

pytestmark = pytest.mark.engine

VENDORED, APP = "/opt/vendored", "/srv/app"
#: Busybox has a dpkg of its own; Debian's misses programs that no package here needs.
DPKG = "/usr/bin/dpkg --force-bad-path,unsafe-io"
PIP = "python3 -m pip --disable-pip-version-check"
NPM = "npm --cache /dev/shm/npm --offline --no-audit --no-fund --loglevel error"

BEFORE = f"""
{DPKG} -i {SHELF}/tool-1.0-1.deb {SHELF}/library-2.4.deb
{PIP} install -q --no-index --root-user-action ignore {SHELF}/Demo_Alpha-*.whl {SHELF}/beta-*.whl
{PIP} install -q --no-index --root-user-action ignore --target {VENDORED} {SHELF}/gamma-*.whl
{NPM} install -g {SHELF}/outer-1.0.0.tgz
mkdir -p {APP}
"""
CHANGES = f"""
{DPKG} -i --force-downgrade {SHELF}/tool-0.9-1.deb {SHELF}/fresh-*.deb; {DPKG} -r library
{PIP} install -q --no-index --root-user-action ignore {SHELF}/demo_alpha-*.whl {SHELF}/gamma-*.whl
{PIP} uninstall -q -y --root-user-action ignore beta
rm -r {VENDORED}
{NPM} install -g {SHELF}/outer-2*.tgz
cd {APP}; {NPM} install {SHELF}/scoped-*.tgz
"""


class Installed:
    """An image with packages, a container of it in which others were installed, and an image of that.

    ``expected`` is what changed by the managers' own lists: what it is of, from which version, to which.
    """

    def __init__(self, space: Sandbox, draft: Path) -> None:
        python = space.name("python")
        make_python(space.client, python, lambda tar: add_managers(tar, draft))
        first = space.hold("first", image=python)
        space.sh(first, BEFORE)
        self.base, self.image, self.box = space.name("base"), space.name("image"), space.name("box")
        space.client.commit(first, self.base)
        space.client.remove_container(first, force=True)
        space.hold("box", image=self.base)
        before = _listed(space, self.box)
        space.sh(self.box, CHANGES)
        after = _listed(space, self.box) | node_packages(space, self.box, f"--prefix {APP}")
        self.expected = {
            (key, before.get(key, ""), after.get(key, ""))
            for key in before.keys() | after.keys()
            if before.get(key) != after.get(key)
        }
        space.snap("commit", self.box, self.image)


def _listed(space: Sandbox, container: str) -> dict[str, str]:
    found = debian_packages(space, container) | python_packages(space, container, VENDORED)
    # pip lists a package under the name that it was written with.
    found = {key.replace("Demo_Alpha", "demo-alpha"): version for key, version in found.items()}
    return found | node_packages(space, container, "-g")


def _key(change: PackageChange) -> str:
    if change.place:
        return f"{change.place}/{change.name.replace('Demo_Alpha', 'demo-alpha')}"
    return f"{change.name}:{change.architecture}"


def _told(found: PackageChanges) -> set[tuple[str, str, str]]:
    assert not found.unreadable
    told = {(_key(change), change.old, change.new) for change in found.changes}
    assert len(told) == len(found.changes)
    return told


@pytest.fixture(scope="module")
def made(space: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(space, tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def engine(host: str) -> Iterator[Engine]:
    with closing(Engine.connect(host)) as connected:
        yield connected


def test_the_managers_say_what_the_case_is_about(made: Installed) -> None:
    versions = {(key.rpartition("/")[2], old, new) for key, old, new in made.expected}
    assert versions == {
        ("tool:all", "1.0-1", "1:0.9-1"),
        ("library:all", "2.4", ""),
        ("fresh:all", "", "0~rc1"),
        ("demo-alpha", "1.0", "1.1"),
        ("beta", "3.0", ""),
        ("gamma", "", "0.1.dev1"),
        ("gamma", "0.1.dev1", ""),
        ("outer", "1.0.0", "2.0.0-beta.1"),
        ("inner", "0.0.7", ""),
        ("scoped", "", "5.1.0"),
    }


def test_a_container_against_its_image(made: Installed, engine: Engine) -> None:
    assert _told(package_changes(compare(engine, made.box))) == made.expected


def test_an_image_against_its_base(made: Installed, engine: Engine) -> None:
    assert _told(package_changes(compare(engine, made.image))) == made.expected


def test_an_image_against_an_image_and_back(made: Installed, engine: Engine) -> None:
    assert _told(package_changes(compare(engine, made.image, against=made.base))) == made.expected
    back = _told(package_changes(compare(engine, made.base, against=made.image)))
    assert back == {(key, new, old) for key, old, new in made.expected}


@pytest.mark.parametrize("way", [CaptureWay.DIRECT, CaptureWay.API])
def test_whichever_way_the_files_are_read(made: Installed, engine: Engine, way: CaptureWay) -> None:
    comparison = compare(engine, made.image)
    images = engine.image(made.base), engine.image(made.image)
    with files_of(engine, images[0], way) as old, files_of(engine, images[1], way) as new:
        found = changes_in_packages(old, new, comparison.difference.changeset)
    assert _told(found) == made.expected


def test_packages_of_one_folder_alone(made: Installed, engine: Engine) -> None:
    found = package_changes(compare(engine, made.image, paths=[APP]))
    assert {(change.manager, change.name) for change in found.changes} == {("npm", "@demo/scoped")}
