"""What differs between images is the same however they are read: by layers, whole, or from archives."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import docker
import pytest
from layer_tars import Entry, capable, folder, hard_link, layer, load, symlink
from sandbox import Sandbox
from trees import Node, never_started, tree_of

from snapshot.changeset.entry import Changeset, PathChange
from snapshot.changeset.trees import Tree, changes_between_trees
from snapshot.engine.client import Engine
from snapshot.errors import InvalidInput
from snapshot.workflow.compared.archive_image import ArchiveImage
from snapshot.workflow.compared.engine_image import EngineImage
from snapshot.workflow.compared.interface import ComparedImage
from snapshot.workflow.diff import compare
from snapshot.workflow.diff_images import files_that_differ, side_of
from snapshot.workflow.difference import FoundBy, Side, SideKind
from snapshot.workflow.layer_contents import layer_contents
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.progress import SILENT

pytestmark = pytest.mark.engine

BELOW = [
    layer(
        folder("etc"), Entry("etc/motd", text="hello", mode=0o640), Entry("etc/same", text="s"),
        folder("a", 0o1777), Entry("a/one", text="1"), Entry("a/two", text="2"), symlink("a/sym", "one"),
        folder("a/deep"), folder("a/deep/er"), Entry("a/deep/er/x", text="x"), Entry("a/\udce9", text="l"),
        folder("o"), Entry("o/x", text="x"), folder("o/sub"), Entry("o/sub/y", text="y"),
        folder("gone"), Entry("gone/z", text="z"), folder("gone/more"), Entry("gone/more/w", text="w"),
        folder("was-folder"), Entry("was-folder/u", text="u"), Entry("was-file", text="file"),
        folder("closed", 0o700), folder("closed/in", 0o711), Entry("closed/in/f", text="f"),
        capable("can", "can"), Entry("touched", text="t"), Entry("o/z", text="z"),
    ),
    layer(folder("o"), Entry("o/second", text="2"), folder("f\udcff"), Entry("f\udcff/in", text="deep")),
]  # fmt: skip

OLD = [
    layer(
        folder("etc"), Entry("etc/motd", text="HELLO", mode=0o640, owner=(7, 8)), Entry("etc/old", text="o"),
        Entry(".wh.gone"), folder("o"), Entry("o/.wh..wh..opq"), Entry("o/x", text="x"),
        Entry("was-folder", text="now a file"), folder("was-file"), Entry("was-file/below", text="b"),
        folder("a", 0o700, (3, 4)), Entry("a/.wh.two"), symlink("a/sym", "deep"), Entry("o/new", text="n"),
        folder("links"), Entry("links/a", text="linked"), hard_link("links/b", "links/a"),
        hard_link("links/c", "links/a"),
    ),
    layer(
        folder("gone"), Entry("gone/again", text="g"), folder("etc"), Entry("etc/.wh.old"),
        folder("links"), Entry("links/.wh.a"), folder("a", 0o700, (3, 4)), Entry("a/two", text="2"),
    ),
]  # fmt: skip

NEW = [
    layer(
        folder("o"), folder("o/sub"), Entry("o/sub/y", text="Y"), Entry("o/x", text="x", mode=0o600),
        folder("a"), folder("a/deep"), Entry("a/deep/.wh.er"), folder("a/deep/er2"),
        Entry("a/deep/er2/q", text="q"), Entry("a/\udce9", text="LATIN"), Entry("a/\udcea", text="another"),
        Entry("closed/in/f", text="in a layer without its folders"), Entry("can", text="can", mode=0o755),
        Entry("touched", text="t", mtime_s=1_600_000_000), folder("links"),
        Entry("links/b", text="linked"), hard_link("links/c", "links/b"), Entry("links/d", text="d"),
    ),
    layer(
        folder("f\udcff"), Entry("f\udcff/.wh.in"), folder("was-folder"), Entry("was-folder/.wh..wh..opq"),
        Entry("was-folder/v", text="v"), folder("none"), folder("none/such"), Entry("none/such/f", text="!"),
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Images:
    """Images that stand on the same two layers, and one that has no layer in common with them."""

    engine: Engine
    space: Sandbox
    names: Mapping[str, str]
    seen: dict[str, Mapping[str, Node]] = field(default_factory=dict)
    trees: dict[str, Tree] = field(default_factory=dict)

    def exported(self, stem: str) -> Mapping[str, Node]:
        """The files of an image, without times and names of one file."""
        if stem not in self.seen:
            with never_started(self.space.client, self.names[stem], self.space.name("look")) as look:
                tree = tree_of(self.space.client, look)
            self.seen[stem] = {f"/{path}": replace(node, mtime=0, names=()) for path, node in tree.items()}
        return self.seen[stem]

    def tree(self, stem: str) -> Tree:
        """The same by snap."""
        if stem not in self.trees:
            self.trees[stem] = self.side(stem).tree(SILENT)
        return self.trees[stem]

    @property
    def ways(self) -> Sequence[CaptureWay]:
        """How layers can be read here."""
        image = self.engine.image(self.names["below"])
        is_direct = image.upper_folder or image.lower_folders
        return (CaptureWay.DIRECT, CaptureWay.API) if is_direct else (CaptureWay.API,)

    def side(self, stem: str, way: CaptureWay = CaptureWay.AUTO) -> EngineImage:
        image = self.engine.image(self.names[stem])
        return EngineImage(self.engine, image, side_of(image, self.names[stem]), way)


@pytest.fixture(scope="module")
def images(space: Sandbox) -> Iterator[Images]:
    built = {
        "below": BELOW,
        "old": BELOW + OLD,
        "new": BELOW + NEW,
        "other": [layer(folder("etc"), Entry("etc/motd", text="other")), *NEW],
    }
    names = {stem: space.name(stem) + ":latest" for stem in built}
    for stem, layers in built.items():
        load(space.client, names[stem], layers)
    with closing(Engine.connect(space.host)) as engine:
        yield Images(engine, space, names)


@pytest.fixture(scope="module")
def saved(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the engine saves of all of them."""
    path = tmp_path_factory.mktemp("saved") / "all.tar"
    docker_save(images.space.client, path, sorted(images.names.values()))
    return path


def docker_save(client: docker.APIClient, path: Path, names: Sequence[str]) -> None:
    """As ``docker save NAME…`` does."""
    answer = client.get(f"{client.base_url}/images/get", params={"names": list(names)}, stream=True)
    with path.open("wb") as out:
        out.writelines(answer.iter_content(1 << 20))


def plain(images: Images, old: str, new: str) -> list[str]:
    """What differs between two exports, a line each."""
    before, after = images.exported(old), images.exported(new)
    lines = [f"A {path}" for path in after.keys() - before.keys()]
    lines += [f"C {path}" for path in after.keys() & before.keys() if before[path] != after[path]]
    lines += [f"D {path}" for path in before.keys() - after.keys() if _stands_in_folder(after, path)]
    return sorted(lines)


def _stands_in_folder(tree: Mapping[str, Node], path: str) -> bool:
    above = path.rpartition("/")[0]
    return not above or (above in tree and tree[above].type == tarfile.DIRTYPE)


def lines(found: Changeset) -> list[str]:
    return sorted(f"{change.kind.value} {change.path}" for change in found.changes)


def by_layers(old: ComparedImage, new: ComparedImage) -> Changeset:
    return files_that_differ(old, new).changeset


PAIRS = [("old", "new"), ("new", "old"), ("below", "new")]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_two_images_differ_as_their_exports_do(images: Images, old: str, new: str) -> None:
    expected = plain(images, old, new)
    assert len(expected) > 5
    of_files = changes_between_trees(images.tree(old), images.tree(new))
    assert lines(of_files) == expected
    for way in images.ways:
        found = by_layers(images.side(old, way), images.side(new, way))
        assert lines(found) == expected, way
        assert found.changes == of_files.changes, way


def test_images_without_a_layer_in_common_differ_as_their_exports_do(images: Images) -> None:
    found = by_layers(images.side("other"), images.side("new"))
    assert lines(found) == plain(images, "other", "new")


def test_single_layers_are_the_same_whichever_way_they_are_read(images: Images) -> None:
    image = images.engine.image(images.names["old"])
    for hash_content in (True, False):
        one, other = (
            layer_contents(images.engine, image, [2, 0], hash_content=hash_content, way=way)
            for way in (CaptureWay.AUTO, CaptureWay.API)
        )
        assert one == other
    assert (one[2].deleted, one[2].emptied) == (("/a/two", "/gone"), ("/o",))
    assert {number: contents.diff_id for number, contents in one.items()} == {
        number: image.layers[number] for number in (0, 2)
    }
    assert layer_contents(images.engine, image, []) == {}


@pytest.mark.parametrize(("old", "new"), [*PAIRS, ("other", "new")])
def test_images_in_an_archive_differ_as_those_of_the_engine(
    images: Images, saved: Path, old: str, new: str
) -> None:
    expected = without_closed(by_layers(images.side(old), images.side(new)))
    archived = {stem: ArchiveImage(f"docker-archive:{saved}:{images.names[stem]}") for stem in (old, new)}
    assert archived[old].layers == images.side(old).layers
    assert without_closed(by_layers(archived[old], archived[new])) == expected
    assert without_closed(by_layers(archived[old], images.side(new))) == expected
    assert without_closed(by_layers(images.side(old), archived[new])) == expected


def without_closed(found: Changeset) -> list[PathChange]:
    """The changes but for folders that are in no layer, and that each engine makes in its own way."""
    return [change for change in found.changes if change.path not in {"/closed", "/closed/in"}]


def test_a_layout_that_snap_wrote_is_the_image(images: Images, tmp_path: Path) -> None:
    for path in (tmp_path / "layout", tmp_path / "layout.tar"):
        images.space.snap("export", "--oci", str(path), images.names["new"])
        archived = ArchiveImage(f"oci:{path}")
        assert not without_closed(by_layers(archived, images.side("new")))
        found = compare(images.engine, f"oci:{path}", against=images.names["below"])
        assert found.difference.new == Side(SideKind.ARCHIVE, archived.image.id, f"oci:{path}")
        expected = [
            line for line in plain(images, "below", "new") if line[2:] not in {"/closed", "/closed/in"}
        ]
        assert sorted(lines(found.difference.changeset)) == expected
        with found.new.files() as files:
            member = files.at("/a/\udce9")
            assert member
            assert b"".join(member.content()) == b"LATIN"
            assert files.names("/links") == ["b", "c", "d"]
    same = compare(None, f"oci:{tmp_path}/layout.tar", against=f"oci:{tmp_path}/layout:latest")
    assert not same.difference.changeset.changes


def test_the_old_side_may_be_on_another_engine(images: Images, tmp_path: Path) -> None:
    (tmp_path / "other.sock").symlink_to(images.space.host.removeprefix("unix://"))
    with closing(Engine.connect(f"unix://{tmp_path}/other.sock")) as other:
        found = compare(images.engine, images.names["new"], against=images.names["old"], old_engine=other)
        assert found.difference.old.engine == other.endpoint.url != images.engine.endpoint.url
        assert found.difference.new.engine == ""
    assert sorted(lines(found.difference.changeset)) == plain(images, "old", "new")
    with pytest.raises(InvalidInput, match="only one name"):
        compare(images.engine, images.names["new"], old_engine=images.engine)


def test_an_archive_of_a_snapshot_has_its_recorded_changes(space: Sandbox, tmp_path: Path) -> None:
    box, name = space.changed("echo a >/a; rm /etc/group", "archived"), space.name("archived-image")
    space.snap("commit", box, name)
    docker_save(space.client, tmp_path / "one.tar", [name])
    with gzip.open(tmp_path / "one.tar.gz", "wb") as packed:
        packed.write((tmp_path / "one.tar").read_bytes())
    for archive in (f"docker-archive:{tmp_path}/one.tar", f"docker-archive:{tmp_path}/one.tar.gz"):
        found = compare(None, archive)
        assert found.difference.found_by is FoundBy.RECORD
        assert lines(found.difference.changeset) == ["A /a", "C /etc", "D /etc/group"]
        assert found.old is None
        assert compare(None, archive, paths=["/a"]).difference.changeset.changes[0].path == "/a"


def test_an_archive_without_a_record_is_to_be_held_against_a_named_one(saved: Path, images: Images) -> None:
    name = f"docker-archive:{saved}:{images.names['new']}"
    with pytest.raises(InvalidInput, match="no record") as error:
        compare(None, name)
    assert name in str(error.value.hint)
    with pytest.raises(InvalidInput, match="4 images to choose from"):
        compare(None, f"docker-archive:{saved}")
