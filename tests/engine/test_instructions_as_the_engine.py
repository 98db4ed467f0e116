"""Instructions mean to us what they mean to the engine's own ``commit --change``."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker.errors
import pytest

from snapshot.engine.types import Config
from snapshot.errors import InvalidInput
from snapshot.image.instructions import apply_instructions

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on(
        "docker20",
        "docker28",
        reason="snap reads instructions as Docker does, with either store; Podman's commit knows fewer",
    ),
]

# `client` is a docker.APIClient; docker-py is typed in parts only, so it is Any to the type checker.


@dataclass(frozen=True)
class Case:
    """A list of changes; ``since`` is the first API version whose engine knows them, ``why`` what is new."""

    changes: tuple[str, ...]
    since: str = "1.24"
    why: str = ""


def one(text: str, since: str = "1.24", why: str = "") -> Case:
    return Case((text,), since, why)


SAME = [
    # Commands: exec form, shell form, and what only looks like the exec form.
    one('CMD ["echo", "a b", "$PATH"]'),
    one(r'CMD ["\ud83d\ude00", "\ud800", "\t"]'),
    one("cmd echo  hi $PATH 'x y'"),
    one("CMD ['echo', 'hi']"),
    one("CMD [ -f /x ] && true"),
    one("CMD [NaN]"),
    one("CMD -- --flag"),
    one("CMD echo a \\\n# why\n\n  b"),
    one('CMD ["echo"] hi', "1.48", "older engines overlook what follows the array"),
    one('ENTRYPOINT ["foo", "bar=baz"]'),
    one("ENTRYPOINT exec top -b"),
    Case(('CMD ["x"]', 'ENTRYPOINT ["e"]')),
    Case(('ENTRYPOINT ["e"]', 'CMD ["x"]')),
    Case(("CMD []", 'ENTRYPOINT ["e"]')),
    # Pairs, quotes, escapes.
    one("ENV TEST=1=1-01=9.01"),
    one("ENV X=1 Y=\"a b\" Z=c\\ d Q='e $PATH'"),
    one("ENV PATH=/opt:$PATH"),
    one("ENV X the rest = of 'the  line'"),
    one("ENV X=1 Y=[$X]"),
    one('ENV X= Y="" "A B"=1'),
    one(r'ENV X=C:\dir Y="C:\dir" Z=\$PATH Q="\$PATH \" \\"'),
    one("ENV X=$$PATH Y=$-5 Z=$ Q=a$.b R=$1x"),
    one("ENV X=é\u3000Y=2\u00a0Z=3"),
    one("ENV X=1 \\\n    Y=2 \\\n# no\n\n    Z=3"),
    one("# first\n\n  ENV X=1\r\nENV Y=$X"),
    one("ENV X=${NO:-d}${NO:-$PATH} Y=${PATH:+y}${NO:+n} Z=${PATH:?no} Q=${NO:-'}'}"),
    one('ENV X="${NO:-"x"}" Y=${NO:-${NO:-z}}'),
    one("ENV X=${NO-d}${PATH+y}", "1.44", "operators without the colon"),
    one("ENV X=${PATH#*/} Y=${PATH##*/} Z=${PATH%/*} Q=${PATH%%/*}", "1.45", "trimming"),
    one("ENV X=${PATH/bin/x} Y=${PATH//bin/x}", "1.45", "replacing"),
    one('LABEL a=b "c d"="e $PATH" f=\'$PATH\''),
    one("LABEL maintainer Elton, of $PATH"),
    # One word or more.
    one("USER elton:staff"),
    one("USER ${NO:-1000}:1000"),
    one("WORKDIR /srv/app"),
    one("WORKDIR sub/../other"),
    one('WORKDIR "/a  b"'),
    Case(("WORKDIR /a", "WORKDIR b", "WORKDIR ../c")),
    one("WORKDIR //a/../b/", "1.48", "older engines keep an absolute path as written"),
    one("EXPOSE 80 443/TCP 53/udp 9/sctp 080 8000-8003/udp 81/"),
    one("EXPOSE $NO 8${NO}1"),
    Case(('ENV PORTS="80 443"', "EXPOSE $PORTS 90")),
    one("VOLUME /data /logs/ /a//b"),
    one('VOLUME ["/data", " /a b ", "/$NO$NO2/x"]'),
    one("STOPSIGNAL SIGRTMIN+3", "1.42", "STOPSIGNAL"),
    one("STOPSIGNAL ${NO:-quit}", "1.42", "STOPSIGNAL"),
    one("STOPSIGNAL 9", "1.42", "STOPSIGNAL"),
    # Health checks and triggers.
    one("HEALTHCHECK NONE"),
    one("HEALTHCHECK --interval=5s none"),
    one("HEALTHCHECK CMD curl -f  http://localhost || exit 1"),
    one('HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=500ms --retries=3 cmd ["a", "b"]'),
    one("HEALTHCHECK --interval='+1h0.5m1000us' --start-period= CMD x"),
    one("HEALTHCHECK --timeout=0 --interval=0s CMD x", "1.43", "a time of 0"),
    one("HEALTHCHECK --retries=0 CMD x", "1.43", "0 retries"),
    one("HEALTHCHECK --start-interval=2s CMD x", "1.44", "--start-interval"),
    one("ONBUILD RUN  echo $PATH  "),
    one("onbuild  \\\n  COPY . /app"),
    Case(("ONBUILD RUN a", 'ONBUILD CMD ["b"]')),
]

REFUSED_BY_BOTH = [
    "RUN ls", "ADD a /b", "COPY a /b", "FROM scratch", "ARG X", 'SHELL ["/bin/bash"]', "MAINTAINER me",
    "BOGUS=foo", "", "# nothing", 'CMD ["a", 1]', "CMD --flag", "ENV X", "ENV", "ENV =x", "ENV X=1 Y",
    "ENV X='a", 'ENV X="a', "ENV X=${PATH", "ENV X=${}", "ENV X=${NO:?}", "LABEL x", "WORKDIR", "WORKDIR $NO",
    "USER", "EXPOSE http", "EXPOSE 80/icmp", "EXPOSE 9-8", "EXPOSE 65536", "VOLUME []", "VOLUME $NO",
    "STOPSIGNAL SIGBOGUS", "HEALTHCHECK", "HEALTHCHECK CMD", "HEALTHCHECK NONE x", "HEALTHCHECK x",
    "HEALTHCHECK --interval=1us CMD x",
    "HEALTHCHECK --interval=5 CMD x", "HEALTHCHECK --retries=-1 CMD x", "HEALTHCHECK --interval CMD x",
    "HEALTHCHECK --retries=1 --retries=2 CMD x", "ONBUILD", "ONBUILD ONBUILD RUN x", "ONBUILD FROM x",
]  # fmt: skip

REFUSED_BY_US_ALONE = [
    ("CMD", "the engine makes `sh -c` without a command of it"),
    ("EXPOSE 8080:80", "the engine drops the host's port without a word"),
    ("EXPOSE 0", "no port"),
    ("VOLUME data", "no container of the image could be created"),
    ("ENV $NO=x", "a variable without a name"),
    ('LABEL ""=x', "a label without a key"),
    ("ONBUILD BOGUS x", "every build from the image would fail"),
]


@pytest.fixture
def container(client: Any, base_image: str) -> Iterator[str]:
    """A container of the base image, created and never started, with nothing overridden."""
    made = client.create_container(
        base_image,
        name=f"hb-instructions-{uuid.uuid4().hex[:12]}",
        host_config=client.create_host_config(network_mode="none"),
    )["Id"]
    yield made
    client.remove_container(made, force=True)


@pytest.fixture
def base(client: Any, base_image: str) -> Config:
    return Config.from_api(client.inspect_image(base_image)["Config"])


def committed(client: Any, container: str, changes: list[str]) -> Config:
    """The config that the engine's own commit makes."""
    image = client.commit(container, changes=changes)["Id"]
    try:
        return Config.from_api(client.inspect_image(image)["Config"])
    finally:
        client.remove_image(image)


@pytest.mark.parametrize("case", SAME, ids=lambda case: " ; ".join(case.changes))
def test_the_config_is_the_one_that_the_engine_makes(
    client: Any, container: str, base: Config, case: Case
) -> None:
    version = client.version()["ApiVersion"]
    if tuple(map(int, version.split("."))) < tuple(map(int, case.since.split("."))):
        pytest.skip(f"this engine's API is {version}; needs {case.since}: {case.why}")
    ours = apply_instructions(base, case.changes)
    assert ours != base
    assert ours == committed(client, container, list(case.changes))


@pytest.mark.parametrize("text", REFUSED_BY_BOTH)
def test_what_the_engine_refuses_is_refused_here(
    client: Any, container: str, base: Config, text: str
) -> None:
    with pytest.raises(InvalidInput):
        apply_instructions(base, [text])
    with pytest.raises(docker.errors.APIError):
        committed(client, container, [text])


@pytest.mark.parametrize(("text", "why"), REFUSED_BY_US_ALONE)
def test_what_the_engine_takes_to_no_good_end_is_refused_here(
    client: Any, container: str, base: Config, text: str, why: str
) -> None:
    assert why
    with pytest.raises(InvalidInput):
        apply_instructions(base, [text])
    committed(client, container, [text])


@pytest.mark.parametrize("text", ["ENTRYPOINT []", "CMD []"])
def test_what_the_engine_does_not_clear_is_cleared_here(
    client: Any, container: str, base: Config, text: str
) -> None:
    # Its commit merges the container's config back in wherever the changes left nothing.
    assert base.cmd
    assert committed(client, container, [text]).cmd == base.cmd
    assert apply_instructions(base, [text]).cmd == ()
