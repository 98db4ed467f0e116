"""Reports of anything that their types allow, with texts as hostile strangers write them."""

from __future__ import annotations

import re
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.text_diff import DiffLine
from snapshot.engine.types import ChangeKind
from snapshot.report.model import Report

#: Each tries to get out of where it stands, in HTML or in Markdown.
HOSTILE = (
    "<script>alert(1)</script>",
    "</script></style></title></pre></details><img src=x onerror=alert(1)>",
    "\"' onload='alert(1)' x=\"",
    "<!-- ]]> -->",
    "&lt;b&gt;&amp",
    "\x1b[2J\x00\u202eevil\u2066\u2028",
    "\udcff\ud800",
    "n" * 4000,
    "` `` ``` ```` |",
    "a\\|b\\",
    "@someone #1 https://example.org <https://example.org> [x](https://example.org) ![x](y)",
    "\n\n# heading\n\n```\n~~~",
    "   ",
    "",
)

_texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))
_numbers = st.integers(0, 10**13)
#: No name of a file has half of a surrogate pair; bytes that are not UTF-8 are surrogate escapes.
_paths = st.lists(_texts, min_size=1, max_size=3).map(
    lambda parts: re.sub("[\ud800-\udbff\udc00-\udc7f\udd00-\udfff]", "", "/" + "/".join(parts))
)
_entries = st.builds(
    FileEntry,
    _paths,
    st.sampled_from(FileType),
    st.integers(0, 0o7777),
    _numbers,
    _numbers,
    _numbers,
    *[_texts] * 5,
)
_SIMPLE: dict[object, st.SearchStrategy[Any]] = {
    str: _texts,
    int: _numbers,
    float: st.floats(0, 10**9),
    bool: st.booleans(),
    type(None): st.none(),
    FileEntry: _entries,
    PathChange: st.builds(PathChange, st.sampled_from(ChangeKind), _paths, st.none() | _entries),
    DiffLine: st.builds(DiffLine, st.sampled_from(" -+"), _texts, st.booleans()),
}


@cache
def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, made of its fields' types (Hypothesis' own way holds for all tests at once)"""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if get_origin(kind) is tuple:
        return st.lists(anything(get_args(kind)[0]), max_size=4).map(tuple)
    if get_origin(kind) in {Union, UnionType}:
        return st.one_of([anything(one) for one in get_args(kind)])
    return st.builds(kind, **{name: anything(hint) for name, hint in get_type_hints(kind).items()})


def any_report() -> st.SearchStrategy[Report]:
    """A report, however it is put together."""
    return anything(Report)
