"""Polygons: regions of one or more parts, in pixels of the stored image."""

from typing import Final

from labeling_assets.local_aperturedb import kinds, shapes
from labeling_assets.local_aperturedb.arguments import Arguments, Required, boolean, unsupported
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.regions import (
    ADD_REGION,
    FIND_REGION,
    UPDATE_REGION,
    Columns,
    Geometry,
    add_region,
    find_regions,
    update_region,
)
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.properties import compact
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row


def _add(run: Run, given: Arguments) -> Answer:
    return add_region(run, kinds.POLYGON, given, _geometry(given["polygons"]))


def _find(run: Run, given: Arguments) -> Answer:
    return find_regions(run, kinds.POLYGON, given)


def _update(run: Run, given: Arguments) -> Answer:
    geometry = _geometry(given["polygons"]) if "polygons" in given else None
    return update_region(run, kinds.POLYGON, given, geometry)


def _delete(run: Run, given: Arguments) -> Answer:
    return objects.delete(run, kinds.POLYGON, given)


def _geometry(parts: list[shapes.Part]) -> Geometry:
    def columns(image: Row) -> Columns:
        shapes.check_polygons(parts, width=image["width"], height=image["height"])
        return {**shapes.bounds(parts), "area": shapes.area(parts), "shape": compact(parts)}

    return columns


COMMANDS: Final = (
    Command("AddPolygon", _add, {**ADD_REGION, "polygons": Required(shapes.polygons)}, writes=True),
    Command(
        "FindPolygon",
        _find,
        {**FIND_REGION, **dict.fromkeys(("vertices", "bounds", "hulls"), boolean), "decompositions": unsupported},
    ),
    Command("UpdatePolygon", _update, {**UPDATE_REGION, "polygons": shapes.polygons}, writes=True),
    Command("DeletePolygon", _delete, objects.DELETE_PARAMETERS, writes=True),
)
