from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from snapshot.errors import InvalidInput
from snapshot.image.reference import Reference, container_name_for

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "expected", "name", "familiar"),
    [
        ("a", ("docker.io", "library/a", "latest", ""), "a", "a:latest"),
        (
            "ch03-change",
            ("docker.io", "library/ch03-change", "latest", ""),
            "ch03-change",
            "ch03-change:latest",
        ),
        ("busybox:1.36", ("docker.io", "library/busybox", "1.36", ""), "busybox", "busybox:1.36"),
        ("a:B_c.D-9", ("docker.io", "library/a", "B_c.D-9", ""), "a", "a:B_c.D-9"),
        (
            "diamol/ch03-lab:2",
            ("docker.io", "diamol/ch03-lab", "2", ""),
            "diamol/ch03-lab",
            "diamol/ch03-lab:2",
        ),
        ("a/b/c", ("docker.io", "a/b/c", "latest", ""), "a/b/c", "a/b/c:latest"),
        ("docker.io/busybox", ("docker.io", "library/busybox", "latest", ""), "busybox", "busybox:latest"),
        ("index.docker.io/a/b", ("docker.io", "a/b", "latest", ""), "a/b", "a/b:latest"),
        ("library/a", ("docker.io", "library/a", "latest", ""), "a", "a:latest"),
        ("library/a/b", ("docker.io", "library/a/b", "latest", ""), "library/a/b", "library/a/b:latest"),
        (
            "registry:5000/name:tag",
            ("registry:5000", "name", "tag", ""),
            "registry:5000/name",
            "registry:5000/name:tag",
        ),
        ("localhost/x", ("localhost", "x", "latest", ""), "localhost/x", "localhost/x:latest"),
        ("Quay.IO/a/b:1", ("Quay.IO", "a/b", "1", ""), "Quay.IO/a/b", "Quay.IO/a/b:1"),
        ("[::1]:5000/x", ("[::1]:5000", "x", "latest", ""), "[::1]:5000/x", "[::1]:5000/x:latest"),
        (f"a@{DIGEST}", ("docker.io", "library/a", "", DIGEST), "a", f"a@{DIGEST}"),
        (f"r.io/a:1@{DIGEST}", ("r.io", "a", "1", DIGEST), "r.io/a", f"r.io/a:1@{DIGEST}"),
        (
            "a__b--c.d_e",
            ("docker.io", "library/a__b--c.d_e", "latest", ""),
            "a__b--c.d_e",
            "a__b--c.d_e:latest",
        ),
        ("a:" + "x" * 128, ("docker.io", "library/a", "x" * 128, ""), "a", "a:" + "x" * 128),
        (HEX[:63], ("docker.io", f"library/{HEX[:63]}", "latest", ""), HEX[:63], f"{HEX[:63]}:latest"),
    ],
)
def test_a_name_is_read_in_full_and_shown_as_typed(
    text: str, expected: tuple[str, str, str, str], name: str, familiar: str
) -> None:
    reference = Reference.parse(text)
    assert (reference.domain, reference.path, reference.tag, reference.digest) == expected
    assert (reference.name, reference.familiar) == (name, familiar)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an image name"),
        ("Busybox", "capitals"),
        ("diamol/Ch03", "capitals"),
        ("Diamol/ch03", "capitals"),
        ("a:", "tag"),
        ("a:-x", "tag"),
        ("a:.x", "tag"),
        ("a:b c", "tag"),
        ("a:b:c", "tag"),
        ("a:" + "x" * 129, "tag"),
        ("a:é", "tag"),
        ("a:b\n", "tag"),
        (HEX, "image ID"),
        (DIGEST, "image ID"),
        ("a@", "digest"),
        ("a@sha256:abc", "digest"),
        (f"a@{DIGEST.upper()}", "digest"),
        (f"a@md5:{HEX[:32]}", "digest"),
        (f"@{DIGEST}", "not an image name"),
        ("a b", "not an image name"),
        ("-a", "not an image name"),
        ("a-", "not an image name"),
        ("a..b", "not an image name"),
        ("a___b", "not an image name"),
        ("a//b", "not an image name"),
        ("/a", "not an image name"),
        ("a/", "not an image name"),
        ("docker.io/", "not an image name"),
        ("https://r.io/a", "not an image name"),
        ("r.io:port/a", "not an image name"),
        ("-r.io/a", "not an image name"),
        ("ä", "not an image name"),
        ("a\n", "not an image name"),
        ("a/" * 127 + "aa", "longer"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refusal:
        Reference.parse(text)
    assert refusal.value.hint


def test_a_name_has_at_most_255_characters_with_its_registry() -> None:
    longest = "r.io/" + "a" * 250
    assert Reference.parse(longest).name == longest
    with pytest.raises(InvalidInput, match="longer than 255"):
        Reference.parse(longest + "a")


def test_a_target_is_a_name_with_a_tag() -> None:
    assert Reference.parse_target("ch03-change").familiar == "ch03-change:latest"


@pytest.mark.parametrize("text", [f"a@{DIGEST}", f"a:1@{DIGEST}", "sha256:abc", "sha256"])
def test_a_target_that_no_tag_can_have_is_refused(text: str) -> None:
    Reference.parse(text)
    with pytest.raises(InvalidInput) as refusal:
        Reference.parse_target(text)
    assert refusal.value.hint


@given(st.one_of(st.text(), st.text("aB1:/@._-[]\n")))
@example("a" * 5000)
def test_random_text_is_a_name_or_is_refused_as_invalid_input(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidInput:
        return
    assert Reference.parse(reference.familiar) == reference


@given(
    st.from_regex(r"(r\.io:5/)?[a-z0-9]{1,5}([._-][a-z0-9]{1,5}){0,2}(:[A-Za-z0-9_]{1,9})?", fullmatch=True)
)
def test_every_name_of_the_grammar_is_taken(text: str) -> None:
    assert Reference.parse(text).familiar.startswith(text.partition(":")[0])


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("diamol/ch03-lab:2", "ch03-lab"),
        ("busybox", "busybox"),
        ("registry:5000/team/app_x.y:1", "app_x.y"),
        (f"registry:5000/app@{DIGEST}", "app"),
        ("localhost:5000/app", "app"),
        (DIGEST, "snap-0123456789ab"),
        (HEX, "snap-0123456789ab"),
        (HEX[:12], "snap-0123456789ab"),
        ("sha256:abcdef", "snap-abcdef"),
        ("beef", "beef"),
        ("a", "snap-a"),
        ("", "snap-container"),
        ("x/", "snap-container"),
        ("_.-", "snap-container"),
        ("ä bc", "bc"),
        ("a b$c", "a-b-c"),
    ],
)
def test_a_container_is_named_after_its_image(image: str, name: str) -> None:
    assert container_name_for(image) == name


@given(st.text())
def test_the_name_of_a_container_is_one_that_docker_takes(image: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", container_name_for(image))
