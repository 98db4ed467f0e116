"""What ``snap verify`` catches: each case is an image that was tampered with for real (conformance V)."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator

import docker
import lookalike
import pytest
from doctor import Edit, Entry, SavedImage, edited, entry, put_together, take_apart
from sandbox import Sandbox

pytestmark = pytest.mark.engine

SCRIPT = """
cd /diamol
echo -n 'Lab solution, by: Elton' > ch03.txt
mkdir app && echo 'console.log(1)' > app/app.js && chmod 750 app/app.js && chown 12:34 app/app.js
ln app/app.js app/second.js
echo data > app/data && chown 12:34 app/data
ln -s ch03.txt latest
mkfifo app/pipe
mknod app/null c 1 3
rm /bin/wc
"""


@pytest.fixture(scope="module")
def committed(
    client: docker.APIClient, host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, SavedImage]]:
    """A good image with every kind of change, and its parts."""
    space = Sandbox(client, host, base_image, tmp_path_factory.mktemp("home"))
    box = space.changed(SCRIPT)
    image = space.name("good")
    space.snap(
        "commit", box, image, "-m", "first", "-l", "team=lab", "-c", "EXPOSE 80", "-c", "USER 0:0",
        "--env", "TARGET=blog", "--cmd", '["sh"]',
    )  # fmt: skip
    yield image, take_apart(client, image)
    space.clean()


@pytest.fixture
def parts(committed: tuple[str, SavedImage]) -> SavedImage:
    """The parts of the good image, free to be changed."""
    saved = committed[1]
    return SavedImage(json.loads(json.dumps(saved.config)), list(saved.layers))


def failures(sandbox: Sandbox, parts: SavedImage) -> list[str]:
    """What verify says is wrong with an image of these parts, after it has exited with 3."""
    name = sandbox.name("doctored")
    put_together(sandbox.client, parts, name)
    done = sandbox.snap("verify", name, expect=3)
    return [line.removeprefix("FAIL").strip() for line in done.stdout.splitlines() if line.startswith("FAIL")]


def on(path: str, change: Callable[[tarfile.TarInfo, bytes], Entry | None]) -> Edit:
    """An edit of one entry of a layer."""

    def edit(info: tarfile.TarInfo, content: bytes) -> Entry | None:
        return change(info, content) if info.name.strip("/") == path else (info, content)

    return edit


def with_fields(**fields: object) -> Callable[[tarfile.TarInfo, bytes], Entry]:
    def change(info: tarfile.TarInfo, content: bytes) -> Entry:
        for name, value in fields.items():
            setattr(info, name, value)
        return info, content

    return change


def test_a_good_image_passes_also_for_somebody_who_has_only_the_image(
    sandbox: Sandbox, committed: tuple[str, SavedImage]
) -> None:
    """V01: each sandbox has a home of its own."""
    done = sandbox.snap("verify", committed[0], "--format", "json")
    document = json.loads(done.stdout)
    assert document["schema"] == "docker-snap.verify/1"
    assert document["passed"] is True
    subjects = [finding["subject"] for finding in document["findings"]]
    assert subjects == ["record", "base", "layer", "config"]
    deep = json.loads(sandbox.snap("verify", "--deep", committed[0], "--format", "json").stdout)
    assert deep["findings"][:4] == document["findings"]
    assert [(found["subject"], found["passed"]) for found in deep["findings"][4:]] == [("changes", True)]


def test_an_image_of_the_engines_own_commit_is_read_back(sandbox: Sandbox) -> None:
    """No digest of its layer is known before the engine makes it, so the files are what there is to see."""
    box, image = sandbox.changed(SCRIPT), sandbox.name("image")
    sandbox.snap("commit", "--method", "engine", box, image)
    document = json.loads(sandbox.snap("verify", image, "--format", "json").stdout)
    assert document["passed"] is True
    assert [finding["subject"] for finding in document["findings"]] == ["record", "base", "config", "changes"]


def test_taking_apart_and_putting_together_alone_changes_nothing(sandbox: Sandbox, parts: SavedImage) -> None:
    put_together(sandbox.client, parts, sandbox.name("same"))
    sandbox.snap("verify", sandbox.name("same"))


@pytest.mark.parametrize(
    ("path", "change", "finding"),
    [
        pytest.param(
            "diamol/ch03.txt",
            lambda info, content: (info, content.replace(b"Elton", b"Eltan")),
            "C /diamol/ch03.txt",
            id="a changed byte with the old time and size",
        ),
        pytest.param("diamol/app/data", lambda *_: None, "A /diamol/app/data", id="V03 a missing file"),
        pytest.param("diamol/latest", lambda *_: None, "A /diamol/latest", id="a missing symlink"),
        pytest.param("diamol/app/pipe", lambda *_: None, "A /diamol/app/pipe", id="a missing fifo"),
        pytest.param("bin/.wh.wc", lambda *_: None, "D /bin/wc", id="a deleted path that is back"),
        pytest.param("diamol/ch03.txt", with_fields(mode=0o600), "C /diamol/ch03.txt", id="a changed mode"),
        pytest.param("diamol/ch03.txt", with_fields(mode=0o4644), "C /diamol/ch03.txt", id="setuid"),
        pytest.param("diamol/app/data", with_fields(uid=13), "A /diamol/app/data", id="a changed owner"),
        pytest.param("diamol/app/data", with_fields(gid=13), "A /diamol/app/data", id="a changed group"),
        pytest.param(
            "diamol/latest",
            with_fields(linkname="/etc/passwd"),
            "A /diamol/latest",
            id="a changed link target",
        ),
        pytest.param("diamol/app/null", with_fields(devminor=5), "A /diamol/app/null", id="another device"),
        pytest.param(
            "diamol/app/pipe", with_fields(type=tarfile.REGTYPE), "A /diamol/app/pipe", id="another type"
        ),
        pytest.param(
            "diamol/app/second.js",
            lambda info, _: entry(info.name, b"console.log(1)\n", mode=0o750, uid=12, gid=34),
            "A /diamol/app/second.js",
            id="V07 a hard link that became a copy",
        ),
        pytest.param("diamol/app", with_fields(mode=0o777), "A /diamol/app", id="a changed folder"),
    ],
)
def test_a_file_that_is_not_as_recorded_is_named(
    sandbox: Sandbox, parts: SavedImage, path: str, change: Callable[..., Entry | None], finding: str
) -> None:
    before = parts.layers[-1]
    parts.layers[-1] = edited(before, on(path, change))
    assert parts.layers[-1] != before
    found = failures(sandbox, parts)
    assert any(line.startswith(finding) for line in found), found


def tampered_config(key: str, value: object) -> Callable[[SavedImage], None]:
    def tamper(parts: SavedImage) -> None:
        assert parts.config["config"].get(key) != value
        parts.config["config"][key] = value

    return tamper


def without_label(suffix: str) -> Callable[[SavedImage], None]:
    def tamper(parts: SavedImage) -> None:
        del parts.labels[next(key for key in parts.labels if key.endswith(suffix))]

    return tamper


def replaced_in_label(suffix: str, old: str, new: str) -> Callable[[SavedImage], None]:
    def tamper(parts: SavedImage) -> None:
        key = next(key for key in parts.labels if key.endswith(suffix))
        assert old in parts.labels[key]
        parts.labels[key] = parts.labels[key].replace(old, new)

    return tamper


@pytest.mark.parametrize(
    ("tamper", "finding"),
    [
        pytest.param(tampered_config("Env", ["TARGET=evil", "PATH=/bin"]), "env TARGET", id="env"),
        pytest.param(tampered_config("Cmd", ["sh", "-c", "evil"]), "cmd", id="cmd"),
        pytest.param(tampered_config("Entrypoint", ["/evil"]), "entrypoint", id="entrypoint"),
        pytest.param(tampered_config("User", "1000"), "user", id="user"),
        pytest.param(tampered_config("WorkingDir", "/tmp"), "workdir", id="workdir"),
        pytest.param(tampered_config("ExposedPorts", {"80/tcp": {}, "22/tcp": {}}), "port 22/tcp", id="port"),
        pytest.param(tampered_config("Volumes", {"/diamol": {}}), "volume /diamol", id="volume"),
        pytest.param(tampered_config("StopSignal", "SIGKILL"), "stop-signal", id="stop signal"),
        pytest.param(tampered_config("OnBuild", ["RUN evil"]), "onbuild", id="onbuild"),
        pytest.param(replaced_in_label("team", "lab", "other"), "label team", id="label"),
        pytest.param(without_label("team"), "label team", id="a removed label"),
        pytest.param(
            replaced_in_label(".base.name", "ch03", "ch04"),
            "label org.opencontainers.image.base.name",
            id="another base's name",
        ),
        pytest.param(replaced_in_label(".image.created", "20", "19"), "label org.open", id="another time"),
        pytest.param(replaced_in_label(".record", "first", "other"), "record", id="V10 an edited record"),
        pytest.param(without_label(".record"), "record", id="V10 a removed record"),
        pytest.param(without_label(".seal"), "record", id="V10 a removed seal"),
        pytest.param(without_label(".manifest"), "record", id="V10 a removed manifest"),
    ],
)
def test_a_config_or_record_that_was_edited_is_named(
    sandbox: Sandbox, parts: SavedImage, tamper: Callable[[SavedImage], None], finding: str
) -> None:
    tamper(parts)
    found = failures(sandbox, parts)
    assert any(line.startswith(finding) for line in found), found


def test_a_layer_too_many_is_named(sandbox: Sandbox, parts: SavedImage) -> None:
    parts.layers.append(edited(parts.layers[-1], lambda *_: None, [entry("evil", b"x")]))
    parts.config["history"].append({"created_by": "evil"})
    assert any("2 layers stand on" in line for line in failures(sandbox, parts))


def test_another_base_below_is_named(sandbox: Sandbox, parts: SavedImage) -> None:
    parts.layers[0] = edited(parts.layers[0], lambda *each: each, [entry("evil", b"x")])
    found = [line.split(maxsplit=2) for line in failures(sandbox, parts)]
    assert [words[0] for words in found] == ["base", "A"]
    assert found[1][1:] == ["/evil", "is there and was not recorded"]


def test_another_base_below_is_named_also_where_the_true_one_is_not_known(
    sandbox: Sandbox, client: docker.APIClient
) -> None:
    base, image = sandbox.name("base"), sandbox.name("image")
    lookalike.import_image(client, base, lookalike.root_tar({"/content": b"x"}), ["ENV PATH=/bin"])
    sandbox.snap("commit", sandbox.changed("touch /new", image=base), image)
    parts = take_apart(client, image)
    parts.layers[0] = edited(parts.layers[0], lambda *each: each, [entry("evil", b"x")])
    sandbox.clean()
    found = failures(sandbox, parts)
    assert [line.split()[0] for line in found] == ["base", "layers"]
    assert "cannot be judged" in found[1]


def test_the_record_of_another_image_does_not_pass(sandbox: Sandbox, parts: SavedImage) -> None:
    box = sandbox.changed("echo other > /diamol/ch03.txt")
    sandbox.snap("commit", box, sandbox.name("other"))
    other = take_apart(sandbox.client, sandbox.name("other"))
    parts.layers[-1] = other.layers[-1]
    assert any("/diamol/ch03.txt" in line for line in failures(sandbox, parts))


def test_a_layer_whose_tar_was_cut_off_is_refused_by_the_engine_or_fails(
    sandbox: Sandbox, parts: SavedImage
) -> None:
    """V14: cut in the middle of the entries."""
    parts.layers[-1] = parts.layers[-1][:1024]
    name = sandbox.name("cut")
    try:
        put_together(sandbox.client, parts, name)
    except docker.errors.APIError:
        return
    assert sandbox.snap("verify", name, expect=None).returncode in {1, 3}
