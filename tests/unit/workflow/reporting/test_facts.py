from __future__ import annotations

from snapshot.engine.types import Config, Container, Image, Mount
from snapshot.image.record import Base, Record
from snapshot.workflow.reporting.facts import facts_of_container, facts_of_image

IMAGE = Image(
    "sha256:1", ("web:1", "web:latest"), (), "2026-05-01T12:00:00.123Z", "", "", "arm", "linux", "v7",
    1_200_000, ("sha256:a",), Config(),
)  # fmt: skip
RECORD = Record(
    tool="docker-snap 9", created="2026-05-01T12:00:00Z", container="box", message="hi", author="",
    base=Base("docker.io/library/web:0", "sha256:0", "sha256:00", "sha256:c", 1), manifest_digest="",
    added=1, changed=0, deleted=2, size_bytes=10, config={},
    first_base=Base("", "sha256:f", "sha256:ff", "", 1),
    left_out=3, left_out_bytes=2000, left_out_by=("/tmp", "*.log"), skipped=("/run/socket",),
)  # fmt: skip


def test_of_an_image_without_a_record_there_is_what_the_engine_says() -> None:
    assert facts_of_image(IMAGE, None) == (
        ("names", "web:1, web:latest"),
        ("id", "sha256:1"),
        ("size", "1.2 MB, as the engine counts it"),
        ("platform", "linux/arm/v7"),
        ("created", "2026-05-01 12:00:00 UTC"),
    )


def test_a_record_tells_where_it_comes_from_and_what_is_not_in_it() -> None:
    told = dict(facts_of_image(IMAGE, RECORD))
    assert told["base"] == "docker.io/library/web:0 (sha256:00)"
    assert told["first base"] == "sha256:ff"
    assert told["changes"] == "1 added, 2 deleted"
    assert told["left out"] == "3 paths, 2 kB, by /tmp, *.log"
    assert told["not in it"] == "/run/socket"
    assert "author" not in told


def test_of_a_container_it_is_said_what_is_no_part_of_it() -> None:
    container = Container(
        "c1", "box", "sha256:1", "web:1", "exited", 3, "2026-05-01T12:00:00Z", Config(),
        (Mount("volume", "data", "/data"), Mount("bind", "/home/me", "/src")),
    )  # fmt: skip
    told = dict(facts_of_container(container, by_snap=True))
    assert told["state"] == "exited, exit status 3"
    assert told["mounts, no part of it"] == "volume at /data, bind at /src"
    # Where on this machine that is concerns nobody.
    assert "/home/me" not in repr(told)
