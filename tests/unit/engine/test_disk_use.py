"""What engines answer to ``GET /system/df``, in all their forms."""

from __future__ import annotations

from typing import Any

import pytest

from snapshot.engine.disk_use import (
    BuildCacheUse,
    ContainerUse,
    EngineDiskUse,
    ListedImage,
    VolumeUse,
    read_disk_use,
)
from snapshot.errors import EngineGone

IMAGE = {"Id": "sha256:aa", "RepoTags": ["a:1"], "Size": 30, "SharedSize": 20, "Containers": 1}
CONTAINER = {
    "Id": "cc",
    "Names": ["/box"],
    "Image": "a:1",
    "ImageID": "sha256:aa",
    "State": "running",
    "SizeRw": 5,
    "SizeRootFs": 35,
}
VOLUME = {"Name": "data", "UsageData": {"Size": 7, "RefCount": 1}}
BUILD = {"ID": "bb", "Size": 9, "InUse": False, "Shared": True}
READ = EngineDiskUse(
    layers_bytes=100,
    images=(ListedImage("sha256:aa", 30, 20),),
    containers=(ContainerUse("cc", "box", "sha256:aa", "a:1", "running", 5),),
    volumes=(VolumeUse("data", 7, 1),),
    build_cache=(BuildCacheUse("bb", 9, in_use=False, is_shared=True),),
)


def test_lists_side_by_side_are_read() -> None:
    answer = {
        "LayersSize": 100,
        "Images": [IMAGE],
        "Containers": [CONTAINER],
        "Volumes": [VOLUME],
        "BuildCache": [BUILD],
    }
    assert read_disk_use(answer) == READ


def test_lists_in_objects_of_their_own_are_read_as_well() -> None:
    # moby v29, api/types/system/disk_usage.go
    answer = {
        "ImageUsage": {"TotalCount": 1, "TotalSize": 100, "Items": [IMAGE]},
        "ContainerUsage": {"TotalSize": 5, "Items": [CONTAINER]},
        "VolumeUsage": {"TotalSize": 7, "Items": [VOLUME]},
        "BuildCacheUsage": {"TotalSize": 9, "Items": [BUILD]},
    }
    assert read_disk_use(answer) == READ


def test_podmans_line_for_each_name_and_its_missing_total_are_understood() -> None:
    line = {"Id": "aa", "Size": 30, "SharedSize": 20}
    answer = {
        "LayersSize": 0,
        "Images": [{**line, "RepoTags": ["1"]}, {**line, "RepoTags": ["2"]}],
        "Containers": [{**CONTAINER, "Names": ["box"], "Image": "aa", "ImageID": "aa"}],
        "Volumes": [],
        "BuildCache": [],
    }
    told = read_disk_use(answer)
    assert told.layers_bytes is None
    assert told.images == (ListedImage("sha256:aa", 30, 20),)
    assert (told.containers[0].name, told.containers[0].image_id) == ("box", "sha256:aa")


def test_what_the_engine_does_not_know_is_no_number() -> None:
    told = read_disk_use(
        {
            "Images": [{"Id": "sha256:aa", "Size": 30, "SharedSize": -1}],
            "Containers": None,
            "Volumes": [{"Name": "far", "UsageData": {"Size": -1, "RefCount": -1}}, {"Name": "new"}],
        }
    )
    assert told.images[0].shared_bytes is None
    assert told.containers == ()
    assert told.volumes == (VolumeUse("far", None, None), VolumeUse("new", None, None))


@pytest.mark.parametrize(
    "answer", [[], "no", None, {"Images": [{}]}, {"Images": {"a": 1}}, {"Volumes": ["x"]}]
)
def test_an_answer_of_another_form_is_an_engine_gone(answer: Any) -> None:
    with pytest.raises(EngineGone):
        read_disk_use(answer)
