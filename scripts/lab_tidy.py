"""Remove what scripts/lab makes on an engine, and nothing that somebody else made.

It is run before the lab, for what an interrupted one left, and after it. Its own things are known by name
*and* label; something of the same name without the label is the user's: that stays, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

import docker
from docker.errors import APIError, NotFound

from snapshot.engine.connection import connect
from snapshot.engine.endpoint import choose_endpoint
from snapshot.errors import SnapError


class NotOurs(Exception):
    """Something has a name that the lab needs, but not the lab's label."""


def tidy(client: docker.APIClient, containers: list[str], images: list[str], label: str) -> None:
    """Remove containers and images by name; raise `NotOurs`, before any goes, if one has not the label."""
    found_containers = [name for name in containers if _is_ours(client.inspect_container, name, label)]
    found_images = [name for name in images if _is_ours(client.inspect_image, name, label)]
    for name in found_containers:
        client.remove_container(name, force=True, v=True)
    for name in found_images:
        client.remove_image(name)


def _is_ours(inspect: Callable[[str], Mapping[str, Any]], name: str, label: str) -> bool:
    """Tell whether there is something of that name, and it is ours."""
    try:
        found = inspect(name)
    except NotFound:
        return False
    key, _, value = label.partition("=")
    if (found["Config"].get("Labels") or {}).get(key) != value:
        raise NotOurs(f"{name} is here already, and the lab did not make it: rename or remove it first.")
    return True


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--container", action="append", default=[], metavar="NAME")
    parser.add_argument("--image", action="append", default=[], metavar="NAME")
    parser.add_argument("--label", required=True, metavar="KEY=VALUE", help="what marks them as ours")
    parser.add_argument("--unmarked-image", metavar="NAME", help="one more image, whatever labels it has")
    arguments = parser.parse_args()
    try:
        client = connect(choose_endpoint())
        tidy(client, arguments.container, arguments.image, arguments.label)
        if arguments.unmarked_image:
            client.remove_image(arguments.unmarked_image)
    except (NotOurs, SnapError, APIError) as error:
        print(f"scripts/lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
