from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.types import Config, Healthcheck
from snapshot.image.dockerfile import (
    DockerfileParts,
    Removal,
    TooManyDeletions,
    dockerfile,
)
from snapshot.image.dockerfile_config import ConfigText, config_instructions
from snapshot.image.instructions import apply_instructions

BASE = Config(
    env=("PATH=/bin", "OLD=1", "EMPTY="),
    cmd=("sh",),
    entrypoint=("/init",),
    working_dir="/srv",
    user="app",
    labels={"version": "1", "io.github.docker-snap.record": "{}"},
    exposed_ports=frozenset({"80/tcp"}),
    volumes=frozenset({"/data"}),
    stop_signal="SIGINT",
    healthcheck=Healthcheck(("CMD", "true"), interval_ns=10**9, retries=5),
    shell=("/bin/bash", "-c"),
)

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,6}", fullmatch=True)
paths = text.map(lambda tail: f"/{tail}")
words = st.lists(text, max_size=3).map(tuple)
configs = st.builds(
    Config,
    env=st.dictionaries(names, text, max_size=3).map(lambda d: tuple(f"{k}={v}" for k, v in d.items())),
    cmd=words,
    entrypoint=words,
    working_dir=st.sampled_from(["", "/", "/srv/app", "/a b", "/a$b", '/"', "/a\\b"]),
    user=st.sampled_from(["", "1", "app:app", "a b", "$USER"]),
    labels=st.dictionaries(text.filter(bool), text, max_size=3),
    exposed_ports=st.frozensets(st.sampled_from(["80/tcp", "53/udp"])),
    volumes=st.frozensets(paths, max_size=2),
    stop_signal=st.sampled_from(["", "SIGTERM", "SIGRTMIN+3", "15"]),
    healthcheck=st.none()
    | st.builds(
        Healthcheck,
        test=st.one_of(
            words.filter(bool).map(lambda argv: ("CMD", *argv)),
            text.filter(bool).map(lambda line: ("CMD-SHELL", line)),
        ),
        interval_ns=st.sampled_from([0, 10**6, 1_500_000_000, 3600 * 10**9]),
        retries=st.integers(0, 3),
    ),
)  # fmt: skip


def applied(base: Config, made: ConfigText) -> Config:
    """What a builder's parser makes of the instructions; SHELL is no instruction of a commit."""
    return apply_instructions(base, [line for line in made.instructions if not line.startswith("SHELL ")])


def as_compared(config: Config) -> Config:
    """Two ways to say the same are one here, and the order of variables means nothing."""
    return replace(
        config,
        env=tuple(sorted(config.env)),
        working_dir=config.working_dir or "/",
        labels=dict(sorted(config.labels.items())),
        shell=(),
    )


@given(base=configs, wanted=configs)
def test_instructions_give_the_wanted_config_save_for_what_is_noted(base: Config, wanted: Config) -> None:
    made = config_instructions(base, wanted)
    if not made.notes:
        # What a base has and cannot be taken away is noted, so none of it is here.
        before = base.healthcheck
        filled = (wanted.healthcheck, wanted.stop_signal)
        if before and wanted.healthcheck is None:
            filled = (Healthcheck(("NONE",)), filled[1])
        elif before and wanted.healthcheck:
            check = wanted.healthcheck
            interval_ns = check.interval_ns or (30 * 10**9 if before.interval_ns else 0)
            retries = check.retries or (3 if before.retries else 0)
            if check != before:
                filled = (replace(check, interval_ns=interval_ns, retries=retries), filled[1])
        if base.stop_signal and not wanted.stop_signal:
            filled = (filled[0], "SIGTERM")
        expected = replace(wanted, healthcheck=filled[0], stop_signal=filled[1])
        assert as_compared(applied(base, made)) == as_compared(expected)


@given(wanted=configs)
def test_nothing_is_left_out_without_a_note(wanted: Config) -> None:
    made = config_instructions(Config(), wanted)
    got = applied(Config(), made)
    if as_compared(got) != as_compared(wanted):
        assert made.notes


@given(wanted=configs)
def test_an_equal_config_needs_no_instruction(wanted: Config) -> None:
    assert config_instructions(wanted, wanted) == ConfigText((), ())


def test_instructions_are_written_as_a_person_would() -> None:
    wanted = Config(
        env=("PATH=/bin", "GREETING=say \"hi\" for $5 \\o/", "EMPTY="),
        cmd=("node", "app.js"),
        entrypoint=(),
        working_dir="/web ping",
        user="",
        labels={"version": "1", "my.label": "two words", "b": ""},
        exposed_ports=frozenset({"80/tcp", "53/udp"}),
        volumes=frozenset({"/data", "/l'og $1"}),
        healthcheck=Healthcheck(("CMD-SHELL", "curl -f localhost || exit 1"), interval_ns=90 * 10**9),
        on_build=("RUN echo $x",),
    )  # fmt: skip
    made = config_instructions(BASE, wanted)
    assert made.instructions == (
        'ENV OLD="" \\\n    GREETING="say \\"hi\\" for \\$5 \\\\o/"',
        'LABEL my.label="two words" \\\n    b=""',
        "EXPOSE 53/udp",
        'VOLUME ["\\"/l\'og \\\\$1\\""]',
        'WORKDIR "/web ping"',
        'USER ""',
        "STOPSIGNAL SIGTERM",
        "HEALTHCHECK --interval=90s --retries=3 CMD curl -f localhost || exit 1",
        'SHELL ["/bin/sh", "-c"]',
        "ENTRYPOINT []",
        'CMD ["node", "app.js"]',
        "ONBUILD RUN echo $x",
    )
    assert made.notes == ("a Dockerfile cannot take away the variable OLD of the base: it stays, empty",)


@pytest.mark.parametrize(
    ("base", "wanted", "word"),
    [
        (Config(), Config(env=("A=1\n2",)), "variable A"),
        (Config(), Config(labels={"a\nb": "1"}), "label a"),
        (Config(), Config(labels={"a=b": "1"}), "label a=b"),
        (Config(), Config(env=("A=" + "x" * 70_000,)), "variable A"),
        (Config(), Config(env=("A=\ud800",)), "variable A"),
        (Config(), Config(cmd=("x" * 70_000,)), "CMD"),
        (Config(), Config(working_dir="relative"), "WORKDIR"),
        (Config(), Config(healthcheck=Healthcheck(("CMD-SHELL", "a\nb"))), "HEALTHCHECK"),
        (Config(), Config(healthcheck=Healthcheck(("CMD-SHELL", '["a"]'))), "HEALTHCHECK"),
        (Config(), Config(exposed_ports=frozenset({"x"})), "EXPOSE"),
        (Config(exposed_ports=frozenset({"1/tcp"})), Config(), "port 1/tcp"),
        (Config(volumes=frozenset({"/v"})), Config(), "volume /v"),
        (Config(labels={"k": "v"}), Config(), "label k"),
    ],
)  # fmt: skip
def test_what_a_dockerfile_cannot_say_is_named(base: Config, wanted: Config, word: str) -> None:
    (note,) = config_instructions(base, wanted).notes
    assert word in note
    assert "xxxxx" not in note


def test_the_record_is_no_label_of_the_users() -> None:
    labels = {"io.github.docker-snap.record": "{}", "org.opencontainers.image.base.name": "a", "mine": "1"}
    assert config_instructions(Config(), Config(labels=labels)) == ConfigText(("LABEL mine=1",), ())


def test_deleting_comes_before_adding_and_root_does_it() -> None:
    parts = DockerfileParts("base", removal=Removal(("/a", '/b "c"\n'), "/usr/bin/rm"), as_root=True)
    lines = [line for line in dockerfile(parts).splitlines() if line and not line.startswith("#")]
    assert lines == [
        "FROM base",
        "USER 0",
        'RUN ["/usr/bin/rm", "-rf", "--", \\',
        '     "/a", \\',
        '     "/b \\"c\\"\\n"]',
        "ADD changes.tar /",
    ]


def test_a_platform_is_named_where_it_has_to_be() -> None:
    text = dockerfile(DockerfileParts("base", platform="linux/arm64/v8", has_changes=False))
    assert text.endswith("\n\nFROM --platform=linux/arm64/v8 base\n")
    assert "ADD" not in text


def commands(text: str) -> list[list[str]]:
    """The RUN commands, as a builder reads them: lines joined, then JSON."""
    joined = text.replace("\\\n", "")
    return [json.loads(line.removeprefix("RUN ")) for line in joined.splitlines() if line.startswith("RUN ")]


def test_many_deletions_are_parted_and_no_line_is_too_long() -> None:
    paths = tuple(f"/{number:05}/{'x' * 200}" for number in range(4000))
    text = dockerfile(DockerfileParts("base", removal=Removal(paths, last=("/00000/x", "/bin/rm"))))
    runs = commands(text)
    assert len(runs) == 4
    assert sorted(path for run in runs for path in run[3:]) == sorted(paths)
    assert max(map(len, text.splitlines())) < 65_535


def test_what_deleting_needs_itself_is_deleted_last() -> None:
    removal = Removal(("/bin", "/srv", "/usr"), "/bin/rm", last=("/srv/app", "/bin/rm"))
    (run,) = commands(dockerfile(DockerfileParts("base", removal=removal)))
    assert run[3:] == ["/usr", "/bin", "/srv"]


def test_too_many_deletions_are_refused() -> None:
    with pytest.raises(TooManyDeletions):
        dockerfile(DockerfileParts("base", removal=Removal(tuple(f"/{n}{'x' * 99}" for n in range(20_000)))))


@given(name=st.binary(min_size=1, max_size=9).filter(lambda raw: b"\0" not in raw and b"/" not in raw))
def test_a_shell_deletes_a_name_that_is_no_text(name: bytes) -> None:
    path = "/" + (b"\xff" + name).decode("utf-8", "surrogateescape")
    (run,) = commands(dockerfile(DockerfileParts("base", removal=Removal((path,), "printf '%s\\0'"))))
    script = run[2].replace(" -rf -- ", " ")
    done = subprocess.run([run[0], "-c", script, *run[3:]], capture_output=True, check=True)
    assert done.stdout == path.encode("utf-8", "surrogateescape") + b"\0"


@pytest.mark.parametrize(
    "evil", ["syntax=evil/frontend", "escape=`", "\nRUN evil", "\r\nRUN evil", "\u2028RUN evil", "x" * 99_999]
)
def test_no_comment_is_more_than_a_comment(evil: str) -> None:
    text = dockerfile(DockerfileParts("base", heading=[evil], steps=[evil], notes=[evil]))
    head, _, rest = text.partition("FROM base")
    assert all(line.startswith("#") for line in head.splitlines() if line)
    assert "evil" not in rest
    # Directives count only before the first other comment.
    assert not re.match(r"#\s*\w+\s*=", text)
    assert max(len(line.encode()) for line in text.splitlines()) < 65_535
