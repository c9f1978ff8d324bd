"""The two exceptions of the local server.

QueryError          reaches the client as one answer object; nothing of its query is kept
LocalServerError    the server cannot start or go on; for whoever started it
"""

from typing import Final

OK: Final = 0
EXISTS: Final = 2
NOT_UNIQUE: Final = 3
TOO_LARGE: Final = 4
ERROR: Final = -1


class QueryError(Exception):
    """What a client did wrong; `info` is a text of `messages.py`."""

    def __init__(self, info: str, status: int = ERROR) -> None:
        super().__init__(info)
        self.info = info
        self.status = status

    def inside(self, place: str) -> "QueryError":
        """The same error, with where it was found in front of its text."""
        return QueryError(f"{place}: {self.info}", self.status)


class LocalServerError(Exception):
    """The data directory is in use or too new, or an option is not supported."""
