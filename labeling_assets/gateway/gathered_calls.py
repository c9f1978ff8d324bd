"""One query for many requests: what is asked for while queries are under way waits a moment and goes together."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from labeling_assets.gateway.blocking_calls import BlockingCalls

Value = TypeVar("Value")

# One at a time, so that each query brings as many keys as came meanwhile; the next waits so long for a slow one.
_SLOW_S: Final = 0.02
_AT_ONCE: Final = 4
_MOST_KEYS: Final = 64


class GatheredCalls(Generic[Value]):
    """Asks `call` for keys and gives each asker the value of its own, or None where there is none.

    A key that is asked for when nothing is under way goes at once, so that gathering costs no time. For one thread (the
    event loop).
    """

    def __init__(self, calls: BlockingCalls, call: Callable[[Sequence[str]], Mapping[str, Value]]) -> None:
        self._calls = calls
        self._call = call
        self._waiting: dict[str, asyncio.Future[Value | None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._last_began_s = 0.0

    async def get(self, key: str) -> Value | None:
        """The value of `key`; raises what the call raised."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            self._go_on()
        # An asker that gives up must not take the others' answer with it.
        return await asyncio.shield(future)

    def _go_on(self) -> None:
        """Ask for what waits, unless a query that began just now is likely to end soon."""
        now_s = time.monotonic()
        soon = self._under_way and now_s - self._last_began_s < _SLOW_S
        if not self._waiting or soon or len(self._under_way) >= _AT_ONCE:
            return
        self._last_began_s = now_s
        asyncio.get_running_loop().call_later(_SLOW_S, self._go_on)
        taken = {key: self._waiting.pop(key) for key in list(self._waiting)[:_MOST_KEYS]}
        task = asyncio.create_task(self._ask(taken))
        self._under_way.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._go_on()

    async def _ask(self, futures: Mapping[str, asyncio.Future[Value | None]]) -> None:
        keys = list(futures)
        try:
            values = await self._calls.run(lambda: self._call(keys))
        except asyncio.CancelledError:  # the gateway stops
            for future in futures.values():
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the askers get it
            for future in futures.values():
                future.set_exception(error)
                future.exception()  # an asker that gave up leaves nobody to look at it
            return
        for key, future in futures.items():
            future.set_result(values.get(key))
