"""What ``snap diff --since`` says that the later steps of a container changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox import Sandbox

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on(
        "docker20", "docker28-containerd", reason="one engine whose files can be looked at, and one without"
    ),
]

#: More paths than an engine is asked for one by one.
MANY = 60


def stepped(sandbox: Sandbox, *scripts: str) -> str:
    """A container that runs (step 1), and in which each script was a step of its own."""
    box = sandbox.hold()
    for script in scripts:
        sandbox.snap("exec", box, "sh", "-ec", script)
    return box


def since(sandbox: Sandbox, box: str, step: int) -> list[str]:
    """``A /path`` and the like for each change."""
    document = found(sandbox, box, step)
    return [f"{change['kind']} {change['path']}" for change in document["changes"]]


def found(sandbox: Sandbox, box: str, step: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        sandbox.snap("diff", "--format", "json", "--since", str(step), box).stdout
    )
    return document


def test_what_later_steps_changed_is_listed_with_what_stands_there_now(sandbox: Sandbox) -> None:
    box = stepped(
        sandbox,
        "echo one > /one; mkdir /folder; echo x > /folder/x; echo x > /folder/gone",
        "echo further >> /one; echo two > /two; rm /folder/gone; rm /etc/group",
        "chmod 700 /folder; ln -s one /link",
    )
    done = sandbox.snap("diff", "--since", "2", box)
    assert [line.split(None, 5) for line in done.stdout.splitlines()] == [
        ["D", "-", "-", "-", "-", "/etc/group"],
        ["C", "folder", "0700", "0:0", "-", "/folder"],
        ["D", "-", "-", "-", "-", "/folder/gone"],
        ["A", "symlink", "0777", "0:0", "-", "/link -> one"],
        ["C", "file", "0644", "0:0", "12", "/one"],
        ["A", "file", "0644", "0:0", "4", "/two"],
    ]
    assert done.stderr == ""
    assert since(sandbox, box, 3) == ["C /folder", "A /link"]
    assert sandbox.snap("diff", "-q", "--since", "3", box).stdout == "/folder\n/link\n"


def test_since_it_was_made_is_all_but_the_folders_that_only_hold_changes(sandbox: Sandbox) -> None:
    box = stepped(sandbox, "echo Elton >> ch03.txt", "touch /new; chmod 711 /root")
    assert since(sandbox, box, 0) == ["C /diamol/ch03.txt", "A /new", "C /root"]
    document = found(sandbox, box, 0)
    assert document["old"] == {"kind": "step", "id": document["container"]["id"], "name": box, "step": 0}
    assert document["new"]["kind"] == "container"
    assert document["found_by"] == "looks"


def test_what_was_done_behind_snaps_back_is_in_it(sandbox: Sandbox) -> None:
    box = stepped(sandbox, "echo one > /one")
    sandbox.sh(box, "echo behind >> /one; touch /two")
    assert since(sandbox, box, 2) == ["C /one", "A /two"]


def test_nothing_changed_is_said_and_exits_with_0(sandbox: Sandbox) -> None:
    box = stepped(sandbox, "touch /new")
    done = sandbox.snap("diff", "--exit-code", "--since", "2", box)
    assert (done.stdout, done.stderr) == ("", f"snap: '{box}' changed nothing since step 2.\n")
    sandbox.snap("diff", "--exit-code", "-q", "--since", "1", box, expect=1)


def test_a_step_that_is_not_there_is_refused_with_those_that_are(sandbox: Sandbox) -> None:
    box = stepped(sandbox, "touch /new", "touch /newer")
    for step in ("4", "-1"):
        assert sandbox.snap("diff", "--since", step, box, expect=2).stderr.splitlines() == [
            f"snap: The journal of '{box}' has no step {step}.",
            "  There is what it had changed after steps 0 to 3; 0 is the container as it was made.",
        ]
    two = sandbox.snap("diff", "--since", "1", sandbox.base_image, box, expect=2)
    assert two.stderr.startswith("snap: --since is about one container, and two names were given.\n")
    image = sandbox.snap("diff", "--since", "1", sandbox.base_image, expect=1)
    assert "No container is named" in image.stderr


def test_where_the_engine_does_not_tell_a_second_change_that_is_said(sandbox: Sandbox) -> None:
    box = stepped(sandbox, f"for n in $(seq {MANY}); do echo x > /$n; done", "echo again >> /1; touch /new")
    done = sandbox.snap("diff", "-q", "--since", "2", box)
    if (sandbox.client.inspect_container(box).get("GraphDriver") or {}).get("Data"):
        # The files lie on this machine, and are looked at there.
        assert done.stdout == "/1\n/new\n"
        assert done.stderr == ""
    else:
        assert done.stdout == "/new\n"
        assert "changes of paths that had been changed before may be missing" in done.stderr
