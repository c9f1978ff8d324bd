"""What ApertureDB makes of a picture for a link: a smaller one, another format, the crop of a region."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal, one_of
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError
from labeling_assets.gateway import content_types
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.bodies import Content, Medium, MemoryBody
from labeling_assets.gateway.byte_cache import ByteCache
from labeling_assets.gateway.records import Record
from labeling_assets.identity import labels_guid, sha256_of
from labeling_assets.media_urls import EXPIRY, KEY, PLAYER, SIGNATURE
from labeling_assets.names import LS_GUID

_OF_LINKS: Final = frozenset((KEY, SIGNATURE, EXPIRY, PLAYER))
_KNOWN: Final = ("width", "height", "format", "region")
_FORMATS: Final = ("jpg", "png")
_LARGEST_SIDE: Final = 4096
_REGION: Final = re.compile(r"[A-Za-z0-9-]{1,100}\Z")
_MEMORY_BYTES: Final = 32 * 2**20

Box = tuple[int, int, int, int]  # left, top, width, height in pixels of the stored picture


@dataclass(frozen=True, slots=True)
class Derivative:
    """What a link asks to be made: at most so wide and high, in a format, of a region only. None: as it is."""

    width: int | None = None
    height: int | None = None
    form: str | None = None
    region: str | None = None

    @classmethod
    def asked_for(cls, query: Mapping[str, str]) -> Self | None:
        """None if the link asks for the medium itself.

        Raises:
            InputError: a parameter is not known, or has a value that it cannot have.
        """
        asked = {name: value for name, value in query.items() if name not in _OF_LINKS}
        if not asked:
            return None
        unknown = [name for name in asked if name not in _KNOWN]
        if unknown:
            raise InputError(f"The parameter {unknown[0][:40]!r} is not known: use {', '.join(_KNOWN)}.")
        form, region = asked.get("format"), asked.get("region")
        if form is not None and form not in _FORMATS:
            raise InputError(f"The format {form[:40]!r} is not known: use {' or '.join(_FORMATS)}.")
        if region is not None and not _REGION.match(region):
            raise InputError(f"{region[:40]!r} cannot be the LS_guid of a region.")
        return cls(_side(asked, "width"), _side(asked, "height"), form, region)

    def size(self, width: int, height: int) -> tuple[int, int] | None:
        """The size of what is made of so many pixels, in proportion; None if nothing has to be made smaller."""
        scale = min(1.0, (self.width or width) / width, (self.height or height) / height)
        return None if scale == 1.0 else (max(1, round(width * scale)), max(1, round(height * scale)))


def _side(asked: Mapping[str, str], name: str) -> int | None:
    text = asked.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= _LARGEST_SIDE:
        raise InputError(f"{name}={text[:40]!r} is no whole number from 1 to {_LARGEST_SIDE}.")
    return int(text)


class DerivativeReader:
    """Asks ApertureDB for what links want of pictures, and keeps what was used last in memory."""

    def __init__(self, database: Callable[[], ApertureDB], calls: BlockingCalls) -> None:
        self._database = database
        self._calls = calls
        self._kept: ByteCache[tuple[Record, Derivative, Box | None], Content] = ByteCache(_MEMORY_BYTES)
        self._reading: dict[tuple[Record, Derivative], asyncio.Task[Content | None]] = {}

    async def content(self, record: Record, wanted: Derivative) -> Content | None:
        """The derivative; None if the medium is no picture in ApertureDB, or has no such region (any more)."""
        if record.kind != "Image":
            return None
        key = (record, wanted)
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(record, wanted))
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        # A request that is given up must not take the others' read with it.
        return await asyncio.shield(reading)

    async def _read(self, record: Record, wanted: Derivative) -> Content | None:
        # A region may have been moved, so where it is is asked every time; that is one look-up by an index.
        box = await self._calls.run(lambda: find_box(self._database(), record, wanted)) if wanted.region else None
        if wanted.region and box is None:
            return None
        kept = self._kept.get((record, wanted, box))
        if kept is not None:
            return kept
        data = await self._calls.run(lambda: read_derivative(self._database(), record, wanted, box=box))
        if data is None:
            return None
        medium = Medium(content_types.sniffed(data, "image"), len(data), sha256_of(data))
        content = Content(medium, MemoryBody(data))
        self._kept.put((record, wanted, box), content, size_bytes=len(data))
        return content


def find_box(database: ApertureDB, record: Record, wanted: Derivative) -> Box | None:
    """The box of a region of this medium, or the one that was derived from it; None if there is none."""
    found = database.one("FindBoundingBox", {**_region(record, wanted), "coordinates": True})
    for row in found.get("entities") or ():
        place = row["_coordinates"]
        return int(place["x"]), int(place["y"]), int(place["width"]), int(place["height"])
    return None


def read_derivative(database: ApertureDB, record: Record, wanted: Derivative, *, box: Box | None) -> bytes | None:
    """The bytes; None if the picture, its size or the region is not there."""
    if box is None:
        size = _size_of(database, record)
        command, body = "FindImage", {"constraints": equal("_uniqueid", record.unique_id), "blobs": True}
    else:
        size = box[2:]
        command, body = "FindBoundingBox", {**_region(record, wanted), "blobs": True}
    if size is None:
        return None
    smaller = wanted.size(*size)
    if smaller is not None:
        # Both sides: what one alone means to a server is not known.
        body["operations"] = [{"type": "resize", "width": smaller[0], "height": smaller[1]}]
    if wanted.form is not None:
        body["as_format"] = wanted.form
    query = Query()
    query.add(command, body)
    blobs = database.run(query).blobs
    return blobs[0] if blobs else None


def _region(record: Record, wanted: Derivative) -> dict[str, Any]:
    region = wanted.region or ""
    guids = one_of(LS_GUID, (region, labels_guid("derived", region)))
    condition = all_of(guids, equal("LS_media_guid", record.guid))
    return {"constraints": condition, "results": {"list": [LS_GUID]}, "limit": 1}


def _size_of(database: ApertureDB, record: Record) -> tuple[int, int] | None:
    """Width and height of a stored picture, if ApertureDB knows them."""
    body = {"constraints": equal("_uniqueid", record.unique_id), "results": {"list": ["LS_width", "LS_height"]}}
    for row in database.one("FindImage", {**body, "blobs": False}).get("entities") or ():
        if row["LS_width"] and row["LS_height"]:
            return int(row["LS_width"]), int(row["LS_height"])
    return None
