"""Registries on loopback ports, which engines talk to without TLS: a real one, and one that stalls."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest
from processes import wait_until


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """Debian's ``docker-registry`` with its data in ``folder``; gives its ``127.0.0.1:PORT``."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.fail("docker-registry is missing: install the package of that name.", pytrace=False)
    address = f"127.0.0.1:{free_port()}"
    config = folder / "config.yml"
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
    # JSON is YAML.
    config.write_text(json.dumps({"version": "0.1", "storage": storage, "http": {"addr": address}}))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, "serve", config], stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: _listens(address), "the registry listens")
            yield address
        finally:
            process.kill()


def push(client: docker.APIClient, image: str, name: str) -> str:
    """Push an image under another name, which it does not keep here; returns the digest it has there."""
    repository, _, tag = name.rpartition(":")
    client.tag(image, repository, tag)
    try:
        answers = list(client.push(name, stream=True, decode=True))
    finally:
        client.remove_image(name)
    # The containerd store has no "aux" and says it in words alone.
    digests = re.findall(r"digest: (sha256:[0-9a-f]{64})", " ".join(a.get("status", "") for a in answers))
    digests += [answer["aux"]["Digest"] for answer in answers if "aux" in answer]
    assert digests, answers
    return str(digests[0])


class StallingRegistry:
    """A registry with one image whose layer never comes.

    Attributes
    ----------
    name:
        Of the image.
    asked:
        Set when the layer is asked for.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._give_up = threading.Event()
        layer = f"sha256:{hashlib.sha256(b'a layer').hexdigest()}"
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [layer]},
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": _descriptor("application/vnd.docker.container.image.v1+json", config),
                "layers": [
                    {
                        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        "size": 1 << 20,
                        "digest": layer,
                    }
                ],
            }
        ).encode()
        contents = {"manifests": manifest, _digest(config): config}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(contents, layer))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.name = f"127.0.0.1:{self._server.server_port}/stalls:latest"

    def __enter__(self) -> StallingRegistry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_up.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self, contents: dict[str, bytes], layer: str) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            # What is no HTTP gets an answer in HTTP: to containerd that says that there is no TLS here.
            default_request_version = "HTTP/1.1"

            def do_GET(self) -> None:
                last = self.path.rpartition("/")[2]
                content = contents["manifests"] if "/manifests/" in self.path else contents.get(last, b"{}")
                self.send_response(200)
                self.send_header("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
                self.send_header("Docker-Content-Digest", _digest(content))
                self.send_header("Content-Length", str(1 << 20 if last == layer else len(content)))
                self.end_headers()
                if last == layer:
                    self.wfile.flush()
                    registry.asked.set()
                    registry._give_up.wait()
                elif self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
