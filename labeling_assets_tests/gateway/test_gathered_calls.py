import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from labeling_assets.errors import TransientError
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.gathered_calls import GatheredCalls


class Letters:
    """Answers each key with its capital, and notes which keys came together. `gate` holds it up."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.gate = threading.Event()
        self.fails = False

    def __call__(self, keys: Sequence[str]) -> dict[str, str]:
        self.asked.append(list(keys))
        assert self.gate.wait(20)
        if self.fails:
            raise TransientError("no answer")
        return {key: key.upper() for key in keys if key != "missing"}


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def calls() -> Iterator[BlockingCalls]:
    calls = BlockingCalls(threads=4, timeout_s=20)
    yield calls
    calls.close()


async def get_all(gathered: GatheredCalls[str], letters: Letters, *keys: str) -> list[str | None]:
    """Ask for all of them before the first is answered."""
    tasks = [asyncio.create_task(gathered.get(key)) for key in keys]
    await asyncio.sleep(0)
    letters.gate.set()
    return await asyncio.gather(*tasks)


def test_everybody_gets_their_own(letters: Letters, calls: BlockingCalls) -> None:
    gathered = GatheredCalls(calls, letters)
    assert asyncio.run(get_all(gathered, letters, "a", "b", "c", "missing")) == ["A", "B", "C", None]


def test_what_has_to_wait_goes_together(letters: Letters, calls: BlockingCalls) -> None:
    asyncio.run(get_all(GatheredCalls(calls, letters), letters, "a", "b", "c", "d", "e"))
    assert letters.asked == [["a"], ["b", "c", "d", "e"]]


def test_one_key_is_asked_once(letters: Letters, calls: BlockingCalls) -> None:
    asyncio.run(get_all(GatheredCalls(calls, letters), letters, "a", "b", "b", "b"))
    assert letters.asked == [["a"], ["b"]]


def test_a_slow_call_does_not_hold_up_the_next(letters: Letters, calls: BlockingCalls) -> None:
    async def ask() -> None:
        gathered = GatheredCalls(calls, letters)
        tasks = [asyncio.create_task(gathered.get(key)) for key in "ab"]
        while len(letters.asked) < 2:
            await asyncio.sleep(0.005)
        letters.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(ask(), 20))
    assert letters.asked == [["a"], ["b"]]


def test_a_later_question_is_asked_again(letters: Letters, calls: BlockingCalls) -> None:
    gathered = GatheredCalls(calls, letters)

    async def twice() -> None:
        await get_all(gathered, letters, "a")
        await get_all(gathered, letters, "a")

    asyncio.run(twice())
    assert letters.asked == [["a"], ["a"]]


def test_everybody_gets_the_failure(letters: Letters, calls: BlockingCalls) -> None:
    letters.fails = True

    async def ask() -> list[str | BaseException | None]:
        gathered = GatheredCalls(calls, letters)
        letters.gate.set()
        return await asyncio.gather(*(gathered.get(key) for key in "abcd"), return_exceptions=True)

    assert [str(answer) for answer in asyncio.run(ask())] == ["no answer"] * 4


def test_after_a_failure_it_goes_on(letters: Letters, calls: BlockingCalls) -> None:
    async def ask() -> str | None:
        gathered = GatheredCalls(calls, letters)
        letters.gate.set()
        letters.fails = True
        with pytest.raises(TransientError):
            await gathered.get("a")
        letters.fails = False
        return await gathered.get("a")

    assert asyncio.run(ask()) == "A"


def test_one_that_gives_up_does_not_take_the_others_along(letters: Letters, calls: BlockingCalls) -> None:
    async def ask() -> str | None:
        gathered = GatheredCalls(calls, letters)
        first, second = (asyncio.create_task(gathered.get("a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        letters.gate.set()
        return await second

    assert asyncio.run(ask()) == "A"
