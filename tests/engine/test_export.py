from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lookalike
import pytest
from builders import Buildah, build_classic, build_with_buildkit, forget_builds
from conftest import engine_kind
from pairs import archive_of_capable
from registries import push, running_registry
from sandbox import Sandbox
from trees import Node, never_started, tree_of

pytestmark = pytest.mark.engine

Build = Callable[[Sandbox, Path, str], None]
BUILDERS: dict[str, Build] = {"classic": build_classic, "buildkit": build_with_buildkit}

TYPES = ("file", "folder", "link", "folderlink", "fifo")
NOT_TEXT = "odd/caf\udce9 \\1\n"
ODD = ('odd/say "$x" \\', "odd/line\nend\n", "odd/ <<EOF #", "odd/$(rm)", "odd/'é")
KEPT = "odd/kept"

# Each type becomes each other one; and all else that a changeset can have.
SCRIPT = r"""
umask 022
make() {
    case $1 in
    file) echo new > $2;;
    folder) mkdir $2; echo new > $2/new;;
    link) ln -s /nowhere/new $2;;
    folderlink) ln -s /target $2;;
    fifo) mkfifo $2;;
    esac
}
cd /types
for path in *-*; do rm -rf $path; make ${path#*-} $path; done
rm -rf /odd/[!k]* && rm -r /gone /bin/yes
mkdir -m 2750 /new && chown 1000:1001 /new && cd /new
echo a > plain; chmod 4751 plain; ln plain second; ln -s ../etc/passwd symlink; chown -h 3:4 symlink
echo b > 'a $b "c" \'; echo c > "$(printf 'caf\351')"; mkfifo -m 600 pipe; mknod node c 1 3; mkdir -p deep/er
chown 70000:70001 deep/er; touch -d '2001-02-03 04:05:06' plain; cp plain capable
setfattr -n user.note -v 1 plain 2>/dev/null || true
echo more >> /diamol/ch03.txt; chmod 1711 /root; chown 7 /diamol
"""
CONFIG = [
    "--env", 'QUOTED=say "hi" for $5 \\o/ \'#', "--env", "OLD=2", "--label", 'my.label=a "b" $c \\',
    "--workdir", "/new/deep", "--user", "1000:1001", "--expose", "53/udp", "--volume", "/new/v $x",
    "--stop-signal", "SIGQUIT", "--entrypoint", '["/bin/sh", "-c"]', "--cmd", '["echo \\"$HOME\\"\\n"]',
]  # fmt: skip
DOCKERS_CONFIG = ["--healthcheck", "--interval=90s --retries=2 CMD test -e /new", "--onbuild", "RUN echo $x"]


class Exported(NamedTuple):
    """An image and the folder that it was exported to."""

    name: str
    folder: Path
    tree: dict[str, Node]
    said: str


def entry(path: str, kind: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    info.mtime, info.mode, info.uid, info.gid = 1, 0o640, 3, 4
    content = b""
    if kind == "file":
        content = f"old {path}".encode("utf-8", "surrogateescape")
        info.size = len(content)
    elif kind == "folder":
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif kind in {"link", "folderlink"}:
        info.type, info.linkname = tarfile.SYMTYPE, "/nowhere" if kind == "link" else "/target"
    else:
        info.type = tarfile.FIFOTYPE
    return info, content


def base_tar() -> bytes:
    """A root folder with what can stand in the way of a build."""
    extra = [entry(folder, "folder") for folder in ("types", "odd", "gone", "target", "vol")]
    extra += [entry(path, "file") for path in ("target/kept", "gone/file", KEPT, *ODD)]
    if engine_kind() != "docker28-containerd":
        # There an engine's list is all that tells of a deleted name, and it lacks the bytes of this one.
        extra.append(entry(NOT_TEXT, "file"))
    for before in TYPES:
        for after in TYPES:
            path = f"types/{before}-{after}"
            extra.append(entry(path, before))
            if before == "folder":
                extra.append(entry(f"{path}/old", "file"))
    return lookalike.root_tar({"diamol/ch03.txt": b"Lab solution, by: "}, extra=extra)


@pytest.fixture(scope="module")
def base(space: Sandbox) -> Iterator[str]:
    name = space.name("base")
    changes = [f"ENV PATH={lookalike.PATH}", "ENV OLD=1", "WORKDIR /diamol", "USER 5:6", "VOLUME /vol",
               "LABEL org.opencontainers.image.version=1", "LABEL mine=2", 'CMD ["/bin/sh"]',
               "EXPOSE 80"]  # fmt: skip
    lookalike.import_image(space.client, name, base_tar(), changes)
    yield name
    if not space.is_podman:
        forget_builds(space.client)


@pytest.fixture(scope="module")
def exported(space: Sandbox, base: str) -> Exported:
    """An image with everything in it, and its Dockerfile."""
    name = space.name("all")
    box = space.changed(SCRIPT, "all", image=base)
    assert space.client.put_archive(box, "/", archive_of_capable("/new/capable"))
    space.snap("commit", box, name, "-m", "all\nof it", *CONFIG, *DOCKERS_CONFIG)
    folder = space.home / "all"
    said = space.snap("export", name, str(folder)).stderr
    return Exported(name, folder, image_tree(space, name), said)


def image_tree(space: Sandbox, image: str) -> dict[str, Node]:
    with never_started(space.client, image, space.name("look")) as container:
        return tree_of(space.client, container)


def compared(config: dict[str, Any]) -> dict[str, Any]:
    """A config without what builders add, in one spelling."""
    labels = {
        key: value
        for key, value in (config.get("Labels") or {}).items()
        if not key.startswith(("io.github.docker-snap.", "org.opencontainers.image.", "io.buildah."))
    }
    kept = {key: value for key, value in config.items() if value and key not in COMPARED_NOT}
    return {**kept, "Labels": labels, "Env": sorted(config.get("Env") or ())}


#: Of containers, or of builders alone; "" and "/" are one folder.
COMPARED_NOT = {"Hostname", "Domainname", "Image", "ArgsEscaped", "AttachStdin", "OnBuild", "Healthcheck"}


def builders() -> list[str]:
    return ["classic"] if engine_kind() == "podman" else ["classic", "buildkit"]


@pytest.mark.parametrize("builder", builders())
def test_a_build_gives_the_same_files_and_config(space: Sandbox, exported: Exported, builder: str) -> None:
    name = space.name(f"again-{builder}")
    BUILDERS[builder](space, exported.folder, name)
    built = image_tree(space, name)
    assert {p: n for p, n in built.items() if exported.tree.get(p) != n} == {}
    assert built.keys() == exported.tree.keys()
    wanted, got = space.config(exported.name), space.config(name)
    assert compared(got) == compared(wanted)
    if not space.is_podman:
        # buildah writes OCI's form of images, which has no room for these.
        assert got["Healthcheck"] == wanted["Healthcheck"]
        assert got["OnBuild"] == wanted["OnBuild"]


def test_the_folder_holds_a_dockerfile_and_one_archive(exported: Exported) -> None:
    assert sorted(path.name for path in exported.folder.iterdir()) == ["Dockerfile", "changes.tar"]
    text = (exported.folder / "Dockerfile").read_text()
    lines = text.splitlines()
    assert sum(line.startswith(("ADD ", "COPY ")) for line in lines) == 1
    assert sum(line.startswith("FROM ") for line in lines) == 1
    assert "#   snap run -- sleep 600" in lines
    assert '"all\\nof it"' in text
    with tarfile.open(exported.folder / "changes.tar") as tar:
        assert not [name for name in tar.getnames() if "/.wh." in name]


def test_what_a_dockerfile_cannot_say_is_noted(exported: Exported) -> None:
    note = "a Dockerfile cannot take away the label org.opencontainers.image.version of the base"
    assert f"#   {note}: it stays, empty" in (exported.folder / "Dockerfile").read_text()
    assert f"snap: {note}: it stays, empty" in exported.said


def test_a_digest_of_a_registry_says_which_base(space: Sandbox, tmp_path: Path) -> None:
    client = space.client
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as address:
        pushed = f"{address}/h/base:1"
        push(client, space.base_image, pushed)
        client.pull(f"{address}/h/base", "1")
        # Podman lists its own manifest's too.
        digests = space.inspect(pushed)["RepoDigests"]
        space.snap("patch", "-q", pushed, "-t", space.name("of-registry"), "--rm", "/etc/group")
        done = space.snap("export", "--format", "json", space.name("of-registry"), str(tmp_path / "out"))
        assert json.loads(done.stdout)["base"] in digests
        for builder in builders():
            built = space.name(f"built-{builder}")
            BUILDERS[builder](space, tmp_path / "out", built)
            assert image_tree(space, built) == image_tree(space, space.name("of-registry"))
        client.remove_image(pushed)


def test_a_snapshot_of_a_snapshot_stands_on_the_first_base(space: Sandbox, tmp_path: Path) -> None:
    space.snap("commit", space.changed("echo 1 > /one; echo 1 > /both", "first"), space.name("first"))
    box = space.changed("echo 2 > /two; rm /both", "second", image=space.name("first"))
    space.snap("commit", box, space.name("second"), "--env", "A=1")
    done = space.snap("export", "--format", "json", space.name("second"), str(tmp_path / "out"))
    document = json.loads(done.stdout)
    assert document["schema"] == "docker-snap.export/1"
    assert space.base_image.partition(":")[0] in document["base"]
    text = (tmp_path / "out" / "Dockerfile").read_text()
    assert "io.github.docker-snap" not in text
    build_classic(space, tmp_path / "out", space.name("second-again"))
    assert image_tree(space, space.name("second-again")) == image_tree(space, space.name("second"))


def test_what_was_put_into_a_volume_of_the_base_is_there(space: Sandbox, base: str, tmp_path: Path) -> None:
    name = space.name("in-volume")
    space.snap("patch", "-q", base, "-t", name, "--add-text", "/vol/new=1", "--rm", "/gone/file")
    space.snap("export", name, str(tmp_path / "out"))
    for builder in builders():
        built = space.name(f"in-volume-{builder}")
        BUILDERS[builder](space, tmp_path / "out", built)
        tree = image_tree(space, built)
        assert "vol/new" in tree
        assert tree == image_tree(space, name)


def test_a_config_alone_needs_no_archive(space: Sandbox, tmp_path: Path) -> None:
    box = space.changed("true", "same")
    space.snap("commit", box, space.name("config"), "--env", "A=1", "--workdir", "/not/there")
    (tmp_path / "out").mkdir()
    done = space.snap("export", space.name("config"), ".", cwd=tmp_path / "out")
    assert "the working folder /not/there is not in the image: building makes it" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["Dockerfile"]
    lines = (tmp_path / "out" / "Dockerfile").read_text().splitlines()
    written = [line for line in lines if line and not line.startswith("#")]
    assert written[1:] == ["ENV A=1", "WORKDIR /not/there"]


def refused(space: Sandbox, image: str, folder: Path, status: int) -> str:
    """What is said where nothing is written."""
    done = space.snap("export", image, str(folder), expect=status)
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []
    return done.stderr


def without_rm() -> bytes:
    """A root folder with a busybox that nobody calls rm."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(lookalike.root_tar({"a": b"1"}))) as old,
        tarfile.open(fileobj=out, mode="w") as new,
    ):
        for info in old:
            if info.name != "bin/rm":
                new.addfile(info, old.extractfile(info) if info.isreg() else None)
    return out.getvalue()


def test_what_no_build_can_do_is_refused(space: Sandbox, base: str, tmp_path: Path) -> None:
    client = space.client
    folder = tmp_path / "out"
    environment = f"ENV PATH={lookalike.PATH}"
    bare, made = space.name("bare"), space.name("made")
    lookalike.import_image(client, bare, without_rm(), [environment])
    space.snap("patch", "-q", bare, "-t", made, "--rm", "/a")
    assert "The base has no `rm`, and the image deletes '/a' of it" in refused(space, made, folder, 4)
    for path, reason in (("/vol", "/vol is a volume of the base"), ("/etc", "an engine mounts something")):
        space.snap("patch", "-q", base, "-t", made, "--rm", path)
        assert reason in refused(space, made, folder, 4)
    assert "has no record of snap's" in refused(space, base, folder, 2)
    if not space.is_podman:
        # Its own commit drops triggers.
        triggers = space.name("triggers")
        box = space.hold("triggers", image=bare)
        client.commit(box, triggers, changes=["ONBUILD RUN true"])
        space.snap("patch", "-q", triggers, "-t", made, "--add-text", "/b=1")
        assert "has triggers (ONBUILD)" in refused(space, made, folder, 4)


@pytest.mark.only_on("docker28-containerd", reason="elsewhere the bytes of a deleted name are known")
def test_a_deleted_name_that_is_not_known_is_refused(space: Sandbox, tmp_path: Path) -> None:
    base, made = space.name("odd-base"), space.name("odd")
    tar = lookalike.root_tar(extra=[entry("caf\udce9", "file")])
    lookalike.import_image(space.client, base, tar, [f"ENV PATH={lookalike.PATH}"])
    space.snap("commit", space.changed("rm /caf*", "odd-name", image=base), made)
    assert "does not tell the bytes of that name" in refused(space, made, tmp_path / "out", 4)


def test_a_folder_that_is_in_use_is_refused(space: Sandbox, exported: Exported) -> None:
    before = {path: path.stat().st_mtime_ns for path in exported.folder.iterdir()}
    done = space.snap("export", exported.name, str(exported.folder), expect=2)
    assert "is not empty" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in exported.folder.iterdir()} == before


def test_an_oci_layout_is_the_image(space: Sandbox, exported: Exported, tmp_path: Path) -> None:
    name = space.name("oci")
    space.client.tag(exported.name, name)
    digests = []
    for target in (tmp_path / "layout", tmp_path / "layout.tar"):
        done = space.snap("export", "--format", "json", name, "--oci", str(target))
        digests.append(json.loads(done.stdout)["manifest"])
    assert digests[0] == digests[1]
    index = json.loads((tmp_path / "layout" / "index.json").read_text())
    assert index["manifests"][0]["digest"] == digests[0]
    packed = subprocess.run(
        ["tar", "-C", str(tmp_path / "layout"), "-c", "."], capture_output=True, check=True
    ).stdout
    for archive in ((tmp_path / "layout.tar").read_bytes(), packed):
        space.client.remove_image(name)
        space.client.load_image(archive)  # type: ignore[no-untyped-call]
        loaded = space.inspect(name)
        assert loaded["RootFS"]["Layers"] == space.inspect(exported.name)["RootFS"]["Layers"]
        assert compared(space.config(name)) == compared(space.config(exported.name))


@pytest.mark.only_on("podman", reason="buildah by itself is the same whatever the engine")
def test_buildah_takes_both(space: Sandbox, base: str, exported: Exported, tmp_path: Path) -> None:
    buildah = Buildah(tmp_path)
    space.snap("export", base, "--oci", str(tmp_path / "base"))
    space.snap("export", exported.name, "--oci", str(tmp_path / "all"))
    buildah.run("tag", buildah.run("pull", f"oci:{tmp_path / 'base'}"), f"docker.io/library/{base}")
    assert buildah.run("pull", f"oci:{tmp_path / 'all'}")
    text = (exported.folder / "Dockerfile").read_text()
    context = tmp_path / "context"
    context.mkdir()
    # The digest that FROM has is of Podman's store: here is another store with the same image.
    lines = [f"FROM {base}" if line.startswith("FROM ") else line for line in text.splitlines()]
    (context / "Dockerfile").write_text("\n".join(lines))
    (context / "changes.tar").write_bytes((exported.folder / "changes.tar").read_bytes())
    name = space.name("by-buildah")
    buildah.run("build", "--format", "docker", "--isolation", "chroot", "-t", name, str(context))
    archive = tmp_path / "built.tar"
    buildah.run("push", name, f"docker-archive:{archive}:{name}")
    space.client.load_image(archive.read_bytes())  # type: ignore[no-untyped-call]
    assert image_tree(space, name) == exported.tree
    wanted, got = space.config(exported.name), space.config(name)
    assert compared(got) == compared(wanted)
    assert (got["Healthcheck"], got["OnBuild"]) == (wanted["Healthcheck"], wanted["OnBuild"])
