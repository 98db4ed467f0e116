"""Which endpoint is chosen, and why: environment, files and sockets in temporary folders."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.endpoint import Endpoint, Tls, choose_endpoint
from snapshot.errors import EngineUnreachable, InvalidInput


@dataclass
class Machine:
    """A file system and an environment of its own; socket paths must stay below 108 bytes."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def docker_folder(self) -> Path:
        return self.home / ".docker"

    def choose(self, host: str | None = None, context: str | None = None) -> Endpoint:
        return choose_endpoint(
            host=host, context=context, environ=self.environ, home=self.home, root=self.root
        )

    def listen(self, path: str) -> Path:
        where = self.root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        self.sockets.append(listener)
        listener.bind(str(where))
        return where

    def write(self, path: str, text: str) -> Path:
        where = self.docker_folder / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)
        return where

    def add_context(self, name: str, meta: Any, tls_files: tuple[str, ...] = ()) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        for file in tls_files:
            self.write(f"contexts/tls/{digest}/docker/{file}", "pem")
        return self.write(f"contexts/meta/{digest}/meta.json", json.dumps(meta))

    def add_engine_context(self, name: str, host: str, **more: Any) -> None:
        self.add_context(name, {"Name": name, "Endpoints": {"docker": {"Host": host, **more}}})


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as folder:
        made = Machine(Path(folder).resolve())
        yield made
        for listener in made.sockets:
            listener.close()


# --- the order ---


def test_every_way_to_name_an_engine_beats_the_ones_after_it(machine: Machine) -> None:
    default = machine.listen("var/run/docker.sock")
    assert machine.choose() == Endpoint(f"unix://{default}", "default socket", None)
    config = machine.write("config.json", json.dumps({"currentContext": "current"}))
    machine.add_engine_context("current", "tcp://current:1")
    assert machine.choose() == Endpoint("tcp://current:1", f"current context current of {config}", None)
    machine.environ["DOCKER_CONTEXT"] = "env"
    machine.add_engine_context("env", "tcp://env:2")
    assert machine.choose() == Endpoint("tcp://env:2", "DOCKER_CONTEXT=env", None)
    machine.environ["DOCKER_HOST"] = "tcp://host:3"
    assert machine.choose() == Endpoint("tcp://host:3", "DOCKER_HOST", None)
    assert machine.choose(host="tcp://option:4") == Endpoint("tcp://option:4", "--host", None)
    machine.add_engine_context("option", "tcp://option:5")
    assert machine.choose(context="option") == Endpoint("tcp://option:5", "--context option", None)


def test_host_and_context_together_are_refused(machine: Machine) -> None:
    with pytest.raises(InvalidInput, match="Both --host and --context"):
        machine.choose(host="tcp://a:1", context="b")


def test_empty_variables_count_as_not_set(machine: Machine) -> None:
    default = machine.listen("var/run/docker.sock")
    machine.environ |= dict.fromkeys(
        ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS", "DOCKER_TLS_VERIFY"], ""
    )
    assert machine.choose(context="").url == f"unix://{default}"


def test_docker_config_names_the_folder_of_configuration_and_contexts(machine: Machine) -> None:
    machine.add_engine_context("far", "tcp://far:1")
    machine.write("config.json", json.dumps({"currentContext": "far"}))
    elsewhere = machine.docker_folder.rename(machine.root / "elsewhere")
    machine.environ["DOCKER_CONFIG"] = str(elsewhere)
    assert machine.choose().reason == f"current context far of {elsewhere / 'config.json'}"


def test_the_home_folder_comes_from_the_environment_that_was_given(machine: Machine) -> None:
    machine.write("config.json", json.dumps({"currentContext": "mine"}))
    machine.add_engine_context("mine", "tcp://mine:1")
    assert choose_endpoint(environ={"HOME": str(machine.home)}).url == "tcp://mine:1"


# --- sockets that nobody named ---


def test_the_first_socket_that_exists_is_taken(machine: Machine) -> None:
    machine.environ["XDG_RUNTIME_DIR"] = str(machine.root / "xdg")
    expected = [
        ("run/podman/podman.sock", "Podman's socket"),
        ("xdg/podman/podman.sock", "rootless Podman's socket"),
        ("home/.docker/run/docker.sock", "rootless Docker's socket"),
        ("xdg/docker.sock", "rootless Docker's socket"),
        ("var/run/docker.sock", "default socket"),
    ]
    for path, reason in expected:
        made = machine.listen(path)
        assert machine.choose() == Endpoint(f"unix://{made}", reason, None)


def test_a_file_or_a_dangling_link_is_no_socket(machine: Machine) -> None:
    podman = machine.listen("run/podman/podman.sock")
    (machine.root / "var/run").mkdir(parents=True)
    (machine.root / "var/run/docker.sock").write_text("")
    (machine.docker_folder / "run").mkdir(parents=True)
    (machine.docker_folder / "run/docker.sock").symlink_to("gone")
    assert machine.choose().url == f"unix://{podman}"


def test_without_any_engine_the_error_says_what_was_looked_for(machine: Machine) -> None:
    machine.environ["XDG_RUNTIME_DIR"] = "relative"
    with pytest.raises(EngineUnreachable, match="No container engine was found") as caught:
        machine.choose()
    assert str(machine.root / "var/run/docker.sock") in caught.value.what
    assert str(machine.root / "run/podman/podman.sock") in caught.value.what
    assert "relative" not in caught.value.what
    assert "DOCKER_HOST" in (caught.value.hint or "")
    assert caught.value.exit_code == 5


# --- the grammar of addresses ---


@pytest.mark.parametrize(
    ("given_host", "url"),
    [
        ("unix:///run/x.sock", "unix:///run/x.sock"),
        ("unix://", "unix:///var/run/docker.sock"),
        ("unix://x.sock", f"unix://{Path.cwd()}/x.sock"),
        ("unix:///a folder/x.sock", "unix:///a folder/x.sock"),
        ("tcp://host", "tcp://host:2375"),
        ("tcp://host:", "tcp://host:2375"),
        ("tcp://host:99", "tcp://host:99"),
        ("tcp://host:99/behind/a/proxy", "tcp://host:99/behind/a/proxy"),
        ("tcp://", "tcp://localhost:2375"),
        ("tcp://:99", "tcp://localhost:99"),
        ("tcp://[::1]:99", "tcp://[::1]:99"),
        ("tcp://[fe80::1%eth0]", "tcp://[fe80::1%eth0]:2375"),
        ("host:99", "tcp://host:99"),
        (" host ", "tcp://host:2375"),
        ("ssh://box", "ssh://box"),
        ("ssh://me@box:2222", "ssh://me@box:2222"),
        ("ssh://me@box/run/docker.sock", "ssh://me@box/run/docker.sock"),
        ("ssh://box/", "ssh://box"),
    ],
)
def test_an_address_is_completed_as_the_cli_does(machine: Machine, given_host: str, url: str) -> None:
    assert machine.choose(host=given_host) == Endpoint(url, "--host", None)
    machine.environ["DOCKER_HOST"] = given_host
    assert machine.choose() == Endpoint(url, "DOCKER_HOST", None)


@pytest.mark.parametrize(
    ("given_host", "said"),
    [
        ("fd://3", "'fd'"),
        ("npipe:////./pipe/docker_engine", "'npipe'"),
        ("http://host:2375", "'http'"),
        ("https://host:2376", "'https'"),
        ("TCP://host:2375", "'TCP'"),
        ("://host", "''"),
        ("/var/run/docker.sock", "no scheme"),
        ("unix://unix:///x", "two schemes"),
        ("tcp://::1:99", "tcp://host:port"),
        ("tcp://host:port", "tcp://host:port"),
        ("tcp://host:99?a=b", "tcp://host:port"),
        ("tcp://host name:99", "tcp://host:port"),
        ("tcp://host:0", "port that cannot be: 0"),
        ("tcp://host:65536", "port that cannot be: 65536"),
        ("tcp://host:" + "9" * 5000, "port that cannot be"),
        ("tcp://ho\nst:99", "control characters"),
        ("ssh://", "ssh://user@host:port"),
        ("ssh://me@", "ssh://user@host:port"),
        ("ssh://box:0", "port that cannot be"),
        ("ssh://box#part", "ssh://user@host:port"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(machine: Machine, given_host: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        machine.choose(host=given_host)
    assert said in caught.value.what
    assert "--host" in caught.value.what


@pytest.mark.parametrize("scheme", ["tcp", "ssh", "http"])
def test_a_password_in_an_address_is_refused_and_not_repeated(machine: Machine, scheme: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        machine.choose(host=f"{scheme}://me:hunter2@host:99")
    assert "hunter2" not in f"{caught.value.what} {caught.value.hint}"


@given(st.text(max_size=40))
def test_any_text_is_an_endpoint_or_a_sentence(text: str) -> None:
    nowhere = Path("/nonexistent")
    try:
        said = choose_endpoint(host=text, environ={}, home=nowhere, root=nowhere).url
    except (InvalidInput, EngineUnreachable) as error:
        said = error.what
    assert said.startswith(("unix:///", "tcp://", "ssh://", "The engine address", "No container engine"))
    assert said.isprintable()


def test_a_blank_host_option_means_the_default_sockets(machine: Machine) -> None:
    default = machine.listen("var/run/docker.sock")
    machine.environ["DOCKER_HOST"] = "tcp://host:1"
    assert machine.choose(host=" ").url == f"unix://{default}"


# --- TLS from the environment ---


def test_tls_verify_takes_the_files_of_the_certificate_folder(machine: Machine) -> None:
    folder = machine.root / "certs"
    folder.mkdir()
    machine.environ |= {"DOCKER_TLS_VERIFY": "0", "DOCKER_CERT_PATH": str(folder)}  # any value switches on
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (folder / name).write_text("pem")
    expected = Tls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem", verify=True)
    assert machine.choose(host="tcp://host") == Endpoint("tcp://host:2376", "--host", expected)
    machine.environ["DOCKER_HOST"] = "tcp://host:99"
    assert machine.choose() == Endpoint("tcp://host:99", "DOCKER_HOST", expected)


def test_a_ca_alone_is_enough_and_half_a_client_pair_is_none(machine: Machine) -> None:
    machine.environ["DOCKER_TLS_VERIFY"] = "1"
    ca = machine.write("ca.pem", "pem")
    machine.write("cert.pem", "pem")
    assert machine.choose(host="tcp://host").tls == Tls(ca, None, None, verify=True)


def test_verification_without_a_ca_is_an_error(machine: Machine) -> None:
    machine.environ["DOCKER_TLS_VERIFY"] = "1"
    with pytest.raises(InvalidInput, match=r"no .*ca\.pem"):
        machine.choose(host="tcp://host")


def test_docker_tls_alone_does_not_verify(machine: Machine) -> None:
    machine.environ["DOCKER_TLS"] = "1"
    assert machine.choose(host="tcp://host").tls == Tls(None, None, None, verify=False)


def test_tls_without_a_host_is_localhost_over_tls_as_in_the_cli(machine: Machine) -> None:
    machine.listen("var/run/docker.sock")
    machine.environ["DOCKER_TLS_VERIFY"] = "1"
    ca = machine.write("ca.pem", "pem")
    expected = Endpoint(
        "tcp://localhost:2376", "DOCKER_TLS_VERIFY without DOCKER_HOST", Tls(ca, None, None, verify=True)
    )
    assert machine.choose() == expected


def test_a_certificate_folder_alone_switches_nothing_on(machine: Machine) -> None:
    machine.environ["DOCKER_CERT_PATH"] = str(machine.root)
    assert machine.choose(host="tcp://host:1").tls is None


@pytest.mark.parametrize("host", ["unix:///x.sock", "ssh://box"])
def test_tls_is_for_tcp_only(machine: Machine, host: str) -> None:
    machine.environ["DOCKER_TLS"] = "1"
    assert machine.choose(host=host).tls is None


# --- contexts ---


def test_the_context_default_is_docker_host_or_the_sockets(machine: Machine) -> None:
    default = machine.listen("var/run/docker.sock")
    machine.write("config.json", json.dumps({"currentContext": "default"}))
    assert machine.choose() == Endpoint(f"unix://{default}", "default socket", None)
    machine.environ["DOCKER_CONTEXT"] = "default"
    assert machine.choose().reason == "DOCKER_CONTEXT=default: default socket"
    machine.environ["DOCKER_HOST"] = "tcp://host:1"
    assert machine.choose(context="default") == Endpoint(
        "tcp://host:1", "--context default: DOCKER_HOST", None
    )


@pytest.mark.parametrize("way", ["option", "environment", "config"])
def test_an_unknown_context_is_an_error_and_never_another_engine(machine: Machine, way: str) -> None:
    machine.listen("var/run/docker.sock")
    machine.add_engine_context("lab", "tcp://lab:1")
    machine.write("contexts/meta/broken/meta.json", "{")
    if way == "environment":
        machine.environ["DOCKER_CONTEXT"] = "gone"
    elif way == "config":
        machine.write("config.json", json.dumps({"currentContext": "gone"}))
    with pytest.raises(InvalidInput, match="no context 'gone'") as caught:
        machine.choose(context="gone" if way == "option" else None)
    assert caught.value.hint == "Known contexts: default, lab."


@pytest.mark.parametrize("name", ["../../evil", "a/b", ".", "\ud800", "x" * 5000])
def test_no_context_name_leads_out_of_the_store(machine: Machine, name: str) -> None:
    machine.environ["DOCKER_CONTEXT"] = name
    with pytest.raises(InvalidInput, match="There is no context"):
        machine.choose()


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"Name": "odd"},
        {"Name": "odd", "Endpoints": {}},
        {"Name": "odd", "Endpoints": {"kubernetes": {"Host": "tcp://k:1"}}},
        {"Name": "odd", "Endpoints": {"docker": {}}},
        {"Name": "odd", "Endpoints": {"docker": {"Host": ""}}},
        {"Name": "odd", "Endpoints": {"docker": {"Host": 7}}},
        {"Name": "odd", "Endpoints": {"docker": "tcp://k:1"}},
        {"Name": "odd", "Endpoints": ["docker"]},
    ],
)
def test_a_context_that_names_no_engine_is_an_error(machine: Machine, meta: Any) -> None:
    machine.listen("var/run/docker.sock")
    machine.add_context("odd", meta)
    with pytest.raises(InvalidInput, match=r"context 'odd' .* names no engine"):
        machine.choose(context="odd")


def test_a_bad_address_in_a_context_names_the_context(machine: Machine) -> None:
    machine.add_engine_context("odd", "gopher://host")
    with pytest.raises(InvalidInput, match=r"context 'odd' has a scheme .* 'gopher'"):
        machine.choose(context="odd")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\udcff", "[" * 100_000])
def test_a_broken_file_is_an_error_and_never_another_engine(machine: Machine, text: str) -> None:
    machine.listen("var/run/docker.sock")
    data = text.encode("utf-8", "surrogateescape")
    machine.write("config.json", "").write_bytes(data)
    with pytest.raises(InvalidInput, match=r"Docker's configuration is broken: .*config\.json"):
        machine.choose()
    machine.add_context("lab", {}).write_bytes(data)
    with pytest.raises(InvalidInput, match=r"context 'lab' is broken: .*meta\.json"):
        machine.choose(context="lab")


def test_a_current_context_that_is_no_text_is_an_error(machine: Machine) -> None:
    machine.write("config.json", json.dumps({"currentContext": ["lab"]}))
    with pytest.raises(InvalidInput, match="not a name"):
        machine.choose()


def test_files_that_cannot_be_read_are_an_error(machine: Machine) -> None:
    # A folder in the file's place fails for root, too, where permissions would not.
    machine.listen("var/run/docker.sock")
    (machine.docker_folder / "config.json").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=r"cannot be read: .*config\.json: Is a directory"):
        machine.choose()
    meta = machine.add_context("lab", {})
    meta.unlink()
    meta.mkdir()
    with pytest.raises(InvalidInput, match=r"cannot be read: .*meta\.json: Is a directory"):
        machine.choose(context="lab")


def test_a_context_brings_its_own_tls(machine: Machine) -> None:
    machine.environ |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nonexistent"}  # not for contexts
    meta = {"Name": "far", "Endpoints": {"docker": {"Host": "tcp://far"}}}
    machine.add_context("far", meta, ("ca.pem",))
    digest = hashlib.sha256(b"far").hexdigest()
    folder = machine.docker_folder / "contexts/tls" / digest / "docker"
    chosen = machine.choose(context="far")
    assert chosen == Endpoint(
        "tcp://far:2376", "--context far", Tls(folder / "ca.pem", None, None, verify=True)
    )
    machine.add_context("far", meta, ("cert.pem", "key.pem"))
    assert machine.choose(context="far").tls == Tls(
        folder / "ca.pem", folder / "cert.pem", folder / "key.pem", verify=True
    )


def test_skip_tls_verify_of_a_context_means_tls_without_verification(machine: Machine) -> None:
    machine.add_engine_context("far", "tcp://far:1", SkipTLSVerify=True)
    assert machine.choose(context="far").tls == Tls(None, None, None, verify=False)


def test_tls_files_that_cannot_be_read_never_mean_plain_text(machine: Machine) -> None:
    machine.add_engine_context("far", "tcp://far:1")
    digest = hashlib.sha256(b"far").hexdigest()
    machine.write(f"contexts/tls/{digest}", "a file in the folder's place")
    with pytest.raises(InvalidInput, match=r"TLS files .* cannot be read"):
        machine.choose(context="far")


def test_the_module_imports_nothing_slow() -> None:
    script = (
        "import sys, snapshot.engine.endpoint; print([m for m in ('docker', 'requests') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.stdout.strip() == "[]"
