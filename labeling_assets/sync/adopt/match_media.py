"""Tasks to media that ApertureDB holds: by link, by file name, or by a column that a person names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, all_of, any_of, equal, one_of, present
from labeling_assets.clients.constraints import missing as lacking
from labeling_assets.clients.label_studio import TaskRow
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError
from labeling_assets.sync.adopt.task_files import TaskFiles, file_name
from labeling_assets.sync.media_store import FACTS, KINDS, ROLE, Medium

SOURCE: Final = "LS_source_uri"
_PAGE: Final = 5000
Matched = dict[int, list[Medium]]
"""Task id -> the media that match, each once; a task without any is left out."""


class Matcher(Protocol):
    """A way to find the media of tasks."""

    def match(self, tasks: Sequence[TaskRow]) -> Matched:
        """The media of each of these tasks."""


class NoMatcher:
    """For tasks whose bytes decide."""

    def match(self, tasks: Sequence[TaskRow]) -> Matched:
        return {}


class LinkMatcher:
    """By the link that the medium was imported from."""

    def __init__(self, db: ApertureDB, files: TaskFiles, properties: Sequence[str]) -> None:
        self._db, self._files, self._properties = db, files, properties

    def match(self, tasks: Sequence[TaskRow]) -> Matched:
        links = {task.id: link for task in tasks if (link := self._files.link(task.data)) is not None}
        spelled = {task: self._files.spellings(link) for task, link in links.items()}
        every = sorted(set().union(*spelled.values()))
        if not every:
            return {}
        found: dict[str, list[Medium]] = {}
        for medium in media_with(self._db, one_of(SOURCE, every), [*self._properties, SOURCE]):
            found.setdefault(str(medium.properties[SOURCE]), []).append(medium)
        # A medium that was handed in several times has the other links at its batches.
        edges = self._db.find(
            "FindConnection", one_of(SOURCE, every), class_name=names.BATCH_MEDIA, properties=[names.KEY, SOURCE]
        )
        media = media_of_guids(self._db, (_guid_of(edge) for edge in edges), self._properties)
        for edge in edges:
            found.setdefault(str(edge[SOURCE]), []).extend(media.get(_guid_of(edge), ()))
        return _distinct(
            {task: [m for s in sorted(forms) for m in found.get(s, ())] for task, forms in spelled.items()}
        )


class NameMatcher:
    """By the name of the file; folders and addresses do not count."""

    def __init__(self, db: ApertureDB, files: TaskFiles, properties: Sequence[str], wanted: Iterable[TaskRow]) -> None:
        """Reads the names of `wanted`, then where every medium came from; keeps those that match."""
        self._db, self._files, self._properties = db, files, properties
        self._guids: dict[str, set[str]] = {name: set() for task in wanted if (name := self._name(task))}
        for row in _sources(db):
            name = file_name(str(row[SOURCE]))
            guid = _guid_of(row) if names.KEY in row else str(row[names.GUID])
            if name in self._guids:
                self._guids[name].add(guid)

    def match(self, tasks: Sequence[TaskRow]) -> Matched:
        guids = {task.id: self._guids.get(self._name(task), set()) for task in tasks}
        media = media_of_guids(self._db, sorted(set().union(*guids.values())), self._properties)
        return _distinct({task: [m for g in sorted(own) for m in media.get(g, ())] for task, own in guids.items()})

    def _name(self, task: TaskRow) -> str:
        link = self._files.link(task.data)
        return file_name(link) if link is not None else ""


class ColumnMatcher:
    """By a value that stands in the task's data under `key` and at the medium as `prop`; texts and numbers."""

    def __init__(self, db: ApertureDB, key: str, prop: str, properties: Sequence[str]) -> None:
        """Looks which kinds of media have the property.

        Raises:
            InputError: none has.
        """
        self._db, self._key, self._prop, self._properties = db, key, prop, properties
        schema = db.one("GetSchema", {"type": "entities"})
        classes = (schema.get("entities") or {}).get("classes") or {}
        held = {
            kind: (classes.get(class_name) or {}).get("properties") or {}
            for kind, class_name in zip(KINDS, (names.IMAGE, names.VIDEO, names.BLOB), strict=True)
        }
        self._types = {kind: _type_of(own[prop]) for kind, own in held.items() if prop in own}
        if not self._types:
            known = ", ".join(sorted({name for own in held.values() for name in own})) or "none at all"
            raise InputError(
                f"No medium in ApertureDB has the property {prop!r}; they have {known}. "
                f"Name the one that holds the {key!r} of the tasks: --match column:{key}=PROPERTY."
            )

    def match(self, tasks: Sequence[TaskRow]) -> Matched:
        matched: dict[int, list[Medium]] = {}
        for kind, held in self._types.items():
            wanted = {task.id: _as_type(task.data.get(self._key), held) for task in tasks}
            values = sorted({value for value in wanted.values() if value is not None}, key=str)
            if not values:
                continue
            condition = one_of(self._prop, values)
            by_value: dict[Any, list[Medium]] = {}
            for medium in media_with(self._db, condition, [*self._properties, self._prop], (kind,)):
                by_value.setdefault(_as_type(medium.properties[self._prop], held), []).append(medium)
            for task, value in wanted.items():
                matched.setdefault(task, []).extend(by_value.get(value, ()))
        return _distinct(matched)


def media_with(
    db: ApertureDB, condition: Condition, properties: Sequence[str], kinds: Sequence[str] = KINDS
) -> list[Medium]:
    """All media that match, also those that somebody else put there, whose GUID is then empty; with `_uniqueid`."""
    found = []
    for kind in kinds:
        # Masks and payloads of this package are blobs too.
        role = (any_of(lacking(ROLE), equal(ROLE, "media")),) if kind == "Blob" else ()
        rows = db.find(f"Find{kind}", all_of(condition, *role), properties=properties, uniqueids=True, blobs=False)
        found += [Medium(str(row.get(names.GUID) or ""), kind, row) for row in rows]
    return found


def media_of_guids(db: ApertureDB, guids: Iterable[str], properties: Sequence[str]) -> Mapping[str, list[Medium]]:
    """GUID -> every medium that carries it."""
    wanted = list(dict.fromkeys(guids))
    found: dict[str, list[Medium]] = {}
    for medium in media_with(db, one_of(names.GUID, wanted), properties) if wanted else ():
        found.setdefault(medium.guid, []).append(medium)
    return found


def is_ours(medium: Medium) -> bool:
    """Whether it is a medium of this package already, with GUID, facts and mark."""
    held = medium.properties
    return held.get(ROLE) == "media" and all(held.get(key) is not None for key in (names.GUID, "LS_sha256", FACTS[1]))


def _sources(db: ApertureDB) -> Iterator[Object]:
    """Where every medium came from, page by page: from its own property, and from those of its batches."""
    for kind in KINDS:
        yield from _pages(db, f"Find{kind}", {"results": {"list": [names.GUID, SOURCE]}, "blobs": False})
    yield from _pages(db, "FindConnection", {"with_class": names.BATCH_MEDIA, "results": {"list": [names.KEY, SOURCE]}})


def _pages(db: ApertureDB, command: str, body: Mapping[str, Any]) -> Iterator[Object]:
    offset = 0
    while True:
        query = Query()
        place = query.add(command, {**body, "constraints": present(SOURCE), "limit": _PAGE, "offset": offset})
        page = db.run(query).objects(place)
        yield from page
        offset += len(page)
        if len(page) < _PAGE:
            return


def _guid_of(edge: Object) -> str:
    """The key of an edge from a batch: its name, the GUID and the source."""
    return str(edge[names.KEY]).split("|", 2)[1]


def _distinct(matched: Matched) -> Matched:
    """Each medium once; one that is a duplicate does not count beside its first."""
    found: Matched = {}
    for task, media in matched.items():
        own = {medium.properties["_uniqueid"]: medium for medium in media}
        firsts = [medium for medium in own.values() if not medium.properties.get("LS_duplicate_of")]
        if own:
            found[task] = firsts or list(own.values())
    return found


def _type_of(held: Any) -> str:
    return str(held["type"] if isinstance(held, dict) else held[2]).lower()


def _as_type(value: object, held: str) -> str | float | None:
    """The value as ApertureDB holds it; None if it cannot be one of that type."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if held == "string":
        return str(value)
    try:
        return float(value) if held == "number" else None
    except ValueError:
        return None
