"""RegionIoU: how much regions overlap, as intersection over union."""

import json
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, schema, shapes
from labeling_assets.local_aperturedb.arguments import Arguments, Required, reference
from labeling_assets.local_aperturedb.commands.regions import rectangle
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.errors import OK, QueryError
from labeling_assets.local_aperturedb.run import Run


def _compare(run: Run, given: Arguments) -> Answer:
    """A row for each region of the first reference, in it a number for each of the others."""
    others = [name for name in ("roi_2", "rectangle", "polygons") if name in given]
    if len(others) != 1:
        raise QueryError(messages.ONE_OF.format(names="roi_2, rectangle, polygons"))
    first = _regions(run, given["roi_1"])
    if "roi_2" in given:
        second = _regions(run, given["roi_2"])
    else:
        second = [_corners(given["rectangle"]) if "rectangle" in given else given["polygons"]]
    return {"IoU": [[shapes.overlap(one, other) for other in second] for one in first], "status": OK}


def _regions(run: Run, number: int) -> list[list[shapes.Part]]:
    """The shapes of a reference, in its order."""
    found = run.reference(number)
    rows = run.transaction.rows(
        """SELECT o.id, c.name AS class, o.x, o.y, o.width, o.height, o.shape FROM json_each(?) wanted
           JOIN entity o ON o.id = wanted.value JOIN class c ON c.id = o.class ORDER BY wanted.key""",
        (found.array,),
    )
    for row in rows:
        if row["class"] not in (schema.BOUNDING_BOX, schema.POLYGON):
            raise QueryError(messages.REFERENCE_KIND.format(number=number, wanted="regions"))
    return [json.loads(row["shape"]) if row["shape"] else _corners(row) for row in rows]


def _corners(box: Any) -> list[shapes.Part]:
    left, top = box["x"], box["y"]
    right, bottom = left + box["width"], top + box["height"]
    return [[(left, top), (right, top), (right, bottom), (left, bottom)]]


COMMANDS: Final = (
    Command(
        "RegionIoU",
        _compare,
        {
            "roi_1": Required(reference),
            "roi_2": reference,
            "rectangle": rectangle,
            "polygons": shapes.polygons,
        },
    ),
)
