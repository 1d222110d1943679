"""Clock offset and request budgets on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from trailstop.errors import ReadFailed
from trailstop.venues.governor import AddressBudget, Governor, Window, urgent_reads
from trailstop.venues.offset import ServerClock

MINUTE_MS = 60_000


class ManualClock:
    """A clock that only moves when told to; sleeping moves it."""

    def __init__(self, wall_ms: int = 0) -> None:
        self.jump_ms = wall_ms
        self.passed_ms = 0
        self.sleeps: list[float] = []

    def wall_ms(self) -> int:
        return self.passed_ms + self.jump_ms

    def monotonic_ms(self) -> int:
        return self.passed_ms

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.passed_ms += round(seconds * 1_000)


def exchange(clock: ManualClock, ahead_ms: int, trips: list[tuple[int, int]]):
    """Reads of an exchange whose clock is `ahead_ms` before ours; trips are (there, back)."""
    left = iter(trips)

    async def read_ms() -> int:
        there, back = next(left)
        clock.passed_ms += there
        stated = clock.passed_ms + ahead_ms
        clock.passed_ms += back
        return stated

    return read_ms


@pytest.mark.parametrize(
    "trips",
    [
        pytest.param([(50, 50)] * 3, id="even"),
        pytest.param([(75, 25)] * 3, id="slow there"),
        pytest.param([(25, 75)] * 3, id="slow back"),
        pytest.param([(900, 10), (40, 40), (5, 600)], id="one good reading of three"),
    ],
)
@pytest.mark.parametrize("ahead_ms", [0, 3_600_000, -3_600_000])
async def test_the_estimate_is_close_and_never_ahead_of_the_exchange(trips, ahead_ms):
    clock = ManualClock(wall_ms=1_700_000_000_000)
    server = ServerClock(clock)
    await server.sync(exchange(clock, ahead_ms, trips))
    late_ms = (clock.passed_ms + ahead_ms) - server.now_ms()
    assert 0 <= late_ms <= 50


async def test_a_jump_of_the_wall_clock_changes_nothing():
    clock = ManualClock(wall_ms=5_000)
    server = ServerClock(clock)
    await server.sync(exchange(clock, 7_000, [(10, 10)] * 3))
    before = server.now_ms()
    clock.jump_ms += 3_600_000
    assert server.now_ms() == before


async def test_a_failed_reading_keeps_the_old_estimate():
    clock = ManualClock()
    server = ServerClock(clock)
    await server.sync(exchange(clock, 7_000, [(10, 10)] * 3))
    before = server.now_ms()

    async def fails() -> int:
        raise ReadFailed("no")

    with pytest.raises(ReadFailed):
        await server.sync(fails)
    assert (server.now_ms(), server.syncs) == (before, 1)


async def test_callers_that_come_together_share_one_synchronisation():
    server = ServerClock(ManualClock())
    reads = 0

    async def read_ms() -> int:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return 1_000

    await asyncio.gather(*(server.sync(read_ms) for _ in range(5)))
    assert reads == 3


def governor(clock: ManualClock, weight: int = 100, orders: int = 3) -> Governor:
    return Governor(
        clock.monotonic_ms,
        clock.sleep,
        AddressBudget(Window(weight, MINUTE_MS)),
        (Window(orders, 10_000), Window(1_200, MINUTE_MS)),
    )


async def test_reads_stop_at_four_fifths_and_go_on_in_the_next_minute():
    clock = ManualClock()
    budget = governor(clock)
    for _ in range(8):
        await budget.read(10)
    assert clock.sleeps == []
    await budget.read(10)
    assert clock.passed_ms >= MINUTE_MS


async def test_a_protective_write_uses_the_reserve_that_reads_may_not():
    clock = ManualClock()
    budget = governor(clock)
    await budget.read(80)
    assert budget.protective(weight=20) == 0
    assert budget.protective(weight=1) == MINUTE_MS


async def test_the_exchanges_own_count_is_believed_where_it_is_higher():
    clock = ManualClock()
    budget = governor(clock)
    budget.told(80, (), clock.monotonic_ms())
    await budget.read(1)
    assert clock.passed_ms >= MINUTE_MS
    budget.told(0, (), clock.monotonic_ms())
    assert budget.protective(weight=100) > 0


async def test_a_count_of_the_minute_before_says_nothing_of_this_one():
    clock = ManualClock()
    budget = governor(clock)
    sent_ms = clock.monotonic_ms()
    clock.passed_ms = MINUTE_MS
    budget.told(80, (), sent_ms)
    await budget.read(80)
    assert clock.sleeps == []


async def test_a_read_that_a_position_waits_for_uses_the_reserve():
    clock = ManualClock()
    budget = governor(clock)
    await budget.read(80)
    with urgent_reads():
        await budget.read(20)
    assert clock.sleeps == []
    await budget.read(1)
    assert clock.passed_ms >= MINUTE_MS


async def test_orders_are_counted_in_their_own_window():
    clock = ManualClock()
    budget = governor(clock)
    assert [budget.protective(0, orders=1) for _ in range(4)] == [0, 0, 0, 10_000]
    clock.passed_ms = 10_000
    assert budget.protective(0, orders=1) == 0
    budget.told(None, (3, None), clock.monotonic_ms())
    assert budget.protective(0, orders=1) == 10_000


async def test_nothing_leaves_while_the_exchange_asked_for_silence():
    clock = ManualClock()
    budget = governor(clock)
    budget.close_for(7_000)
    assert budget.protective(0, orders=1) == 7_000
    await budget.read(1)
    assert clock.passed_ms >= 7_000


async def test_a_read_behind_a_long_ban_fails_at_once_and_says_how_long():
    clock = ManualClock()
    budget = governor(clock)
    budget.close_for(600_000)
    with pytest.raises(ReadFailed, match="600 s"):
        await budget.read(1)
    assert clock.sleeps == []


async def test_accounts_of_one_address_share_weight_and_ban_but_not_orders():
    clock = ManualClock()
    address = AddressBudget(Window(100, MINUTE_MS))
    first, second = (
        Governor(clock.monotonic_ms, clock.sleep, address, (Window(1, 10_000),)) for _ in range(2)
    )
    assert first.protective(60, orders=1) == 0
    assert second.protective(0, orders=1) == 0
    assert second.protective(60) == MINUTE_MS
    first.close_for(90_000)
    assert second.protective(0) == 90_000
