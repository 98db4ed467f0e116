"""A name that moves to a new image while snap is stopped: no image is lost with its last name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sandbox import Sandbox

from snapshot.engine.client import Engine
from snapshot.errors import EngineGone, Terminated
from snapshot.recipe.instructions import AddText
from snapshot.workflow.patch import PatchOptions, patch
from snapshot.workflow.patching.player import PlaySettings
from snapshot.workflow.patching.running import RunSettings

pytestmark = pytest.mark.engine

EDITS = [AddText("/etc/added", "x\n")]
SETTINGS = PlaySettings(RunSettings({}))


@pytest.fixture
def engine(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Engine]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with closing(Engine.connect(sandbox.host)) as connected:
        yield connected


@pytest.mark.parametrize(
    ("stop", "has_moved", "in_place"),
    [
        (KeyboardInterrupt, True, True),
        (KeyboardInterrupt, False, True),
        (Terminated, True, False),
        (EngineGone("the engine is gone"), True, True),
        (EngineGone("the engine is gone"), False, False),
    ],
)
def test_a_name_is_put_back_where_moving_it_is_stopped(
    sandbox: Sandbox,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    stop: BaseException | type[BaseException],
    has_moved: bool,
    in_place: bool,
) -> None:
    name = f"{sandbox.name('own')}:latest"
    # An image with no other name.
    first = patch(engine, sandbox.base_image, [AddText("/etc/first", name)], name, SETTINGS)
    assert first.built.made
    old = first.built.made.image_id
    before = sandbox.client.images(quiet=True)
    tag = engine.tag

    def stopped(image_id: str, repository: str, of: str) -> None:
        if image_id == old:
            tag(image_id, repository, of)
            return
        if has_moved:
            tag(image_id, repository, of)
        raise stop

    monkeypatch.setattr(engine, "tag", stopped)
    source, target = (name, None) if in_place else (sandbox.base_image, name)
    with pytest.raises((KeyboardInterrupt, EngineGone)):
        patch(engine, source, EDITS, target, SETTINGS, PatchOptions(in_place=in_place))
    assert sandbox.inspect(name)["Id"] == old
    assert sandbox.inspect(name)["RepoTags"] in ([name], [f"localhost/{name}"], [f"docker.io/library/{name}"])
    assert sorted(sandbox.client.images(quiet=True)) == sorted(before)


def test_an_image_whose_name_went_to_another_keeps_the_one_that_it_was_given(
    sandbox: Sandbox, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{sandbox.name('own')}:latest"
    first = patch(engine, sandbox.base_image, [AddText("/etc/first", name)], name, SETTINGS)
    assert first.built.made
    old = first.built.made.image_id

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    # What comes last: by then the name is the new image's.
    monkeypatch.setattr("snapshot.workflow.patching.build.Built", stopped)
    with pytest.raises(KeyboardInterrupt):
        patch(engine, name, EDITS, None, SETTINGS, PatchOptions(in_place=True))
    assert sandbox.inspect(name)["Id"] != old
    assert sandbox.inspect(old)["RepoTags"]


@pytest.mark.parametrize("is_done", [True, False])
def test_the_other_name_goes_where_giving_it_is_stopped(
    sandbox: Sandbox, engine: Engine, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    name = f"{sandbox.name('own')}:latest"
    engine.tag(engine.image(sandbox.base_image).id, *name.split(":"))
    before = engine.image(name).tags
    tag = engine.tag

    def stopped(image_id: str, repository: str, of: str) -> None:
        if is_done:
            tag(image_id, repository, of)
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "tag", stopped)
    with pytest.raises(KeyboardInterrupt):
        patch(engine, name, EDITS, None, SETTINGS, PatchOptions(in_place=True))
    assert sorted(engine.image(name).tags) == sorted(before)
