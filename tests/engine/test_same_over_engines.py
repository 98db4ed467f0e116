"""The same changes of the same base make the same layers on any engine, and the same config.

A run of the tests has one engine; this starts a second one of another kind beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import lookalike
import pytest
import steps
from conftest import engine_kind
from doctor import SavedImage, put_together, take_apart
from pairs import archive_of_capable, start
from sandbox import Sandbox
from second_engine import other_engine

pytestmark = pytest.mark.engine

MOMENT = "1767225600"
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2020-01-01T00:00:00Z",
    "config": {"Env": [f"PATH={lookalike.PATH}"], "Cmd": ["/bin/sh"]},
    "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "the tests"}],
}


@pytest.fixture
def other(sandbox: Sandbox, tmp_path: Path) -> Iterator[Sandbox]:
    """A scratch space on an engine of another kind, where things have the same names."""
    with (
        other_engine("podman" if engine_kind() == "docker20" else "docker20") as engine,
        closing(docker.APIClient(engine.host, version="auto", timeout=120)) as client,
    ):
        space = Sandbox(client, engine.host, "", tmp_path)
        space.prefix = sandbox.prefix
        yield space
        space.clean()


def commit(space: Sandbox, tar: bytes) -> str:
    """Make the same base and the same changes, and return the ID of the image."""
    base, box = space.name("base"), space.name("box")
    put_together(space.client, SavedImage(CONFIG, [tar]), base)
    start(space, base, box)
    space.sh(box, "\n".join(f"( cd /\n{script} )" for script in steps.CASES.values()))
    assert space.client.put_archive(box, "/", archive_of_capable("capable"))
    options = ["-m", "all sorts", "--env", "A=1", "--timestamp", MOMENT]
    return space.snap("commit", "-q", *options, box, space.name("image")).stdout.strip()


#: What tells of the base as the engine knows it: Podman gives it another name, and where a store keeps a
#: manifest, that has a digest of its own.
OF_THE_BASE = {
    "org.opencontainers.image.base.name",
    "org.opencontainers.image.base.digest",
    "io.github.docker-snap.seal",
}
RECORD = "io.github.docker-snap.record"


def without_the_base(config: dict[str, Any]) -> dict[str, Any]:
    """A config without what it says of the base, and without the digests of that."""
    labels = {key: value for key, value in config["config"]["Labels"].items() if key not in OF_THE_BASE}
    record = json.loads(labels.pop(RECORD))
    del record["base"]
    record["config"] = [part for part in record["config"] if part.removeprefix("label ") not in OF_THE_BASE]
    return {**config, "config": {**config["config"], "Labels": labels}, "record": record}


def test_the_same_change_makes_the_same_layers_and_config_on_engines_of_two_kinds(
    sandbox: Sandbox, other: Sandbox
) -> None:
    tar = lookalike.root_tar(extra=steps.base_entries())
    ids = [commit(space, tar) for space in (sandbox, other)]
    layers = [space.inspect(space.name("image"))["RootFS"]["Layers"] for space in (sandbox, other)]
    assert len(layers[0]) == 2
    assert layers[0] == layers[1]
    ours, theirs = (take_apart(space.client, space.name("image")) for space in (sandbox, other))
    assert ours.layers == theirs.layers
    assert without_the_base(ours.config) == without_the_base(theirs.config)
    if engine_kind() == "docker28":
        # Here both know the base by the same ID and name.
        assert ids[0] == ids[1]
