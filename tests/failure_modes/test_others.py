"""The user and other programs on the account."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Cause
from trailstop.paper.model import USER, ConditionalRequest

MINUTE_S = 60
TIMES = 10


async def _trailing(table, side, gain="2"):
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, gain))
    await table.wait(3)
    return table.working(side)


def _drag(table, side, price):
    """Somebody changes our own stop by hand."""
    if table.exchange.one_layer:
        table.move_by_hand(side, price)
        return
    stop = table.working(side)
    if stop.price != price:
        table.world.amend_as_user(table.key(side), stop.number, trigger_price=price)
        table.paper.exchange.tell()


async def _drag_often(table, side, prices):
    """Within one minute."""
    for price in prices:
        _drag(table, side, price)
        await table.wait(MINUTE_S / TIMES)


def _requests(table):
    calls = (table.exchange.place_stop, table.exchange.cancel_stop)
    return sum(table.served(call) for call in calls if call is not None)


def test_user_moves_stop_tighter_is_the_new_floor_and_is_not_touched(sit, side):
    async def story(table):
        await _trailing(table, side)
        before = _requests(table)
        prices = [table.up(side, f"1.{60 + 3 * number}") for number in range(TIMES)]
        await _drag_often(table, side, prices)
        assert _requests(table) == before, "nobody is fought with"
        assert [stop.price for stop in table.stops(side)][-1] == prices[-1]
        assert table.status(side).live_stop == prices[-1]
        table.price(table.up(side, "2.1"))
        await table.wait(MINUTE_S + 5)
        assert [stop.price for stop in table.stops(side)][-1] == prices[-1], "never looser again"
        table.price(table.up(side, "4"))
        await table.wait(5)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit(story)


def test_user_moves_stop_looser_is_put_back_once_a_minute_and_stands_in_the_end(sit, side):
    async def story(table):
        ours = await _trailing(table, side)
        before, began_ms = _requests(table), table.now_ms
        await _drag_often(table, side, [table.up(side, f"0.{50 + n}") for n in range(TIMES)])
        assert table.status(side).protection == "moving", "it is not where it should be"
        minutes = (table.now_ms - began_ms) / 60_000
        requests = _requests(table) - before
        assert 1 <= requests / (1 if table.exchange.one_layer else 2) <= minutes + 1
        await table.wait(MINUTE_S + 10)
        assert table.working(side).price == ours.price
        assert table.status(side).protection == "held"
        alarms = [fact for fact in await table.facts("alarmed") if "put back" in fact.text]
        assert 1 <= len(alarms) <= minutes + 2
        clocks = table.clocks()
        assert (clocks.unprotected_ms, clocks.duplicates) == (0, 0)

    sit(story)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.usefixtures("one_way")
def test_user_moves_stop_of_their_own_beside_ours_as_they_like(sit, side):
    async def story(table):
        await _trailing(table, side)
        theirs = table.place_by_hand(side, table.up(side, "0.5"), "0.1")
        await table.wait(2)
        before, tight = _requests(table), table.up(side, "1.6")
        for number in range(TIMES):
            price = (tight, table.up(side, "0.4"))[number % 2]
            table.world.amend_as_user(table.key(side), theirs.algo_id, trigger_price=price)
            table.paper.exchange.tell()
            await table.wait(MINUTE_S / TIMES)
        assert _requests(table) - before <= 2, "what theirs promised is placed as ours, once"
        assert table.working(side).price == tight
        (row,) = [stop for stop in table.stops(side) if stop.client_id == "mine"]
        assert row.price == table.up(side, "0.4"), "theirs is where they left it"
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("one_way")
def test_user_closes_position_while_a_replace_is_in_flight_and_another_is_guarded_on(sit, side):
    async def story(table):
        other = table.exchange.other_symbol
        await _trailing(table, side)
        table.open(side, symbol=other)
        await table.wait(2)
        table.fault("delay", table.exchange.place_stop, count=1, delay_ms=1_000)
        table.price(table.up(side, "4"))
        await table.wait(0.3)
        table.close(side)
        await table.wait(7)
        assert table.amount(side) == 0
        assert table.stops(side) == []
        assert not table.guarded(side)
        closed = next(row for row in await table.epochs(side))
        assert closed.cause is Cause.CLOSED_ELSEWHERE
        before = _requests(table)
        await table.wait(30)
        assert _requests(table) == before, "no endless attempts"
        table.price(table.up(side, "2", other), other)
        await table.wait(4)
        wanted = table.behind(side, table.up(side, "2", other), "0.5")
        assert table.working(side, other).price == wanted
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("one_way")
def test_dead_mans_switch_kills_stops_of_another_program_and_they_are_restored(sit, side):
    """Somebody's countdown runs out while nobody can reach the exchange for 15 minutes."""

    async def story(table):
        before = await _trailing(table, side)
        began_ms = table.now_ms
        table.out_of_reach(began_ms, began_ms + 900_000, "the network is cut")
        until_ms = began_ms + 900_000
        for stream in ("private", "public", "market"):
            table.fault("cut", stream=stream, from_ms=began_ms, until_ms=until_ms)
        table.fault("lost_request", until_ms=until_ms)
        await table.wait(10)
        for stop in table.stops(side):
            table.remove(stop)
        await table.wait(889)
        assert table.stops(side) == []
        assert table.status(side).protection == "unknown"
        await table.wait(1)
        await table.until(lambda: len(table.stops(side)) == table.layers, 7)
        assert table.working(side).price == before.price
        assert abs(table.amount(side)) == Decimal("0.1")

    sit(story)


@pytest.mark.usefixtures("one_way")
@pytest.mark.parametrize("gain", ["2", "-2.5"])
def test_dead_mans_switch_kills_stops_but_ours_is_never_armed(sit, side, gain):
    """Neither for guarding nor for ending: what the guard asked the exchange for is listed."""

    async def story(table):
        await _trailing(table, side)
        table.price(table.up(side, gain))
        await table.wait(70)
        await table.stop()
        served = getattr(table.paper, table.exchange.name).rest.served
        assert served, "requests are counted"
        switches = ("countdown", "disconnected-cancel", "dcp")
        assert [call for call in served if any(word in call.lower() for word in switches)] == []

    sit(story)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.usefixtures("one_way")
def test_algo_orders_invisible_in_the_plain_list_are_read_from_their_own(sit, side):
    """Their own list fails every other time; nothing is doubled and nothing taken for missing."""

    async def story(table):
        await _trailing(table, side)
        table.fault("unavailable", table.exchange.read_stops, share=0.5)
        before = _requests(table)
        _targets_of_others(table, side)
        await table.wait(120)
        await table.stop()
        await table.start()
        await table.wait(10)
        assert _requests(table) == before
        assert len(table.ours(side)) == 1
        assert len([stop for stop in table.backstops(side) if stop.client_id != "whole"]) == 1
        table.assert_never_bare()

    sit(story)


def _targets_of_others(table, side):
    """Take-profits of somebody else, which stand in the same list and protect nothing."""
    for number, gain in enumerate(("8", "9")):
        request = ConditionalRequest(
            symbol=table.exchange.symbol,
            side="SELL" if side == "long" else "BUY",
            type="TAKE_PROFIT_MARKET",
            position_side=table.position_side(side),
            quantity=Decimal("0.02"),
            trigger_price=table.up(side, gain),
            reduce_only=not table.exchange.hedge,
            client_id=f"target-{number}",
            author=USER,
        )
        table.world.place_conditional(table.key(side), request)
    table.paper.exchange.tell()
