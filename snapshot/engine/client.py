"""One container engine: its images and containers, as typed calls over Docker's API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from snapshot.engine.answers import read_container, read_image, read_items, read_version
from snapshot.engine.create_like import create, creation_like, creation_of
from snapshot.engine.disk_use import EngineDiskUse, read_disk_use
from snapshot.engine.endpoint import choose_endpoint
from snapshot.engine.failures import translated
from snapshot.engine.files import ContainerFiles
from snapshot.engine.greeting import greeted
from snapshot.engine.patience import look_for_a_while, tried_again
from snapshot.engine.podman_commit import as_commit_takes_it, instructions
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
from snapshot.engine.wire import Wire, of_container, of_image
from snapshot.errors import (
    ContainerNotFound,
    DiskFull,
    EngineError,
    NotFound,
    PullRefused,
)

if TYPE_CHECKING:
    import docker


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

    def __init__(self, wire: Wire, api_version: str) -> None:
        self._wire = wire
        self._api_version = api_version
        self.endpoint = wire.endpoint

    @classmethod
    def connect(cls, host: str | None = None, context: str | None = None) -> Engine:
        """Connect to the engine that ``host``, ``context`` or the environment names.

        Raises :class:`~snapshot.errors.EngineUnreachable` where none answers, and
        :class:`~snapshot.errors.InvalidInput` for a context or address that cannot be meant.
        """
        wire = Wire(choose_endpoint(host=host, context=context))
        return cls(wire, greeted(wire))

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()
        if "_api" in vars(self):
            self._api.close()

    @cached_property
    def _api(self) -> docker.APIClient:
        """docker-py, where it is needed: it takes a fifth of a second to load."""
        from snapshot.engine.connection import client_of

        return client_of(self.endpoint, self._api_version)

    @cached_property
    def processes(self) -> Processes:
        """What runs in containers, and the terminals before it."""
        return Processes(self._wire)

    @cached_property
    def version(self) -> EngineVersion:
        """Name and version of the engine; asked once."""
        return read_version(self._wire.ask("GET", "/version").json())

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman, which speaks Docker's API with words of its own."""
        return self._wire.is_podman

    def info(self) -> EngineInfo:
        """What the engine is and what it runs on."""
        info = self._wire.ask("GET", "/info").json()
        networks = self._wire.ask("GET", "/networks").json()
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
        answer = self._wire.ask("GET", f"{of_image(name)}/json", subject=name).json()
        image = read_image(answer)
        return self._podman_images.completed(image, answer) if self.is_podman else image

    @cached_property
    def _podman_images(self) -> PodmanImages:
        return PodmanImages(self._wire, is_local=self.endpoint.url.startswith("unix://"))

    def images(self) -> list[Image]:
        """All images that ``docker image ls`` shows, newest first, each once whatever its names.

        Untagged ones are there; the nameless steps of a build that a later image stands on are not, nor are
        images that the engine itself cannot read.
        """
        return self._looked_at(self._images())

    def listed_sizes(self) -> dict[str, int]:
        """The bytes that ``docker image ls`` shows of each image, by ID.

        The containerd store counts layers twice there, packed and unpacked (moby,
        ``daemon/containerd/image_list.go``); the size of an image alone is that of what it keeps packed.
        """
        return {item["Id"]: item.get("Size") or 0 for item in self._images()}

    def images_with_label(self, label: str) -> list[Image]:
        """All images that carry ``label``, newest first."""
        return self._looked_at(self._images(label=label))

    def _looked_at(self, items: Iterable[Mapping[str, Any]]) -> list[Image]:
        images = []
        for image_id in dict.fromkeys(item["Id"] for item in items):
            # Another client may remove it between the list and the look. And Podman refuses to tell of one
            # with a config that it cannot read: no reason to tell of none.
            with suppress(EngineError):
                images.append(self.image(image_id))
        return sorted(images, key=lambda image: image.created, reverse=True)

    def _images(self, **filters: str) -> list[dict[str, Any]]:
        params = {"filters": json.dumps({name: [value] for name, value in filters.items()})}
        answer = self._wire.ask("GET", "/images/json", params=params, timeout_s=None)
        return read_items(answer.json())

    @cached_property
    def transfer(self) -> ImageTransfer:
        """Loading, saving and the history of images."""
        return ImageTransfer(self._wire)

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
        for item in self._images(dangling="true"):
            if config.labels and config.labels.items() <= (item.get("Labels") or {}).items():
                self.remove_image(item["Id"])
                return True
        return False

    def tag(self, image_id: str, repository: str, tag: str) -> None:
        """Give an image a name; an image that has this name now loses it."""
        params = {"repo": repository, "tag": tag}
        self._wire.ask("POST", f"{of_image(image_id)}/tag", params=params, subject=image_id)

    def remove_image(self, image_id: str) -> None:
        """Remove an image that has no name; its parents stay."""
        self._wire.ask(
            "DELETE", of_image(image_id), params={"noprune": "1"}, timeout_s=None, subject=image_id
        )

    def disk_use(self) -> EngineDiskUse:
        """What the engine says of the space that images, containers, volumes and builds take.

        It looks at all files of containers and volumes for that, which can take a while.
        """
        # From API 1.52 on the lists are there for who asks for them.
        answer = self._wire.ask("GET", "/system/df", params={"verbose": "1"}, timeout_s=None)
        return read_disk_use(answer.json())

    # Containers

    def container(self, name: str) -> Container:
        """The container of that name or ID; raises :class:`~snapshot.errors.ContainerNotFound`."""
        try:
            answer = self._wire.ask("GET", f"{of_container(name)}/json", subject=name).json()
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
        answer = self._wire.ask(
            "GET",
            f"{of_container(container_id)}/json",
            params={"size": "1"},
            timeout_s=None,
            subject=container_id,
        )
        return max(int(answer.json().get("SizeRw") or 0), 0)

    def containers_with_label(self, label: str) -> list[Container]:
        """All containers, running or not, that carry ``label``, newest first."""
        params = {"all": "1", "filters": json.dumps({"label": [label]})}
        answer = self._wire.ask("GET", "/containers/json", params=params, timeout_s=None)
        containers = []
        for item in read_items(answer.json()):
            with suppress(NotFound):
                containers.append(self.container(item["Id"]))
        return sorted(containers, key=lambda container: container.created, reverse=True)

    def files(self, container_id: str) -> ContainerFiles:
        """The files of a container, to be read."""
        if self.is_podman:
            from snapshot.engine.podman_files import PodmanFiles, files_of_base

            open_base = partial(files_of_base, self, self._wire, container_id)
            return PodmanFiles(self._wire, container_id, open_base)
        return ContainerFiles(self._wire, container_id)

    def create(self, spec: ContainerSpec) -> str:
        """Make a container and return its ID; it is not started.

        A call that is interrupted leaves none where ``spec`` has a name and labels to know it by.
        """
        if self.is_podman and spec.platform:
            refuse_other_platform(self.image(spec.image), spec)
        try:
            return create(self._wire, creation_of(spec), spec.name)
        except KeyboardInterrupt:
            if spec.name and spec.labels:
                look_for_a_while(lambda: self._removed_created(spec))
            raise

    def create_like(self, old: Container, image: str, *, name: str, labels: Mapping[str, str]) -> str:
        """Make a container of ``image`` that is otherwise as ``old`` was asked for; returns its ID.

        It is not started. Named volumes and bind mounts are shared, anonymous volumes are new ones.
        ``labels`` are set on it; they and ``name`` tell it where the call is interrupted, which leaves none.
        """
        base = self.image(old.image_id).config
        answer = self._wire.ask("GET", f"{of_container(old.id)}/json", subject=old.name).json()
        creation = creation_like(answer, base, image, labels, is_podman=self.is_podman)
        try:
            return create(self._wire, creation, name)
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
        self._do("POST", container_id, "/kill", {"signal": name})

    def pause(self, container_id: str) -> None:
        """Freeze all processes of a container.

        A call that is interrupted waits for its effect, so that a look afterwards tells what is to be undone.
        """
        try:
            self._do("POST", container_id, "/pause")
        except KeyboardInterrupt:
            look_for_a_while(lambda: self.container(container_id).state == "paused")
            raise

    def unpause(self, container_id: str) -> None:
        """Let the processes of a paused container go on."""
        self._do("POST", container_id, "/unpause")

    def rename(self, container_id: str, name: str) -> None:
        """Give a container another name."""
        try:
            self._do("POST", container_id, "/rename", {"name": name}, subject=name)
        except KeyboardInterrupt:
            look_for_a_while(lambda: self.container(container_id).name == name)
            raise

    def remove(self, container_id: str) -> None:
        """Remove a container, running or not, with its anonymous volumes; one that is gone is fine."""

        def remove() -> None:
            with suppress(NotFound):
                self._do("DELETE", container_id, "", {"force": "1", "v": "1"})

        tried_again(remove)

    def _do(
        self,
        method: str,
        container_id: str,
        what: str,
        params: Mapping[str, str] | None = None,
        *,
        subject: str = "",
    ) -> None:
        page = f"{of_container(container_id)}{what}"
        self._wire.ask(method, page, params=params, timeout_s=None, subject=subject or container_id)
