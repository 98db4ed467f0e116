"""What an engine says of a container, turned into what it takes for another one like it."""

from __future__ import annotations

from typing import Any

import pytest

from snapshot.engine.create_like import Creation, creation_like, creation_of
from snapshot.engine.process_types import TerminalSize
from snapshot.engine.types import Config, ContainerSpec, Healthcheck

ID = "0123456789ab" + "c" * 52
VOLUME = "f" * 64
BASE = Config(
    env=("PATH=/bin", "MODE=base"),
    cmd=("serve",),
    entrypoint=("/entry",),
    working_dir="/srv",
    user="app",
    labels={"maker": "base", "version": "1"},
    exposed_ports=frozenset({"80/tcp"}),
    volumes=frozenset({"/cache"}),
    stop_signal="SIGINT",
    healthcheck=Healthcheck(("CMD", "true")),
)


def answer(
    *, config: dict[str, Any] | None = None, host: dict[str, Any] | None = None, **others: Any
) -> dict[str, Any]:
    """An inspect answer for a container of BASE for which nothing was asked but what is given."""
    return {
        "Id": ID,
        "Config": {
            **BASE.to_api(),
            "Hostname": ID[:12],
            "Image": "base:latest",
            "Tty": True,
            "OpenStdin": True,
            **(config or {}),
        },
        "HostConfig": {"NetworkMode": "none", **(host or {})},
        "NetworkSettings": {"Networks": {"none": {}}},
        **others,
    }


def like(given: dict[str, Any], *, is_podman: bool = False) -> Creation:
    return creation_like(given, BASE, "other", {"started-from": "x"}, is_podman=is_podman)


def test_what_came_from_the_image_is_not_asked_for() -> None:
    body = like(answer()).body

    for key in ("User", "WorkingDir", "StopSignal", "Healthcheck", "OnBuild", "Shell", "Hostname"):
        assert key not in body
    assert body["Env"] == []
    assert body["ExposedPorts"] == body["Volumes"] == {}
    assert body["Entrypoint"] is None
    assert body["Cmd"] is None
    assert body["Labels"] == {"started-from": "x"}
    assert (body["Image"], body["Tty"], body["OpenStdin"]) == ("other", True, True)


def test_what_the_user_asked_for_is_asked_for_again() -> None:
    asked = {
        "Env": ["PATH=/bin", "MODE=mine", "WHO=Elton"],
        "User": "0",
        "WorkingDir": "/tmp",
        "StopSignal": "SIGTERM",
        "Labels": {**BASE.labels, "version": "2"},
        "ExposedPorts": {"80/tcp": {}, "81/tcp": {}},
        "Volumes": {"/cache": {}, "/data": {}},
        "Hostname": "box",
        "Healthcheck": {"Test": ["NONE"]},
    }
    body = like(answer(config=asked)).body

    assert body["Env"] == ["MODE=mine", "WHO=Elton"]
    assert (body["User"], body["WorkingDir"], body["StopSignal"]) == ("0", "/tmp", "SIGTERM")
    assert body["Labels"] == {"version": "2", "started-from": "x"}
    assert body["ExposedPorts"] == {"81/tcp": {}}
    assert body["Volumes"] == {"/data": {}}
    assert body["Hostname"] == "box"
    assert body["Healthcheck"] == {"Test": ["NONE"]}


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "asked"),
    [
        (["/entry"], ["serve"], (None, None)),
        (["/entry"], ["other"], (None, ["other"])),
        (["/mine"], None, (["/mine"], [])),
        (["/mine"], ["serve"], (["/mine"], ["serve"])),
        (None, ["sh"], ([""], ["sh"])),
    ],
)
def test_a_command_of_the_users_stays_and_that_of_the_image_follows_it(
    entrypoint: list[str] | None, cmd: list[str] | None, asked: tuple[Any, Any]
) -> None:
    body = like(answer(config={"Entrypoint": entrypoint, "Cmd": cmd})).body

    assert (body["Entrypoint"], body["Cmd"]) == asked


@pytest.mark.parametrize("host", [{"NetworkMode": "container:abc"}, {"UTSMode": "host"}])
def test_a_hostname_that_is_somebody_elses_is_not_asked_for(host: dict[str, Any]) -> None:
    assert "Hostname" not in like(answer(config={"Hostname": "theirs"}, host=host)).body


def test_host_settings_are_kept_and_links_are_written_as_they_are_asked_for() -> None:
    host = {"Memory": 5, "Binds": ["v:/v"], "Links": ["/db:/box/sql"], "ContainerIDFile": "/tmp/id"}

    assert like(answer(host=host)).body["HostConfig"] == {
        "NetworkMode": "none", "Memory": 5, "Binds": ["v:/v"], "Links": ["db:sql"],
    }  # fmt: skip


def test_the_first_network_is_named_at_creation_and_others_are_connected_later() -> None:
    networks = {
        "front": {"Aliases": ["web", ID[:12]], "NetworkID": "n1", "IPAddress": "10.0.0.2"},
        "back": {"IPAMConfig": {"IPv4Address": "10.1.0.9"}, "Aliases": None, "NetworkID": "n2"},
    }
    for mode in ("front", "n1"):
        creation = like(answer(host={"NetworkMode": mode}, NetworkSettings={"Networks": networks}))

        assert creation.body["NetworkingConfig"] == {"EndpointsConfig": {"front": {"Aliases": ["web"]}}}
        assert creation.networks == (("back", {"IPAMConfig": {"IPv4Address": "10.1.0.9"}}),)


def test_the_default_network_is_not_named() -> None:
    settings = {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}}
    creation = like(answer(host={"NetworkMode": "default"}, NetworkSettings=settings))

    assert creation.body["NetworkingConfig"] == {"EndpointsConfig": {}}
    assert creation.networks == ()


def test_podman_is_given_all_networks_at_once() -> None:
    settings = {"Networks": {"front": {"Aliases": ["web"]}, "back": {}}}
    creation = like(answer(host={"NetworkMode": "bridge"}, NetworkSettings=settings), is_podman=True)

    assert creation.body["NetworkingConfig"]["EndpointsConfig"] == {"front": {"Aliases": ["web"]}, "back": {}}
    assert creation.networks == ()


def test_the_platform_is_that_of_the_manifest_the_container_was_made_from() -> None:
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}

    assert like(answer(ImageManifestDescriptor={"platform": platform})).platform == "linux/arm64/v8"
    assert like(answer(ImageManifestDescriptor={"platform": {"os": "linux"}})).platform == ""
    assert like(answer()).platform == ""


def test_what_podman_adds_is_not_asked_for() -> None:
    given = answer(
        config={
            "Env": [
                *BASE.env,
                "TERM=xterm",
                "container=podman",
                "HOME=/root",
                f"HOSTNAME={ID[:12]}",
                "WHO=x",
            ],
            "StopSignal": "2",
            "Volumes": None,
        },
        host={
            "Binds": [f"{VOLUME}:/data:rw", f"{'e' * 64}:/cache:rw", "named:/n:rw"],
            "Ulimits": [{"Name": "RLIMIT_NOFILE", "Soft": 1, "Hard": 2}],
            "Runtime": "oci",
        },
        Mounts=[
            {"Type": "volume", "Name": VOLUME, "Destination": "/data"},
            {"Type": "volume", "Name": "e" * 64, "Destination": "/cache"},
            {"Type": "volume", "Name": "named", "Destination": "/n"},
            {"Type": "bind", "Destination": "/b"},
        ],
    )
    body = like(given, is_podman=True).body

    assert body["Env"] == ["WHO=x"]
    assert "StopSignal" not in body
    # That of the image comes with the image.
    assert body["Volumes"] == {"/data": {}}
    assert body["HostConfig"]["Binds"] == ["named:/n:rw"]
    assert body["HostConfig"]["Ulimits"] == [{"Name": "nofile", "Soft": 1, "Hard": 2}]
    assert "Runtime" not in body["HostConfig"]


def test_what_is_not_asked_for_is_left_to_the_image_and_the_engine() -> None:
    body = creation_of(ContainerSpec("base", "box")).body
    assert body == {
        "Image": "base",
        "Env": [],
        "WorkingDir": "",
        "User": "",
        "Volumes": {},
        "Labels": {},
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {"NetworkMode": "default"},
    }


def test_what_is_asked_for_is_told_in_the_engines_words() -> None:
    spec = ContainerSpec(
        "base", "box", command=("ls", "-l"), entrypoint=("",), env=("A=1",), working_dir="/srv", user="app",
        binds=("/here:/there:ro",), volumes=("/data",), network="none", platform="linux/arm64",
        labels={"a": "b"}, tty=True, stdin=True, size=TerminalSize(rows=24, columns=80),
    )  # fmt: skip
    body, platform, networks = creation_of(spec)
    assert (platform, networks) == ("linux/arm64", ())
    assert (body["Cmd"], body["Entrypoint"], body["Env"]) == (["ls", "-l"], [""], ["A=1"])
    assert (body["WorkingDir"], body["User"], body["Volumes"]) == ("/srv", "app", {"/data": {}})
    assert all(body[key] for key in ("Tty", "OpenStdin", "StdinOnce", "AttachStdin"))
    assert body["HostConfig"] == {
        "NetworkMode": "none",
        "Binds": ["/here:/there:ro"],
        "ConsoleSize": [24, 80],
    }


def test_an_input_outlives_who_is_attached_where_nobody_is_at_first() -> None:
    body = creation_of(ContainerSpec("base", "box", stdin=True, detach=True)).body
    assert body["OpenStdin"]
    assert not any(body[key] for key in ("StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr"))
