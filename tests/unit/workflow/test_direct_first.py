"""An image's files are read directly until something is met that cannot be, then over the API."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.lower_files import NotReadableDirectly
from snapshot.changeset.member import Member
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Image
from snapshot.errors import Refused
from snapshot.workflow import image_files
from snapshot.workflow.image_files import files_of
from snapshot.workflow.methods.interface import CaptureWay


@dataclass
class Some:
    """Files that all are called after the way to them; ``mark`` is a path that cannot be read."""

    way: str
    mark: str = ""

    def at(self, path: str) -> Member | None:
        if path == self.mark:
            raise NotReadableDirectly("it has a mark")
        return Member(FileEntry(f"/{self.way}", FileType.FILE, 0o644, 0, 0), 0)

    def names(self, folder: str) -> Collection[str]:
        if folder == self.mark:
            raise NotReadableDirectly("it has a mark")
        return [self.way]


@pytest.fixture(autouse=True)
def _ways(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def of_container(_engine: Engine, image_id: str) -> Iterator[str]:
        yield image_id

    @contextmanager
    def opened(folders: tuple[str, ...]) -> Iterator[Some]:
        if not all(folder.startswith("/layers") for folder in folders):
            raise NotReadableDirectly("no layers are there")
        yield Some(f"direct {len(folders)}", "/marked")

    monkeypatch.setattr(image_files, "files_of_image", of_container)
    monkeypatch.setattr(image_files, "ArchiveFiles", lambda _: Some("api"))
    monkeypatch.setattr(image_files, "LowerFiles", SimpleNamespace(open=opened))


def image(upper: str = "/layers/3", lowers: tuple[str, ...] = ("/layers/2", "/layers/1")) -> Image:
    layers = ("sha256:a", "sha256:b", "sha256:c")
    config = Config()
    return Image("id", (), (), "", "", "", "", "", "", 0, layers, config, "", None, upper, lowers)


def engine(url: str = "unix:///docker.sock") -> Engine:
    return cast("Engine", SimpleNamespace(endpoint=SimpleNamespace(url=url)))


def way_to(files: ImageFiles, path: str = "/file") -> str:
    found = files.at(path)
    assert found
    return found.entry.path


def test_files_are_read_directly_where_they_are_here() -> None:
    with files_of(engine(), image()) as files:
        assert (way_to(files), files.names("/")) == ("/direct 3", ["direct 3"])


@pytest.mark.parametrize(
    ("url", "upper", "lowers"),
    [
        ("tcp://far.away", "/layers/3", ("/layers/2", "/layers/1")),
        ("unix:///docker.sock", "", ()),
        ("unix:///docker.sock", "/layers/3", ("/layers/2",)),
        ("unix:///docker.sock", "/layers/3", ("/elsewhere", "/elsewhere")),
    ],
)
def test_files_are_read_over_the_api_where_they_are_not(
    url: str, upper: str, lowers: tuple[str, ...]
) -> None:
    with files_of(engine(url), image(upper, lowers)) as files:
        assert way_to(files) == "/api"
    with (
        pytest.raises(Refused, match="'id' cannot be read directly"),
        files_of(engine(url), image(upper, lowers), CaptureWay.DIRECT),
    ):
        pass


def test_the_api_is_taken_where_it_is_asked_for() -> None:
    with files_of(engine(), image(), CaptureWay.API) as files:
        assert way_to(files) == "/api"


@pytest.mark.parametrize("asks_for_names", [True, False])
def test_what_cannot_be_read_directly_is_read_over_the_api_with_all_after_it(asks_for_names: bool) -> None:
    with files_of(engine(), image()) as files:
        assert way_to(files) == "/direct 3"
        if asks_for_names:
            assert files.names("/marked") == ["api"]
        else:
            assert way_to(files, "/marked") == "/api"
        assert way_to(files) == "/api"


def test_the_api_is_not_taken_where_the_direct_way_was_asked_for() -> None:
    with files_of(engine(), image(), CaptureWay.DIRECT) as files:
        assert way_to(files) == "/direct 3"
        with pytest.raises(Refused, match="it has a mark"):
            files.at("/marked")
