"""Media for the gateway: found by GUID, their bytes read from ApertureDB once and kept for all ranges of them."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import TransientError
from labeling_assets.gateway import content_types
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.bodies import Content, FileBody, Medium, MemoryBody
from labeling_assets.gateway.byte_budget import ByteBudget
from labeling_assets.gateway.byte_cache import ByteCache
from labeling_assets.gateway.disk_cache import DiskCache
from labeling_assets.gateway.gathered_calls import GatheredCalls
from labeling_assets.gateway.records import Record, find_records, find_small, read_bytes
from labeling_assets.gateway.sources import SourceReader
from labeling_assets.identity import sha256_of
from labeling_assets.media_sources import NOWHERE, MediaSources

_log = logging.getLogger(__name__)

# The first half of the content types that a kind can have; a Blob can have any.
_FAMILIES: Final[dict[str, content_types.Family]] = {"Image": "image", "Video": "video"}
_SMALL_BYTES: Final = 2**20  # kept in memory; what is larger goes to the disk
_RECORDS: Final = 20_000  # that are remembered
# The client of ApertureDB holds a content up to three times while it receives it.
_READING_BYTES: Final = 256 * 2**20
_LOOKED_AT_BYTES: Final = 2**20
_GUESSED_BYTES: Final = 64 * 2**20  # of a medium of which ApertureDB does not say how large it is


@dataclass(frozen=True, slots=True)
class MediaCaches:
    """Where contents are kept: small ones in `memory_bytes` of memory, others on the disk if there is a place.

    What ApertureDB says of a medium is believed for `record_age_s` without asking again. With `accel_path` a server
    before the gateway sends the files of the disk itself: below this path of its own it serves their folder.
    """

    disk: DiskCache | None = None
    memory_bytes: int = 128 * 2**20
    record_age_s: float = 5.0
    accel_path: str = ""


class MediaReader:
    """Looks media up as often as their records grow old, reads their bytes as seldom as the caches allow.

    Every method returns None when ApertureDB has no such medium (any more), and raises what `ApertureDB.run` raises.
    """

    def __init__(
        self,
        database: Callable[[], ApertureDB],
        calls: BlockingCalls,
        *,
        caches: MediaCaches,
        sources: MediaSources = NOWHERE,
    ) -> None:
        self._database = database
        self._sources = SourceReader(sources)
        self._calls = calls
        self._caches = caches
        self._lookups = GatheredCalls(calls, lambda guids: find_records(database(), guids))
        self._small = GatheredCalls(calls, lambda guids: find_small(database(), guids))
        self._records: ByteCache[str, tuple[Record, float]] = ByteCache(_RECORDS)
        self._measured: ByteCache[Record, Medium] = ByteCache(_RECORDS)
        self._memory: ByteCache[Record, tuple[Medium, MemoryBody]] = ByteCache(caches.memory_bytes)
        self._budget = ByteBudget(_READING_BYTES)
        self._reading: dict[Record, asyncio.Task[Content | None]] = {}

    async def record(self, guid: str, *, for_bytes: bool = False) -> Record | None:
        """What ApertureDB says of a medium. If it is asked `for_bytes`, few bytes come along and are kept."""
        record, until_s = self._records.get(guid) or (None, 0.0)
        if record is not None and time.monotonic() < until_s:
            return record
        bring = for_bytes and (record is None or self._memory.get(record) is None)
        found = await (self._small if bring else self._lookups).get(guid)
        if found is None:
            return None
        if found.data is not None:
            self._keep(found.record, found.data)
        until_s = time.monotonic() + self._caches.record_age_s
        self._records.put(guid, (found.record, until_s), size_bytes=1)
        return found.record

    async def sha256(self, record: Record) -> str | None:
        """The digest of the bytes; reads them only if ApertureDB does not say it."""
        measured = self._measured.get(record)
        if measured is not None or record.sha256 is not None:
            return measured.sha256 if measured else record.sha256
        medium = await self.medium(record)
        return medium.sha256 if medium else None

    async def medium(self, record: Record) -> Medium | None:
        """Type, size and digest; reads the bytes only if ApertureDB does not say them all."""
        known = self._measured.get(record) or record.medium()
        if known is not None:
            return known
        content = await self.content(record)
        if content is None:
            return None
        await content.body.close()
        return content.medium

    async def content(self, record: Record) -> Content | None:
        """The bytes. Requests that come while they are being read wait for the same read.

        Raises:
            RefusedError: those of a registered medium may not be read, or are others by now.
        """
        if record.stored_at is not None:
            return await self._sources.open(record)
        kept = self._memory.get(record)
        if kept is not None:
            return Content(*kept)
        on_disk = await self._on_disk(record)
        if on_disk is not None:
            return on_disk
        reading = self._reading.get(record)
        if reading is None:
            reading = self._reading[record] = asyncio.create_task(self._read(record))
            reading.add_done_callback(lambda _: self._reading.pop(record, None))
        # A request that is given up must not take the others' read with it.
        content = await asyncio.shield(reading)
        return Content(content.medium, content.body.again()) if content else None

    def accel_path(self, content: Content) -> str | None:
        """Where the server before the gateway finds these bytes; None if it does not have them."""
        disk, body = self._caches.disk, content.body
        if not self._caches.accel_path or disk is None or not isinstance(body, FileBody):
            return None
        path = disk.path(content.medium.sha256)
        return f"{self._caches.accel_path}{path.parent.name}/{path.name}" if body.path == path else None

    async def close(self) -> None:
        """Hang up where media are streamed from."""
        await self._sources.close()

    async def _on_disk(self, record: Record) -> Content | None:
        measured = self._measured.get(record)
        sha256 = measured.sha256 if measured else record.sha256
        body = self._caches.disk.open(sha256) if self._caches.disk and sha256 else None
        if body is None:
            return None
        if measured is None:
            measured = await self._measure_file(record, body)
            self._measured.put(record, measured, size_bytes=1)
        return Content(measured, body)

    async def _measure_file(self, record: Record, body: FileBody) -> Medium:
        if record.content_type is not None and not content_types.lacks_charset(record.content_type):
            return _measured_file(record, body)  # without a look at the bytes
        try:
            return await asyncio.to_thread(_measured_file, record, body)
        except OSError as error:
            await body.close()
            raise TransientError(f"The cached file {body.path} cannot be read: {error.strerror}.") from error

    async def _read(self, record: Record) -> Content | None:
        size_bytes = _GUESSED_BYTES if record.size_bytes is None else record.size_bytes
        async with self._budget.of(size_bytes):
            content = await self._calls.run(lambda: self._fetch(record))
        if content is not None:
            self._measured.put(record, content.medium, size_bytes=1)
            if isinstance(content.body, MemoryBody):
                self._memory.put(record, (content.medium, content.body), size_bytes=content.medium.size_bytes)
        return content

    def _fetch(self, record: Record) -> Content | None:
        """In a thread: from ApertureDB, unless another gateway on the same folder was quicker."""
        disk = self._caches.disk
        if disk is None or record.sha256 is None or (record.size_bytes or 0) <= _SMALL_BYTES:
            return self._fetched(record)
        with disk.reading(record.sha256):
            body = disk.open(record.sha256)
            return Content(_measured_file(record, body), body) if body else self._fetched(record)

    def _fetched(self, record: Record) -> Content | None:
        data = read_bytes(self._database(), record)
        if data is None:
            return None
        medium, disk = _measured(record, data), self._caches.disk
        body = disk.put(medium.sha256, data) if disk and len(data) > _SMALL_BYTES else None
        return Content(medium, body or MemoryBody(data))

    def _keep(self, record: Record, data: bytes) -> None:
        medium = _measured(record, data)
        self._measured.put(record, medium, size_bytes=1)
        self._memory.put(record, (medium, MemoryBody(data)), size_bytes=len(data))


def _measured(record: Record, data: bytes) -> Medium:
    """What is said of bytes is measured on them, whatever ApertureDB has recorded."""
    sha256 = sha256_of(data)
    if record.sha256 not in (None, sha256):
        _log.warning(
            "The bytes of %s are not those that were registered: SHA-256 %s, recorded %s",
            record.guid,
            sha256,
            record.sha256,
        )
    return Medium(_content_type(record, lambda: data[:_LOOKED_AT_BYTES], [data]), len(data), sha256)


def _measured_file(record: Record, body: FileBody) -> Medium:
    """As `_measured`; the digest is the file's name."""
    content_type = _content_type(record, lambda: body.read(_LOOKED_AT_BYTES, 0), body.everything())
    return Medium(content_type, body.status.st_size, body.path.name)


def _content_type(record: Record, head: Callable[[], bytes], pieces: Iterable[bytes]) -> str:
    mime_type = record.content_type or content_types.sniffed(head(), _FAMILIES.get(record.kind))
    return content_types.with_charset(mime_type, pieces)
