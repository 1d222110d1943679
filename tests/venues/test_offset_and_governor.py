"""Clock offset and request budgets on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from trailstop.errors import ReadFailed
from trailstop.venues.governor import (
    AddressBudget,
    Governor,
    RollingWindow,
    Window,
    patient_reads,
    urgent_reads,
)
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


async def test_a_read_that_nothing_waits_for_leaves_most_to_all_others():
    clock = ManualClock()
    budget = governor(clock)
    with patient_reads():
        await budget.read(25)
        assert clock.sleeps == []
        await budget.read(1)
    assert clock.passed_ms >= MINUTE_MS


async def test_a_move_waits_until_what_follows_from_it_has_room_too():
    clock = ManualClock()
    budget = governor(clock)
    await budget.read(79)
    assert await budget.move(0, 1, then_weight=1) == 0
    await budget.read(1)
    assert await budget.move(0, 1, then_weight=1) > 0
    assert budget.protective(1) == 0, "the cancel itself takes the reserve"


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


# --- moves, which can wait ---------------------------------------------------------------------
async def test_what_can_wait_is_told_for_how_long_and_asking_counts_nothing():
    clock = ManualClock()
    budget = governor(clock, weight=100, orders=10)
    assert [budget.spare_ms(1, orders=1) for _ in range(50)] == [0] * 50
    for _ in range(8):
        assert budget.protective(1, orders=1) == 0
    clock.passed_ms = 4_000
    assert budget.spare_ms(1, orders=1) == 6_000, "a fifth of the orders is for protection"
    assert budget.protective(1, orders=1) == 0, "which takes it"
    clock.passed_ms = 10_000
    assert budget.spare_ms(1, orders=1) == 0


async def test_what_can_wait_leaves_a_fifth_of_the_weight_and_waits_out_a_ban():
    clock = ManualClock()
    budget = governor(clock, weight=100, orders=10)
    assert budget.protective(79) == 0
    assert budget.spare_ms(1) == 0
    assert budget.spare_ms(2) == MINUTE_MS
    budget.close_for(90_000)
    assert budget.spare_ms(0, orders=1) == 90_000


async def test_a_move_waits_a_little_for_room_outside_the_reserve():
    clock = ManualClock()
    address = AddressBudget(RollingWindow(1_000, 5_000))
    budget = Governor(clock.monotonic_ms, clock.sleep, address, (RollingWindow(10, 1_000),))
    assert [await budget.move(1, orders=1) for _ in range(8)] == [0] * 8
    assert clock.passed_ms == 0
    assert await budget.move(1, orders=1) == 0
    assert 1_000 <= clock.passed_ms < 1_100
    assert budget.protective(1, orders=1) == 0


async def test_a_move_that_would_wait_long_is_given_back_and_not_counted():
    clock = ManualClock()
    budget = governor(clock, orders=10)
    budget.told(None, (8, None), 0)
    assert await budget.move(1, orders=1) == 10_000
    assert clock.passed_ms == 0
    assert budget.orders[0].used(0) == 8


async def test_a_rolling_limit_says_when_enough_of_it_is_free():
    window = RollingWindow(10, 1_000)
    for at_ms in (0, 100, 200, 300):
        window.add(at_ms, 2)
    assert window.wait_ms(400, 1, 8) == 600
    assert window.wait_ms(400, 3, 8) == 700
    assert window.wait_ms(400, 2, 10) == 0


async def test_no_correction_of_the_exchanges_clock_ends_a_ban():
    clock = ManualClock()
    ahead_ms = [0]
    budget = Governor(
        lambda: clock.monotonic_ms() + ahead_ms[0],
        clock.sleep,
        AddressBudget(Window(100, MINUTE_MS)),
        steady_ms=clock.monotonic_ms,
    )
    budget.close_for(60_000)
    ahead_ms[0] = 3_600_000
    assert budget.protective(1) == 60_000
    ahead_ms[0] = -3_600_000
    clock.passed_ms = 60_000
    assert budget.protective(1) == 0


async def test_a_clock_set_back_frees_nothing_and_shuts_nothing_for_good():
    clock = ManualClock()
    clock.passed_ms = 10 * MINUTE_MS
    budget = governor(clock)
    await budget.read(80)
    clock.passed_ms -= MINUTE_MS // 2
    assert budget.protective(21) > 0
    clock.passed_ms += MINUTE_MS
    assert budget.protective(100) == 0


async def test_an_overflow_of_the_minute_is_waited_out_as_a_whole():
    clock = ManualClock()
    budget = governor(clock)
    assert budget.orders_exhausted() == 10_000
    assert budget.orders_exhausted(longest=True) == MINUTE_MS
    clock.passed_ms = 10_000
    assert budget.protective(0, orders=1) == MINUTE_MS - 10_000
