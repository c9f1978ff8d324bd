"""What bounding boxes and polygons share: a region belongs to one image, and goes with it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from labeling_assets.local_aperturedb import images, messages, schema
from labeling_assets.local_aperturedb.arguments import (
    Arguments,
    Parameters,
    Required,
    boolean,
    integer,
    object_of,
    one_of,
    reference,
    text,
)
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.registry import Answer
from labeling_assets.local_aperturedb.errors import OK, QueryError
from labeling_assets.local_aperturedb.find import find
from labeling_assets.local_aperturedb.kinds import Kind
from labeling_assets.local_aperturedb.operations import operations
from labeling_assets.local_aperturedb.results import FIND_PARAMETERS
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row
from labeling_assets.local_aperturedb.writes import (
    insert_connection,
    referenced_entities,
    set_columns,
    update_object,
)

Columns = dict[str, Any]
# Columns of a region for the image that it lies on.
Geometry = Callable[[Row], Columns]

_SIDE: Final = Required(integer(0))
rectangle: Final = object_of({"x": _SIDE, "y": _SIDE, "width": _SIDE, "height": _SIDE})

ADD_REGION: Final[Parameters] = {**objects.ADD_PARAMETERS, "image_ref": Required(reference), "label": text}
FIND_REGION: Final[Parameters] = {
    **FIND_PARAMETERS,
    "image_ref": reference,
    "with_label": text,
    "in_rectangle": rectangle,
    "labels": boolean,
    "areas": boolean,
    "blobs": boolean,
    "as_format": one_of(*images.FORMATS),
    "operations": operations,
}
UPDATE_REGION: Final[Parameters] = {**objects.UPDATE_PARAMETERS, "label": text}


def add_region(run: Run, kind: Kind, given: Arguments, geometry: Geometry) -> Answer:
    image = _image(run, given["image_ref"])
    label = {"label": given["label"]} if "label" in given else {}
    answer, number = objects.add_or_find(run, kind, given, columns=lambda: geometry(image) | label)
    if number is not None:
        (added,) = run.transaction.rows("SELECT id, class FROM entity WHERE id = ?", (number,))
        insert_connection(run, str(kind.owner_class), (added, image), {})
    return answer


def update_region(run: Run, kind: Kind, given: Arguments, geometry: Geometry | None) -> Answer:
    """`geometry` is None when shape and place stay."""
    rows = objects.chosen(run, kind, given)
    label = {"label": given["label"]} if "label" in given else {}
    for row in rows:
        update_object(run, kind.target, row, set_=given.get("properties", {}), remove=given.get("remove_props", ()))
        changed = geometry(image_of(run, kind, row)) if geometry else {}
        set_columns(run, row["id"], changed | label)
    return {"count": len(rows), "status": OK}


def find_regions(run: Run, kind: Kind, given: Arguments) -> Answer:
    """The pixels of a region are those of the rectangle around it."""
    if "image_ref" in given and "is_connected_to" in given:
        raise QueryError(messages.NOT_TOGETHER.format(names="image_ref and is_connected_to"))
    # Parts of one picture mostly come one after the other.
    decoded = lru_cache(maxsize=1)(lambda number: images.decoded(run.transaction.read_blob(number)))

    def crop(row: Row) -> bytes:
        content = decoded(image_of(run, kind, row)["id"])
        box = (row["x"], row["y"], row["x"] + row["width"], row["y"] + row["height"])
        return images.changed(content, box=box, operations=given.get("operations", ()), form=given.get("as_format"))

    return find(run, kind, given, blob=crop if given.get("blobs") else None)


def image_of(run: Run, kind: Kind, region: Row) -> Row:
    class_id = run.transaction.catalog.class_id(schema.CONNECTION, str(kind.owner_class))
    rows = run.transaction.rows(
        """SELECT i.id, i.class, i.width, i.height FROM connection c JOIN entity i ON i.id = c.dst
           WHERE c.src = ? AND c.class = ? ORDER BY c.id""",
        (region["id"], class_id),
    )
    if not rows:
        raise QueryError(messages.NO_IMAGE)
    return rows[0]


def _image(run: Run, number: int) -> Row:
    rows = referenced_entities(run, number)
    image_class = run.transaction.catalog.class_id(schema.ENTITY, schema.IMAGE)
    if any(row["class"] != image_class for row in rows):
        raise QueryError(messages.REFERENCE_KIND.format(number=number, wanted="an image"))
    if len(rows) != 1:
        raise QueryError(messages.NOT_UNIQUE.format(got=len(rows)))
    return rows[0]
