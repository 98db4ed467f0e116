"""What `import snapshot` gives."""

from __future__ import annotations

import pytest

import snapshot


@pytest.mark.parametrize("name", snapshot.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(snapshot, name) is not None


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = snapshot.nothing
