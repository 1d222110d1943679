"""The way out: exits that race, prices that jump, and lists that are longer than a page."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause
from trailstop.paper.model import ConditionalRequest

OPEN_ORDERS = 120
"""Orders of others on one symbol: three pages of the list, at the most rows that one has."""


async def _guarded(table, side, gain=None):
    table.open(side)
    await table.wait(2)
    if gain is not None:
        table.price(table.up(side, gain))
        await table.wait(3)
    return table.working(side)


def _beyond(side, price, ticks=1):
    return price - Decimal("0.1") * ticks * (1 if side == "long" else -1)


def _reduced(table, side):
    """What was ever sold of a long, or bought back of a short."""
    closing = "SELL" if side == "long" else "BUY"
    fills = table.world.fills(table.key(side), table.exchange.symbol)
    return sum((fill.quantity for fill in fills if fill.side == closing), Decimal(0))


# --- double-close -------------------------------------------------------------------------
@pytest.mark.parametrize("delay_ms", [0, 150])
def test_double_close_never_executes_more_than_the_position(sit, side, delay_ms):
    """The stop fires while a market exit is on its way."""

    async def story(table):
        stop = await _guarded(table, side, "2")
        if delay_ms:
            table.fault("delay", table.exchange.close, count=1, delay_ms=delay_ms)
        await table.control("close", side)
        table.price(_beyond(side, stop.price))
        await table.wait(8)
        assert table.amount(side) == 0, "never reversed"
        assert _reduced(table, side) == Decimal("0.1")
        assert table.stops(side) == []
        assert len(await table.epochs(side)) == 1

    sit(story)


def test_double_close_with_a_persons_own_exit_reverses_nothing(sit, side):
    """The person closes by hand in the very moment in which the guard does."""

    async def story(table):
        await _guarded(table, side, "2")
        table.fault("delay", table.exchange.close, count=1, delay_ms=300)
        await table.control("close", side)
        await table.wait(0.1)
        table.close(side)
        await table.wait(8)
        assert table.amount(side) == 0
        assert _reduced(table, side) == Decimal("0.1")
        assert table.stops(side) == []

    sit(story)


# --- gap-through --------------------------------------------------------------------------
@pytest.mark.usefixtures("one_way")
def test_gap_through_is_closed_where_it_can_be_and_told_how_far_behind(sit, side):
    """15 % between two prices: one exit, its slippage on record, no stop on the flat leg."""

    async def story(table):
        stop = await _guarded(table, side)
        table.price(table.up(side, "-15"))
        await table.wait(1)
        assert table.amount(side) == 0
        await table.wait(7)
        assert table.stops(side) == []
        placed = table.served(table.exchange.place_stop)
        await table.wait(60)
        assert table.served(table.exchange.place_stop) == placed, "no stop for what is flat"
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.INITIAL_STOP
        sign = 1 if side == "long" else -1
        slipped = (stop.price - epoch.exit_price) * sign * 100 / stop.price
        assert Decimal("12.5") < slipped < Decimal("13.5")
        (ended,) = await table.facts("ended")
        assert f"{slipped:.2f} % beyond its stop" in ended.text, ended.text
        assert _reduced(table, side) == Decimal("0.1")

    sit(story)


# --- pagination-missed --------------------------------------------------------------------
def _many(table, side, number):
    """Conditional orders of another program, which are older than ours."""
    for row in range(number):
        request = ConditionalRequest(
            symbol=table.exchange.symbol,
            side="SELL" if side == "long" else "BUY",
            type="TAKE_PROFIT_MARKET",
            position_side=table.position_side(side),
            quantity=Decimal("0.001"),
            trigger_price=table.up(side, f"{8 + row / 20}"),
            reduce_only=not table.exchange.hedge,
            client_id=f"bot-{row}",
        )
        table.world.place_conditional(table.key(side), request)
    table.paper.exchange.tell()


@pytest.mark.usefixtures("one_way")
@pytest.mark.parametrize("share", [0, 0.4], ids=["read", "pages fail"])
def test_pagination_missed_no_page_is_left_out_and_half_a_list_says_nothing(sit, side, share):
    async def story(table):
        table.open(side)
        _many(table, side, OPEN_ORDERS)
        floor = table.place_by_hand(side, table.up(side, "-1"), "0.1")
        if share:
            table.fault("unavailable", table.exchange.read_stops, share=share)
        await table.start()
        await table.until(lambda: table.guarded(side), 30)
        await table.until(lambda: table.status(side).live_stop == floor.trigger_price, 30)
        placed = table.served(table.exchange.place_stop)
        await table.wait(60)
        assert table.served(table.exchange.place_stop) == placed, "nothing is doubled"
        assert len(table.ours(side)) <= 1
        names = [row.client_id for row in table.world.open_conditionals(table.key(side))]
        assert len([name for name in names if name.startswith("bot-")]) == OPEN_ORDERS

    sit(story, guard_first=False)
