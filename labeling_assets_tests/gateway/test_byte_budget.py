import asyncio

from labeling_assets.gateway.byte_budget import ByteBudget


def reads_at_a_time(*sizes_bytes: int) -> int:
    """How many reads of a budget of 100 bytes run side by side at most, if all begin together."""
    running, most = 0, 0

    async def read(budget: ByteBudget, size_bytes: int) -> None:
        nonlocal running, most
        async with budget.of(size_bytes):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    async def all_of_them() -> None:
        budget = ByteBudget(100)
        await asyncio.gather(*(read(budget, size) for size in sizes_bytes))

    asyncio.run(all_of_them())
    return most


def test_what_fits_together_runs_together() -> None:
    assert reads_at_a_time(50, 50) == 2


def test_what_does_not_fit_waits() -> None:
    assert reads_at_a_time(50, 51) == 1


def test_what_never_fits_runs_alone() -> None:
    assert reads_at_a_time(500, 1) == reads_at_a_time(1, 500) == 1


def test_a_read_that_fails_gives_its_bytes_back() -> None:
    async def twice() -> None:
        budget = ByteBudget(100)
        for _ in range(2):
            try:
                async with budget.of(100):
                    raise OSError("broken")
            except OSError:
                continue

    asyncio.run(asyncio.wait_for(twice(), 5))
