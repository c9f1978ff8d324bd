"""Dates: read in every form the server takes, kept in one form whose text order is the time order."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError

# "Thu Jul  5 12:30:00 2018", and the same with the name of the zone before the year.
_CTIME_FORMATS: Final = ("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S %Z %Y")


@dataclass(frozen=True, slots=True)
class Date:
    """A moment in UTC with microseconds; `text` sorts like the moment."""

    text: str


def parse_date(text: object) -> Date:
    """Without a zone, UTC is meant. Raises QueryError."""
    if not isinstance(text, str):
        raise QueryError(messages.NOT_A_DATE.format(text=text))
    moment = _read(text.strip())
    if moment is None:
        raise QueryError(messages.NOT_A_DATE.format(text=text))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return Date(moment.astimezone(UTC).isoformat(timespec="microseconds"))
    except OverflowError as error:  # the year 1 or 9999, moved over the edge by its zone
        raise QueryError(messages.NOT_A_DATE.format(text=text)) from error


def _read(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in _CTIME_FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None
