"""Where media are in ApertureDB: images, videos and blobs, looked up together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, all_of, equal, one_of
from labeling_assets.clients.query import Query

_SYSTEM_CLASS: Final = {"Image": names.IMAGE, "Video": names.VIDEO, "Blob": names.BLOB}
KINDS: Final = ("Image", "Video", "Blob")
ROLE: Final = "LS_role"
# Of media whose bytes are elsewhere: their address, and what changes when they do.
STORED_AT: Final = "LS_stored_at"
STORED_VERSION: Final = "LS_stored_version"
FACTS: Final = (
    names.GUID,
    "LS_media_type",
    "LS_mime_type",
    "LS_sha256",
    "LS_width",
    "LS_height",
    "LS_orientation",
    "LS_fps",
    "LS_frame_count",
    "LS_duration_s",
    "LS_channels",
    STORED_AT,
    STORED_VERSION,
)
_PAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class Medium:
    """A medium as ApertureDB holds it; `kind` is Image, Video or Blob, `properties` what was asked for."""

    guid: str
    kind: str
    properties: dict[str, Any]

    @property
    def class_name(self) -> str:
        """The system class, such as `_Image`."""
        return _SYSTEM_CLASS[self.kind]


def kind_of(media_type: str) -> str:
    """Image and Video have commands of their own; everything else is a Blob, and so is what is only registered."""
    return {"image": "Image", "video": "Video"}.get(media_type, "Blob")


def media_condition(kind: str, *conditions: Condition) -> Condition:
    """The conditions, and for blobs that they are media: masks and payloads are blobs too."""
    extra = (equal(ROLE, "media"),) if kind == "Blob" else ()
    return all_of(*extra, *conditions)


def find_media(db: ApertureDB, condition: Condition, properties: Sequence[str] = FACTS) -> list[Medium]:
    """Media of every kind that match, at most 5,000 of a kind: meant for look-ups by key."""
    query = Query()
    for kind in KINDS:
        query.add(
            f"Find{kind}",
            {
                "constraints": media_condition(kind, condition),
                "results": {"list": list(properties)},
                "blobs": False,
                "limit": 5000,
            },
        )
    reply = db.run(query)
    return [
        Medium(str(found[names.GUID]), kind, found)
        for place, kind in enumerate(KINDS)
        for found in reply.objects(place)
    ]


def media_by_guid(db: ApertureDB, guids: Iterable[str], properties: Sequence[str] = FACTS) -> dict[str, list[Medium]]:
    """GUID -> every medium that carries it (one, if all is well); GUIDs that nothing carries are left out."""
    found: dict[str, list[Medium]] = {}
    for chunk in chunks(guids, 500):
        for medium in find_media(db, one_of(names.GUID, chunk), properties):
            found.setdefault(medium.guid, []).append(medium)
    return found


def media_of_batch(
    db: ApertureDB, batch: str, *, condition: Condition | None = None, properties: Sequence[str] = FACTS
) -> Iterator[Medium]:
    """Every medium of an import batch that matches, kind by kind, in the order they were added."""
    for kind in KINDS:
        offset = 0
        while True:
            page = _batch_page(db, batch, kind=kind, condition=condition, properties=properties, offset=offset)
            for found in page:
                yield Medium(str(found[names.GUID]), kind, found)
            offset += len(page)
            if len(page) < _PAGE:
                break


def _batch_page(
    db: ApertureDB, batch: str, *, kind: str, condition: Condition | None, properties: Sequence[str], offset: int
) -> list[Object]:
    query = Query()
    source = query.reference()
    query.add("FindEntity", {"_ref": source, "with_class": names.BATCH, "constraints": equal(names.KEY, batch)})
    body: dict[str, Any] = {
        "is_connected_to": {"ref": source, "connection_class": names.BATCH_MEDIA, "direction": "out"},
        "results": {"list": list(properties)},
        "blobs": False,
        "limit": _PAGE,
        "offset": offset,
    }
    if condition is not None:
        body["constraints"] = condition
    place = query.add(f"Find{kind}", body)
    return db.run(query).objects(place)


def chunks(values: Iterable[str], size: int) -> Iterator[list[str]]:
    """The values, each once, in lists of at most `size` (itertools.batched needs Python 3.12)."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), size):
        yield unique[start : start + size]
