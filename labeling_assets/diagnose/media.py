"""One medium of the database to try links with."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import present
from labeling_assets.clients.query import Query
from labeling_assets.sync.media_store import KINDS, media_condition

_TRIED: Final = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """A medium; `mime_type` is what it was registered with."""

    guid: str
    mime_type: str | None


def sample_of(db: ApertureDB, *, denied: Collection[str]) -> Sample | None:
    """Some medium that may be shown and has bytes, a picture if there is one; None if there is none."""
    query = Query()
    wanted = [names.GUID, "LS_mime_type", "LS_size_bytes"]
    places = [
        query.add(
            f"Find{kind}",
            {
                "constraints": media_condition(kind, present(names.GUID)),
                "results": {"list": wanted},
                "blobs": False,
                "limit": _TRIED,
            },
        )
        for kind in KINDS
    ]
    reply = db.run(query)
    for row in (row for place in places for row in reply.objects(place)):
        guid, mime_type = str(row[names.GUID]), row["LS_mime_type"]
        if guid not in denied and row["LS_size_bytes"] != 0:
            return Sample(guid, None if mime_type is None else str(mime_type).partition(";")[0].strip().lower())
    return None
