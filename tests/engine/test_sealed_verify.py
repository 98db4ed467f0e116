"""What ``snap verify`` says of sealed images that were tampered with, squashed, flattened (conformance V)."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import docker
import lookalike
import pytest
from doctor import Edit, Entry, SavedImage, edited, entry, put_together, take_apart
from pairs import differing, tree_of_image
from sandbox import Sandbox
from trees import never_started

from snapshot.image.record import MANIFEST_LABEL, RECORD_LABEL, SEAL_LABEL, STEPS_LABEL

pytestmark = pytest.mark.engine

OTHER_LAYERS = "are not the recorded ones: squashed or flattened"
SCRIPT = """
cd /diamol
echo 'by: Elton' > ch03.txt
mkdir app && echo 'console.log(1)' > app/app.js && chmod 750 app/app.js && chown 12:34 app/app.js
ln app/app.js app/second.js; ln -s ch03.txt latest; mkfifo app/pipe
rm /bin/wc; rm -r /srv/tree
"""


@dataclass(frozen=True)
class Sealed:
    """A base, a sealed image on it, and what it consists of."""

    base: str
    image: str
    parts: SavedImage

    @property
    def copy(self) -> SavedImage:
        """The parts, free to be changed."""
        return SavedImage(json.loads(json.dumps(self.parts.config)), list(self.parts.layers))


@pytest.fixture(scope="module")
def sealed(
    client: docker.APIClient, host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sealed]:
    space = Sandbox(client, host, base_image, tmp_path_factory.mktemp("home"))
    base, image = space.name("base") + ":latest", space.name("sealed") + ":latest"
    tar = lookalike.root_tar({"diamol/ch03.txt": b"by: nobody\n", "srv/tree/a": b"a", "srv/b": b"b"})
    lookalike.import_image(client, base, tar, ["WORKDIR /diamol", f"ENV PATH={lookalike.PATH}"])
    box = space.changed(SCRIPT, image=base)
    space.snap("commit", "--method", "sealed", box, image, "-l", "team=lab", "--env", "TARGET=blog")
    yield Sealed(base, image, take_apart(client, image))
    space.clean()


@dataclass(frozen=True)
class Said:
    """What verify found: each subject with its detail."""

    ok: dict[str, str]
    failed: dict[str, str]


def verified(sandbox: Sandbox, image: str, *options: str) -> Said:
    """What verify says of an image; its status is 3 where anything failed, else 0."""
    done = sandbox.snap("verify", image, *options, "--format", "json", expect=None)
    assert done.returncode in {0, 3}, done.stderr
    findings = json.loads(done.stdout)["findings"]
    said = Said(
        {item["subject"]: item["detail"] for item in findings if item["passed"]},
        {item["subject"]: item["detail"] for item in findings if not item["passed"]},
    )
    assert done.returncode == (3 if said.failed else 0)
    return said


def of_parts(sandbox: Sandbox, parts: SavedImage, *options: str) -> Said:
    """What verify says of an image that is put together from these parts."""
    put_together(sandbox.client, parts, sandbox.name("doctored"))
    return verified(sandbox, sandbox.name("doctored"), *options)


def replaced(path: str, content: bytes) -> Edit:
    """An edit of one file of a layer."""

    def edit(info: tarfile.TarInfo, before: bytes) -> Entry:
        return info, content if info.name == path else before

    return edit


def test_put_together_again_it_is_the_same_image(sandbox: Sandbox, sealed: Sealed) -> None:
    for options in ([], ["--deep"]):
        said = of_parts(sandbox, sealed.copy, *options)
        assert said.failed == {}
        assert said.ok["layer"].startswith("the committed one, sha256:")


# --- the record ---


def test_a_record_that_was_edited_is_named(sandbox: Sandbox, sealed: Sealed) -> None:
    parts = sealed.copy
    parts.labels[RECORD_LABEL] = parts.labels[RECORD_LABEL].replace('"added":', '"added":1')
    assert of_parts(sandbox, parts).failed == {"record": "the record or what goes with it was edited"}


@pytest.mark.parametrize(
    ("field", "value"), [("diff_id", f"sha256:{'0' * 64}"), ("manifest_digest", f"sha256:{'0' * 64}")]
)
def test_a_record_that_was_edited_and_sealed_again_proves_nothing_any_more(
    sandbox: Sandbox, sealed: Sealed, field: str, value: str
) -> None:
    """Anybody can compute the seal; nobody can find a layer or a list with a digest of their choice."""
    parts = sealed.copy
    record = json.loads(parts.labels[RECORD_LABEL])
    record[field] = value
    seal_again(parts, record)
    said = of_parts(sandbox, parts, "--deep")
    if field == "diff_id":  # the files are still those that the record lists, and that is what is said
        assert said.ok["layers"] == OTHER_LAYERS
    else:
        assert said.failed == {"changes": "the list of files is not the recorded one"}


def test_a_record_sealed_again_with_another_base_is_named(sandbox: Sandbox, sealed: Sealed) -> None:
    parts = sealed.copy
    record = json.loads(parts.labels[RECORD_LABEL])
    record["base"]["chain_id"] = f"sha256:{'0' * 64}"
    seal_again(parts, record)
    assert of_parts(sandbox, parts).failed.keys() == {"base", "layers"}


def seal_again(parts: SavedImage, record: dict[str, object]) -> None:
    text = json.dumps(record, separators=(",", ":"), sort_keys=True)
    parts.labels[RECORD_LABEL] = text
    sealed = json.dumps([text, parts.labels[MANIFEST_LABEL], parts.labels[STEPS_LABEL], ""])
    parts.labels[SEAL_LABEL] = "sha256:" + hashlib.sha256(sealed.encode()).hexdigest()


# --- layers ---


@pytest.mark.parametrize("at", ["top", "below", "between"])
def test_a_layer_too_many_is_named(sandbox: Sandbox, sealed: Sealed, at: str) -> None:
    parts = sealed.copy
    extra = edited(parts.layers[-1], lambda *_: None, [entry("evil", b"x")])
    parts.layers.insert({"below": 0, "between": 1, "top": 2}[at], extra)
    parts.config["history"].append({"created_by": "evil"})
    failed = of_parts(sandbox, parts).failed
    if at == "top":
        assert failed == {"base": f"2 layers stand on {named(sealed)}, and one was committed"}
    else:
        assert failed.keys() == {"base", "A /evil"}


def digest_of(layer: bytes) -> str:
    return f"sha256:{hashlib.sha256(layer).hexdigest()}"


def named(sealed: Sealed) -> str:
    return f"docker.io/library/{sealed.base}, 1 layer"


def test_a_layer_too_few_is_named(sandbox: Sandbox, sealed: Sealed) -> None:
    parts = sealed.copy
    parts.layers.pop()
    parts.config["history"].pop()
    failed = of_parts(sandbox, parts).failed
    assert {"C /diamol/ch03.txt", "A /diamol/app/app.js", "D /bin/wc"} < failed.keys()
    assert failed["A /diamol/app/app.js"] == "is missing"


def test_a_base_that_was_swapped_is_named_by_what_it_brings(sandbox: Sandbox, sealed: Sealed) -> None:
    parts = sealed.copy
    parts.layers[0] = edited(parts.layers[0], replaced("srv/b", b"c"), [entry("evil", b"x")])
    failed = of_parts(sandbox, parts).failed
    assert failed.keys() == {"base", "A /evil", "C /srv/b"}
    assert failed["base"] == f"the layers below are not those of {named(sealed)}"


@pytest.mark.parametrize("options", [[], ["--deep"]], ids=["", "deep"])
def test_a_file_that_was_changed_in_the_layer_is_named(
    sandbox: Sandbox, sealed: Sealed, options: list[str]
) -> None:
    parts = sealed.copy
    parts.layers[-1] = edited(parts.layers[-1], replaced("diamol/ch03.txt", b"by: Carla\n"))
    failed = of_parts(sandbox, parts, *options).failed
    assert failed.keys() == {"layer", "C /diamol/ch03.txt"}
    assert failed["layer"].endswith(f", recorded {digest_of(sealed.parts.layers[-1])}")
    assert failed["C /diamol/ch03.txt"].startswith("sha256 is ")


def test_a_path_too_many_in_the_layer_is_named(sandbox: Sandbox, sealed: Sealed) -> None:
    parts = sealed.copy
    more = [entry("bin/evil", b"x", mode=0o755), entry("etc/passwd", b"the base's, replaced")]
    parts.layers[-1] = edited(parts.layers[-1], lambda *each: each, more)
    failed = of_parts(sandbox, parts).failed
    assert failed.keys() == {"layer", "A /bin/evil", "C /etc/passwd"}
    assert failed["A /bin/evil"] == "is there and was not recorded"


@pytest.mark.parametrize(
    "name",
    [".wh..wh..opq", ".wh..", "srv/.wh..wh..opq", "diamol/latest/.wh.x", ".wh.etc", "../.wh.x", "./.wh.b"],
)
def test_a_whiteout_of_a_strangers_making_is_refused_or_named(
    sandbox: Sandbox, sealed: Sealed, name: str
) -> None:
    """V16."""
    parts = sealed.copy
    parts.layers[-1] = edited(parts.layers[-1], lambda *each: each, [entry(name)])
    try:
        put_together(sandbox.client, parts, sandbox.name("doctored"))
    except (docker.errors.APIError, AssertionError):
        return  # the engine itself refuses it
    done = sandbox.snap("verify", sandbox.name("doctored"), expect=None)
    if done.returncode == 1:  # it refuses when it lays the layers over another, which can be as late as now
        assert "snap: The engine refused: " in done.stderr
        return
    said = verified(sandbox, sandbox.name("doctored"))
    if said.failed:
        assert said.failed.keys() & {"layer", "base"}
    else:  # the engine took it and made nothing of it
        assert said.ok["layers"] == OTHER_LAYERS
        trees = [tree_of_image(sandbox, image) for image in (sealed.image, sandbox.name("doctored"))]
        assert differing(*trees) == {}


# --- config ---


@pytest.mark.parametrize(
    ("key", "value", "finding"),
    [
        ("Env", ["TARGET=evil", f"PATH={lookalike.PATH}"], "env TARGET"),
        ("Env", [f"PATH={lookalike.PATH}"], "env TARGET"),
        ("Env", ["TARGET=blog", f"PATH={lookalike.PATH}", "LD_PRELOAD=/x"], "env LD_PRELOAD"),
        ("Entrypoint", ["/evil"], "entrypoint"),
        ("User", "1000", "user"),
        ("ExposedPorts", {"22/tcp": {}}, "port 22/tcp"),
    ],
)
def test_a_config_that_was_tampered_with_is_named_and_the_layers_are_not(
    sandbox: Sandbox, sealed: Sealed, key: str, value: object, finding: str
) -> None:
    parts = sealed.copy
    parts.config["config"][key] = value
    said = of_parts(sandbox, parts)
    assert said.failed.keys() == {finding}
    assert {"record", "base", "layer"} <= said.ok.keys()


def test_a_label_that_was_edited_is_named(sandbox: Sandbox, sealed: Sealed) -> None:
    parts = sealed.copy
    parts.labels["team"] = "other"
    del parts.labels["org.opencontainers.image.base.name"]
    assert of_parts(sandbox, parts).failed.keys() == {
        "label team",
        "label org.opencontainers.image.base.name",
    }


# --- squashed and flattened copies ---


def flattened(sandbox: Sandbox, sealed: Sealed, edit: Edit = lambda *each: each) -> SavedImage:
    """All files of the sealed image in one layer, as an export has them, under the same config."""
    with never_started(sandbox.client, sealed.image, sandbox.name("look")) as look:
        tar = b"".join(sandbox.client.export(look))
    return SavedImage(sealed.copy.config | {"history": []}, [edited(tar, edit)])


def squashed(sealed: Sealed, edit: Callable[[bytes], bytes] = lambda layer: layer) -> SavedImage:
    """The committed layer parted in two."""
    parts = sealed.copy
    top = edit(parts.layers.pop())

    def only(wanted: bool) -> bytes:
        return edited(
            top, lambda info, data: (info, data) if info.name.startswith("diamol") is wanted else None
        )

    parts.layers += [only(True), only(False)]
    parts.config["history"].append({"created_by": "x"})
    return parts


def test_a_flattened_copy_passes_on_its_content_and_the_layers_are_said_to_differ(
    sandbox: Sandbox, sealed: Sealed
) -> None:
    """V13."""
    said = of_parts(sandbox, flattened(sandbox, sealed))
    assert said.failed == {}
    assert said.ok["layers"] == OTHER_LAYERS
    assert said.ok["content"].startswith(f"all files are those of docker.io/library/{sealed.base} with ")


def test_a_copy_with_its_layer_parted_in_two_passes_on_its_content(sandbox: Sandbox, sealed: Sealed) -> None:
    said = of_parts(sandbox, squashed(sealed), "--deep")
    assert said.failed == {}
    assert said.ok["layers"] == OTHER_LAYERS


@pytest.mark.only_on(
    "docker20", "docker28", "docker28-containerd", reason="Podman's import keeps backslashes in a label"
)
def test_an_export_that_was_imported_passes_on_its_content(sandbox: Sandbox, sealed: Sealed) -> None:
    """V13, with the engine's own tools; the labels are handed on as instructions."""
    with never_started(sandbox.client, sealed.image, sandbox.name("look")) as look:
        tar = b"".join(sandbox.client.export(look))
    config = sandbox.config(sealed.image)
    changes = [f"LABEL {json.dumps(key)}={_quoted(value)}" for key, value in config["Labels"].items()]
    changes += [f"ENV {variable}" for variable in config["Env"]] + [f"WORKDIR {config['WorkingDir']}"]
    lookalike.import_image(sandbox.client, sandbox.name("flat"), tar, changes)
    said = verified(sandbox, sandbox.name("flat"))
    assert said.failed == {}
    assert said.ok["layers"] == OTHER_LAYERS


def _quoted(value: str) -> str:
    """A label's value for an instruction, in which ``$``, quotes and backslashes mean something."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


@pytest.mark.parametrize(
    ("path", "finding"), [("diamol/ch03.txt", "C /diamol/ch03.txt"), ("etc/passwd", "C /etc/passwd")]
)
def test_one_changed_file_in_a_flattened_copy_is_named(
    sandbox: Sandbox, sealed: Sealed, path: str, finding: str
) -> None:
    failed = of_parts(sandbox, flattened(sandbox, sealed, replaced(path, b"evil"))).failed
    assert failed.keys() == {"base", finding}


def test_files_that_are_missing_or_too_many_in_a_flattened_copy_are_named(
    sandbox: Sandbox, sealed: Sealed
) -> None:
    parts = flattened(sandbox, sealed)
    parts.layers = [
        edited(
            parts.layers[0],
            lambda info, data: None if info.name.strip("./") in {"srv/b", "diamol/latest"} else (info, data),
            [entry("evil", b"x")],
        )
    ]
    assert of_parts(sandbox, parts).failed.keys() == {"base", "D /srv/b", "A /diamol/latest", "A /evil"}


def test_a_flattened_copy_cannot_be_judged_without_the_base(sandbox: Sandbox) -> None:
    base, image = sandbox.name("base") + ":latest", sandbox.name("image") + ":latest"
    tar = lookalike.root_tar({"of": sandbox.prefix.encode()})
    lookalike.import_image(sandbox.client, base, tar, [f"ENV PATH={lookalike.PATH}"])
    box = sandbox.changed("touch /new", image=base)
    sandbox.snap("commit", box, image)
    sealed = Sealed(base, image, take_apart(sandbox.client, image))
    parts = flattened(sandbox, sealed)
    sandbox.client.remove_container(box, force=True)
    sandbox.client.remove_image(image)
    sandbox.client.remove_image(base)
    failed = of_parts(sandbox, parts).failed
    assert failed == {
        "base": f"the layers below are not those of {named(sealed)}",
        "layers": f"are not the recorded ones, and without the base docker.io/library/{base}"
        " its files cannot be judged",
    }


# --- nothing to run ---


def test_an_image_without_a_shell_is_read_without_one(sandbox: Sandbox) -> None:
    """V12."""
    busybox = lookalike.find_busybox().read_bytes()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info, _ = entry("busybox", mode=0o755, size=len(busybox))
        tar.addfile(info, io.BytesIO(busybox))
    base, box, image = sandbox.name("scratch") + ":latest", sandbox.name(), sandbox.name("image") + ":latest"
    lookalike.import_image(sandbox.client, base, out.getvalue())
    sandbox.snap(
        "run", "-q", "--network", "none", "--name", box, base, "/busybox", "mkdir", "-p", "/made/sub"
    )
    sandbox.snap("commit", box, image)
    for options in ([], ["--deep"], ["--base", base]):
        assert verified(sandbox, image, *options).failed == {}
    parts = take_apart(sandbox.client, image)
    parts.layers[-1] = edited(parts.layers[-1], lambda *each: each, [entry("made/evil", b"x")])
    assert of_parts(sandbox, parts).failed.keys() == {"layer", "A /made/evil"}
