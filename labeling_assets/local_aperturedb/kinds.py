"""The kinds of objects: which class they are of, and what the server itself knows about them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, schema
from labeling_assets.local_aperturedb.predicates import CONNECTION_IDS, ENTITY_IDS, SystemProperty, id_text
from labeling_assets.local_aperturedb.properties import NUMBER, STRING
from labeling_assets.local_aperturedb.store import Row

LABEL: Final = "_label"
AREA: Final = "_area"
_REGION: Final = {LABEL: SystemProperty("label", STRING), AREA: SystemProperty("area", NUMBER)}


def _rectangle(row: Row) -> dict[str, int]:
    return {name: row[name] for name in ("x", "y", "width", "height")}


@dataclass(frozen=True, slots=True)
class Output:
    """What a flag of a Find command adds to each object: a key of the answer and its value."""

    key: str
    value: Callable[[Row], Any]


_LABELS: Final = Output(LABEL, lambda row: row["label"])
_AREAS: Final = Output(AREA, lambda row: row["area"])


@dataclass(frozen=True, slots=True)
class Kind:
    """`class_name` is None where each query names the class."""

    name: str
    class_name: str | None = None
    target: str = schema.ENTITY
    system: Mapping[str, SystemProperty] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    exists: str = messages.OBJECT_EXISTS
    owner_class: str | None = None  # class of the connection to the object that this kind is a part of

    @property
    def listed(self) -> str:
        """The key of the list in an answer."""
        return "connections" if self.target == schema.CONNECTION else "entities"

    @property
    def ids(self) -> Mapping[str, str]:
        """Properties that are unique ids."""
        return CONNECTION_IDS if self.target == schema.CONNECTION else ENTITY_IDS

    @property
    def columns(self) -> str:
        return _CONNECTION_COLUMNS if self.target == schema.CONNECTION else _ENTITY_COLUMNS


_CONNECTION_COLUMNS: Final = "o.id, o.class, o.txn, o.props, o.src, o.dst, " + ", ".join(
    f"{id_text(end, alias='o')} AS _{end}" for end in ("src", "dst")
)
_ENTITY_COLUMNS: Final = "o.id, o.class, o.txn, o.props, o.label, o.x, o.y, o.width, o.height, o.area, o.shape, o.size"

ENTITY: Final = Kind("Entity", system=_REGION)
CONNECTION: Final = Kind("Connection", target=schema.CONNECTION)
IMAGE: Final = Kind("Image", schema.IMAGE, exists=messages.IMAGE_EXISTS)
VIDEO: Final = Kind("Video", schema.VIDEO)
BLOB: Final = Kind("Blob", schema.BLOB)
BOUNDING_BOX: Final = Kind(
    "BoundingBox",
    schema.BOUNDING_BOX,
    system=_REGION,
    outputs={"labels": _LABELS, "areas": _AREAS, "coordinates": Output("_coordinates", _rectangle)},
    owner_class=schema.BOX_OF_IMAGE,
)
POLYGON: Final = Kind(
    "Polygon",
    schema.POLYGON,
    system=_REGION,
    outputs={
        "labels": _LABELS,
        "areas": _AREAS,
        "bounds": Output("_bounds", _rectangle),
        "vertices": Output("_vertices", lambda row: json.loads(row["shape"])),
    },
    owner_class=schema.POLYGON_OF_IMAGE,
)

# Kinds that cannot be added yet; searching and deleting them finds nothing.
CLIP: Final = Kind("Clip", "_Clip")
FRAME: Final = Kind("Frame", "_Frame")
DESCRIPTOR: Final = Kind("Descriptor", "_Descriptor")
DESCRIPTOR_SET: Final = Kind("DescriptorSet", "_DescriptorSet", system={"_name": SystemProperty("label", STRING)})

# Deleting an image deletes its regions: the classes of connections whose source goes with the destination.
OWNED_BY_DESTINATION: Final = (schema.BOX_OF_IMAGE, schema.POLYGON_OF_IMAGE)
REGION_CLASSES: Final = (schema.BOUNDING_BOX, schema.POLYGON)
