"""A committed image holds what the container held, by an oracle of its own (conformance F)."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile

import lookalike
import pytest
from doctor import take_apart
from sandbox import Sandbox
from steps import CASES, base_entries
from trees import never_started, tree_of

from snapshot.changeset.manifest import decode_manifest, encode_manifest

pytestmark = pytest.mark.engine


@pytest.fixture
def base(sandbox: Sandbox) -> str:
    name = sandbox.name("base")
    tar = lookalike.root_tar(extra=base_entries())
    lookalike.import_image(sandbox.client, name, tar, [f"ENV PATH={lookalike.PATH}"])
    return name


def assert_image_holds_what_the_container_holds(sandbox: Sandbox, image: str, box: str) -> None:
    with never_started(sandbox.client, image, sandbox.name("look")) as look:
        held, holds = tree_of(sandbox.client, box), tree_of(sandbox.client, look)
    assert held.keys() == holds.keys()
    assert {path: (held[path], holds[path]) for path in held if held[path] != holds[path]} == {}


def test_every_sort_of_change_goes_through_a_commit_unchanged(sandbox: Sandbox, base: str) -> None:
    """All in one container, so that more than forty files are changed."""
    with never_started(sandbox.client, base, sandbox.name("look")) as look:
        before = tree_of(sandbox.client, look)
    box = sandbox.hold(image=base)
    for script in CASES.values():
        sandbox.sh(box, script)
    sandbox.snap("commit", box, sandbox.name("image"))
    assert_image_holds_what_the_container_holds(sandbox, sandbox.name("image"), box)
    sandbox.snap("verify", sandbox.name("image"))
    with never_started(sandbox.client, base, sandbox.name("look")) as look:
        assert tree_of(sandbox.client, look) == before


@pytest.mark.parametrize(
    "cases",
    [
        ("F05", "F06"),
        ("F07", "F08", "F23", "F24", "F25"),
        ("F14", "F15", "F17"),
        ("F20", "F26", "F27"),
        ("V20",),
    ],
    ids=" ".join,
)
def test_a_few_changes_read_one_by_one_go_through_unchanged(
    sandbox: Sandbox, base: str, cases: tuple[str, ...]
) -> None:
    box = sandbox.hold(image=base)
    for name, script in CASES.items():
        if name.startswith(cases):
            sandbox.sh(box, script)
    sandbox.snap("commit", box, sandbox.name("image"))
    assert_image_holds_what_the_container_holds(sandbox, sandbox.name("image"), box)


def test_the_mode_of_the_root_folder_is_kept_in_the_layer(sandbox: Sandbox) -> None:
    """F22: what stands at ``/`` of a container is its engine's own, whatever the layers below say."""
    box = sandbox.changed("chmod 711 /; touch /new")
    image = sandbox.name("image")
    sandbox.snap("commit", box, image)
    layer = io.BytesIO(take_apart(sandbox.client, image).layers[-1])
    with tarfile.open(fileobj=layer) as tar:
        assert {info.name.strip("./"): info.mode for info in tar} == {"": 0o711, "new": 0o644}
    sandbox.snap("verify", "--deep", image)


@pytest.mark.parametrize("method", ["sealed", "engine"])
def test_a_long_list_of_files_is_kept_for_this_user_alone(sandbox: Sandbox, method: str) -> None:
    box = sandbox.changed("mkdir /many; for i in $(seq 1500); do echo $i > /many/$i; done")
    image = sandbox.name("image")
    sandbox.snap("commit", "--method", method, box, image)
    folder = sandbox.home / ".local" / "state" / "docker-snap"
    (kept,) = (folder / "manifests").iterdir()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "manifests", kept)]
    assert modes == [0o700, 0o700, 0o600]
    sandbox.snap("verify", "--deep", image)
    # Its digest is in the record: a list that was changed is as good as none.
    kept.write_text(encode_manifest(decode_manifest(kept.read_text())[1:]))
    assert "is not the recorded one" in sandbox.snap("verify", "--deep", image, expect=3).stdout


def test_the_bytes_of_the_record_are_those_of_the_file(sandbox: Sandbox) -> None:
    box = sandbox.changed("printf 'by: Elton' > /new")
    sandbox.snap("commit", box, sandbox.name("image"))
    digest = hashlib.sha256(b"by: Elton").hexdigest()
    assert digest in sandbox.snap("show", "--format", "json", sandbox.name("image")).stdout
    sandbox.snap("verify", sandbox.name("image"), "--sha256", f"/new={digest}")
