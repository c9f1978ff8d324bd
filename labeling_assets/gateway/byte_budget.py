"""How many bytes may be on their way from ApertureDB at a time. For one thread (the event loop)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ByteBudget:
    """Lets reads begin as long as their bytes fit together; one that alone is too large waits until it is alone."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def of(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait for room for so many bytes, and hold it."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._used_bytes or self._fits(size_bytes))
            self._used_bytes += size_bytes
        try:
            yield
        finally:
            async with self._changed:
                self._used_bytes -= size_bytes
                self._changed.notify_all()

    def _fits(self, size_bytes: int) -> bool:
        return self._used_bytes + size_bytes <= self._limit_bytes
