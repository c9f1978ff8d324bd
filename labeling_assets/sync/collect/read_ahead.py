"""Reading while others write: an iterator whose next items are fetched by a thread."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

Item = TypeVar("Item")
_END: Final[Any] = object()
_PATIENCE_S: Final = 20.0


def read_ahead(
    items: Iterator[Item],
    depth: int = 2,
    *,
    waiting: Callable[[], None] = lambda: None,
    patience_s: float = _PATIENCE_S,
) -> Iterator[Item]:
    """The items in their order; `depth` of them are fetched before they are asked for, so memory is bounded.

    An error of `items` is raised in its place. `waiting` is called in the caller's thread whenever an item takes
    longer than another `patience_s` seconds. When the caller stops early, the item that is being fetched is awaited.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        coming: deque[Future[Item]] = deque(reader.submit(next, items, _END) for _ in range(depth))
        try:
            while (item := _result(coming.popleft(), waiting, patience_s)) is not _END:
                coming.append(reader.submit(next, items, _END))
                yield item
        finally:
            for future in coming:
                future.cancel()


def _result(future: Future[Item], waiting: Callable[[], None], patience_s: float) -> Item:
    while True:
        try:
            return future.result(patience_s)
        except TimeoutError:
            if future.done():  # the error is one of `items`
                raise
            waiting()
