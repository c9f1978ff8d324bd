import asyncio
import threading
from collections.abc import Iterator

import pytest

from labeling_assets.errors import RefusedError, TransientError
from labeling_assets.gateway.blocking_calls import BlockingCalls


@pytest.fixture
def calls() -> Iterator[BlockingCalls]:
    calls = BlockingCalls(threads=2, timeout_s=30)
    yield calls
    calls.close()


def test_the_result_comes_back(calls: BlockingCalls) -> None:
    assert asyncio.run(calls.run(lambda: 7)) == 7


def test_the_exception_comes_back(calls: BlockingCalls) -> None:
    def refuse() -> None:
        raise RefusedError("no")

    with pytest.raises(RefusedError, match="no"):
        asyncio.run(calls.run(refuse))


def test_calls_run_side_by_side(calls: BlockingCalls) -> None:
    """Each of the two waits until the other is there too."""
    both = threading.Barrier(2, timeout=20)

    async def two() -> list[int]:
        return sorted(await asyncio.gather(calls.run(both.wait), calls.run(both.wait)))

    assert asyncio.run(two()) == [0, 1]


def test_what_takes_too_long_may_be_tried_again(calls: BlockingCalls) -> None:
    released = threading.Event()
    with pytest.raises(TransientError, match=r"within 0\.01 s"):
        asyncio.run(calls.run(lambda: released.wait(20), timeout_s=0.01))
    released.set()


def test_the_same_threads_are_used_again(calls: BlockingCalls) -> None:
    """Every thread has a socket to ApertureDB: a new thread per call would be a new login per call."""

    async def ten() -> set[int]:
        return {await calls.run(threading.get_ident) for _ in range(10)}

    assert len(asyncio.run(ten())) <= 2
