"""The venue against the paper exchange: both ends written apart, meeting on the wire."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from typing import TypeVar

import pytest

from tests.paper.server.support import START_US, SYMBOL
from tests.venues import paper_table
from tests.venues.paper_table import BYBIT, Table
from trailstop.domain.position import Role
from trailstop.domain.price import Side
from trailstop.engine.events import Refusal
from trailstop.errors import ReadFailed
from trailstop.paper.assembly import Build
from trailstop.paper.model import ConditionalRequest, PositionStopRequest
from trailstop.paper.trouble.faults import Fault
from trailstop.ports import (
    Acknowledged,
    ExecutionReport,
    InstrumentChanged,
    OrderState,
    Origin,
    PositionReport,
    Refused,
    StopReport,
    Unknown,
)

T = TypeVar("T")
LEG, LONG, SHORT = (BYBIT.leg(side) for side in ("both", "long", "short"))
USER = "user"


sit = partial(paper_table.sit, BYBIT)


def by_hand(table: Table, **stops: object) -> None:
    """What the account's owner sets on the position."""
    request = PositionStopRequest(symbol=SYMBOL, **stops)  # type: ignore[arg-type]
    table.paper.exchange.sync().set_position_stops(table.key, request, USER)
    table.paper.exchange.tell()


def test_a_position_is_seen_protected_and_its_stop_moved_in_place():
    async def scenario(table: Table):
        venue = table.venue
        table.open()
        bare = await venue.snapshot(None)
        old = await table.place("98")
        held = await venue.snapshot(frozenset({SYMBOL}))
        new = await table.place("99")
        again = await table.place("99")
        await asyncio.sleep(1)
        return bare, old, held, new, again, await venue.snapshot(None), table

    bare, old, held, new, again, after, table = sit(scenario)
    (position,) = bare.positions.values()
    assert (position.side, position.quantity, bare.stops) == (Side.LONG, Decimal("0.1"), ())
    assert [type(outcome) for outcome in (old, new, again)] == [Acknowledged] * 3
    for snapshot, price in ((held, 98), (after, 99)):
        (stop,) = snapshot.stops
        assert (stop.price, stop.quantity, stop.shared) == (Decimal(price), None, True)
        assert (stop.role, stop.client_id, stop.leg) == (Role.FOREIGN, "", LEG)
        assert stop.order_id
    prices = [
        report.stop.price for report in table.all(StopReport) if report.state is OrderState.RESTING
    ]
    assert prices[-1] == 99
    assert {report.stop.shared for report in table.all(StopReport)} == {True}
    clocks = table.paper.state()["clocks"]
    assert clocks["unprotected_ms"] == clocks["loosened_ms"] == 0


def test_an_acknowledged_stop_is_told_within_a_round_trip():
    async def scenario(table: Table):
        table.open()
        await asyncio.sleep(1)
        started_ms = table.paper.exchange.now_ms
        outcome = await table.place("98")
        return outcome, table.paper.exchange.now_ms - started_ms, started_ms

    outcome, took_ms, started_ms = sit(scenario)
    assert isinstance(outcome, Acknowledged)
    assert started_ms <= outcome.at_ms <= started_ms + took_ms
    assert took_ms < 500


def test_a_stop_that_fires_is_told_and_its_fill_is_the_position_stops():
    async def scenario(table: Table):
        table.open()
        await table.place("99")
        table.price("98")
        await asyncio.sleep(2)
        found = await table.venue.look_up(LEG, "ts-1", "stop")
        return table, found, await table.venue.executions(LEG, START_US // 1_000 - 1)

    table, found, executions = sit(scenario)
    states = [report.state for report in table.all(StopReport)]
    assert states[0] is OrderState.RESTING
    assert states[-1] is OrderState.FILLED
    assert found.state is OrderState.ABSENT
    fill = table.all(ExecutionReport)[-1].execution
    assert (fill.direction, fill.quantity) == ("sell", Decimal("0.1"))
    assert fill.origin is Origin.POSITION_STOP
    assert table.all(PositionReport)[-1].quantity == 0
    assert executions[-1] == fill
    assert [execution.direction for execution in executions] == ["buy", "sell"]


def test_what_the_exchange_refuses_says_why():
    async def scenario(table: Table):
        flat = await table.place("95")
        nothing = await table.close()
        table.open()
        passed = await table.place("101")
        wrong_mode = await table.place("95", leg=LONG)
        return flat, nothing, passed, wrong_mode

    flat, nothing, passed, wrong_mode = sit(scenario)
    assert (flat.reason, flat.code) == (Refusal.POSITION_GONE, 10001)
    assert (nothing.reason, nothing.code) == (Refusal.POSITION_GONE, 110017)
    assert passed.reason is Refusal.WOULD_TRIGGER
    assert (wrong_mode.reason, "position mode" in wrong_mode.text) == (Refusal.OTHER, True)


def test_a_short_is_protected_above_the_price():
    async def scenario(table: Table):
        table.open("short")
        outcome = await table.place("102", side=Side.SHORT)
        return outcome, await table.place("99", side=Side.SHORT), await table.venue.snapshot(None)

    outcome, passed, snapshot = sit(scenario)
    assert isinstance(outcome, Acknowledged)
    assert passed.reason is Refusal.WOULD_TRIGGER
    assert [(stop.side, stop.price) for stop in snapshot.stops] == [(Side.SHORT, Decimal(102))]


def test_both_legs_of_a_symbol_live_apart_in_hedge_mode():
    async def scenario(table: Table):
        table.open("long")
        table.open("short")
        outcomes = [
            await table.place("98", leg=LONG),
            await table.place("102", leg=SHORT, side=Side.SHORT),
            await table.place("99", leg=LONG),
        ]
        both = await table.venue.snapshot(None)
        closed = await table.close(leg=LONG)
        await asyncio.sleep(1)
        one = await table.venue.snapshot(frozenset({SYMBOL}))
        since_ms = START_US // 1_000 - 1
        fills = [await table.venue.executions(leg, since_ms) for leg in (LONG, SHORT)]
        return outcomes, both, closed, one, fills, table

    outcomes, both, closed, one, fills, table = sit(scenario, build=Build(bybit_port=0, hedge=True))
    assert all(isinstance(outcome, Acknowledged) for outcome in [*outcomes, closed])
    assert set(both.positions) == {LONG, SHORT}
    assert {(stop.leg, stop.price) for stop in both.stops} == {
        (LONG, Decimal(99)),
        (SHORT, Decimal(102)),
    }
    assert set(one.positions) == {SHORT}
    assert [(stop.leg, stop.price) for stop in one.stops] == [(SHORT, Decimal(102))]
    directions = [[fill.direction for fill in leg] for leg in fills]
    assert directions == [["buy", "sell"], ["sell"]]
    assert {report.leg for report in table.all(ExecutionReport)} == {LONG, SHORT}


def test_what_the_owner_sets_is_seen_and_left_alone():
    async def scenario(table: Table):
        table.open()
        by_hand(
            table, stop_loss=Decimal(97), take_profit=Decimal(110), trailing_distance=Decimal(3)
        )
        await asyncio.sleep(1)
        seen = await table.venue.snapshot(None)
        moved = await table.place("98")
        by_hand(table, mode="partial", stop_loss=Decimal(96), size=Decimal("0.05"))
        request = ConditionalRequest(
            symbol=SYMBOL,
            side="SELL",
            type="STOP_MARKET",
            quantity=Decimal("0.1"),
            trigger_price=Decimal(95),
            reduce_only=True,
            client_id="bot-1",
            author=USER,
        )
        table.paper.exchange.sync().place_conditional(table.key, request)
        table.paper.exchange.tell()
        return seen, moved, await table.venue.snapshot(None), table

    seen, moved, after, table = sit(scenario)
    assert [(stop.price, stop.shared) for stop in seen.stops if stop.shared] == [(97, True)]
    assert isinstance(moved, Acknowledged)
    by_price = {stop.price: stop for stop in after.stops if stop.price != Decimal("97.1")}
    assert by_price[Decimal(98)].shared
    assert by_price[Decimal(96)].quantity == Decimal("0.05")
    assert by_price[Decimal(95)].client_id == "bot-1"
    assert Decimal(110) not in by_price
    live = table.paper.exchange.world.open_conditionals(table.key, SYMBOL)
    assert {row.slot for row in live} >= {"take_profit", "trailing_stop", "stop_loss"}


@pytest.mark.parametrize("kind", ["lost_request", "lost_answer", "unknown"])
def test_after_an_unknown_close_a_look_up_tells(kind):
    async def scenario(table: Table):
        table.open()
        fault = Fault(kind=kind, method="POST", path="/v5/order/create", count=1, executed=False)
        table.paper.add_fault(fault)
        outcome = await table.close()
        return outcome, await table.venue.look_up(LEG, "ts-c", "order")

    outcome, found = sit(scenario)
    assert isinstance(outcome, Unknown)
    expected = OrderState.FILLED if kind == "lost_answer" else OrderState.ABSENT
    assert found.state is expected


def test_the_same_stop_after_a_lost_answer_is_acknowledged():
    async def scenario(table: Table):
        table.open()
        table.paper.add_fault(
            Fault(kind="lost_answer", method="POST", path=BYBIT.set_stop, count=1)
        )
        return await table.place("98"), await table.place("98")

    lost, repeated = sit(scenario)
    assert isinstance(lost, Unknown)
    assert isinstance(repeated, Acknowledged)


def test_after_a_403_ten_minutes_pass_in_silence():
    async def scenario(table: Table):
        table.open()
        table.paper.add_fault(Fault(kind="forbidden", method="POST", path=BYBIT.set_stop, count=1))
        refused = await table.place("98")
        with pytest.raises(ReadFailed, match="silence"):
            await table.venue.snapshot(None)
        await asyncio.sleep(600)
        return refused, await table.place("98")

    refused, repeated = sit(scenario)
    assert (refused.reason, refused.retry_after_ms) == (Refusal.TRANSIENT, 600_000)
    assert isinstance(repeated, Acknowledged)


@pytest.mark.parametrize(
    ("happens", "origin"),
    [
        (lambda world, key: world.liquidate(key, SYMBOL), Origin.LIQUIDATION),
        (lambda world, key: world.deleverage(key, SYMBOL), Origin.ADL),
        (lambda world, key: world.settle(SYMBOL), Origin.SETTLEMENT),
        (lambda world, key: world.close_position(key, SYMBOL), Origin.ORDER),
    ],
    ids=["liquidation", "adl", "settlement", "by hand"],
)
def test_what_ended_a_position_stands_in_its_fills(happens, origin):
    async def scenario(table: Table):
        table.open()
        await table.place("98")
        happens(table.paper.exchange.sync(), table.key)
        table.paper.exchange.tell()
        await asyncio.sleep(1)
        fills = await table.venue.executions(LEG, START_US // 1_000 - 1)
        return fills, await table.venue.snapshot(None), table

    fills, snapshot, table = sit(scenario)
    assert [fill.origin for fill in fills] == [Origin.ORDER, origin]
    assert (snapshot.positions, snapshot.stops) == ({}, ())
    assert table.all(ExecutionReport)[-1].execution.origin is origin


def test_a_coarser_tick_is_learnt_from_the_refusal_and_told():
    async def scenario(table: Table):
        table.open()
        table.paper.exchange.sync().change_market(SYMBOL, tick_size=Decimal("0.5"))
        refused = await table.place("98.2")
        await asyncio.sleep(0.1)
        return refused, await table.place("98.5"), table

    refused, repeated, table = sit(scenario)
    assert (type(refused), refused.reason) == (Refused, Refusal.OTHER)
    assert isinstance(repeated, Acknowledged)
    (told,) = table.all(InstrumentChanged)
    assert (told.instrument.tick_size, told.status) == (Decimal("0.5"), "trading")


def test_a_symbol_that_is_being_delisted_is_told_and_still_guarded():
    async def scenario(table: Table):
        table.open()
        table.paper.exchange.sync().delist(SYMBOL)
        await asyncio.sleep(1_801)
        return await table.place("98"), table.venue.instrument(SYMBOL), table

    placed, instrument, table = sit(scenario)
    assert isinstance(placed, Acknowledged)
    assert instrument.symbol == SYMBOL
    assert [event.status for event in table.all(InstrumentChanged)] == ["settling"]


def test_a_position_above_the_largest_market_order_is_closed_in_parts():
    async def scenario(table: Table):
        world = table.paper.exchange.sync()
        table.open(quantity="0.3")
        world.change_market(SYMBOL, max_market_quantity=Decimal("0.2"))
        await asyncio.sleep(1_801)
        first = await table.close(quantity="0.3")
        await asyncio.sleep(0.5)
        rest = await table.venue.snapshot(None)
        return first, rest

    first, rest = sit(scenario)
    assert isinstance(first, Acknowledged)
    assert [position.quantity for position in rest.positions.values()] == [Decimal("0.1")]
