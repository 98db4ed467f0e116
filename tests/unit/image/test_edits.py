from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.types import Config, Healthcheck
from snapshot.errors import InvalidInput
from snapshot.image import edits

BASE = Config(
    env=("PATH=/bin", "A=1", "Z=26"),
    cmd=("/bin/sh",),
    working_dir="/diamol",
    labels={"kept": "yes", "changed": "old"},
    exposed_ports=frozenset({"22/tcp"}),
    volumes=frozenset({"/kept"}),
    healthcheck=Healthcheck(("CMD", "old"), interval_ns=5 * 10**9, retries=7),
    on_build=("RUN first",),
)


def test_a_variable_that_is_there_is_replaced_in_its_place() -> None:
    assert edits.with_env(BASE, "A", "2").env == ("PATH=/bin", "A=2", "Z=26")


def test_a_new_variable_goes_to_the_end() -> None:
    assert edits.with_env(BASE, "B", "2").env == ("PATH=/bin", "A=1", "Z=26", "B=2")


def test_a_variable_whose_name_only_begins_alike_is_another_one() -> None:
    assert edits.with_env(BASE, "PA", "x").env == (*BASE.env, "PA=x")


@pytest.mark.parametrize("value", ["", "1=1-01=9.01", " spaced ", "$A", '"'])
def test_the_value_of_a_variable_is_taken_literally(value: str) -> None:
    assert edits.with_env(BASE, "TEST", value).env[-1] == f"TEST={value}"


@pytest.mark.parametrize("name", ["", "A=B", "A\0"])
def test_what_cannot_be_the_name_of_a_variable_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        edits.with_env(BASE, name, "x")


def test_a_nul_byte_in_a_value_is_refused_without_repeating_the_value() -> None:
    with pytest.raises(InvalidInput) as refusal:
        edits.with_env(BASE, "TOKEN", "s3cret\0")
    assert "TOKEN" in refusal.value.what
    assert "s3cret" not in refusal.value.what


def test_labels_are_added_and_replaced_by_key() -> None:
    labels = edits.with_labels(BASE, {"changed": "new", "added": ""}).labels
    assert labels == {"kept": "yes", "changed": "new", "added": ""}


def test_a_label_that_is_snaps_own_is_refused() -> None:
    with pytest.raises(InvalidInput, match="snap writes itself"):
        edits.with_labels(BASE, {"io.github.docker-snap.record": "{}"})
    assert "io.github.docker-snapper" in edits.with_labels(BASE, {"io.github.docker-snapper": ""}).labels


def test_a_label_without_a_key_is_refused() -> None:
    with pytest.raises(InvalidInput):
        edits.with_labels(BASE, {"": "x"})


def test_an_edit_leaves_the_config_it_was_given_as_it_was() -> None:
    before = Config(env=("A=1",), labels={"a": "b"})
    edits.with_labels(edits.with_env(before, "A", "2"), {"a": "c"})
    assert before == Config(env=("A=1",), labels={"a": "b"})


def test_a_command_replaces_the_inherited_one() -> None:
    assert edits.with_cmd(BASE, ["echo", "a b"]).cmd == ("echo", "a b")
    assert edits.with_cmd(BASE, []).cmd == ()


def test_an_entrypoint_takes_the_inherited_command_away() -> None:
    changed = edits.with_entrypoint(BASE, ["foo", "bar=baz"])
    assert changed.entrypoint == ("foo", "bar=baz")
    assert changed.cmd == ()


def test_an_empty_entrypoint_clears_it() -> None:
    assert edits.with_entrypoint(Config(entrypoint=("a",)), []).entrypoint == ()


@pytest.mark.parametrize(
    ("present", "path", "expected"),
    [
        ("/diamol", "/srv", "/srv"),
        ("/diamol", "sub", "/diamol/sub"),
        ("", "sub", "/sub"),
        ("/", "sub", "/sub"),
        ("/diamol", "..", "/"),
        ("/diamol", "../../..", "/"),
        ("/diamol", ".", "/diamol"),
        ("/diamol", "/a//b/./c/../d/", "/a/b/d"),
        ("/diamol", "//two/slashes", "/two/slashes"),
        ("relative", "sub", "/relative/sub"),
        ("/diamol", " a b", "/diamol/ a b"),
    ],
)
def test_a_working_folder_is_joined_and_normalised(present: str, path: str, expected: str) -> None:
    assert edits.with_working_dir(Config(working_dir=present), path).working_dir == expected


def test_an_empty_working_folder_is_refused() -> None:
    with pytest.raises(InvalidInput):
        edits.with_working_dir(BASE, "")


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_working_folder_is_always_absolute_and_normal(first: str, second: str) -> None:
    path = edits.with_working_dir(edits.with_working_dir(Config(), first), second).working_dir
    assert path.startswith("/")
    assert not path.startswith("//")
    assert posixpath.normpath(path) == path


@pytest.mark.parametrize("user", ["", "elton", "1000", "elton:staff", "1000:1000"])
def test_a_user_is_kept_as_written(user: str) -> None:
    assert edits.with_user(Config(user="root"), user).user == user


@pytest.mark.parametrize(
    ("ports", "added"),
    [
        (["80"], {"80/tcp"}),
        (["80/"], {"80/tcp"}),
        (["080"], {"80/tcp"}),
        (["53/udp", "53/TCP", "9/sctp"], {"53/udp", "53/tcp", "9/sctp"}),
        (["8000-8002/udp"], {"8000/udp", "8001/udp", "8002/udp"}),
        (["7-7"], {"7/tcp"}),
        (["1", "65535"], {"1/tcp", "65535/tcp"}),
        ([], set()),
    ],
)
def test_ports_are_added_to_the_inherited_ones(ports: list[str], added: set[str]) -> None:
    assert edits.with_exposed_ports(BASE, ports).exposed_ports == {"22/tcp", *added}


@pytest.mark.parametrize(
    "port",
    ["", "0", "65536", "9-8", "1-65536", "-1", "80/icmp", "80/tcp/udp", "http", "1-", "٨٠", "80 ", "1e3"],
)
def test_what_is_no_port_is_refused_by_name(port: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        edits.with_exposed_ports(BASE, ["80", port])
    assert repr(port) in refusal.value.what
    assert refusal.value.hint


@pytest.mark.parametrize("port", ["8080:80", "127.0.0.1:8080:80/tcp"])
def test_a_port_of_the_host_is_refused_rather_than_dropped(port: str) -> None:
    with pytest.raises(InvalidInput, match="port of the host"):
        edits.with_exposed_ports(BASE, [port])


def test_volumes_are_added_as_written() -> None:
    assert edits.with_volumes(BASE, ["/data/", "/a b"]).volumes == {"/kept", "/data/", "/a b"}


@pytest.mark.parametrize("path", ["", "data", "./data", "/", "//", "/a/.."])
def test_a_volume_with_which_nothing_could_start_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        edits.with_volumes(BASE, [path])


@pytest.mark.parametrize(
    "name",
    [
        "SIGTERM",
        "TERM",
        "sigquit",
        "Kill",
        "SIGRTMIN",
        "SIGRTMIN+3",
        "rtmin+15",
        "SIGRTMAX-14",
        "1",
        "9",
        "64",
    ],
)
def test_a_signal_that_exists_is_kept_as_written(name: str) -> None:
    assert edits.with_stop_signal(BASE, name).stop_signal == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0",
        "65",
        "999",
        "-9",
        "+9",
        "SIG",
        "SIGSIGTERM",
        "SIGRTMIN+16",
        "SIGRTMIN+0",
        "SIGRTMAX-15",
        "FOO",
        "SIGTERM\n",
    ],
)
def test_a_signal_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not a signal"):
        edits.with_stop_signal(BASE, name)


def test_a_health_check_replaces_the_whole_of_the_inherited_one() -> None:
    check = Healthcheck(("CMD-SHELL", "curl -f http://localhost"))
    assert edits.with_healthcheck(BASE, check).healthcheck == check


@pytest.mark.parametrize(
    "check",
    [
        Healthcheck(("NONE",)),
        Healthcheck(("CMD", "true"), interval_ns=10**6, timeout_ns=10**6, start_period_ns=10**6),
        Healthcheck(("CMD", "true"), start_interval_ns=10**6, retries=2**31 - 1),
    ],
)
def test_a_health_check_at_the_limits_is_taken(check: Healthcheck) -> None:
    assert edits.with_healthcheck(BASE, check).healthcheck == check


@pytest.mark.parametrize(
    "check",
    [
        Healthcheck(()),
        Healthcheck(("CMD",)),
        Healthcheck(("CMD-SHELL",)),
        Healthcheck(("NONE", "x")),
        Healthcheck(("RUN", "x")),
        Healthcheck(("CMD", "x"), interval_ns=10**6 - 1),
        Healthcheck(("CMD", "x"), timeout_ns=-(10**9)),
        Healthcheck(("CMD", "x"), start_period_ns=1),
        Healthcheck(("CMD", "x"), start_interval_ns=1),
        Healthcheck(("CMD", "x"), retries=-1),
        Healthcheck(("CMD", "x"), retries=2**31),
    ],
)
def test_a_health_check_that_no_engine_takes_is_refused(check: Healthcheck) -> None:
    with pytest.raises(InvalidInput):
        edits.with_healthcheck(BASE, check)


def test_triggers_are_added_after_the_inherited_ones_as_written() -> None:
    changed = edits.with_on_build(BASE, ["run  make $X ", 'COPY ["a b", "/"]'])
    assert changed.on_build == ("RUN first", "run  make $X ", 'COPY ["a b", "/"]')


def test_continued_lines_of_a_trigger_are_joined() -> None:
    assert edits.with_on_build(Config(), ["RUN a && \\\n# why\n    b"]).on_build == ("RUN a &&     b",)


@pytest.mark.parametrize(
    "trigger",
    [
        "",
        "# only",
        "ONBUILD RUN x",
        "from scratch",
        "MAINTAINER me",
        "BOGUS x",
        "RUN",
        "RUN a\nRUN b",
        "RUN cat <<EOF",
    ],
)
def test_what_cannot_be_a_trigger_is_refused(trigger: str) -> None:
    with pytest.raises(InvalidInput):
        edits.with_on_build(BASE, [trigger])


@pytest.mark.parametrize(
    "trigger", ["RUN echo $((1<<2))", "RUN cat <<< x", "RUN a < b", 'RUN ["cat", "<<EOF"]']
)
def test_an_arrow_that_is_no_here_document_is_kept(trigger: str) -> None:
    assert edits.with_on_build(Config(), [trigger]).on_build == (trigger,)
