"""Commits of what was committed before, and of containers with something odd about them (conformance L)."""

from __future__ import annotations

import time

import docker
import lookalike
import pytest
from proxy import Proxy
from sandbox import Sandbox

from snapshot.image.record import Record

pytestmark = pytest.mark.engine


def record_of(sandbox: Sandbox, image: str) -> Record:
    """The record in the labels of an image."""
    record = Record.from_labels(sandbox.config(image)["Labels"])
    assert record
    return record


def actions_on(client: docker.APIClient, container: str) -> set[str]:
    """All that was done to a container, as the engine saw it."""
    # A time to come, so that all events until now are sure to be in; the call ends then.
    events = client.events(since=1, until=int(time.time()) + 1, filters={"container": container}, decode=True)
    return {event["Action"] for event in events}


def test_a_container_with_a_terminal_can_be_committed(sandbox: Sandbox) -> None:
    """L06."""
    box, image = sandbox.name(), sandbox.name("image")
    config = sandbox.client.create_host_config(network_mode="none")
    sandbox.client.create_container(
        sandbox.base_image, ["touch", "/new"], name=box, tty=True, stdin_open=True, host_config=config
    )
    sandbox.client.start(box)
    sandbox.client.wait(box)
    sandbox.snap("commit", box, image)
    assert sandbox.output_of(image, "ls", "/new") == "/new\n"


def test_a_refused_commit_does_not_freeze_the_container(sandbox: Sandbox) -> None:
    """M03, M25: nothing is done before all that was asked for is known to be possible."""
    box = sandbox.changed("touch /new")
    for arguments in (["-c", "RUN true"], ["--iidfile", "/no/such/folder/id"], ["--user", "a", "Capital"]):
        name = [] if arguments[-1] == "Capital" else [sandbox.name("image")]
        sandbox.snap("commit", box, *arguments, *name, expect=2)
    actions = actions_on(sandbox.client, box)
    assert "start" in actions
    assert actions.isdisjoint({"pause", "commit"})
    assert not sandbox.new_images()


def test_a_base_whose_name_is_another_images_by_now_is_still_the_base(sandbox: Sandbox) -> None:
    """L10: the container says which image it was started from; the name does not."""
    base, image = sandbox.name("base"), sandbox.name("image")
    ids = []
    for content in (b"base", b"another"):
        tar = lookalike.root_tar({"/content": content})
        ids.append(lookalike.import_image(sandbox.client, base, tar, [f"ENV PATH={lookalike.PATH}"]))
        if content == b"base":
            box = sandbox.changed("touch /new", image=base)
    sandbox.snap("commit", box, image)
    assert sandbox.inspect(base)["Id"] == ids[1]
    assert record_of(sandbox, image).base.id == ids[0]
    assert sandbox.output_of(image, "cat", "/content") == "base"


def test_a_path_that_was_deleted_and_made_again_over_two_commits_has_its_last_content(
    sandbox: Sandbox,
) -> None:
    """F20, F33: each commit is told against the first base."""
    box = sandbox.changed("rm ch03.txt")
    sandbox.snap("commit", box, sandbox.name("first"))
    sandbox.sh(box, "echo again > ch03.txt; echo 2 > /two")
    sandbox.snap("commit", box, sandbox.name("second"))
    first, second = record_of(sandbox, sandbox.name("first")), record_of(sandbox, sandbox.name("second"))
    assert first.base == second.base
    assert (first.added, first.changed, first.deleted) == (0, 1, 1)
    assert (second.added, second.changed, second.deleted) == (1, 2, 0)
    sandbox.snap("verify", sandbox.name("first"), "--absent", "ch03.txt", "--absent", "/two")
    sandbox.snap("verify", sandbox.name("second"), "--contains", "ch03.txt=again")


def test_commits_onto_the_name_of_their_own_base_pile_up(sandbox: Sandbox) -> None:
    """L17."""
    image, base = sandbox.name("image"), sandbox.base_image
    for generation in range(1, 4):
        before = sandbox.inspect(base)["Id"]
        box = sandbox.changed(f"echo {generation} > /{generation}", f"box{generation}", image=base)
        sandbox.snap("commit", box, image, "-m", f"generation {generation}")
        record = record_of(sandbox, image)
        assert (record.base.id, record.message) == (before, f"generation {generation}")
        assert (record.added, record.base.layer_count) == (1, generation)
        assert record.kept_by_engine == (), "the base's own labels are nothing that the container brought"
        base = image
    sandbox.snap("verify", image, "--file", "/1", "--file", "/2", "--file", "/3")


def test_a_file_that_changes_all_the_time_is_in_the_image_as_it_was_read(sandbox: Sandbox) -> None:
    box, image = sandbox.hold(), sandbox.name("image")
    # Rewritten in place, so that it has one size and can be read at any moment.
    rewrite = 'i=10000000; printf "$i" > /race; while :; do i=$((i+1)); printf "$i" 1<>/race; done'
    made = sandbox.client.exec_create(box, ["/bin/sh", "-c", rewrite])
    sandbox.client.exec_start(made["Id"], detach=True)
    sandbox.sh(box, "until test -s /race; do :; done")
    sandbox.snap("commit", "--no-pause", box, image)
    sandbox.snap("verify", "--deep", image, "--contains", "/race=1")


def test_a_file_that_changes_between_reading_and_the_engines_commit_is_named(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    box, image = sandbox.changed("echo 1 > /race"), sandbox.name("image")
    sandbox.client.tag(sandbox.base_image, image)

    def commit(new_content: str, *options: str, expect: int) -> str:
        with Proxy(
            sandbox.host,
            tmp_path_factory.mktemp("s"),
            b"/commit?",
            beforehand=lambda: sandbox.sh(box, f"echo {new_content} > /race"),
            answer_bytes=1 << 40,
        ) as proxy:
            words = ("--host", proxy.url, "commit", "--method", "engine", "--no-pause", *options)
            return sandbox.snap(*words, box, image, expect=expect).stderr

    assert "FAIL A /race: sha256 is" in commit("2", expect=3)
    assert sandbox.new_images() == set()
    base_id = sandbox.inspect(sandbox.base_image)["Id"]
    assert sandbox.inspect(image)["Id"] == base_id, "the name was to stay where it was"

    commit("3", "--no-verify", expect=0)
    assert sandbox.snap("verify", image, expect=3).stdout.count("FAIL") == 1


def test_links_that_go_round_in_a_circle_are_committed_as_they_are(sandbox: Sandbox) -> None:
    """F14: the engine answers the archive call for such a path with a failure."""
    box, image = sandbox.changed("ln -s self /self; ln -s b /a; ln -s a /b"), sandbox.name("image")
    lines = sandbox.snap("diff", box).stdout.splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == ["/a -> b", "/b -> a", "/self -> self"]
    sandbox.snap("commit", box, image)
    sandbox.snap("verify", image, "--file", "/self")
    assert sandbox.output_of(image, "readlink", "/self") == "self\n"
