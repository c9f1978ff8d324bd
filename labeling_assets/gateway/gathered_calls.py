"""One query for many requests: what is asked for while queries are under way waits a moment and goes together."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from labeling_assets.gateway.blocking_calls import BlockingCalls

Value = TypeVar("Value")

# So many at a time: with more, each query brings fewer keys and costs as much.
_AT_ONCE: Final = 2
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

    async def get(self, key: str) -> Value | None:
        """The value of `key`; raises what the call raised."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if len(self._under_way) < _AT_ONCE:
                self._start()
        # An asker that gives up must not take the others' answer with it.
        return await asyncio.shield(future)

    def _start(self) -> None:
        taken = {key: self._waiting.pop(key) for key in list(self._waiting)[:_MOST_KEYS]}
        task = asyncio.create_task(self._ask(taken))
        self._under_way.add(task)
        task.add_done_callback(self._go_on)

    def _go_on(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._waiting:
            self._start()

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
