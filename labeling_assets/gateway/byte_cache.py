"""What was used last, bounded by its bytes. For one thread (the event loop)."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ByteCache(Generic[Key, Value]):
    """Forgets what was not used for the longest time, so that all kept values have at most `limit_bytes` together."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.used_bytes = 0

    def get(self, key: Key) -> Value | None:
        """The value, which is now the one used last; None if it is not kept."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: Key, value: Value, *, size_bytes: int) -> None:
        """Keep a value; one above the limit is not kept and displaces nothing."""
        if key in self._kept:
            self.used_bytes -= self._kept.pop(key)[1]
        if size_bytes > self._limit_bytes:
            return
        self._kept[key] = (value, size_bytes)
        self.used_bytes += size_bytes
        while self.used_bytes > self._limit_bytes:
            _, (_, freed_bytes) = self._kept.popitem(last=False)
            self.used_bytes -= freed_bytes
