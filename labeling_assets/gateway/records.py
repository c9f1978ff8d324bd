"""What ApertureDB says of media, many in one query, and the bytes of those that are small."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import Condition, any_of, compare, equal, missing, one_of, present
from labeling_assets.clients.query import Query
from labeling_assets.gateway import content_types
from labeling_assets.gateway.bodies import Medium
from labeling_assets.names import GUID
from labeling_assets.sync.media_store import KINDS, STORED_AT, STORED_VERSION, media_condition

# Bytes that come along with the record: a page of pictures is one query, and one with larger ones would be slow.
SMALL_BYTES: Final = 256 * 1024

_MIME_TYPE: Final = "LS_mime_type"
_SIZE_BYTES: Final = "LS_size_bytes"
_SHA256: Final = "LS_sha256"
# Objects with one GUID: more than one is a mistake that `adopt` reports, more than this is looked up alone.
_MOST_ALIKE: Final = 4


@dataclass(frozen=True, slots=True)
class Record:
    """What ApertureDB says of a medium; a record that changes in any way stands for other bytes."""

    guid: str
    kind: str  # Image, Video or Blob
    unique_id: str
    content_type: str | None
    size_bytes: int | None
    sha256: str | None
    stored_at: str | None = None  # the address of bytes that are not in ApertureDB
    stored_version: str = ""

    def medium(self) -> Medium | None:
        """What can be said without the bytes; None if something is missing, be it the charset of a text."""
        if self.content_type is None or self.size_bytes is None or self.sha256 is None:
            return None
        if content_types.lacks_charset(self.content_type) and self.stored_at is None:
            return None
        return Medium(self.content_type, self.size_bytes, self.sha256)


@dataclass(frozen=True, slots=True)
class Found:
    """A medium, and its bytes if they were asked for and are few."""

    record: Record
    data: bytes | None = None

    @property
    def small(self) -> bool:
        """Whether it came with its bytes."""
        return self.data is not None


@dataclass(frozen=True, slots=True)
class _Group:
    """Media that are asked for by one command of each kind."""

    conditions: tuple[Condition, ...] = ()
    with_bytes: bool = False


_ANY: Final = _Group()
# The bytes of a registered medium are not its own, however few they are.
_SMALL: Final = _Group((compare(_SIZE_BYTES, "<=", SMALL_BYTES), missing(STORED_AT)), with_bytes=True)
_OTHERS: Final = _Group((any_of(compare(_SIZE_BYTES, ">", SMALL_BYTES), missing(_SIZE_BYTES), present(STORED_AT)),))


def find_records(database: ApertureDB, guids: Sequence[str]) -> dict[str, Found]:
    """GUID -> its medium, without bytes. GUIDs that nothing carries are left out.

    Of several media with one GUID it is the first that was added, pictures before videos before blobs. A Blob counts
    only if its role is `media`: masks and payloads are Blobs too.
    """
    if len(guids) == 1:
        return {guid: found for guid, (found, *_) in _listed(database, guids, [_ANY], limit=1).items()}
    return _first_of_each(database, guids, [_ANY])


def find_small(database: ApertureDB, guids: Sequence[str]) -> dict[str, Found]:
    """As `find_records`, with the bytes of media of at most `SMALL_BYTES`."""
    return _first_of_each(database, guids, [_SMALL, _OTHERS])


def _first_of_each(database: ApertureDB, guids: Sequence[str], groups: Sequence[_Group]) -> dict[str, Found]:
    limit = _MOST_ALIKE * len(guids)
    listed = _listed(database, guids, groups, limit=limit)
    found, unclear = {}, set()
    full = sum(map(len, listed.values())) >= limit  # then something may be missing
    for guid, alike in listed.items():
        # Of one kind, but of two groups: nothing says which was added first.
        if alike[0].record.kind in [other.record.kind for other in alike if other.small != alike[0].small]:
            unclear.add(guid)
        found[guid] = alike[0]
    for guid in guids if full else unclear:
        found |= find_records(database, [guid])
    return found


def _listed(
    database: ApertureDB, guids: Sequence[str], groups: Sequence[_Group], *, limit: int
) -> dict[str, list[Found]]:
    """GUID -> every medium with it, kind by kind."""
    query, asked = Query(), []
    for kind in KINDS:
        # Hardly any video is small: to ask for those costs more than it saves.
        for group in groups if kind != "Video" else [_ANY]:
            conditions = (one_of(GUID, guids), *group.conditions)
            body = {
                "constraints": media_condition(kind, *conditions),
                "results": {"list": [GUID, _MIME_TYPE, _SIZE_BYTES, _SHA256, STORED_AT, STORED_VERSION]},
                "uniqueids": True,
                "blobs": group.with_bytes,
                "limit": limit,
            }
            asked.append((query.add(f"Find{kind}", body), kind, group))
    reply = database.run(query)
    listed: dict[str, list[Found]] = {}
    for place, kind, group in asked:
        for row in reply.objects(place):
            data = reply.blobs[int(row["_blob_index"])] if group.with_bytes else None
            listed.setdefault(str(row[GUID]), []).append(Found(_record(kind, row), data))
    return listed


def _record(kind: str, row: Object) -> Record:
    size, sha256 = row.get(_SIZE_BYTES), row.get(_SHA256)
    return Record(
        guid=str(row[GUID]),
        kind=kind,
        unique_id=str(row["_uniqueid"]),
        content_type=content_types.recorded(row.get(_MIME_TYPE)),
        size_bytes=None if size is None else int(size),  # numbers come back as 1234.0
        sha256=None if not sha256 else str(sha256).lower(),
        stored_at=row.get(STORED_AT),
        stored_version=str(row.get(STORED_VERSION) or ""),
    )


def read_bytes(database: ApertureDB, record: Record) -> bytes | None:
    """The bytes of exactly this object, in one piece: ApertureDB knows no parts. None if it is gone."""
    query = Query()
    query.add(f"Find{record.kind}", {"constraints": equal("_uniqueid", record.unique_id), "blobs": True})
    blobs = database.run(query).blobs
    return blobs[0] if blobs else None
