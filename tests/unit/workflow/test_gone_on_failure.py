"""An image that was made for work that fails goes again."""

from __future__ import annotations

from typing import cast

import pytest

from snapshot.engine.client import Engine
from snapshot.errors import EngineError
from snapshot.workflow.delivery import gone_on_failure


class Removing:
    """An engine that notes what it is to remove, and may refuse."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.removed: list[str] = []
        self._refuses = refuses

    def remove_image(self, image_id: str) -> None:
        self.removed.append(image_id)
        if self._refuses:
            raise EngineError("It is in use.")


@pytest.mark.parametrize("failure", [EngineError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize(("is_new", "removed"), [(True, ["sha256:new"]), (False, [])])
@pytest.mark.parametrize("refuses", [True, False])
def test_a_new_image_goes_with_the_failure_and_an_older_one_stays(
    monkeypatch: pytest.MonkeyPatch, failure: BaseException, is_new: bool, removed: list[str], refuses: bool
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    engine = Removing(refuses=refuses)
    with (
        pytest.raises(type(failure)) as raised,
        gone_on_failure(cast("Engine", engine), "sha256:new", is_new=is_new),
    ):
        raise failure
    assert raised.value is failure
    # An engine that is at an interrupted call may refuse for a while.
    assert list(dict.fromkeys(engine.removed)) == removed
    assert (len(engine.removed) > 1) is (refuses and is_new)


def test_nothing_is_removed_where_the_work_is_done() -> None:
    engine = Removing()
    with gone_on_failure(cast("Engine", engine), "sha256:new", is_new=True):
        pass
    assert engine.removed == []
