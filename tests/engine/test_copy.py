"""``snap cp``: as ``docker cp`` does it, and what a container cannot do to the folder that is copied to."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sandbox import SNAP, Sandbox

from snapshot import errors
from snapshot.engine.processes import Processes
from snapshot.workflow.cp import copy_in, copy_out
from snapshot.workflow.progress import Silent

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on("docker20", "podman", reason="copying is the same on the other kinds"),
]

#: What stands on either side of each case, made by one script here and there.
SCENE = r"""
mkdir -p dir/sub; echo file > file; echo a > dir/a; echo b > dir/sub/b; ln -s a dir/link
ln -s file filelink; ln -s dir dirlink; ln -s new nolink; ln -s round round
chmod 4751 file; chmod 700 dir; touch -d @1500000000 file dir/a dir/sub/b
"""
OTHER_SCENE = r"""
mkdir dir; echo other > file; echo other > dir/a; echo x > dir/x; echo file > dir/file
ln -s file filelink; ln -s dir dirlink; ln -s new nolink; ln -s no/new deeplink
"""

#: Options, source and destination.
CASES = [
    *[
        ("", "file", to)
        for to in ("new", "new/", "new/.", "no/new", "file", "file/", "file/x", "dir", "dir/.")
    ],
    *[("", "file", to) for to in ("filelink", "dirlink", "nolink", "deeplink")],
    *[("", "dir", to) for to in ("new", "new/", "new/.", "no/new", "file", "dir", "dirlink", "nolink")],
    *[("", "dir/.", to) for to in ("new", "new/", "file", "dir", "dir/", "dirlink", "nolink")],
    *[
        ("", source, "new")
        for source in ("file/", "dir/", "filelink", "dirlink", "dirlink/.", "nolink", "nothing")
    ],
    *[("-L", source, "new") for source in ("file", "filelink", "dirlink/.", "nolink", "round")],
    *[("-L", source, "dir") for source in ("filelink", "dirlink", "dirlink/.")],
]


class Stands(NamedTuple):
    """What stands at a path, as far as both programs have to agree."""

    type: str
    mode: int
    owner: tuple[int, int]
    text: str
    mtime_s: int


def tree(root: Path) -> dict[str, Stands]:
    """All below a folder here."""
    found = {}
    for path in sorted(root.rglob("*")):
        seen = path.lstat()
        kind = stat.S_IFMT(seen.st_mode)
        text = ""
        if kind == stat.S_IFLNK:
            text = str(path.readlink())
        elif kind == stat.S_IFREG:
            text = path.read_text()
        # Folders that something is put in have the time of that, and links have the mode that they like.
        mtime_s = int(seen.st_mtime) if kind == stat.S_IFREG and seen.st_mtime < 1_600_000_000 else 0
        mode = 0 if kind == stat.S_IFLNK else stat.S_IMODE(seen.st_mode)
        found[str(path.relative_to(root))] = Stands(
            oct(kind), mode, (seen.st_uid, seen.st_gid), text, mtime_s
        )
    return found


def without_set_id(found: dict[str, Stands]) -> dict[str, Stands]:
    return {path: stands._replace(mode=stands.mode & 0o1777) for path, stands in found.items()}


class Box:
    """A container, and the two programs that copy."""

    def __init__(self, space: Sandbox) -> None:
        self.space = space
        self.name = space.name("copied")
        made = space.client.create_container(
            space.base_image,
            ["sleep", "600"],
            name=self.name,
            host_config=space.client.create_host_config(network_mode="none"),
        )
        space.client.start(made["Id"])
        self.folders = 0

    def folder(self) -> str:
        """A new folder in the container."""
        self.folders += 1
        path = f"/f{self.folders}"
        self.sh(f"mkdir {path}")
        return path

    def sh(self, script: str) -> str:
        return self.space.sh(self.name, script)

    def docker(self, *arguments: str, cwd: Path) -> bool:
        """Whether ``docker cp`` did it."""
        done = subprocess.run(
            ["docker", "cp", *arguments],
            env=self.space.environment(),
            cwd=cwd,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode == 0

    def snap(self, *arguments: str, cwd: Path) -> bool:
        """Whether ``snap cp`` did it; it never says that snap itself failed."""
        done = self.space.snap("cp", *arguments, cwd=cwd, expect=None)
        assert "snap itself" not in done.stderr
        return done.returncode == 0

    def read(self, path: str, into: Path) -> None:
        """Unpack a folder of the container here with Python's own means."""
        stream, _ = self.space.client.get_archive(self.name, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            tar.extractall(into, filter="fully_trusted")


@pytest.fixture(scope="module")
def box(space: Sandbox) -> Box:
    return Box(space)


@pytest.fixture
def processes(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """The engine for calls in this process; their steps go into a journal of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Processes.connect(host)
    yield made
    made.close()


def sh(script: str, cwd: Path) -> None:
    subprocess.run(["sh", "-ec", script], cwd=cwd, check=True)


as_docker_alone = pytest.mark.only_on("docker20", reason="Docker's CLI gives other results before Podman")


@as_docker_alone
def test_what_is_copied_in_is_what_docker_copies_in(box: Box, tmp_path: Path) -> None:
    sh(SCENE, tmp_path)
    top = box.folder()
    box.sh(
        f"cd {top}; for n in $(seq 0 {len(CASES) - 1}); do for p in docker snap; do"
        f" mkdir -p $p/$n; cd $p/$n; {OTHER_SCENE} cd ../..; done; done"
    )
    outcomes: dict[int, list[bool]] = {}
    for number, (option, source, destination) in enumerate(CASES):
        for program in ("docker", "snap"):
            run: Callable[..., bool] = getattr(box, program)
            there = f"{box.name}:{top}/{program}/{number}/{destination}"
            outcomes.setdefault(number, []).append(run(*option.split(), source, there, cwd=tmp_path))
    box.read(top, tmp_path)
    for number, (docker_did, snap_did) in outcomes.items():
        assert snap_did == docker_did, CASES[number]
        made = [tree(tmp_path / top[1:] / program / str(number)) for program in ("docker", "snap")]
        assert made[1] == made[0], CASES[number]


@as_docker_alone
def test_what_is_copied_out_is_what_docker_copies_out(box: Box, tmp_path: Path) -> None:
    top = box.folder()
    box.sh(f"cd {top}; {SCENE}")
    for number, (option, source, destination) in enumerate(CASES):
        did, made = {}, {}
        for program in ("docker", "snap"):
            here = tmp_path / str(number) / program
            here.mkdir(parents=True)
            sh(OTHER_SCENE, here)
            run: Callable[..., bool] = getattr(box, program)
            did[program] = run(*option.split(), f"{box.name}:{top}/{source}", destination, cwd=here)
            made[program] = without_set_id(tree(here))
        assert did["snap"] == did["docker"], CASES[number]
        assert made["snap"] == made["docker"], CASES[number]


#: What some of the cases make beside what stands there already; empty where they are refused.
MADE = {
    ("file", "new"): {"new"},
    ("file", "dir"): {"dir/file"},
    ("file", "nolink"): {"new"},
    ("file", "new/"): set(),
    ("file", "no/new"): set(),
    ("dir", "new"): {"new", "new/a", "new/link", "new/sub", "new/sub/b"},
    ("dir", "dirlink"): {"dir/dir", "dir/dir/a", "dir/dir/link", "dir/dir/sub", "dir/dir/sub/b"},
    ("dir/.", "new"): {"new", "new/a", "new/link", "new/sub", "new/sub/b"},
    ("dir/.", "dir"): {"dir/link", "dir/sub", "dir/sub/b"},
    ("dir", "file"): set(),
}


def test_dockers_rules_hold_both_ways_on_every_engine(box: Box, tmp_path: Path) -> None:
    sh(f"mkdir scene; cd scene; {SCENE}", tmp_path)
    top = box.folder()
    box.sh(
        f"cd {top}; mkdir scene; cd scene; {SCENE} cd ..;"
        f" for n in $(seq 0 {len(MADE) - 1}); do mkdir $n; cd $n; {OTHER_SCENE} cd ..; done"
    )
    sh(f"for n in $(seq 0 {len(MADE) - 1}); do mkdir $n; cd $n; {OTHER_SCENE} cd ..; done", tmp_path)
    before = set(tree(tmp_path / "0"))
    for number, ((source, destination), made) in enumerate(MADE.items()):
        here, there = f"{number}/{destination}", f"{box.name}:{top}/{number}/{destination}"
        assert box.snap(f"scene/{source}", there, cwd=tmp_path) == bool(made)
        assert box.snap(f"{box.name}:{top}/scene/{source}", here, cwd=tmp_path) == bool(made)
    box.read(top, tmp_path)
    for number, (case, made) in enumerate(MADE.items()):
        assert set(tree(tmp_path / str(number))) - before == made - before, case
        assert set(tree(tmp_path / top[1:] / str(number))) - before == made - before, case


def test_files_belong_to_root_in_the_container_unless_owners_are_kept(box: Box, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.chown(tmp_path / "a", 1234, 4321)
    top = box.folder()
    assert box.snap("a", f"{box.name}:{top}/roots", cwd=tmp_path)
    assert box.snap("-a", "a", f"{box.name}:{top}/mine", cwd=tmp_path)
    assert box.sh(f"stat -c %u:%g {top}/roots {top}/mine") == "0:0\n1234:4321\n"


@pytest.mark.only_on("docker20", reason="Podman's archives of a path do not say whose its files are")
def test_owners_and_set_id_bits_come_out_where_they_are_asked_for(box: Box, tmp_path: Path) -> None:
    top = box.folder()
    box.sh(f"echo a > {top}/a; chown 1234:4321 {top}/a; chmod 6755 {top}/a")
    assert box.snap(f"{box.name}:{top}/a", "mine", cwd=tmp_path)
    assert box.snap("-a", f"{box.name}:{top}/a", "kept", cwd=tmp_path)
    mine, kept = (tmp_path / "mine").stat(), (tmp_path / "kept").stat()
    assert (mine.st_uid, stat.S_IMODE(mine.st_mode)) == (os.getuid(), 0o755)
    assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (1234, 4321, 0o6755)


@pytest.mark.only_on("podman", reason="it is about what Podman does not tell")
def test_owners_that_podman_does_not_tell_are_not_made_up(box: Box, tmp_path: Path) -> None:
    done = box.space.snap("cp", "-a", f"{box.name}:/diamol", "out", cwd=tmp_path, expect=2)
    assert "owners cannot be kept" in done.stderr
    assert not (tmp_path / "out").exists()


def test_it_says_what_it_copied_and_the_journal_keeps_it(box: Box, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    top = box.folder()
    done = box.space.snap("cp", "a", f"{box.name}:{top}", cwd=tmp_path)
    assert done.stderr == f"snap: copied 1 file, 4 bytes to {box.name}:{top}\n"
    assert done.stdout == ""
    (journal,) = (box.space.home / ".local/state").rglob("steps.jsonl")
    step = json.loads(journal.read_text().splitlines()[-1])["step"]
    assert (step["verb"], step["argv"], step["exit_code"]) == ("cp", ["a", f"{box.name}:{top}"], 0)
    digest = hashlib.sha256(b"text").hexdigest()
    assert step["copied"] == [{"path": f"{top}/a", "sha256": digest, "size_bytes": 4}]
    assert step["changes"]["listed"] == [f"A {top}/a"]


def test_copying_out_is_no_step_and_quiet_says_nothing(box: Box, tmp_path: Path) -> None:
    top = box.folder()
    box.sh(f"echo a > {top}/a")
    (tmp_path / "b").touch()
    box.space.snap("cp", "-q", "b", f"{box.name}:{top}", cwd=tmp_path)
    (journal,) = (box.space.home / ".local/state").rglob("steps.jsonl")
    before = journal.read_bytes()
    done = box.space.snap("cp", "-q", f"{box.name}:{top}/a", ".", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    assert journal.read_bytes() == before


def test_names_that_are_not_utf8_go_both_ways(box: Box, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).write_text("text")
    top = box.folder()
    assert box.snap(name, f"{box.name}:{top}/", cwd=tmp_path)
    assert box.snap(f"{box.name}:{top}/{name}", "back", cwd=tmp_path)
    assert (tmp_path / "back").read_text() == "text"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_goes_in_through_stdin_with_its_owners(
    box: Box, processes: Processes, pack: Callable[[bytes], bytes]
) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo("sub/a")
        info.size, info.uid = 4, 77
        tar.addfile(info, io.BytesIO(b"text"))
    top = box.folder()
    packed = io.BytesIO(pack(stream.getvalue()))
    result = copy_in(processes, processes.container(box.name), packed, top)
    assert [copied.path for copied in result.copied] == [f"{top}/sub/a"]
    assert box.sh(f"cat {top}/sub/a; stat -c %u {top}/sub/a") == "text77\n"


def test_a_tar_comes_out_through_stdout(box: Box, tmp_path: Path) -> None:
    top = box.folder()
    box.sh(f"mkdir {top}/dir; echo a > {top}/dir/a")
    command = [*SNAP, "cp", f"{box.name}:{top}/dir", "-"]
    raw = subprocess.run(command, env=box.space.environment(), cwd=tmp_path, check=True, stdout=-1).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        assert [name.rstrip("/") for name in tar.getnames()] == ["dir", "dir/a"]


def test_a_tar_has_to_go_into_a_folder(box: Box, processes: Processes) -> None:
    top = box.folder()
    with pytest.raises(errors.InvalidInput, match="is not a folder"):
        copy_in(processes, processes.container(box.name), io.BytesIO(bytes(1024)), f"{top}/new")


def test_links_in_the_container_are_followed_there_alone(box: Box, tmp_path: Path) -> None:
    top = box.folder()
    (tmp_path / "secret").write_text("mine")
    box.sh(f"ln -s {tmp_path}/secret {top}/link; ln -s /../../..{tmp_path} {top}/up")
    assert not box.snap("-L", f"{box.name}:{top}/link", "stolen", cwd=tmp_path)
    assert not (tmp_path / "stolen").exists()
    (tmp_path / "a").touch()
    assert not box.snap("a", f"{box.name}:{top}/up/", cwd=tmp_path)


def test_a_link_at_the_destination_does_not_lead_a_copy_out_of_it(box: Box, tmp_path: Path) -> None:
    top = box.folder()
    box.sh(f"mkdir -p {top}/dir/sub; echo evil > {top}/dir/sub/a")
    (tmp_path / "outside").mkdir()
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "sub").symlink_to(tmp_path / "outside")
    done = box.space.snap("cp", f"{box.name}:{top}/dir", ".", cwd=tmp_path, expect=errors.Refused.exit_code)
    assert "'./dir/sub' is no folder here" in done.stderr
    assert list((tmp_path / "outside").iterdir()) == []


def test_devices_are_left_out_and_said(box: Box, processes: Processes, tmp_path: Path) -> None:
    top = box.folder()
    box.sh(f"mkdir {top}/dir; echo a > {top}/dir/a; mknod {top}/dir/null c 1 3; mkfifo {top}/dir/pipe")
    result = copy_out(processes, processes.container(box.name), f"{top}/dir", str(tmp_path))
    assert (result.files, result.skipped) == (1, (f"{top}/dir/null",))
    assert sorted(path.name for path in (tmp_path / "dir").iterdir()) == ["a", "pipe"]
    with pytest.raises(errors.Refused, match="is a device"):
        copy_out(processes, processes.container(box.name), f"{top}/dir/null", str(tmp_path / "null"))


def test_what_is_linked_in_the_container_is_linked_here(
    box: Box, processes: Processes, tmp_path: Path
) -> None:
    top = box.folder()
    box.sh(f"mkdir {top}/dir; echo a > {top}/dir/a; ln {top}/dir/a {top}/dir/b")
    container = processes.container(box.name)
    copy_out(processes, container, f"{top}/dir", str(tmp_path / "here"))
    assert (tmp_path / "here" / "a").samefile(tmp_path / "here" / "b")
    copy_in(processes, container, str(tmp_path / "here"), f"{top}/again")
    assert box.sh(f"stat -c %h {top}/again/a") == "2\n"


def test_a_file_that_changes_meanwhile_is_named_and_the_step_failed(
    box: Box, processes: Processes, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(4 << 20))
    top = box.folder()

    class Cutting(Silent):
        """Cuts the file while it is on its way."""

        def advance(self, byte_count: int) -> None:
            if byte_count:
                os.truncate(large, 1 << 20)

    began_s = time.monotonic()
    with pytest.raises(errors.SnapError, match=r"large' changed while it was copied"):
        copy_in(processes, processes.container(box.name), str(large), top, progress=Cutting())
    assert time.monotonic() - began_s < 20
    (journal,) = (tmp_path / "state").rglob("steps.jsonl")
    assert json.loads(journal.read_text().splitlines()[-1])["step"]["exit_code"] == 1


def test_an_engine_that_refuses_is_a_sentence(box: Box, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    done = box.space.snap("cp", "a", f"{box.name}:/etc/passwd/a", cwd=tmp_path, expect=1)
    assert done.stderr.startswith(f"snap: There is no folder '/etc/passwd' in '{box.name}'.")
    done = box.space.snap("cp", "a", f"{box.name}-none:/", cwd=tmp_path, expect=1)
    assert f"{box.name}-none" in done.stderr
