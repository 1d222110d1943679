"""Hedge mode: two legs of one symbol, and nothing done to one of them touches the other."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from functools import partial

import pytest

from tests.paper.server.support import START_US, SYMBOL
from tests.venues import paper_table
from tests.venues.paper_table import BINANCE, Table
from tests.venues.scripted import error, play, play_venue
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Side
from trailstop.engine.events import Refusal
from trailstop.ports import (
    Acknowledged,
    CloseRequest,
    ExecutionReport,
    FundingBooked,
    OrderState,
    PositionReport,
    Refused,
    StopReport,
    StopRequest,
)
from trailstop.timelink import LoopClock
from trailstop.venues.binance.venue import BinanceVenue

sit = partial(paper_table.sit, BINANCE)
LEGS = {side: BINANCE.leg(side.value) for side in Side}
EXIT = {Side.LONG: "sell", Side.SHORT: "buy"}
OTHER = {Side.LONG: Side.SHORT, Side.SHORT: Side.LONG}
LOSING = {Side.LONG: "95", Side.SHORT: "105"}
NEARER = {Side.LONG: "97", Side.SHORT: "103"}
FAR = {Side.LONG: "90", Side.SHORT: "110"}
HELD = {Side.LONG: Decimal("0.3"), Side.SHORT: Decimal("0.2")}
BEGAN_MS = START_US // 1_000 - 1


def hedge(table: Table) -> None:
    """Switch the account to hedge mode and open both legs."""
    world = table.paper.exchange.sync()
    world.set_position_mode(table.key, True)
    for side, quantity in HELD.items():
        world.open_position(table.key, SYMBOL, side.value, quantity, f"test-{side.value}")
    table.paper.exchange.tell()


async def place(table: Table, side: Side, price: str, name: str, role: Role = Role.WORKING):
    request = StopRequest(LEGS[side], side, role, Decimal(price), HELD[side], "last", name)
    return await table.venue.place_stop(request)


async def close(table: Table, side: Side, name: str):
    return await table.venue.close_position(CloseRequest(LEGS[side], side, HELD[side], name))


def stops_of(snapshot, side: Side):
    return {stop.client_id: stop for stop in snapshot.stops if stop.leg == LEGS[side]}


def test_both_legs_are_seen_each_with_its_own_stops():
    async def scenario(table: Table):
        hedge(table)
        outcomes = [
            await place(table, side, price[side], f"ts-{side.value}-{role.value}", role)
            for side in Side
            for role, price in ((Role.BACKSTOP, FAR), (Role.WORKING, LOSING))
        ]
        await asyncio.sleep(1)
        return outcomes, await table.venue.snapshot(None), table

    outcomes, snapshot, table = sit(scenario)
    assert all(isinstance(outcome, Acknowledged) for outcome in outcomes)
    found = {leg: (held.side, held.quantity) for leg, held in snapshot.positions.items()}
    assert found == {LEGS[side]: (side, HELD[side]) for side in Side}
    for side in Side:
        rows = {(stop.side, stop.role, stop.price, stop.quantity) for stop in
                stops_of(snapshot, side).values()}  # fmt: skip
        assert rows == {
            (side, Role.BACKSTOP, Decimal(FAR[side]), None),
            (side, Role.WORKING, Decimal(LOSING[side]), HELD[side]),
        }
    assert (snapshot.conditional_orders, snapshot.conditional_slots) == (4, 200)
    told = {(report.stop.leg, report.stop.client_id) for report in table.all(StopReport)}
    assert len(told) == 4
    assert {leg for leg, _ in told} == set(LEGS.values())


@pytest.mark.parametrize("side", list(Side))
def test_moving_and_cancelling_one_legs_stop_leaves_the_others_alone(side):
    async def scenario(table: Table):
        hedge(table)
        for each in Side:
            await place(table, each, LOSING[each], f"ts-{each.value}-1")
        moved = await place(table, side, NEARER[side], f"ts-{side.value}-2")
        both = await table.venue.snapshot(frozenset({SYMBOL}))
        old = stops_of(both, side)[f"ts-{side.value}-1"]
        await table.venue.cancel_stop(LEGS[side], old.order_id, old.client_id)
        return moved, both, await table.venue.snapshot(None)

    moved, both, after = sit(scenario)
    assert isinstance(moved, Acknowledged)
    other = OTHER[side]
    assert set(stops_of(both, side)) == {f"ts-{side.value}-1", f"ts-{side.value}-2"}
    assert set(stops_of(after, side)) == {f"ts-{side.value}-2"}
    assert stops_of(after, other) == stops_of(both, other)
    assert set(stops_of(after, other)) == {f"ts-{other.value}-1"}
    assert (both.conditional_orders, both.conditional_slots) == (None, None)


@pytest.mark.parametrize("side", list(Side))
def test_closing_one_leg_leaves_the_other_and_its_stops(side):
    async def scenario(table: Table):
        hedge(table)
        for each in Side:
            await place(table, each, FAR[each], f"ts-{each.value}-b", Role.BACKSTOP)
        outcome = await close(table, side, "ts-c")
        found = await table.venue.look_up(LEGS[side], "ts-c", "order")
        again = await close(table, side, "ts-d")
        snapshot = await table.venue.snapshot(None)
        fills = {leg: await table.venue.executions(leg, BEGAN_MS) for leg in LEGS.values()}
        await asyncio.sleep(1)
        return outcome, found, again, snapshot, fills, table

    outcome, found, again, snapshot, fills, table = sit(scenario)
    other = OTHER[side]
    assert isinstance(outcome, Acknowledged)
    assert (found.state, found.filled) == (OrderState.FILLED, HELD[side])
    assert isinstance(again, Refused), "the leg is flat: nothing may open the other way round"
    assert again.reason is Refusal.POSITION_GONE
    assert {leg: held.quantity for leg, held in snapshot.positions.items()} == {
        LEGS[other]: HELD[other]
    }
    assert set(stops_of(snapshot, other)) == {f"ts-{other.value}-b"}
    assert [fill.quantity for fill in fills[LEGS[side]]] == [HELD[side], HELD[side]]
    assert [fill.direction for fill in fills[LEGS[side]]] == [EXIT[other], EXIT[side]]
    assert [fill.direction for fill in fills[LEGS[other]]] == [EXIT[side]]
    last = {report.leg: report.quantity for report in table.all(PositionReport)}
    assert last[LEGS[side]] == 0
    assert abs(last[LEGS[other]]) == HELD[other]
    assert all(report.leg.position_side != "both" for report in table.all(PositionReport))


@pytest.mark.parametrize("side", list(Side))
def test_a_stop_that_fires_closes_its_own_leg(side):
    async def scenario(table: Table):
        hedge(table)
        for each in Side:
            await place(table, each, LOSING[each], f"ts-{each.value}-1")
        table.price({Side.LONG: "94", Side.SHORT: "106"}[side])
        await asyncio.sleep(2)
        fills = {leg: await table.venue.executions(leg, BEGAN_MS) for leg in LEGS.values()}
        return await table.venue.snapshot(None), fills, table

    snapshot, fills, table = sit(scenario)
    other = OTHER[side]
    assert set(snapshot.positions) == {LEGS[other]}
    assert set(stops_of(snapshot, other)) == {f"ts-{other.value}-1"}
    assert fills[LEGS[side]][-1].client_id == f"ts-{side.value}-1"
    assert len(fills[LEGS[other]]) == 1
    report = table.all(ExecutionReport)[-1]
    assert (report.leg, report.execution) == (LEGS[side], fills[LEGS[side]][-1])


def test_funding_is_booked_to_the_leg_that_paid_it():
    async def scenario(table: Table):
        hedge(table)
        await table.venue.snapshot(None)
        await asyncio.sleep(9 * 3_600)
        return table

    table = sit(scenario, prices=4_000)
    booked = {}
    for told in table.all(FundingBooked):
        booked[told.leg] = booked.get(told.leg, 0) + told.paid
    assert set(booked) == set(LEGS.values())
    assert booked[LEGS[Side.LONG]] > 0 > booked[LEGS[Side.SHORT]]
    assert booked[LEGS[Side.LONG]] * 2 == -booked[LEGS[Side.SHORT]] * 3, "by their sizes"


def test_an_order_of_the_other_mode_is_refused_with_what_to_do():
    async def scenario(table: Table):
        hedge(table)
        one_way = Leg("long", "binance", SYMBOL)
        close = CloseRequest(one_way, Side.LONG, Decimal("0.1"), "ts-1")
        price, quantity = Decimal(95), Decimal("0.1")
        stop = StopRequest(one_way, Side.LONG, Role.BACKSTOP, price, quantity, "last", "ts-2")
        refused = await table.venue.close_position(close), await table.venue.place_stop(stop)
        return refused, await table.venue.snapshot(None)

    refused, snapshot = sit(scenario)
    assert [(told.reason, told.code) for told in refused] == [
        (Refusal.OTHER, -1106),
        (Refusal.OTHER, -4061),
    ]
    for told in refused:
        assert "is of one-way mode" in told.text
        assert "Position Mode" in told.text
    assert len(snapshot.positions) == 2
    assert snapshot.stops == ()


def test_the_account_may_be_in_hedge_mode_at_the_start():
    async def scenario(scripted, settings):
        scripted.answers["GET /fapi/v1/accountConfig"] = [{"dualSidePosition": True}]
        scripted.answers["POST /fapi/v1/algoOrder"] = [error(-4061, "Mode.")]
        venue = BinanceVenue(settings, LoopClock(scripted.loop), random.Random(1))
        await venue.start()
        leg = Leg("main", "binance", "BTCUSDT", "long")
        price, quantity = Decimal("60000.1"), Decimal("0.01")
        stop = StopRequest(leg, Side.LONG, Role.WORKING, price, quantity, "last", "ts-1")
        refused = await venue.place_stop(stop)
        await venue.close()
        sent = scripted.asked[-1][1]
        return refused, sent.get("positionSide"), "reduceOnly" in sent

    refused, position_side, flagged = play(scenario)
    assert (position_side, flagged) == ("LONG", False)
    assert "is of hedge mode" in refused.text


def test_a_triggered_stops_child_covers_in_hedge_mode_without_a_flag():
    child = {
        "orderId": 900, "clientOrderId": "ts-1", "symbol": "BTCUSDT", "side": "SELL",
        "positionSide": "LONG", "status": "PARTIALLY_FILLED", "reduceOnly": False,
    }  # fmt: skip
    parent = {
        "algoId": 77, "clientAlgoId": "ts-1", "orderType": "STOP_MARKET", "symbol": "BTCUSDT",
        "side": "SELL", "positionSide": "LONG", "quantity": "0.010", "algoStatus": "TRIGGERED",
        "triggerPrice": "60000.10", "reduceOnly": False, "actualOrderId": "900",
    }  # fmt: skip
    entry = child | {"orderId": 901, "side": "BUY", "clientOrderId": "web_1"}

    async def scenario(scripted, venue):
        scripted.answers |= {
            "GET /fapi/v1/openAlgoOrders": [[]],
            "GET /fapi/v1/openOrders": [[child, entry]],
            "GET /fapi/v3/positionRisk": [[]],
            "GET /fapi/v1/algoOrder": [parent],
        }
        return await venue.snapshot(None), scripted.count("GET /fapi/v1/algoOrder")

    snapshot, asked = play_venue(scenario)
    (stop,) = snapshot.stops
    assert (stop.leg.position_side, stop.side, stop.triggered) == ("long", Side.LONG, True)
    assert asked == 1, "an order that opens is nobody's child"
