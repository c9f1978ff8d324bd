"""Frames: single pictures of a video, named by their position and decoded when they are asked for."""

import json
from typing import Final

from labeling_assets.local_aperturedb import images, kinds, messages, positions, videos
from labeling_assets.local_aperturedb.arguments import Arguments, Parameters, boolean, one_of
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.commands.video_parts import (
    ADD_PART,
    FIND_PART,
    UPDATE_PART,
    add_part,
    check_one_range,
    new_position,
    position,
    update_part,
    video_of,
)
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.find import find
from labeling_assets.local_aperturedb.operations import operations
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row

_POSITIONS: Final[Parameters] = {
    "frame_number": positions.single(positions.FRAME, positions.frame_number),
    "time_offset": positions.single(positions.MICROSECOND, positions.time_offset),
    "time_fraction": positions.single(positions.FRACTION, positions.time_fraction),
}
_DEFAULT_FORMAT: Final = "jpg"


def _add(run: Run, given: Arguments) -> Answer:
    span = position(given, tuple(_POSITIONS))
    return add_part(run, kinds.FRAME, given, span=span, system=positions.frame_system, label=kinds.NO_LABEL)


def _find(run: Run, given: Arguments) -> Answer:
    check_one_range(given)
    form = given.get("as_format", _DEFAULT_FORMAT)

    def picture(row: Row) -> bytes:
        (number, _) = json.loads(row["system"])["span"][positions.FRAME]
        if number is None:
            raise QueryError(messages.NO_VIDEO)
        path = run.transaction.blob_path(video_of(run, kinds.FRAME, row)["id"])
        if "operations" not in given:
            return videos.read_frame(path, number, form)
        # As png in between, which loses nothing.
        return images.changed(videos.read_frame(path, number, "png"), operations=given["operations"], form=form)

    return find(run, kinds.FRAME, given, blob=picture if given.get("blobs") else None)


def _update(run: Run, given: Arguments) -> Answer:
    span = new_position(given, tuple(_POSITIONS))
    return update_part(run, kinds.FRAME, given, span=span, system=positions.frame_system)


def _delete(run: Run, given: Arguments) -> Answer:
    return objects.delete(run, kinds.FRAME, given)


_FIND: Final[Parameters] = {
    **FIND_PART,
    **dict.fromkeys(("labels", "frame_numbers", "time_offsets", "time_fractions", "blobs"), boolean),
    "as_format": one_of(*images.FORMATS),
    "operations": operations,
}

COMMANDS: Final = (
    Command("AddFrame", _add, {**ADD_PART, **_POSITIONS}, writes=True),
    Command("FindFrame", _find, _FIND),
    Command("UpdateFrame", _update, {**UPDATE_PART, **_POSITIONS}, writes=True),
    Command("DeleteFrame", _delete, objects.DELETE_PARAMETERS, writes=True),
)
