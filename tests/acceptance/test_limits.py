"""The exchange's own limits: largest orders, bands for stops, few conditional orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause
from trailstop.paper.model import ConditionalRequest


def _largest_order(table, quantity):
    table.world.change_market(table.exchange.symbol, max_market_quantity=Decimal(quantity))
    table.paper.exchange.tell()


async def _large_position(table, side):
    """0.25 in orders of at most 0.1 each."""
    _largest_order(table, "0.1")
    await table.start()
    for quantity in ("0.1", "0.1", "0.05"):
        table.open(side, quantity)
    await table.wait(2.5)


def _held(table, side):
    return sum(stop.quantity for stop in table.ours(side))


def test_a_position_above_the_largest_order_is_covered_whole(sit, side):
    async def story(table):
        await _large_position(table, side)
        assert _held(table, side) == Decimal("0.25")
        assert len({stop.price for stop in table.ours(side)}) == 1
        assert table.status(side).protection == "held"
        table.assert_never_bare()

    sit(story, guard_first=False)


def test_its_stop_trails_as_one_and_no_part_is_left_behind(sit, side):
    async def story(table):
        await _large_position(table, side)
        for gain in ("0.7", "2", "4"):
            table.price(table.up(side, gain))
            await table.wait(4)
            assert _held(table, side) == Decimal("0.25")
            assert len({stop.price for stop in table.ours(side)}) == 1
        assert table.status(side).moves == 3
        table.assert_never_bare()

    sit(story, guard_first=False)


def test_it_is_stopped_out_whole_with_one_cause(sit, side):
    async def story(table):
        await _large_position(table, side)
        table.price(table.up(side, "2"))
        await table.wait(3)
        table.price(table.up(side, "1.2"))
        await table.wait(6)
        assert table.amount(side) == 0
        assert table.stops(side) == []
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.TRAIL

    sit(story, guard_first=False)


def test_it_is_closed_at_market_in_as_many_orders_as_it_takes(sit, side):
    async def story(table):
        await _large_position(table, side)
        await table.control("close", side)
        await table.until(lambda: table.amount(side) == 0, 20)
        await table.wait(6)
        assert table.stops(side) == []
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.USER_CLOSE

    sit(story, guard_first=False)


@pytest.mark.usefixtures("two_layers")
def test_a_part_that_is_refused_is_made_up_for(sit, side):
    async def story(table):
        await _large_position(table, side)
        table.fault("overloaded", table.exchange.place_stop, count=1, skip=1)
        table.price(table.up(side, "2"))
        await table.wait(8)
        assert _held(table, side) == Decimal("0.25")
        assert {stop.price for stop in table.ours(side)} == {
            table.behind(side, table.up(side, "2"), "0.5")
        }
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.loosened) == (0, 0)

    sit(story, guard_first=False)


@pytest.mark.usefixtures("two_layers")
def test_a_backstop_outside_the_band_rests_at_its_edge(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(5)
        (backstop,) = table.backstops(side)
        assert Decimal("-3.1") < table.gain_of(side, backstop.price) < Decimal("-2.9")
        assert table.gain_of(side, table.working(side).price) == Decimal("-2.00")
        table.assert_never_bare()

    sit(story, world={"trigger_band": Decimal("0.03")})


@pytest.mark.usefixtures("two_layers")
def test_a_first_stop_outside_the_band_rests_at_its_edge_and_is_told(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(5)
        assert Decimal("-3.1") < table.gain_of(side, table.working(side).price) < Decimal("-2.9")
        alarms = await table.facts("alarmed")
        assert any("allows no stop" in fact.text for fact in alarms)
        assert table.clocks().unprotected_ms == 0

    policy = 'initial_stop_percent = 4\nbackstop_percent = "none"'
    sit(story, policy=policy, world={"trigger_band": Decimal("0.03")})


@pytest.mark.usefixtures("two_layers")
def test_near_the_limit_of_conditional_orders_a_backstop_in_profit_gives_way(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        for number in range(189):
            table.world.place_conditional(table.key(side), _bots(table, side, number))
        table.paper.exchange.tell()
        await table.wait(65)
        assert table.backstops(side) == []
        assert table.working(side)
        alarms = [fact.text for fact in await table.facts("alarmed")]
        assert sum("short of conditional orders" in text for text in alarms) == 1
        table.price(table.up(side, "4"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit(story)


def _bots(table, side, number):
    return ConditionalRequest(
        symbol=table.exchange.other_symbol,
        side="BUY" if side == "long" else "SELL",
        type="STOP_MARKET",
        position_side=table.position_side(side),
        quantity=Decimal("0.1"),
        trigger_price=table.world.last(table.exchange.other_symbol)
        * (2 if side == "long" else 1)
        / (1 if side == "long" else 2),
        client_id=f"bot-{number}",
    )
