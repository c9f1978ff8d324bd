"""Which links open: those that are signed and have not ended, whose key was not retired and whose medium not denied."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import LabelingAssetsError
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.media_urls import MediaLinks
from labeling_assets.sync.link_rules import LinkRules, load_link_rules

_log = logging.getLogger(__name__)

# Rules are read again after the first time; requests wait for that only after the second.
FRESH_S: Final = 2.0
STALE_S: Final = 5.0
_TIMEOUT_S: Final = 5.0


class LinkGate:
    """Asks ApertureDB for the rules at most every two seconds, and only while there are requests.

    Without rules nothing opens: what was denied must stay so while ApertureDB is away.
    """

    def __init__(
        self, links: MediaLinks, database: Callable[[], ApertureDB], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._links = links
        self._database = database
        self._clock = clock
        # A thread of its own: those that read media may all be busy.
        self._calls = BlockingCalls(threads=1, timeout_s=_TIMEOUT_S)
        self._rules = LinkRules()
        self._read_at = -STALE_S * 1000
        self._reading: asyncio.Task[None] | None = None

    async def refusal(self, guid: str, query: Mapping[str, str]) -> str | None:
        """Why a link does not open, for the log; None if it does.

        Raises:
            LabelingAssetsError: ApertureDB does not say what was denied.
        """
        # The signature first: what strangers send costs no query.
        return self._links.refusal(guid, query) or (await self._current()).refusal(guid, query)

    def close(self) -> None:
        """Read no more."""
        self._calls.close()

    async def _current(self) -> LinkRules:
        age_s = self._clock() - self._read_at
        if age_s > FRESH_S:
            reading = self._read()
            if age_s > STALE_S:
                # A request that is given up must not take the others' read with it.
                await asyncio.shield(reading)
        return self._rules

    def _read(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._reading = asyncio.create_task(self._load())
            self._reading.add_done_callback(self._done)
        return self._reading

    async def _load(self) -> None:
        began = self._clock()
        self._rules = await self._calls.run(lambda: load_link_rules(self._database()))
        self._read_at = began

    def _done(self, reading: asyncio.Task[None]) -> None:
        self._reading = None
        if not reading.cancelled() and isinstance(reading.exception(), LabelingAssetsError):
            _log.warning("What links do not open is not known: %s", reading.exception())
