"""Reading single layers of an image: from their folders where that is safe, else as the engine saves it."""

from __future__ import annotations

from collections.abc import Collection
from typing import IO, cast

from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.layer_folder import contents_of_folder
from snapshot.changeset.lower_files import taken_away
from snapshot.changeset.overlay import NotReadableDirectly
from snapshot.changeset.reader import Hashes, Headers, Sink
from snapshot.changeset.tar_layer import LayerRefused, contents_of_members
from snapshot.changeset.tar_reader import read_members
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import EngineError, EngineGone
from snapshot.image.saved import SavedImage, SavedImageUnreadable, SavedLayer
from snapshot.workflow.image_files import open_directly, refused_directly
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.progress import SILENT, Progress


def layer_contents(
    engine: Engine,
    image: Image,
    numbers: Collection[int],
    *,
    hash_content: bool = False,
    way: CaptureWay = CaptureWay.AUTO,
    progress: Progress = SILENT,
) -> dict[int, LayerContents]:
    """What some layers of an image hold, by their numbers.

    Directly only these layers are read. Over the API the image comes whole, as the engine saves it; layers
    that are not wanted are passed over where their names tell which they are. The root folder is in no list.

    Parameters
    ----------
    numbers:
        Which layers; 0 is the base's first.
    hash_content:
        Read the files for their sha256.
    way:
        How they are read; by itself directly where that is safe.

    Raises
    ------
    Refused
        The direct way was asked for and is not to be had.
    EngineError
        The layers cannot be read, or have too many files.
    """
    if not numbers:
        return {}
    progress.stage(f"reading {len(numbers)} of the {len(image.layers)} layers of {image.id[:19]}")
    sink = Hashes() if hash_content else Headers()
    if way is not CaptureWay.API:
        try:
            return _from_folders(engine, image, numbers, sink)
        except LayerRefused as error:
            raise EngineError(f"The layers of '{image.id}' cannot be read: {error}.") from error
        except NotReadableDirectly as error:
            if way is CaptureWay.DIRECT:
                raise refused_directly(image, error) from error
            progress.detail(f"layers are read as the engine saves them: {error}")
    found = _saved(engine, image, {image.layers[number] for number in numbers}, sink, progress)
    return {number: found[image.layers[number]] for number in numbers}


def _from_folders(
    engine: Engine, image: Image, numbers: Collection[int], sink: Sink
) -> dict[int, LayerContents]:
    with open_directly(engine, image) as files:
        # Topmost first.
        folders = files.folders[::-1]
        return {
            number: contents_of_folder(folders[number], image.layers[number], sink, taken_away)
            for number in numbers
        }


def _saved(
    engine: Engine, image: Image, wanted: set[str], sink: Sink, progress: Progress
) -> dict[str, LayerContents]:
    found: dict[str, LayerContents] = {}
    try:
        with engine.transfer.save(image.id) as stream:
            for layer in SavedImage(stream).layers(passing_over=set(image.layers) - wanted):
                contents = _contents_of_layer(layer, sink)
                progress.advance(sum(entry.size_bytes for entry in contents.entries))
                if contents.diff_id in wanted:
                    found[contents.diff_id] = contents
                if len(found) == len(wanted):
                    break
    except (SavedImageUnreadable, LayerRefused) as error:
        raise EngineError(f"The layers of '{image.id}' cannot be read: {error}.") from error
    missing = wanted - found.keys()
    if missing:
        raise EngineError(
            f"The image '{image.id}' lacks its layer {min(missing)}.", "Pull it again, then try again."
        )
    return found


def _contents_of_layer(layer: SavedLayer, sink: Sink) -> LayerContents:
    """What a layer holds that comes along in an archive.

    Raises :class:`~snapshot.image.saved.SavedImageUnreadable`.
    """
    try:
        contents = contents_of_members(read_members(cast("IO[bytes]", layer), "/", strip=0), sink)
    except EngineGone as error:
        raise SavedImageUnreadable(error.what) from error
    return contents._replace(diff_id=layer.diff_id())
