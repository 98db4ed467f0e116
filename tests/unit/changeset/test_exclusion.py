from __future__ import annotations

import posixpath
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.exclusion import (
    MOST_FILE_CHARACTERS,
    MOST_PATTERN_CHARACTERS,
    MOST_RULES,
    Exclusion,
    Rule,
    parse_ignore_file,
)
from snapshot.changeset.paths import component_order, is_at_or_below
from snapshot.engine.types import Change, ChangeKind
from snapshot.errors import InvalidInput


def changes(*lines: str) -> list[Change]:
    return [Change(ChangeKind(line[0]), line[2:]) for line in lines]


def parted(exclusion: Exclusion, *lines: str) -> tuple[list[str], list[str]]:
    """The lines that are kept, and those that are left out with the pattern that did it."""
    kept, left_out = exclusion.part(changes(*lines))
    return (
        [f"{change.kind.value} {change.path}" for change in kept],
        [f"{item.change.kind.value} {item.change.path} ({item.rule.pattern})" for item in left_out],
    )


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        ("/var/log", ["/var/log", "/var/log/a/b"], ["/var/logs", "/x/var/log", "/var", "/"]),
        ("opt/data", ["/opt/data", "/opt/data/x"], ["/x/opt/data"]),
        ("core", ["/core", "/a/core", "/a/core/b"], ["/a/core2", "/score"]),
        ("*.pyc", ["/a.pyc", "/a/b.pyc", "/a.pyc/b", "/.pyc"], ["/a.pyc2", "/a.py"]),
        ("/*.pyc", ["/a.pyc"], ["/a/b.pyc"]),
        ("build/", ["/build", "/a/build", "/build/x"], ["/builds"]),
        ("/a/*", ["/a/b", "/a/b/c"], ["/a", "/ab"]),
        ("/a/*/c", ["/a/b/c", "/a/b/c/d"], ["/a/c", "/a/b/b/c"]),
        ("/a/**", ["/a/b", "/a/b/c"], ["/a", "/ab/c"]),
        ("/a/**/", ["/a/b", "/a/b/c"], ["/a", "/ab/c"]),
        ("**/x", ["/x", "/a/b/x", "/x/y"], ["/ax", "/a/xy"]),
        ("**/x/y", ["/x/y", "/a/x/y"], ["/x/a/y", "/ax/y"]),
        ("/a/**/b", ["/a/b", "/a/x/b", "/a/x/y/b/z"], ["/ax/b", "/a/xb", "/b"]),
        ("/a/**/b/**/c", ["/a/b/c", "/a/1/b/2/c", "/a/b/b/c/c"], ["/a/c/b", "/a/bc"]),
        ("/a/**/**/b", ["/a/b", "/a/x/b"], ["/a"]),
        ("**", ["/a", "/a/b"], ["/"]),
        ("/**", ["/a", "/a/b"], ["/"]),
        ("*", ["/a", "/a/b"], ["/"]),
        ("/a**b", ["/ab", "/axxb"], ["/a/b"]),
        ("/a?c", ["/abc", "/a\nc", "/a\udce9c"], ["/ac", "/a/c", "/abbc"]),
        ("/[a-c]x", ["/ax", "/cx"], ["/dx", "/x"]),
        ("/[!a-c]x", ["/dx", "/\nx"], ["/ax", "//x"]),
        ("/[^a]x", ["/bx"], ["/ax"]),
        ("/[]a]x", ["/]x", "/ax"], ["/bx"]),
        (r"/[\]\-]x", ["/]x", "/-x"], ["/\\x"]),
        ("/[a-]x", ["/ax", "/-x"], ["/bx"]),
        ("/a[--9]b", ["/a.b", "/a5b"], ["/a/b"]),
        (r"/\*", ["/*"], ["/a"]),
        (r"/\[a]", ["/[a]"], ["/a"]),
        ("/a.b$", ["/a.b$"], ["/axb$", "/a.b"]),
        ("!a", ["/!a"], ["/a"]),
        ("/*a*b", ["/ab", "/aab", "/xaxbb"], ["/ba", "/abx", "/a/b"]),
    ],
)
def test_a_pattern_matches_a_path_and_all_below_it(
    pattern: str, matched: list[str], not_matched: list[str]
) -> None:
    rule = Rule(pattern)
    assert [path for path in matched + not_matched if rule.matches(path)] == matched


def test_names_with_newlines_and_bytes_that_are_not_utf8_are_matched() -> None:
    assert Rule("/a/*.log").matches("/a/x\ny\udcff.log")
    assert Rule("/a").matches("/a/\n")
    assert not Rule("/a").matches("/a\n")
    assert Rule("/caf\udce9").matches("/caf\udce9")
    assert not Rule("/caf\udce9").matches("/caf\udce8")


def test_a_byte_that_is_not_utf8_matches_what_the_engine_lists_for_it() -> None:
    assert Rule("/caf\udce9").matches("/caf\ufffd")


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("", "A pattern is empty."),
        ("/a\0b", "The pattern '/a\\x00b' holds a NUL, which no path does."),
        ("/a[bc", "The pattern '/a[bc' has a '[' without its ']'."),
        ("/a[]", "The pattern '/a[]' has a '[' without its ']'."),
        ("/a[!", "The pattern '/a[!' has a '[' without its ']'."),
        ("/a[b/c]", "The pattern '/a[b/c]' has a '[' without its ']'."),
        ("/[[:alpha:]]", "The pattern '/[[:alpha:]]' has a class with a name."),
        ("/[z-a]", "The pattern '/[z-a]' has a range that ends before it begins: z-a."),
        ("/a\\", r"The pattern '/a\\' has a '\' with nothing after it."),
        ("/a[\\", r"The pattern '/a[\\' has a '\' with nothing after it."),
        ("/", "The pattern '/' matches no path: it has a part that is empty, '.' or '..'."),
        ("/a//b", "The pattern '/a//b' matches no path: it has a part that is empty, '.' or '..'."),
        ("../a", "The pattern '../a' matches no path: it has a part that is empty, '.' or '..'."),
        ("./a", "The pattern './a' matches no path: it has a part that is empty, '.' or '..'."),
        ("a" * (MOST_PATTERN_CHARACTERS + 1), f"The pattern '{'a' * 40}'… is longer than any path."),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str, what: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Rule(pattern)
    assert caught.value.what == what


@pytest.mark.parametrize(
    "pattern",
    [
        "/**/**/**/*a*a*a*a*b",
        "*a*a*a*a*a*a*a*a*b",
        "/**/*a/**/*a/**/*a/**/*a/**/*b",
        "/**/a/**/a/**/a/**/a/**/b",
        "/*a*/*a*/*a*/*a*/*a*/b",
        "/**" + "/a" * 1000 + "/b",
    ],
)
@pytest.mark.parametrize("path", ["/a" * 2048, ("/" + "a" * 255) * 16, "/" + "a" * 4095])
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    rule = Rule(pattern)
    rule.matches("/")
    began = time.process_time()
    assert not rule.matches(path)
    assert time.process_time() - began < 0.1


def test_the_last_rule_that_matches_decides() -> None:
    exclusion = Exclusion((Rule("/a"), Rule("/a/b", takes_in=True), Rule("/a/b/c")))
    assert parted(exclusion, "C /a/x", "C /a/b/x", "C /a/b/c") == (
        ["C /a/b/x"],
        ["C /a/b/c (/a/b/c)", "C /a/x (/a)"],
    )


def test_rules_are_gone_through_from_junk_to_include() -> None:
    exclusion = Exclusion.of(
        include=["/i"],
        exclude=["/i", "/s"],
        ignored=parse_ignore_file("!/j\n!/s\n"),
        junk=[Rule("/j", origin="junk"), Rule("/k", origin="junk")],
    )
    kept, left_out = exclusion.part(changes("A /i", "A /j", "A /k", "A /s"))
    assert [change.path for change in kept] == ["/i", "/j"]
    assert [str(item.rule) for item in left_out] == ["junk /k", "--exclude /s"]


def test_without_rules_all_is_kept_in_canonical_order() -> None:
    assert parted(Exclusion(), "D /a.b", "A /a/b", "C /a") == (["C /a", "A /a/b", "D /a.b"], [])


def test_an_excluded_deletion_is_left_out() -> None:
    assert parted(Exclusion.of(exclude=["/a"]), "D /a", "D /b") == (["D /b"], ["D /a (/a)"])


def test_junk_leaves_no_deletion_out() -> None:
    exclusion = Exclusion.of(junk=[Rule("/a/**", origin="junk")])
    assert parted(exclusion, "D /a/gone", "A /a/new") == (["D /a/gone"], ["A /a/new (/a/**)"])


def test_a_changed_folder_goes_with_the_last_path_below_it() -> None:
    exclusion = Exclusion.of(exclude=["/var/log/**"])
    assert parted(exclusion, "C /var", "C /var/log", "A /var/log/x") == ([], ["A /var/log/x (/var/log/**)"])


def test_a_changed_folder_stays_for_what_is_kept_below_it() -> None:
    exclusion = Exclusion.of(exclude=["/var/log/**"])
    kept, _ = parted(exclusion, "C /var", "C /var/log", "A /var/log/x", "A /var/y")
    assert kept == ["C /var", "A /var/y"]


def test_a_changed_folder_goes_with_a_deletion_that_is_left_out() -> None:
    assert parted(Exclusion.of(exclude=["/a/b"]), "C /a", "D /a/b") == ([], ["D /a/b (/a/b)"])


def test_a_folder_whose_mode_alone_changed_stays() -> None:
    assert parted(Exclusion.of(exclude=["/a/**"]), "C /a") == (["C /a"], [])


def test_an_added_folder_of_which_all_is_left_out_stays_as_an_empty_one() -> None:
    assert parted(Exclusion.of(exclude=["/a/**"]), "A /a", "A /a/b") == (["A /a"], ["A /a/b (/a/**)"])


def test_what_is_taken_back_in_brings_the_folders_that_it_stands_in() -> None:
    """A layer without the base's own folder would give that another mode."""
    exclusion = Exclusion.of(exclude=["/opt"], include=["/opt/a/b/keep"])
    assert parted(exclusion, "C /opt", "A /opt/a", "A /opt/a/b", "A /opt/a/b/keep", "A /opt/a/c") == (
        ["C /opt", "A /opt/a", "A /opt/a/b", "A /opt/a/b/keep"],
        ["A /opt/a/c (/opt)"],
    )


def test_a_changed_folder_that_is_taken_in_by_name_stays() -> None:
    exclusion = Exclusion.of(ignored=parse_ignore_file("!/a\n/a/*\n"))
    assert parted(exclusion, "C /a", "A /a/b") == (["C /a"], ["A /a/b (/a/*)"])


def test_each_path_is_told_with_the_rule_that_left_it_out() -> None:
    """Patterns with wildcards have groups of their own in the common regex."""
    exclusion = Exclusion.of(exclude=["*a*b*c", "/x/**/y/**/z", "/plain", "*.pyc", "[ab]*c*"])
    kept, left_out = parted(
        exclusion, "A /x/1/y/2/z", "A /plain", "A /1a2b3c", "A /q.pyc", "A /bxcx", "A /none"
    )
    assert kept == ["A /none"]
    assert left_out == [
        "A /1a2b3c (*a*b*c)",
        "A /bxcx ([ab]*c*)",
        "A /plain (/plain)",
        "A /q.pyc (*.pyc)",
        "A /x/1/y/2/z (/x/**/y/**/z)",
    ]


def test_too_many_rules_are_refused() -> None:
    Exclusion((Rule("/a"),) * MOST_RULES)
    with pytest.raises(InvalidInput, match="1001 rules"):
        Exclusion((Rule("/a"),) * (MOST_RULES + 1))


def test_a_file_of_rules_is_read_as_a_gitignore_is() -> None:
    lines = [
        "\ufeff# caches",
        "",
        "   ",
        "*.pyc  ",
        "!/opt/app\r",
        r"\#a",
        r"\!b",
        "trailing\\  ",
        "back\\\\  ",
        " leading",
        "a # b",
        "caf\udce9\u2028x",
    ]
    rules = parse_ignore_file("\n".join(lines))
    assert [(rule.pattern, rule.takes_in) for rule in rules] == [
        ("*.pyc", False),
        ("/opt/app", True),
        (r"\#a", False),
        (r"\!b", False),
        ("trailing\\ ", False),
        ("back\\\\", False),
        (" leading", False),
        ("a # b", False),
        ("caf\udce9\u2028x", False),
    ]
    assert {rule.origin for rule in rules} == {".snapignore"}
    assert rules[2].matches("/#a")
    assert rules[3].matches("/!b")
    assert rules[4].matches("/trailing ")
    assert str(rules[1]) == ".snapignore !/opt/app"


def test_a_bad_line_in_a_file_of_rules_is_told_with_its_number() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_ignore_file("# one\n/a[\n")
    assert caught.value.what == "Line 2 of the file of rules: The pattern '/a[' has a '[' without its ']'."
    with pytest.raises(InvalidInput, match=r"Line 1 .* empty"):
        parse_ignore_file("!")


def test_a_file_of_rules_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidInput, match="longer than 1 MiB"):
        parse_ignore_file("#" * (MOST_FILE_CHARACTERS + 1))


def test_a_hundred_thousand_changes_are_parted_in_seconds() -> None:
    exclusion = Exclusion.of(exclude=[f"/opt/{number}/**/*.o" for number in range(10)] + ["*.tmp"] * 10)
    listed = [Change(ChangeKind.ADDED, f"/usr/lib/python3/pkg{n % 300}/mod{n}.py") for n in range(100_000)]
    began = time.process_time()
    kept, _ = exclusion.part(listed)
    assert time.process_time() - began < 5
    assert len(kept) == len(listed)


NAMES = st.sampled_from(["a", "b", "c", "ab", "a.b", "\n", "\udce9"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))
PARTS = st.sampled_from(["a", "b", "c", "*", "**", "?", "a*", "*b", "[ab]", "[!a]", "*a*"])
PATTERNS = st.builds(
    lambda slash, parts: slash + "/".join(parts),
    st.sampled_from(["", "/"]),
    st.lists(PARTS, min_size=1, max_size=4),
)
RULES = st.lists(
    st.builds(Rule, PATTERNS, st.booleans(), st.sampled_from(["junk", ".snapignore", "--exclude"])),
    max_size=6,
)


@st.composite
def listings(draw: st.DrawFn) -> list[Change]:
    """Changes as an engine lists them: what is above a changed path is listed as well."""
    paths = draw(st.sets(PATHS, max_size=12))
    above = {folder for path in paths for folder in folders_above(path)}
    kinds = dict.fromkeys(above, ChangeKind.CHANGED)
    for path in sorted(paths | above):
        here = draw(st.sampled_from(list(ChangeKind)))
        if path not in above or here is not ChangeKind.DELETED:
            kinds[path] = here
    return draw(st.permutations([Change(kind, path) for path, kind in kinds.items()]))


def folders_above(path: str) -> list[str]:
    above = []
    while (path := posixpath.dirname(path)) != "/":
        above.append(path)
    return above


@given(listings(), RULES)
def test_every_change_is_kept_or_left_out_or_a_folder_listed_for_what_is_left_out(
    listed: list[Change], rules: list[Rule]
) -> None:
    kept, excluded = Exclusion(tuple(rules)).part(listed)
    left_out = [item.change for item in excluded]
    assert not set(kept) & set(left_out)
    for found in (kept, left_out):
        assert found == sorted(found, key=lambda change: component_order(change.path))
    for change in set(listed) - set(kept) - set(left_out):
        assert change.kind is ChangeKind.CHANGED
        assert not any(is_at_or_below(other.path, change.path) for other in kept)
        assert any(is_at_or_below(other.path, change.path) for other in left_out)


@given(listings(), RULES)
def test_what_is_kept_has_all_listed_folders_that_it_stands_in(
    listed: list[Change], rules: list[Rule]
) -> None:
    kept, _ = Exclusion(tuple(rules)).part(listed)
    paths = {change.path for change in kept}
    listed_paths = {change.path for change in listed}
    for path in paths:
        assert set(folders_above(path)) & listed_paths <= paths


@given(listings(), RULES)
def test_the_last_matching_rule_is_told_for_all_that_is_left_out(
    listed: list[Change], rules: list[Rule]
) -> None:
    kept, excluded = Exclusion(tuple(rules)).part(listed)
    above_kept = {folder for change in kept for folder in folders_above(change.path)}
    told = {item.change: item.rule for item in excluded}
    for change in listed:
        matching = [rule for rule in rules if rule.is_for(change.kind) and rule.matches(change.path)]
        leaves_out = bool(matching) and not matching[-1].takes_in
        assert (change in told) == (leaves_out and change.path not in above_kept)
        if change in told:
            assert told[change] == matching[-1]


@given(PATHS, PATHS, PATTERNS)
def test_a_rule_that_matches_a_folder_matches_all_below_it(folder: str, below: str, pattern: str) -> None:
    rule = Rule(pattern)
    if rule.matches(folder):
        assert rule.matches(folder + below)


@given(st.text(st.sampled_from("ab*?[]!^-\\/. \n\udce9é"), max_size=12), PATHS)
def test_any_text_is_a_pattern_or_refused(pattern: str, path: str) -> None:
    try:
        rule = Rule(pattern)
    except InvalidInput:
        return
    assert Exclusion((rule,)).rule_for(Change(ChangeKind.ADDED, path)) == (
        rule if rule.matches(path) else None
    )


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=()), min_size=1, max_size=8))
def test_an_escaped_name_matches_itself_alone(name: str) -> None:
    name = name.replace("/", "_")
    pattern = "/" + "".join("\\" + character for character in name)
    assert Rule(pattern).matches("/" + name)
    assert not Rule(pattern).matches("/" + name + "x")
