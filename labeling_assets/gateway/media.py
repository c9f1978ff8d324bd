"""Media in ApertureDB: found by GUID, their bytes read once for all ranges of them."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.gateway import content_types
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.byte_cache import ByteCache
from labeling_assets.identity import sha256_of
from labeling_assets.names import GUID
from labeling_assets.sync.media_store import KINDS, media_condition

_log = logging.getLogger(__name__)

_MIME_TYPE: Final = "LS_mime_type"
_SIZE_BYTES: Final = "LS_size_bytes"
_SHA256: Final = "LS_sha256"
# The first half of the content types that a kind can have; a Blob can have any.
_FAMILIES: Final[dict[str, content_types.Family]] = {"Image": "image", "Video": "video"}


@dataclass(frozen=True, slots=True)
class Medium:
    """What the headers of an answer need; `content_type` has the charset of a text in it."""

    content_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """What ApertureDB says of a medium; a record that changes in any way stands for other bytes."""

    guid: str
    kind: str  # Image, Video or Blob
    unique_id: str
    content_type: str | None
    size_bytes: int | None
    sha256: str | None

    def medium(self) -> Medium | None:
        """What can be said without the bytes; None if something is missing, be it the charset of a text."""
        if self.content_type is None or self.size_bytes is None or self.sha256 is None:
            return None
        if content_types.lacks_charset(self.content_type):
            return None
        return Medium(self.content_type, self.size_bytes, self.sha256)


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a medium, and what was measured on them."""

    medium: Medium
    data: bytes


class MediaReader:
    """Looks media up at every request, reads their bytes as seldom as the cache allows.

    Every method returns None when ApertureDB has no such medium (any more), and raises what
    `ApertureDB.run` raises.
    """

    def __init__(self, database: Callable[[], ApertureDB], calls: BlockingCalls, *, cache_bytes: int) -> None:
        self._database = database
        self._calls = calls
        self._cache: ByteCache[Record, Content] = ByteCache(cache_bytes)
        self._reading: dict[Record, asyncio.Task[Content | None]] = {}

    async def record(self, guid: str) -> Record | None:
        """What ApertureDB says of a medium, without its bytes."""
        return await self._calls.run(lambda: find_record(self._database(), guid))

    async def sha256(self, record: Record) -> str | None:
        """The digest of the bytes; reads them only if ApertureDB does not say it."""
        cached = self._cache.get(record)
        if cached is not None:
            return cached.medium.sha256
        if record.sha256 is not None:
            return record.sha256
        content = await self.content(record)
        return content.medium.sha256 if content else None

    async def medium(self, record: Record) -> Medium | None:
        """Type, size and digest; reads the bytes only if ApertureDB does not say them all."""
        cached = self._cache.get(record)
        known = cached.medium if cached else record.medium()
        if known is not None:
            return known
        content = await self.content(record)
        return content.medium if content else None

    async def content(self, record: Record) -> Content | None:
        """The bytes. Requests that come while they are being read wait for the same read."""
        cached = self._cache.get(record)
        if cached is not None:
            return cached
        reading = self._reading.get(record)
        if reading is None:
            reading = self._reading[record] = asyncio.create_task(self._read(record))
            reading.add_done_callback(lambda _: self._reading.pop(record, None))
        # A request that is given up must not take the others' read with it.
        return await asyncio.shield(reading)

    async def _read(self, record: Record) -> Content | None:
        content = await self._calls.run(lambda: read_content(self._database(), record))
        if content is not None:
            self._cache.put(record, content, size_bytes=len(content.data))
        return content


def find_record(database: ApertureDB, guid: str) -> Record | None:
    """One query for the three kinds of media. Of several with one GUID it is the first that was added.

    A Blob counts only if its role is `media`: masks and payloads are Blobs too.
    """
    query = Query()
    for kind in KINDS:
        query.add(
            f"Find{kind}",
            {
                "constraints": media_condition(kind, equal(GUID, guid)),
                "results": {"list": [_MIME_TYPE, _SIZE_BYTES, _SHA256]},
                "uniqueids": True,
                "limit": 1,
            },
        )
    reply = database.run(query)
    found = [(kind, row) for place, kind in enumerate(KINDS) for row in reply.objects(place)]
    return _record(guid, *found[0]) if found else None


def _record(guid: str, kind: str, row: Object) -> Record:
    size, sha256 = row.get(_SIZE_BYTES), row.get(_SHA256)
    return Record(
        guid=guid,
        kind=kind,
        unique_id=str(row["_uniqueid"]),
        content_type=content_types.recorded(row.get(_MIME_TYPE)),
        size_bytes=None if size is None else int(size),  # numbers come back as 1234.0
        sha256=None if not sha256 else str(sha256).lower(),
    )


def read_content(database: ApertureDB, record: Record) -> Content | None:
    """The bytes of exactly this object. What is said of them is measured, whatever ApertureDB has recorded."""
    query = Query()
    query.add(f"Find{record.kind}", {"constraints": equal("_uniqueid", record.unique_id), "blobs": True})
    blobs = database.run(query).blobs
    if not blobs:
        return None
    data = blobs[0]
    sha256 = sha256_of(data)
    if record.sha256 not in (None, sha256):
        _log.warning(
            "The bytes of %s are not those that were registered: SHA-256 %s, recorded %s",
            record.guid,
            sha256,
            record.sha256,
        )
    mime_type = record.content_type or content_types.sniffed(data, _FAMILIES.get(record.kind))
    return Content(Medium(content_types.with_charset(mime_type, data), len(data), sha256), data)
