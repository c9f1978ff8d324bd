"""Clips: ranges of a video. Only the range is stored; cutting the bytes out is not supported."""

from typing import Final

from labeling_assets.local_aperturedb import kinds, positions
from labeling_assets.local_aperturedb.arguments import Arguments, Parameters, boolean, unsupported
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
)
from labeling_assets.local_aperturedb.find import find
from labeling_assets.local_aperturedb.run import Run

_RANGES: Final[Parameters] = {
    "frame_number_range": positions.whole_range(positions.FRAME, positions.frame_number),
    "time_offset_range": positions.whole_range(positions.MICROSECOND, positions.time_offset),
    "time_fraction_range": positions.whole_range(positions.FRACTION, positions.time_fraction),
}
_NOT_HERE: Final = ("blobs", "operations", "as_container", "as_codec", "fast_cut")


def _add(run: Run, given: Arguments) -> Answer:
    span = position(given, tuple(_RANGES))
    return add_part(run, kinds.CLIP, given, span=span, system=positions.clip_system, label=None)


def _find(run: Run, given: Arguments) -> Answer:
    check_one_range(given)
    return find(run, kinds.CLIP, given)


def _update(run: Run, given: Arguments) -> Answer:
    span = new_position(given, tuple(_RANGES))
    return update_part(run, kinds.CLIP, given, span=span, system=positions.clip_system)


def _delete(run: Run, given: Arguments) -> Answer:
    return objects.delete(run, kinds.CLIP, given)


COMMANDS: Final = (
    Command("AddClip", _add, {**ADD_PART, **_RANGES}, writes=True),
    Command("FindClip", _find, {**FIND_PART, "labels": boolean, **dict.fromkeys(_NOT_HERE, unsupported)}),
    Command("UpdateClip", _update, {**UPDATE_PART, **_RANGES}, writes=True),
    Command("DeleteClip", _delete, objects.DELETE_PARAMETERS, writes=True),
)
