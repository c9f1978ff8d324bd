import asyncio
from collections.abc import Callable

import pytest

from labeling_assets.gateway.joined_writes import JoinedWrites


class Transport:
    """Notes what is written in one call."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, ...]] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.calls.append((bytes(data),))

    def writelines(self, data: tuple[bytes, ...]) -> None:
        assert not self.is_closed
        self.calls.append(tuple(map(bytes, data)))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def written(steps: Callable[[JoinedWrites], None]) -> list[tuple[bytes, ...]]:
    """The calls that these steps lead to, once the loop had time."""
    transport = Transport()

    async def run() -> None:
        steps(JoinedWrites(transport, asyncio.get_running_loop()))  # type: ignore[arg-type]
        await asyncio.sleep(0)

    asyncio.run(run())
    return transport.calls


LONG = bytes(5000)


def test_a_head_and_its_body_are_one_call() -> None:
    assert written(lambda joined: [joined.write(b"head"), joined.write(LONG)]) == [(b"head", LONG)]


def test_a_head_alone_is_sent_when_the_loop_has_time() -> None:
    assert written(lambda joined: joined.write(b"head")) == [(b"head",)]


def test_what_is_long_does_not_wait() -> None:
    assert written(lambda joined: [joined.write(LONG), joined.write(LONG)]) == [(LONG,), (LONG,)]


def test_nothing_is_sent_twice_or_out_of_order() -> None:
    steps = [b"a", b"b", b"c", LONG, b"d"]
    calls = written(lambda joined: [joined.write(data) for data in steps])
    assert b"".join(part for call in calls for part in call) == b"abc" + LONG + b"d"


def test_closing_sends_what_waits() -> None:
    assert written(lambda joined: [joined.write(b"head"), joined.close()]) == [(b"head",)]


@pytest.mark.parametrize("closes", [True, False])
def test_everything_else_is_asked_of_the_transport(closes: bool) -> None:
    found = []
    written(lambda joined: [joined.close() if closes else None, found.append(joined.is_closing())])
    assert found == [closes]
