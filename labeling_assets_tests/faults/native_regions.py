"""Regions and connections in ApertureDB beside the JSON of the annotations that they were made from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets_tests.faults.stored_versions import Stored
from labeling_assets_tests.sync.world import World

_FORMS: Final = {"rectanglelabels": "box", "polygonlabels": "polygon", "choices": "choices", "textarea": "text"}
_SIDES: Final = ("x", "y", "width", "height")
_WANTED: Final = ("LS_annotation_guid", "LS_id", "LS_label", "LS_derived", names.LS_GUID)
Regions = dict[str, Counter[Any]]


def region_differences(world: World, current: Iterable[Stored]) -> Iterator[str]:
    """The native regions are those of current work that was not skipped, and no more."""
    expected: Regions = {form: Counter() for form in (*_FORMS.values(), "relation")}
    for one in current:
        if not one.deleted and not one.row["LS_was_cancelled"]:
            for item in one.data["result"]:
                expected[_FORMS.get(item["type"], "relation")][_expected(one, item)] += 1
    found = _found(world)
    for form, regions in expected.items():
        more, less = found[form] - regions, regions - found[form]
        yield from (f"a {form} too many: {region}" for region in more.elements())
        yield from (f"a {form} is missing: {region}" for region in less.elements())
    outlines = Counter(region[:2] for region in expected["polygon"].elements())
    if found["derived box"] != outlines:
        yield f"the boxes around polygons are those of {found['derived box']}, not of {outlines}"


def edge_differences(world: World, current: Sequence[Stored], revisions: Sequence[Stored]) -> Iterator[str]:
    """Every object is connected with its own, and with nothing else."""
    for one in current:
        found = _around(world.db, one.guid)
        wanted = ([one.row["LS_media_guid"]], [int(one.row["LS_task_id"])])
        if found != wanted:
            yield f"annotation {one.key} is connected to the media and tasks {found}, not {wanted}"
    regions = [*_listed(world.db, "FindBoundingBox"), *_listed(world.db, "FindPolygon"), *world.stored(names.REGION)]
    keys = {
        names.ANNOTATION_REGION: {str(row[names.LS_GUID]) for row in regions},
        names.ANNOTATION_HISTORY: {str(one.row[names.LS_GUID]) for one in revisions},
    }
    for edge, wanted_keys in keys.items():
        rows = world.db.find("FindConnection", None, class_name=edge, properties=[names.KEY])
        if sorted(str(row[names.KEY]) for row in rows) != sorted(wanted_keys):
            yield f"{len(rows)} connections {edge}, but {len(wanted_keys)} are to be connected"


def _expected(one: Stored, item: Mapping[str, Any]) -> Any:
    """As `_found` describes it."""
    value, owner = item.get("value") or {}, (one.guid, item.get("id"))
    match item["type"]:
        case "rectanglelabels":
            # A picture of 40 x 30, and all numbers on a grid of tenths.
            corners = tuple(int(value[name] * size / 100) for name, size in zip(_SIDES, (40, 30, 40, 30), strict=True))
            return (*owner, value["rectanglelabels"][0], corners)
        case "polygonlabels":
            return (*owner, value["polygonlabels"][0])
        case "choices":
            return (*owner, value["choices"][0])
        case "textarea":
            return (*owner, value["text"][0])
        case _:
            return "relation"


def _found(world: World) -> Regions:
    db = world.db
    labels = {str(row["LS_label"]) for row in world.stored(names.LABEL)}
    found: Regions = {"box": Counter()}
    for label in labels:  # as a user searches, by native label
        for row in _listed(db, "FindBoundingBox", with_label=label):
            place = row["_coordinates"]
            corners = (place["x"], place["y"], place["width"], place["height"])
            found["box"][(*_owner(row), label, corners)] += 1
    boxes, polygons = _listed(db, "FindBoundingBox"), _listed(db, "FindPolygon")
    found["derived box"] = Counter(_owner(row) for row in boxes if row["LS_derived"])
    assert found["box"].total() + found["derived box"].total() == len(boxes), "a box that no label finds"
    found["polygon"] = Counter((*_owner(row), row["LS_label"]) for row in polygons)
    entities = world.stored(names.REGION)
    found["choices"] = Counter((*_owner(row), row["LS_label"]) for row in entities if row["LS_kind"] == "choices")
    found["text"] = Counter((*_owner(row), row["LS_text"]) for row in entities if row["LS_kind"] == "text")
    assert found["choices"].total() + found["text"].total() == len(entities), "an unknown kind of region"
    relations = db.count("FindConnection", None, class_name=names.REGION_RELATION)
    found["relation"] = Counter({"relation": relations}) if relations else Counter()
    return found


def _owner(row: Object) -> tuple[str, str]:
    return str(row["LS_annotation_guid"]), str(row["LS_id"])


def _listed(db: ApertureDB, command: str, **body: Any) -> list[Object]:
    more = {"coordinates": True} if command == "FindBoundingBox" else {}
    return list(db.one(command, {**body, **more, "results": {"list": list(_WANTED)}}).get("entities") or ())


def _around(db: ApertureDB, guid: str) -> tuple[list[str], list[int]]:
    """The media and the tasks that an annotation is connected with."""
    query = Query()
    annotation = query.reference()
    body = {"_ref": annotation, "with_class": names.ANNOTATION, "constraints": equal(names.LS_GUID, guid)}
    query.add("FindEntity", body)
    media = {"ref": annotation, "connection_class": names.ANNOTATION_IMAGE, "direction": "out"}
    image = query.add("FindImage", {"is_connected_to": media, "results": {"list": [names.GUID]}, "blobs": False})
    tasks = {"ref": annotation, "connection_class": names.TASK_ANNOTATION, "direction": "in"}
    body = {"with_class": names.TASK, "is_connected_to": tasks, "results": {"list": ["LS_task_id"]}}
    task = query.add("FindEntity", body)
    reply = db.run(query)
    found = [str(row[names.GUID]) for row in reply.objects(image)]
    return found, [int(row["LS_task_id"]) for row in reply.objects(task)]
