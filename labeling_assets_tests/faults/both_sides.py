"""ApertureDB against Label Studio, object by object; nothing of the sync's own code decides what is right."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets_tests.faults.history import History, annotations_of, is_within
from labeling_assets_tests.faults.raw_label_studio import Key, RawAnnotation, RawTask, Snapshot, content_of
from labeling_assets_tests.sync.world import World

_FORMS: Final = {"rectanglelabels": "box", "polygonlabels": "polygon", "choices": "choices", "textarea": "text"}
_BEST: Final = ("done", "skipped", "open")


@dataclass(frozen=True)
class Stored:
    """A version of an annotation in ApertureDB: the current one, or an earlier one."""

    key: Key
    guid: str
    content: str
    data: Mapping[str, Any]
    row: Object

    @property
    def deleted(self) -> bool:
        return self.row.get("LS_deleted_at") is not None


@dataclass
class BothSides:
    """`users` is user id -> e-mail address."""

    world: World
    tasks: Snapshot
    history: History
    users: Mapping[int, str]

    def differences(self) -> list[str]:
        """Everything in which the two are not as they should be; empty if they are."""
        current = self._stored(names.ANNOTATION)
        revisions = self._stored(names.REVISION)
        found = [*self._current(current), *self._frozen(current), *self._gone(current)]
        found += [*self._versions(current, revisions), *self._regions(current), *self._tasks(), *self._media()]
        return found

    # Annotations

    def _stored(self, class_name: str) -> list[Stored]:
        return [self._version(row, class_name) for row in self.world.stored(class_name)]

    def _version(self, row: Object, class_name: str) -> Stored:
        text = row.get("LS_data") or _payload(self.world.db, class_name, str(row[names.LS_GUID]))
        data = json.loads(text)
        skipped, truth = bool(row["LS_was_cancelled"]), bool(row["LS_ground_truth"])
        content = content_of(data["result"], self.users[data["completed_by"]], skipped=skipped, ground_truth=truth)
        guid = str(row.get("LS_annotation_guid") or row[names.LS_GUID])
        return Stored((int(row["LS_annotation_id"]), data["created_at"]), guid, content, data, row)

    def _current(self, current: Iterable[Stored]) -> Iterator[str]:
        """Each annotation of a clear task is there, once, as it is; and no other."""
        clear = self.history.clear(self.tasks)
        wanted = annotations_of(clear)
        held = [one for one in current if not one.deleted]
        counts = Counter(one.key for one in held)
        yield from (f"annotation {key} of task {wanted[key].id} is missing" for key in wanted if not counts[key])
        yield from (f"annotation {key} is there {count} times" for key, count in counts.items() if count > 1)
        others = annotations_of(self._in_trouble())
        for stored in held:
            if stored.key in wanted:
                (one,) = (one for one in wanted[stored.key].annotations if one.key == stored.key)
                yield from _unlike(stored, one, wanted[stored.key])
            elif stored.key not in others and not self._is_frozen(stored):
                yield f"annotation {stored.key} is current, but nothing in Label Studio"

    def _is_frozen(self, one: Stored) -> bool:
        """Whether nothing may be written of its task now, whatever became of the annotation in Label Studio."""
        tasks = self._in_trouble()
        made = [(task.id, self.history.made[key].guid) for key, task in tasks.items() if key in self.history.made]
        return (int(one.row["LS_task_id"]), str(one.row["LS_media_guid"])) in made

    def _in_trouble(self) -> Snapshot:
        return {key: task for key, task in self.tasks.items() if self.history.trouble(task)}

    def _frozen(self, current: Iterable[Stored]) -> Iterator[str]:
        """Of a task that is not clear stays what the last sync wrote while it was."""
        moved = annotations_of(self.history.clear(self.tasks))
        held = [one for one in current if not one.deleted and one.key not in moved]
        for key, task in self._in_trouble().items():
            last = self.history.last.get(key, {})
            if last is None:
                continue
            wanted = {one: content for one, content in last.items() if one not in moved}
            made = self.history.made.get(key)
            here = [one for one in held if made and one.row["LS_media_guid"] == made.guid]
            here = [one for one in here if int(one.row["LS_task_id"]) == task.id]
            found = {one.key: one.content for one in here}
            if found != wanted:
                yield f"task {task.id} is not clear, but {found} is not {wanted}"

    def _gone(self, current: Iterable[Stored]) -> Iterator[str]:
        """What a sync has seen and Label Studio has no more is a tombstone."""
        there = annotations_of(self.tasks)
        current = list(current)
        buried = {one.key for one in current if one.deleted}
        frozen = {one.key for one in current if self._is_frozen(one)}
        for key in self.history.seen:
            if key not in there and self.history.certain(key) and key not in buried | frozen:
                yield f"annotation {key} was deleted, and is no tombstone"
        yield from (f"annotation {key} is a tombstone, but in Label Studio" for key in buried & self._clear_keys())

    def _clear_keys(self) -> set[Key]:
        return set(annotations_of(self.history.clear(self.tasks)))

    def _versions(self, current: Iterable[Stored], revisions: Iterable[Stored]) -> Iterator[str]:
        """Every version that a sync has seen is kept, in this order, and none that no sync can have seen."""
        kept: dict[Key, list[Stored]] = {}
        for one in (*revisions, *current):
            kept.setdefault(one.key, []).append(one)
        for key in kept.keys() | self.history.seen.keys():
            versions = sorted(kept.get(key, ()), key=lambda one: int(one.row["LS_revision"]))
            numbers = [int(one.row["LS_revision"]) for one in versions]
            if numbers != list(range(1, len(numbers) + 1)):
                yield f"annotation {key} has the revisions {numbers}"
            contents = [one.content for one in versions]
            contents = [now for now, before in zip(contents, [None, *contents], strict=False) if now != before]
            certain, possible = self.history.certain(key), self.history.possible(key)
            if not is_within(certain, contents):
                yield f"annotation {key} has lost versions: {contents}, seen were {certain}"
            if not is_within(contents, possible):
                yield f"annotation {key} has versions that nobody made: {contents}, seen were at most {possible}"

    # Regions

    def _regions(self, current: Iterable[Stored]) -> Iterator[str]:
        """The native regions are those of current work that was not skipped, and no more."""
        expected: dict[str, Counter[Any]] = {form: Counter() for form in (*_FORMS.values(), "relation")}
        for one in current:
            if not one.deleted and not one.row["LS_was_cancelled"]:
                for item in one.data["result"]:
                    form = _FORMS.get(item["type"], "relation")
                    expected[form][_expected_region(one, item)] += 1
        found = self._found_regions()
        for form, regions in expected.items():
            more, less = found[form] - regions, regions - found[form]
            yield from (f"a {form} too many: {region}" for region in more.elements())
            yield from (f"a {form} is missing: {region}" for region in less.elements())
        outlines = Counter(region[:2] for region in expected["polygon"].elements())
        if found["derived box"] != outlines:
            yield f"the boxes around polygons are those of {found['derived box']}, not of {outlines}"

    def _found_regions(self) -> dict[str, Counter[Any]]:
        db = self.world.db
        labels = {str(row["LS_label"]) for row in self.world.stored(names.LABEL)}
        found: dict[str, Counter[Any]] = {"box": Counter()}
        for label in labels:  # as a user searches, by native label
            for row in _listed(db, "FindBoundingBox", with_label=label):
                place = row["_coordinates"]
                corners = (place["x"], place["y"], place["width"], place["height"])
                found["box"][(*_owner(row), label, corners)] += 1
        boxes, polygons = _listed(db, "FindBoundingBox"), _listed(db, "FindPolygon")
        found["derived box"] = Counter(_owner(row) for row in boxes if row["LS_derived"])
        assert found["box"].total() + found["derived box"].total() == len(boxes), "a box that no label finds"
        found["polygon"] = Counter((*_owner(row), row["LS_label"]) for row in polygons)
        entities = self.world.stored(names.REGION)
        found["choices"] = Counter((*_owner(row), row["LS_label"]) for row in entities if row["LS_kind"] == "choices")
        found["text"] = Counter((*_owner(row), row["LS_text"]) for row in entities if row["LS_kind"] == "text")
        assert found["choices"].total() + found["text"].total() == len(entities), "an unknown kind of region"
        edges = db.one("FindConnection", {"with_class": names.REGION_RELATION, "results": {"count": True}})
        found["relation"] = Counter({"relation": int(edges["count"])}) if edges["count"] else Counter()
        return found

    # Tasks and media

    def _tasks(self) -> Iterator[str]:
        """Each task is there once, in its state; those that Label Studio has no more are withdrawn."""
        rows = self.world.stored(names.TASK)
        held = {(int(row["LS_task_id"]), str(row["LS_task_created_at"])): row for row in rows}
        if len(held) != len(rows):
            yield f"{len(rows)} tasks, but {len(held)} different ones"
        clear = self.history.clear(self.tasks)
        for key, task in clear.items():
            wanted = (task.data["guid"], task.batch, task.state)
            row = held.get(key)
            found = None if row is None else (row["LS_media_guid"], row["LS_batch"], row["LS_state"])
            if found != wanted:
                yield f"task {key} is {found}, not {wanted}"
        for key, row in held.items():
            if key not in self.tasks and row["LS_state"] != "withdrawn":
                yield f"task {key} is {row['LS_state']}, but gone"
            if key in self.tasks and row["LS_state"] == "withdrawn":
                yield f"task {key} is withdrawn, but there"
        yield from (f"task {key} is forgotten" for key in self.history.made if key not in held)

    def _media(self) -> Iterator[str]:
        """A medium is as far as the best of its tasks; withdrawn if it has none any more."""
        states: dict[str, set[str]] = {}
        for task in self.history.clear(self.tasks).values():
            states.setdefault(str(task.data["guid"]), set()).add(task.state)
        unclear = {made.guid for key, made in self.history.made.items() if key in self._in_trouble()}
        for row in self.world.media(names.GUID, self.world.project.state):
            guid, state = str(row[names.GUID]), row[self.world.project.state]
            wanted = next((best for best in _BEST if best in states.get(guid, ())), "withdrawn")
            if guid not in unclear and state != wanted:
                of = [row for row in self.world.stored(names.TASK) if row["LS_media_guid"] == guid]
                tasks = [(row["LS_task_id"], row["LS_batch"], row["LS_state"]) for row in of]
                yield f"medium {guid} is {state}, not {wanted}; ApertureDB knows the tasks {tasks} of it"


def _unlike(stored: Stored, one: RawAnnotation, task: RawTask) -> Iterator[str]:
    expected = {
        "content": (stored.content, one.content),
        "author": (stored.row["LS_completed_by"], one.author),
        "annotator": (stored.row["LS_annotator"], one.author),
        "task": (int(stored.row["LS_task_id"]), task.id),
        "medium": (stored.row["LS_media_guid"], task.data["guid"]),
        "batch": (stored.row["LS_batch"], task.batch),
        "prediction": (stored.data["parent_prediction"], one.prediction),
    }
    for what, (found, wanted) in expected.items():
        if found != wanted:
            yield f"annotation {one.key} of task {task.id}: the {what} is {found!r}, not {wanted!r}"


def _expected_region(one: Stored, item: Mapping[str, Any]) -> Any:
    """As `_found_regions` describes it."""
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


_SIDES: Final = ("x", "y", "width", "height")
_WANTED: Final = ("LS_annotation_guid", "LS_id", "LS_label", "LS_derived")


def _owner(row: Object) -> tuple[str, str]:
    return str(row["LS_annotation_guid"]), str(row["LS_id"])


def _listed(db: ApertureDB, command: str, **body: Any) -> list[Object]:
    more = {"coordinates": True} if command == "FindBoundingBox" else {}
    found = db.one(command, {**body, **more, "results": {"list": list(_WANTED)}})
    return list(found.get("entities") or ())


def _payload(db: ApertureDB, class_name: str, guid: str) -> bytes:
    """The blob that a version is connected to: its only one."""
    query = Query()
    owner = query.reference()
    query.add("FindEntity", {"_ref": owner, "with_class": class_name, "constraints": equal(names.LS_GUID, guid)})
    edge = {"ref": owner, "connection_class": names.ANNOTATION_PAYLOAD, "direction": "out"}
    query.add("FindBlob", {"is_connected_to": edge, "blobs": True, "uniqueids": True})
    (blob,) = db.run(query).blobs
    return blob
