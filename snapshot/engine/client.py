"""One container engine: its images and containers, as typed calls over Docker's API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial

import docker
import docker.errors

from snapshot.engine.answers import read_container, read_image, read_version
from snapshot.engine.connection import connect
from snapshot.engine.create_like import create, creation_like
from snapshot.engine.endpoint import Endpoint, choose_endpoint
from snapshot.engine.failures import raise_for_refusal, translated
from snapshot.engine.files import ContainerFiles
from snapshot.engine.podman_commit import as_commit_takes_it, instructions
from snapshot.engine.podman_files import PodmanFiles, files_of_base
from snapshot.engine.podman_images import PodmanImages, refuse_other_platform
from snapshot.engine.processes import Processes
from snapshot.engine.refusals import refusal
from snapshot.engine.transfer import ImageTransfer
from snapshot.engine.types import (
    Config,
    Container,
    ContainerSpec,
    EngineInfo,
    EngineVersion,
    Image,
    PullEvent,
)
from snapshot.engine.wire import Wire
from snapshot.errors import (
    ContainerNotFound,
    DiskFull,
    EngineError,
    NotFound,
    PullRefused,
    SnapError,
)

# Ctrl-C is to be answered at once, so not for long.
_MOST_LOOKS = 4
_LOOK_EVERY_S = 0.25
_MOST_TRIES = 12


class Engine:
    """A connection to one engine.

    Every method raises a :class:`~snapshot.errors.SnapError`: the one for the thing that was not found
    or refused, or :class:`~snapshot.errors.EngineGone` when the engine goes away.

    Example
    -------
    >>> engine = Engine.connect()                                   # doctest: +SKIP
    >>> engine.container("ch03").state                              # doctest: +SKIP
    'exited'
    """

    def __init__(self, api: docker.APIClient, endpoint: Endpoint) -> None:
        self._api = api
        self.endpoint = endpoint

    @classmethod
    def connect(cls, host: str | None = None, context: str | None = None) -> Engine:
        """Connect to the engine that ``host``, ``context`` or the environment names.

        Raises :class:`~snapshot.errors.EngineUnreachable` where none answers, and
        :class:`~snapshot.errors.InvalidInput` for a context or address that cannot be meant.
        """
        endpoint = choose_endpoint(host=host, context=context)
        return cls(connect(endpoint), endpoint)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        if "processes" in vars(self):
            self.processes.close()

    @cached_property
    def processes(self) -> Processes:
        """What runs in containers, and the terminals before it, over connections of its own."""
        return Processes(Wire(self.endpoint, is_known=True))

    @cached_property
    def version(self) -> EngineVersion:
        """Name and version of the engine; asked once."""
        with translated():
            return read_version(self._api.version())

    @cached_property
    def is_podman(self) -> bool:
        """Whether it is Podman, which speaks Docker's API with words of its own; asked once."""
        with translated():
            # Its answer to /version takes half a second.
            response = self._api.get(f"{self._api.base_url}/_ping", timeout=self._api.timeout)
            return "Libpod-API-Version" in response.headers

    def info(self) -> EngineInfo:
        """What the engine is and what it runs on."""
        with translated():
            info = self._api.info()
            networks = self._api.networks()
        version = self.version
        driver_type = dict(pair for pair in info.get("DriverStatus") or () if len(pair) == 2)
        snapshotter = str(driver_type.get("driver-type", "")).startswith("io.containerd.snapshotter")
        bridge = any(network["Name"] in {"bridge", "podman"} for network in networks)
        return EngineInfo(
            name=version.name,
            version=version.version,
            api_version=version.api_version,
            storage_driver=str(info.get("Driver", "")),
            image_store="containerd" if snapshotter else "classic",
            os=version.os,
            architecture=version.architecture,
            has_default_network=bridge,
            can_pause=bool(info.get("CgroupDriver", "none") != "none"),
        )

    # Images

    def image(self, name: str) -> Image:
        """The image of that name or ID; raises :class:`~snapshot.errors.ImageNotFound`."""
        with translated(name):
            answer = self._api.inspect_image(name)  # type: ignore[no-untyped-call]
            image = read_image(answer)
            return self._podman_images.completed(image, answer) if self.is_podman else image

    @cached_property
    def _podman_images(self) -> PodmanImages:
        return PodmanImages(self._api, is_local=self.endpoint.url.startswith("unix://"))

    def images_with_label(self, label: str) -> list[Image]:
        """All images that carry ``label``, newest first."""
        with translated():
            found = self._api.images(filters={"label": label})
        images = []
        for item in found:
            # Another client may remove it between the list and the look.
            with suppress(NotFound):
                images.append(self.image(item["Id"]))
        return sorted(images, key=lambda image: image.created, reverse=True)

    @cached_property
    def transfer(self) -> ImageTransfer:
        """Loading, saving and the history of images."""
        return ImageTransfer(self._api)

    def pull(self, repository: str, tag: str, platform: str = "") -> Iterator[PullEvent]:
        """Pull an image, giving the engine's progress as it comes.

        ``tag`` may be a digest (``sha256:…``). Raises :class:`~snapshot.errors.PullRefused` with the words
        of the engine or the registry. Closing the iterator ends the pull.
        """
        name = f"{repository}@{tag}" if ":" in tag else f"{repository}:{tag}"
        try:
            with translated(name):
                events = self._api.pull(repository, tag, stream=True, decode=True, platform=platform or None)
                for event in events:
                    if "error" in event:
                        raise refusal(500, str(event["error"]), name)
                    detail = event.get("progressDetail") or {}
                    yield PullEvent(
                        layer=str(event.get("id", "")),
                        status=str(event.get("status", "")),
                        current=detail.get("current"),
                        total=detail.get("total"),
                    )
        except DiskFull:
            raise
        except EngineError as error:
            words = error.what.removeprefix("The engine refused: ")
            raise PullRefused(
                f"'{name}' could not be pulled: {words}",
                "Check the name and `docker login`, or use an image that is here (`docker image ls`).",
            ) from error

    def commit(self, container_id: str, config: Config, *, author: str, message: str) -> str:
        """Make an untagged image of a container's files with the engine's own commit; returns its ID.

        The engine merges ``config`` with the container's own: see
        :func:`snapshot.image.engine_commit.merged_by_engine`. The container is not paused by this call.
        """
        told = instructions(config, self._base_config(container_id)) if self.is_podman else None
        try:
            with translated(container_id):
                # docker-py's `changes` would travel in the URL, where an engine takes 64 KiB at most.
                answer = self._api.commit(
                    container_id,
                    author=author,
                    message=message,
                    pause=False,
                    conf=config.to_api(),
                    changes=told,
                )
        except KeyboardInterrupt:
            look_for_a_while(lambda: self._removed_committed(config))
            raise
        # Podman leaves the algorithm out.
        return f"sha256:{str(answer['Id']).removeprefix('sha256:')}"

    def _base_config(self, container_id: str) -> Config:
        return self.image(self.container(container_id).image_id).config

    def _removed_committed(self, config: Config) -> bool:
        """Remove the unnamed image with all labels of ``config``, if there is one by now."""
        with translated():
            found = self._api.images(filters={"dangling": True})
        for item in found:
            if config.labels and config.labels.items() <= (item.get("Labels") or {}).items():
                self.remove_image(item["Id"])
                return True
        return False

    def tag(self, image_id: str, repository: str, tag: str) -> None:
        """Give an image a name; an image that has this name now loses it."""
        with translated(image_id):
            self._api.tag(image_id, repository, tag)

    def remove_image(self, image_id: str) -> None:
        """Remove an image that has no name; its parents stay."""
        with translated(image_id):
            self._api.remove_image(image_id, noprune=True)

    # Containers

    def container(self, name: str) -> Container:
        """The container of that name or ID; raises :class:`~snapshot.errors.ContainerNotFound`."""
        try:
            with translated(name):
                answer = self._api.inspect_container(name)
        except ContainerNotFound:
            raise
        except NotFound as error:
            # Podman has no such page for a name with a slash in it.
            raise refusal(404, "no such container", name) from error
        found = read_container(answer)
        if self.is_podman:
            hostname = answer["Config"].get("Hostname") or ""
            return replace(found, config=as_commit_takes_it(found.config, hostname, found.mounts))
        return found

    def changed_bytes(self, container_id: str) -> int:
        """How many bytes the container's own files have; the engine counts them for each call."""
        url = f"{self._api.base_url}/v{self._api.api_version}/containers/{container_id}/json"
        with translated(container_id):
            response = self._api.get(url, params={"size": "1"}, timeout=self._api.timeout)
            raise_for_refusal(response, container_id)
            return max(int(response.json().get("SizeRw") or 0), 0)

    def containers_with_label(self, label: str) -> list[Container]:
        """All containers, running or not, that carry ``label``, newest first."""
        with translated():
            found = self._api.containers(all=True, filters={"label": label})
        containers = []
        for item in found:
            with suppress(NotFound):
                containers.append(self.container(item["Id"]))
        return sorted(containers, key=lambda container: container.created, reverse=True)

    def files(self, container_id: str) -> ContainerFiles:
        """The files of a container, to be read."""
        if self.is_podman:
            return PodmanFiles(self._api, container_id, partial(files_of_base, self, self._api, container_id))
        return ContainerFiles(self._api, container_id)

    def create(self, spec: ContainerSpec) -> str:
        """Make a container and return its ID; it is not started.

        A call that is interrupted leaves none where ``spec`` has a name and labels to know it by.
        """
        if self.is_podman and spec.platform:
            refuse_other_platform(self.image(spec.image), spec)
        host_config = self._api.create_host_config(
            binds=list(spec.binds) or None, network_mode=spec.network or None
        )
        if spec.size:
            # docker-py does not know it, and engines before API 1.42 do not mind it.
            host_config["ConsoleSize"] = [spec.size.rows, spec.size.columns]
        try:
            with translated(spec.name):
                answer = self._api.create_container(
                    image=spec.image,
                    command=list(spec.command) or None,
                    entrypoint=list(spec.entrypoint) or None,
                    environment=list(spec.env),
                    working_dir=spec.working_dir or None,
                    user=spec.user or None,
                    volumes=list(spec.volumes),
                    name=spec.name or None,
                    labels=dict(spec.labels),
                    platform=spec.platform or None,
                    tty=spec.tty,
                    stdin_open=spec.stdin,
                    detach=spec.detach,
                    host_config=host_config,
                )
        except KeyboardInterrupt:
            if spec.name and spec.labels:
                look_for_a_while(lambda: self._removed_created(spec))
            raise
        return str(answer["Id"])

    def create_like(self, old: Container, image: str, *, name: str, labels: Mapping[str, str]) -> str:
        """Make a container of ``image`` that is otherwise as ``old`` was asked for; returns its ID.

        It is not started. Named volumes and bind mounts are shared, anonymous volumes are new ones.
        ``labels`` are set on it; they and ``name`` tell it where the call is interrupted, which leaves none.
        """
        base = self.image(old.image_id).config
        with translated(old.name):
            answer = self._api.inspect_container(old.id)
        creation = creation_like(answer, base, image, labels, is_podman=self.is_podman)
        try:
            with translated(name):
                return create(self._api, creation, name)
        except KeyboardInterrupt:
            spec = ContainerSpec(image, name, labels=labels)
            look_for_a_while(lambda: self._removed_created(spec))
            raise

    def _removed_created(self, spec: ContainerSpec) -> bool:
        """Remove the never-started container of that name and those labels, if there is one by now."""
        try:
            found = self.container(spec.name)
        except NotFound:
            return False
        labels = found.config.labels.items()
        if found.name == spec.name and found.state == "created" and spec.labels.items() <= labels:
            self.remove(found.id)
            return True
        return False

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal (``SIGINT``, ``SIGKILL``, …) to a container's first process."""
        with translated(container_id):
            self._api.kill(container_id, name)

    def pause(self, container_id: str) -> None:
        """Freeze all processes of a container.

        A call that is interrupted waits for its effect, so that a look afterwards tells what is to be undone.
        """
        try:
            with translated(container_id):
                self._api.pause(container_id)
        except KeyboardInterrupt:
            look_for_a_while(lambda: self.container(container_id).state == "paused")
            raise

    def unpause(self, container_id: str) -> None:
        """Let the processes of a paused container go on."""
        with translated(container_id):
            self._api.unpause(container_id)

    def rename(self, container_id: str, name: str) -> None:
        """Give a container another name."""
        try:
            with translated(name):
                self._api.rename(container_id, name)
        except KeyboardInterrupt:
            look_for_a_while(lambda: self.container(container_id).name == name)
            raise

    def remove(self, container_id: str) -> None:
        """Remove a container, running or not, with its anonymous volumes; one that is gone is fine."""

        def remove() -> None:
            with suppress(NotFound), translated(container_id):
                self._api.remove_container(container_id, force=True, v=True)

        tried_again(remove)


def tried_again(work: Callable[[], None]) -> None:
    """Do what an engine refuses while it is at a call that was interrupted here, for 3 s at most."""
    for _ in range(_MOST_TRIES):
        try:
            return work()
        except NotFound:
            raise
        except EngineError:
            time.sleep(_LOOK_EVERY_S)
    return work()


def look_for_a_while(look: Callable[[], bool]) -> None:
    """Look for a second until it has been found: the engine goes on with a call that was interrupted here."""
    with suppress(SnapError):
        for _ in range(_MOST_LOOKS):
            if look():
                return
            time.sleep(_LOOK_EVERY_S)
