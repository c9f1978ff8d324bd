"""The characters of the texts that annotators marked: from their tasks, or from ApertureDB."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, compare, equal, missing, one_of
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError
from labeling_assets.mapping.label_config import LabelConfig, ObjectTag
from labeling_assets.media_urls import guid_in_link
from labeling_assets.projects import Project
from labeling_assets.sync.media_store import ROLE, STORED_AT, chunks

# Up to this many bytes a text is read together with the others of its chunk, up to the second number alone. For
# longer ones there are no places in characters, only the browser's own.
_SMALL_BYTES: Final = 250_000
_LARGEST_BYTES: Final = 16_000_000
# The tag whose labels count characters; others count in paragraphs or in what a browser makes of HTML.
_TAG: Final = "text"

Annotation = Mapping[str, Any]


class TextReader:
    """Reads the texts of one project. Holds the small ones of the chunk in work, and one that is large."""

    def __init__(self, db: ApertureDB, project: Project) -> None:
        self._db = db
        self._objects = _objects(project)
        self._small: dict[str, str | None] = {}
        self._large: tuple[str, str | None] = ("", None)

    def prepare(self, annotations: Iterable[tuple[Mapping[str, Any], Annotation]]) -> None:
        """Read the small texts of these annotations in one query; each comes with the data of its task."""
        self._small = {}
        shown = (self._shown(data, annotation) for data, annotation in annotations)
        wanted = [guid for guid, _ in filter(None, shown) if guid is not None]
        for chunk in chunks(wanted, 200):
            self._small |= self._read(chunk, _SMALL_BYTES)

    def text(self, data: Mapping[str, Any], annotation: Annotation) -> str | None:
        """What the annotation marks parts of; None if it marks none, if there are several texts, or if it is too long.

        Args:
            data: The data of the annotation's task.
            annotation: As Label Studio gives it.
        """
        guid, text = self._shown(data, annotation) or (None, None)
        if guid is None:
            return text
        if guid in self._small:
            return self._small[guid]
        if self._large[0] != guid:
            self._large = (guid, self._read([guid], _LARGEST_BYTES).get(guid))
        return self._large[1]

    def _shown(self, data: Mapping[str, Any], annotation: Annotation) -> tuple[str | None, str | None] | None:
        """GUID of the medium with the text, or the text itself."""
        marked = {_target(item) for item in annotation.get("result") or ()}
        texts = [tag for name, tag in self._objects.items() if name in marked]
        if len(texts) != 1:
            return None
        shown = texts[0]
        value = data.get(shown.variables[0])
        if not isinstance(value, str):
            return None
        return (None, value) if shown.value_type == "text" else (guid_in_link(value), None)

    def _read(self, guids: list[str], limit_bytes: int) -> dict[str, str | None]:
        small = compare("LS_size_bytes", "<=", limit_bytes)
        condition = all_of(one_of(names.GUID, guids), equal(ROLE, "media"), small, missing(STORED_AT))
        query = Query()
        query.add("FindBlob", {"constraints": condition, "blobs": True, "results": {"list": [names.GUID]}})
        reply = self._db.run(query)
        return {str(row[names.GUID]): _decoded(reply.blobs[row["_blob_index"]]) for row in reply.objects(0)}


def _objects(project: Project) -> dict[str, ObjectTag]:
    try:
        objects = LabelConfig.parse(project.label_config()).objects
        return {shown.name: shown for shown in objects if shown.tag.lower() == _TAG and shown.variables}
    except ConfigurationError:
        return {}  # the tasks asset says so; places in characters are not worth a sync


def _target(item: object) -> str | None:
    """The tag that an item marks a range of, if it marks one."""
    value = item.get("value") if isinstance(item, Mapping) else None
    if not isinstance(value, Mapping) or not {"start", "end"} <= value.keys():
        return None
    return str(item.get("to_name")) if isinstance(item, Mapping) else None


def _decoded(data: bytes) -> str | None:
    """As a browser reads a file: a byte order mark is none of its characters."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
