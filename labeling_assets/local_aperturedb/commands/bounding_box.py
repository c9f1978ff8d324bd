"""Bounding boxes: rectangles in whole pixels of the stored image."""

from typing import Final

from labeling_assets.local_aperturedb import kinds, messages
from labeling_assets.local_aperturedb.arguments import Arguments, Required, boolean
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.regions import (
    ADD_REGION,
    FIND_REGION,
    UPDATE_REGION,
    Columns,
    Geometry,
    add_region,
    find_regions,
    rectangle,
    update_region,
)
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row


def _add(run: Run, given: Arguments) -> Answer:
    return add_region(run, kinds.BOUNDING_BOX, given, _geometry(given["rectangle"]))


def _find(run: Run, given: Arguments) -> Answer:
    return find_regions(run, kinds.BOUNDING_BOX, given)


def _update(run: Run, given: Arguments) -> Answer:
    geometry = _geometry(given["rectangle"]) if "rectangle" in given else None
    return update_region(run, kinds.BOUNDING_BOX, given, geometry)


def _delete(run: Run, given: Arguments) -> Answer:
    return objects.delete(run, kinds.BOUNDING_BOX, given)


def _geometry(box: dict[str, int]) -> Geometry:
    def columns(image: Row) -> Columns:
        if not box["width"] or not box["height"]:
            raise QueryError(messages.EMPTY_RECTANGLE)
        inside_width = box["x"] + box["width"] <= image["width"]
        if not inside_width or box["y"] + box["height"] > image["height"]:
            raise QueryError(
                messages.RECTANGLE_OUTSIDE.format(rectangle=box, width=image["width"], height=image["height"])
            )
        return {**box, "area": box["width"] * box["height"]}

    return columns


COMMANDS: Final = (
    Command("AddBoundingBox", _add, {**ADD_REGION, "rectangle": Required(rectangle)}, writes=True),
    Command("FindBoundingBox", _find, {**FIND_REGION, "coordinates": boolean}),
    Command("UpdateBoundingBox", _update, {**UPDATE_REGION, "rectangle": rectangle}, writes=True),
    Command("DeleteBoundingBox", _delete, objects.DELETE_PARAMETERS, writes=True),
)
