from __future__ import annotations

import pytest

from snapshot.changeset.names import refuse_whiteout_names
from snapshot.errors import Refused


@pytest.mark.parametrize(
    ("path", "deleted"),
    [
        ("/etc/.wh.passwd", "passwd"),
        ("/.wh..wh..opq", ".wh..opq"),
        ("/a/.wh.", ""),
        ("/.wh.\udce9", "\udce9"),
    ],
)
def test_a_name_that_would_delete_another_is_refused(path: str, deleted: str) -> None:
    with pytest.raises(Refused) as caught:
        refuse_whiteout_names(["/fine", path])
    assert path in caught.value.what
    assert f"'{deleted}' is deleted" in caught.value.what
    assert "--exclude" in (caught.value.hint or "")


def test_names_that_only_look_alike_are_taken() -> None:
    refuse_whiteout_names(["/.wh", "/a.wh.b", "/.wh.d/below", "/wh.x", "/.WH.x"])
