from __future__ import annotations

from dataclasses import replace

from snapshot.engine.types import Config, Image
from snapshot.image.record import PREFIX, Base
from snapshot.workflow.described import (
    base_of,
    created_at,
    full_name,
    full_name_of,
    is_id_of,
    own_labels,
)
from snapshot.workflow.methods.interface import Order

CREATED = "2026-01-01T00:00:00Z"
OCI = "org.opencontainers.image"
DIGESTS = ("other/app@sha256:d2", "team/app@sha256:d1")
BASE = Image("sha256:base", (), DIGESTS, "", "", "", "amd64", "linux", "", 1, ("sha256:l",), Config())


def order(wanted: dict[str, str], inherited: dict[str, str] | None = None, author: str = "") -> Order:
    base = replace(BASE, config=Config(labels=inherited or {}))
    origin = Base("docker.io/team/app:1", "sha256:base", "sha256:d1", "sha256:chain", 1)
    return Order(base=base, base_name=origin.name, wanted=Config(labels=wanted), origin=origin, author=author)


def labels(
    wanted: dict[str, str], inherited: dict[str, str] | None = None, author: str = ""
) -> dict[str, str]:
    return own_labels(order(wanted, inherited, author), CREATED)


OWN = {
    f"{OCI}.created": CREATED,
    f"{OCI}.base.name": "docker.io/team/app:1",
    f"{OCI}.base.digest": "sha256:d1",
}


def test_what_the_base_says_of_itself_is_not_said_of_the_image() -> None:
    inherited = {f"{OCI}.version": "1", f"{OCI}.title": "app", "vendor": "them", f"{OCI}.created": "2020"}
    assert labels(inherited, inherited) == {"vendor": "them", **OWN}


def test_what_the_user_asked_for_is_said_where_it_is_not_what_the_base_says() -> None:
    wanted = {f"{OCI}.version": "2", f"{OCI}.title": "app"}
    assert labels(wanted, {f"{OCI}.version": "1", f"{OCI}.title": "app"}) == {f"{OCI}.version": "2", **OWN}
    assert labels(wanted) == wanted | OWN


def test_an_older_record_does_not_go_into_a_new_image() -> None:
    wanted = {f"{PREFIX}.record": "old", f"{PREFIX}.anything": "old", f"{PREFIX}x": "not ours"}
    assert labels(wanted) == {f"{PREFIX}x": "not ours", **OWN}


def test_where_the_image_came_from_cannot_be_asked_for_otherwise() -> None:
    assert labels(dict.fromkeys(OWN, "wrong")) == OWN


def test_the_author_is_said_where_there_is_one() -> None:
    assert labels({}, author="me") == {**OWN, f"{OCI}.authors": "me"}
    assert labels({f"{OCI}.authors": "them"}, author="me")[f"{OCI}.authors"] == "me"


def test_a_fixed_time_is_the_time_of_the_image() -> None:
    assert created_at(replace(order({}), fixed_time_s=0)) == "1970-01-01T00:00:00Z"
    assert created_at(replace(order({}), fixed_time_s=1767225600)) == CREATED
    assert created_at(replace(order({}), fixed_time_s=-1)) == "1969-12-31T23:59:59Z"


def test_a_base_is_named_in_full_with_the_digest_of_its_own_repository() -> None:
    base = base_of(full_name("team/app:1"), BASE)
    assert (base.name, base.digest) == ("docker.io/team/app:1", "sha256:d1")
    assert (base.id, base.layer_count) == ("sha256:base", 1)


def test_a_base_that_was_started_by_its_id_has_no_name() -> None:
    assert full_name("sha256:" + "0" * 64) == ""
    base = base_of("", BASE)
    assert (base.name, base.digest) == ("", "sha256:d2")


def test_a_base_that_no_registry_knows_has_its_id_for_a_digest() -> None:
    assert base_of("docker.io/team/app:1", replace(BASE, repo_digests=())).digest == "sha256:base"


def test_what_an_id_begins_with_is_no_name_unless_it_is_one_of_the_image() -> None:
    image = replace(BASE, id="sha256:beef01", tags=("app:1",))
    for by_id in ("beef", "sha256:beef01", "beef01"):
        assert is_id_of(by_id, image)
        assert full_name_of(by_id, image) == ""
    for by_name in ("app:1", "dead", "beef:1", ""):
        assert not is_id_of(by_name, image)
    assert full_name_of("app:1", image) == "docker.io/library/app:1"
    assert not is_id_of("beef", replace(image, tags=("beef:latest",)))
