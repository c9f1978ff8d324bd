"""What can be sent from ApertureDB to Label Studio: annotations, predictions, plain boxes and polygons."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, all_of, compare, equal, missing, one_of
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError, InputError
from labeling_assets.identity import is_as_sent, labels_guid
from labeling_assets.mapping.relation import is_relation
from labeling_assets.mapping.value import finite_number
from labeling_assets.sync.media_store import KINDS, ROLE, Medium, media_condition
from labeling_assets.sync.push.report import PushRow
from labeling_assets.sync.stored_annotations import annotation_in, payload_of

_PAGE: Final = 5000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One annotation or prediction to be in Label Studio.

    `key` names it for ever: the GUID of what it comes from. `author` is an e-mail. `from_label_studio`: its editor
    wrote the result, so that odd places in it are no reason to refuse it. `home` is the Label Studio (its instance) and
    the project that have it, `import_id` what it has there, `is_copy`: a push made it there, and nobody changed it.
    """

    key: str
    media_guid: str
    result: list[Any]
    model_version: str = ""
    score: float | None = None
    author: str | None = None
    lead_time_s: float | None = None
    ground_truth: bool = False
    was_cancelled: bool = False
    from_label_studio: bool = False
    home: tuple[str, int] | None = None
    import_id: int | None = None
    is_copy: bool = False


class PushSource(Protocol):
    """Where the labels come from."""

    def media_guids(self) -> Iterator[str]:
        """Of every medium that there is something for, perhaps repeated."""

    def load(self, media: Mapping[str, Medium]) -> tuple[list[Wanted], list[PushRow]]:
        """What there is for these media (GUID -> medium), in a stable order, and what cannot be used.

        A row with a model version stands for one prediction that cannot be made.
        """


class AnnotationSource:
    """Current annotations of a labeling project, as annotations or as predictions."""

    def __init__(self, db: ApertureDB, slug: str, *, model_version: str | None) -> None:
        self._db, self._slug, self._model_version = db, slug, model_version

    def media_guids(self) -> Iterator[str]:
        last = ""
        while True:
            condition = self._current(compare(names.LS_GUID, ">", last))
            body = {"with_class": names.ANNOTATION, "constraints": condition, "sort": names.LS_GUID, "limit": _PAGE}
            listed = {"results": {"list": ["LS_media_guid", names.LS_GUID]}}
            page: list[Object] = self._db.one("FindEntity", {**body, **listed}).get("entities") or []
            yield from (str(row["LS_media_guid"]) for row in page)
            if len(page) < _PAGE:
                return
            last = str(page[-1][names.LS_GUID])

    def load(self, media: Mapping[str, Medium]) -> tuple[list[Wanted], list[PushRow]]:
        wanted, refused = [], []
        for row in self._db.find(
            "FindEntity",
            self._current(one_of("LS_media_guid", media)),
            class_name=names.ANNOTATION,
            properties=[
                *(names.LS_GUID, "LS_annotation_id", "LS_media_guid", "LS_data", "LS_content_hash", "LS_annotator"),
                *("LS_lead_time_s", "LS_ground_truth", "LS_was_cancelled", "LS_instance", "LS_project_id"),
            ],
        ):
            if self._model_version is not None and row["LS_was_cancelled"]:
                continue  # who skipped a task said nothing that a model could have said
            try:
                wanted.append(self._wanted(row))
            except (InputError, DataError) as error:
                guid, key = str(row["LS_media_guid"]), str(row[names.LS_GUID])
                refused.append(_refused(guid, key, str(error), self._model_version or ""))
        return wanted, refused

    def _current(self, *conditions: Condition) -> Condition:
        return all_of(equal("LS_project", self._slug), missing("LS_deleted_at"), *conditions)

    def _wanted(self, row: Object) -> Wanted:
        guid = str(row[names.LS_GUID])
        text = row["LS_data"]
        if text is None:
            text = (payload_of(self._db, guid, str(row["LS_content_hash"])) or b"").decode()
        author = row["LS_annotator"]
        given = annotation_in(str(text), int(row["LS_annotation_id"]))
        import_id = given.get("import_id")
        made = Wanted(
            key=guid,
            media_guid=str(row["LS_media_guid"]),
            result=given["result"],
            author=None if author in (None, "unknown") else str(author),
            lead_time_s=row["LS_lead_time_s"],
            ground_truth=bool(row["LS_ground_truth"]),
            was_cancelled=bool(row["LS_was_cancelled"]),
            from_label_studio=True,
            home=None if row["LS_project_id"] is None else (str(row["LS_instance"]), int(row["LS_project_id"])),
            import_id=import_id if isinstance(import_id, int) else None,
            is_copy=is_as_sent(given),
        )
        if self._model_version is None:
            return made
        return replace(made, result=with_ids(made.result, guid), model_version=self._model_version)


class PredictionSource:
    """`LS_prediction` entities that are connected to media, of one model version or of all.

    `LS_data` is the JSON of a result, or of a whole prediction with `result`; without it, that of a connected Blob with
    the role `payload`.
    """

    def __init__(self, db: ApertureDB, *, model_version: str | None) -> None:
        self._db = db
        self._condition = None if model_version is None else equal("LS_model_version", model_version)

    def media_guids(self) -> Iterator[str]:
        return _connected_media(self._db, ("FindEntity",), self._find())

    def load(self, media: Mapping[str, Medium]) -> tuple[list[Wanted], list[PushRow]]:
        query = Query()
        properties = [names.LS_GUID, "LS_model_version", "LS_score", "LS_data"]
        places = []
        for kind in KINDS:
            source, place = _find_media(query, kind, media)
            body = {**self._find(), **_for_each(source), "results": {"list": properties}}
            places.append((place, query.add("FindEntity", body)))
        reply = self._db.run(query)
        wanted, refused = [], []
        for of_media, of_predictions in places:
            for guid, row in _pairs(reply.objects(of_media), reply.answers[of_predictions].get("entities")):
                key = str(row[names.LS_GUID] or row["_uniqueid"])
                try:
                    wanted.append(self._wanted(guid, key, row))
                except InputError as error:
                    refused.append(_refused(guid, key, str(error), _version(row)))
        return wanted, refused

    def _find(self) -> dict[str, Any]:
        body: dict[str, Any] = {"with_class": names.PREDICTION}
        return body if self._condition is None else {**body, "constraints": self._condition}

    def _wanted(self, guid: str, key: str, row: Object) -> Wanted:
        data = _parsed(self._payload(row) if row["LS_data"] is None else row["LS_data"])
        given = row["LS_score"]
        if given is None and isinstance(data, Mapping):
            given = data.get("score")
        return Wanted(
            key=key,
            media_guid=guid,
            result=with_ids(_result_of(data), key),
            model_version=_version(row),
            score=_score(given),
        )

    def _payload(self, row: Object) -> bytes | None:
        if row[names.LS_GUID] is None:
            return None
        query = Query()
        reference = query.reference()
        condition = equal(names.LS_GUID, row[names.LS_GUID])
        query.add("FindEntity", {"_ref": reference, "with_class": names.PREDICTION, "constraints": condition})
        body = {"is_connected_to": {"ref": reference}, "constraints": equal(ROLE, "payload"), "blobs": True}
        query.add("FindBlob", {**body, "uniqueids": True, "limit": 1})
        blobs = self._db.run(query).blobs
        return blobs[0] if blobs else None


def with_ids(result: Sequence[Any], key: str) -> list[Any]:
    """Every item with an id, as predictions need: those without get one that is the same each time."""
    return [
        {**item, "id": str(labels_guid("item", key, position))}
        if isinstance(item, Mapping) and not is_relation(item) and item.get("id") in (None, "")
        else item
        for position, item in enumerate(result)
    ]


# `LS_annotation` alone, without `LS_id`: a box of a model that an annotator corrected in ApertureData's own storage.
_NOBODYS: Final = all_of(missing("LS_id"), missing("LS_annotation"))


def find_regions(
    db: ApertureDB, media: Mapping[str, Medium], command: str, **outputs: bool
) -> Iterator[tuple[str, Object]]:
    """GUID of the image and the properties of each box or polygon on it that is not one of ours."""
    query = Query()
    source, place = _find_media(query, "Image", media)
    listed = ["LS_score", "LS_x", "LS_y", "LS_width", "LS_height", "LS_rotation", "LS_points"]
    body = {"constraints": _NOBODYS, "results": {"list": listed}, "labels": True, **outputs}
    found = query.add(command, {**body, **_for_each(source)})
    reply = db.run(query)
    return _pairs(reply.objects(place), reply.answers[found].get("entities"))


def media_with_regions(db: ApertureDB) -> Iterator[str]:
    """GUIDs of the images with a box or polygon that is not one of ours, perhaps repeated."""
    return _connected_media(db, ("FindBoundingBox", "FindPolygon"), {"constraints": _NOBODYS}, kinds=("Image",))


def _connected_media(
    db: ApertureDB, commands: Iterable[str], body: dict[str, Any], kinds: Sequence[str] = KINDS
) -> Iterator[str]:
    for command in commands:
        for kind in kinds:
            yield from _pages(db, command, body, kind)


def _pages(db: ApertureDB, command: str, body: dict[str, Any], kind: str) -> Iterator[str]:
    """By GUID, each page beyond the last one: what others add or remove meanwhile shifts nothing."""
    last = ""
    while True:
        query = Query()
        reference = query.reference()
        query.add(command, {**body, "_ref": reference})
        condition = compare(names.GUID, ">", last)
        listed = {"results": {"list": [names.GUID]}, "blobs": False, "limit": _PAGE, "sort": names.GUID}
        place = query.add(f"Find{kind}", {"is_connected_to": {"ref": reference}, "constraints": condition, **listed})
        page = db.run(query).objects(place)
        yield from (str(row[names.GUID]) for row in page)
        if len(page) < _PAGE:
            return
        last = str(page[-1][names.GUID])


def _find_media(query: Query, kind: str, media: Mapping[str, Medium]) -> tuple[int, int]:
    """Reference and place of a search for those of the media that are of this kind."""
    reference = query.reference()
    condition = media_condition(kind, one_of(names.GUID, media))
    body = {"_ref": reference, "constraints": condition, "blobs": False, "uniqueids": True}
    return reference, query.add(f"Find{kind}", {**body, "results": {"list": [names.GUID]}})


def _for_each(source: int) -> dict[str, Any]:
    return {"is_connected_to": {"ref": source}, "group_by_source": True, "uniqueids": True}


def _pairs(media: Sequence[Object], grouped: Mapping[str, Sequence[Object]] | None) -> Iterator[tuple[str, Object]]:
    """GUID of a medium and a row that belongs to it, the rows of a medium in the order of their ids in ApertureDB."""
    guids = {str(row["_uniqueid"]): str(row[names.GUID]) for row in media}
    for source, rows in (grouped or {}).items():
        for row in sorted(rows, key=lambda row: [int(part) for part in str(row["_uniqueid"]).split(".")]):
            yield guids[source], row


def _parsed(text: str | bytes | None) -> Any:
    if text is None:
        raise InputError("ApertureDB holds no JSON for it: neither LS_data nor a connected payload")
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"its LS_data is not JSON: {error}") from error


def _result_of(data: Any) -> list[Any]:
    result = data.get("result") if isinstance(data, Mapping) else data
    if not isinstance(result, list):
        raise InputError(f"its LS_data holds no list of results, but {type(result).__name__}")
    return result


def _score(given: object) -> float | None:
    if given is None:
        return None
    score = finite_number(given)
    if score is None:
        raise InputError(f"its score is no number: {given!r}")
    return score


def _version(row: Object) -> str:
    return str(row["LS_model_version"] or "undefined")


def _refused(guid: str, key: str, message: str, model_version: str) -> PushRow:
    return PushRow(guid, key, "", "LS_data", message, "error", model_version)
