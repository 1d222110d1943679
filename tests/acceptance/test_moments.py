"""Short stories that random ones came down to: each is a fault that was found by chance."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from trailstop.domain.position import Cause, StopKind


def test_a_position_that_ends_while_it_is_read_is_never_taken_for_one(sit, side):
    async def story(table):
        # Orders take 25 to 75 ms a way, a pass two or three requests.
        pauses = [number / 50 for number in range(1, 20)]
        for pause in pauses:
            table.open(side)
            await table.wait(pause)
            table.close(side)
            await table.wait(6)
        epochs = await table.epochs(side)
        assert {epoch.cause for epoch in epochs} <= {Cause.CLOSED_ELSEWHERE}
        assert all(epoch.opened_at_ms <= epoch.closed_at_ms for epoch in epochs)
        assert table.stops(side) == []

    sit(story)


def test_a_stop_that_ends_a_position_of_unknown_opening_is_told_as_the_stop(sit, side):
    async def story(table):
        table.open(side)
        await table.start()
        await table.wait(2)
        table.open(side, "0.02")
        await table.wait(3)
        table.price(table.up(side, "-2.5"))
        await table.wait(6)
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.INITIAL_STOP

    sit(story, guard_first=False)


def _coarser(table, tick="2"):
    table.world.change_market(table.exchange.symbol, tick_size=Decimal(tick))
    table.paper.exchange.tell()


def test_a_tick_that_changed_while_nobody_listened_is_learned_at_the_start(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        await table.stop()
        _coarser(table)
        await table.start()
        table.price("10202" if side == "long" else "9798")
        # The first move after the start is on the new grid at once, with nothing refused.
        await table.wait(3)
        stop = table.working(side).price
        assert stop % 2 == 0, stop
        assert Decimal("1.40") < table.gain_of(side, stop) < Decimal("1.60")
        table.assert_never_bare()

    sit(story)


@pytest.mark.parametrize("known", [True, False], ids=["known", "not-yet-known"])
def test_what_is_added_after_the_tick_changed_is_covered(sit, side, known):
    async def story(table):
        table.price("10000.7")
        table.open(side)
        await table.wait(2)
        before = table.working(side).price
        assert before % 2, "it lies off the new grid"
        _coarser(table)
        if known:
            await table.stop()
            await table.start()
        table.open(side)
        await table.wait(2 if known else 8)
        stop = table.working(side)
        assert stop.quantity == Decimal("0.2")
        assert stop.price % 2 == 0 or table.layers == 1, "in place its size follows by itself"
        # The average has moved a little too.
        assert 0 <= (stop.price - before) * (1 if side == "long" else -1) < 6
        assert table.clocks().unprotected_ms == 0

    sit(story)


def test_a_stop_that_goes_after_the_tick_changed_is_put_back_on_the_new_grid(sit, side):
    async def story(table):
        table.price("10000.7")
        table.open(side)
        await table.wait(2)
        before = table.working(side).price
        await table.stop()
        _coarser(table)
        await table.start()
        table.remove(table.working(side))
        await table.wait(2)
        stop = table.working(side)
        assert stop.price % 2 == 0
        assert 0 <= (stop.price - before) * (1 if side == "long" else -1) < 2

    sit(story)


def test_a_guard_that_has_ended_wakes_no_more(sit, side):
    async def story(table):
        failures = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
        table.open(side)
        await table.wait(2)
        for gain in ("2", "2.4"):
            table.price(table.up(side, gain))
            await table.wait(2)
        assert table.status(side).hold_reason == "interval", "a timer runs"
        stops = table.stops(side)
        await table.stop()
        await table.wait(70)
        assert table.stops(side) == stops
        assert failures == []

    sit(story)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize("after_s", [0.05, 0.075, 0.1, 0.15])
def test_a_guard_that_ends_while_the_size_is_put_right_never_has_a_third_stop(sit, side, after_s):
    async def story(table):
        table.open(side, "0.139")
        await table.wait(1.6)
        table.open(side, "0.154")
        await table.wait(after_s)
        await table.stop()
        await table.start()
        await table.wait(5)
        assert table.working(side).quantity == Decimal("0.293")
        assert table.clocks().duplicates == 0
        assert len(table.sent(side)) == 2, "what rests in the right size is kept"

    sit(story)


@pytest.mark.usefixtures("two_layers")
def test_what_an_earlier_position_left_goes_also_where_a_foreign_stop_covers(sit, side):
    async def story(table):
        table.open(side, "0.145")
        await table.wait(2)
        table.place_by_hand(side, table.up(side, "-3"), "0.1")
        await table.wait(3)
        table.close(side)
        table.open(side, "0.05")
        await table.wait(8)
        assert table.status(side).live_kind is StopKind.FOREIGN
        rests = [stop for stop in table.stops(side) if stop.client_id.startswith("ts-")]
        assert [stop.quantity for stop in rests] == [None], "the backstop of this position alone"

    sit(story)
