"""The kinds of objects: which class they are of, and what the server itself knows about them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, schema, shapes
from labeling_assets.local_aperturedb.predicates import CONNECTION_IDS, ENTITY_IDS, SystemProperty, id_text
from labeling_assets.local_aperturedb.properties import NUMBER, STRING
from labeling_assets.local_aperturedb.store import Row

LABEL: Final = "_label"
AREA: Final = "_area"
DISTANCE: Final = "_distance"
NO_LABEL: Final = "None"  # what a real server shows for frames and descriptors without a label

_LABEL: Final = {LABEL: SystemProperty("label", STRING)}
_REGION: Final = {**_LABEL, AREA: SystemProperty("area", NUMBER)}


def _kept(names: tuple[str, ...], kind: str = NUMBER) -> dict[str, SystemProperty]:
    """Properties in the JSON of the column `system`."""
    return {name: SystemProperty("system", kind, key=name) for name in names}


def _rectangle(row: Row) -> dict[str, int]:
    return {"x": row["x"], "y": row["y"], "width": row["width"], "height": row["height"]}


@dataclass(frozen=True, slots=True)
class Output:
    """What a flag of a Find command adds to each object: a key of the answer and its value."""

    key: str
    value: Callable[[Row], Any]


def _in_system(key: str, *path: str | int) -> Output:
    def value(row: Row) -> Any:
        found: Any = json.loads(row["system"])
        for step in path:
            found = found[step]
        return found

    return Output(key, value)


_LABELS: Final = Output(LABEL, lambda row: row["label"])
_AREAS: Final = Output(AREA, lambda row: row["area"])


@dataclass(frozen=True, slots=True)
class Kind:
    """`class_name` is None where each query names the class.

    `system` can be compared and listed; of the columns among them, those in `shown` come with all properties.
    """

    name: str
    class_name: str | None = None
    target: str = schema.ENTITY
    system: Mapping[str, SystemProperty] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    exists: str = messages.OBJECT_EXISTS
    owner_class: str | None = None  # class of the connection to the object that this kind is a part of
    further_columns: str = ""

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
        if self.target == schema.CONNECTION:
            return _CONNECTION_COLUMNS
        return _ENTITY_COLUMNS + self.further_columns

    def known(self, row: Row) -> dict[str, Any]:
        """What the server itself adds to all properties of an object of this kind."""
        known = {name: row[self.system[name].column] for name in self.shown}
        if self.target == schema.ENTITY and row["system"] is not None:
            known |= {name: value for name, value in json.loads(row["system"]).items() if name.startswith("_")}
        return known


_CONNECTION_COLUMNS: Final = "o.id, o.class, o.txn, o.props, o.src, o.dst, " + ", ".join(
    f"{id_text(end, alias='o')} AS _{end}" for end in ("src", "dst")
)
_ENTITY_COLUMNS: Final = (
    "o.id, o.class, o.txn, o.props, o.label, o.x, o.y, o.width, o.height, o.area, o.shape, o.size, o.system"
)

ENTITY: Final = Kind("Entity", system=_REGION)
CONNECTION: Final = Kind("Connection", target=schema.CONNECTION)
IMAGE: Final = Kind("Image", schema.IMAGE, exists=messages.IMAGE_EXISTS)
VIDEO: Final = Kind(
    "Video",
    schema.VIDEO,
    system=_kept(("_duration_us", "_fps", "_frame_count", "_frame_height", "_frame_width")),
)
BLOB: Final = Kind("Blob", schema.BLOB)
BOUNDING_BOX: Final = Kind(
    "BoundingBox",
    schema.BOUNDING_BOX,
    system=_REGION,
    shown=(LABEL, AREA),
    outputs={"labels": _LABELS, "areas": _AREAS, "coordinates": Output("_coordinates", _rectangle)},
    owner_class=schema.BOX_OF_IMAGE,
)
POLYGON: Final = Kind(
    "Polygon",
    schema.POLYGON,
    system=_REGION,
    shown=(LABEL, AREA),
    outputs={
        "labels": _LABELS,
        "areas": _AREAS,
        "bounds": Output("_bounds", _rectangle),
        "hulls": Output("_hulls", lambda row: shapes.hulls(json.loads(row["shape"]))),
        "vertices": Output("_vertices", lambda row: json.loads(row["shape"])),
    },
    owner_class=schema.POLYGON_OF_IMAGE,
)
CLIP: Final = Kind(
    "Clip",
    schema.CLIP,
    system={**_LABEL, **_kept(("_range_start", "_range_stop", "_range_type"))},
    outputs={"labels": _LABELS},
    owner_class=schema.CLIP_OF_VIDEO,
)
FRAME: Final = Kind(
    "Frame",
    schema.FRAME,
    system={**_LABEL, **_kept(("_frame_number", "_time_fraction")), **_kept(("_time_offset",), STRING)},
    shown=(LABEL,),
    outputs={
        "labels": _LABELS,
        "frame_numbers": _in_system("_frame_number", "span", "frame", 0),
        "time_offsets": _in_system("_time_offset", "offset"),
        "time_fractions": _in_system("_time_fraction", "span", "fraction", 0),
    },
    owner_class=schema.FRAME_OF_VIDEO,
)
DESCRIPTOR: Final = Kind(
    "Descriptor",
    schema.DESCRIPTOR,
    system={**_LABEL, **_kept(("_set_name",), STRING), "_create_txn": SystemProperty("txn", NUMBER)},
    outputs={"labels": _LABELS},
)
DESCRIPTOR_SET: Final = Kind(
    "DescriptorSet",
    schema.DESCRIPTOR_SET,
    system={"_name": SystemProperty("label", STRING)},
    outputs={
        "counts": Output("_count", lambda row: row["descriptors"]),
        "dimensions": _in_system("_dimensions", "dimensions"),
        "engines": _in_system("_engines", "engines"),
        "metrics": _in_system("_metrics", "metrics"),
    },
    further_columns=", (SELECT count(*) FROM vector v WHERE v.descriptor_set = o.id) AS descriptors",
)

# Deleting an object deletes its parts: the classes of connections whose source, or destination, goes with the other.
OWNED_BY_DESTINATION: Final = (
    schema.BOX_OF_IMAGE,
    schema.POLYGON_OF_IMAGE,
    schema.CLIP_OF_VIDEO,
    schema.FRAME_OF_VIDEO,
)
OWNED_BY_SOURCE: Final = (schema.SET_OF_DESCRIPTOR,)

OF_CLASS: Final = {
    kind.class_name: kind
    for kind in (IMAGE, VIDEO, BLOB, BOUNDING_BOX, POLYGON, CLIP, FRAME, DESCRIPTOR, DESCRIPTOR_SET)
}
