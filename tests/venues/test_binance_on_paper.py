"""The venue against the paper exchange: both ends written apart, meeting on the wire."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from typing import TypeVar

import pytest

from tests.paper.server.support import START_US, SYMBOL
from tests.venues import paper_table
from tests.venues.paper_table import BINANCE, Table
from trailstop.domain.position import Role
from trailstop.domain.price import Side
from trailstop.engine.events import Refusal
from trailstop.paper.assembly import Build
from trailstop.paper.settings import WorldSettings
from trailstop.paper.trouble.faults import Fault
from trailstop.ports import (
    Acknowledged,
    ExecutionReport,
    Gone,
    LastPrice,
    MarkPrice,
    OrderState,
    PositionReport,
    Quote,
    Refused,
    StopReport,
    StreamState,
)

T = TypeVar("T")
LEG = BINANCE.leg()


sit = partial(paper_table.sit, BINANCE)


def test_a_position_is_seen_protected_and_its_stop_replaced_new_first():
    async def scenario(table: Table):
        venue = table.venue
        table.open()
        bare = await venue.snapshot(None)
        await table.place("95", "ts-b", Role.BACKSTOP)
        old = await table.place("98", "ts-1")
        new = await table.place("99", "ts-2")
        both = await venue.snapshot(frozenset({SYMBOL}))
        cancelled = await venue.cancel_stop(LEG, old.order_id, "ts-1")
        again = await venue.cancel_stop(LEG, old.order_id, "ts-1")
        await asyncio.sleep(1)
        return bare, old, new, both, cancelled, again, await venue.snapshot(None), table

    bare, old, new, both, cancelled, again, after, table = sit(scenario)
    (position,) = bare.positions.values()
    assert (position.side, position.quantity, bare.stops) == (Side.LONG, Decimal("0.1"), ())
    assert isinstance(old, Acknowledged)
    assert isinstance(new, Acknowledged)
    assert {stop.client_id for stop in both.stops} == {"ts-b", "ts-1", "ts-2"}
    assert both.symbols == {SYMBOL}
    assert isinstance(cancelled, Acknowledged)
    assert isinstance(again, Gone)
    assert {(stop.role, stop.price, stop.quantity) for stop in after.stops} == {
        (Role.BACKSTOP, Decimal(95), None),
        (Role.WORKING, Decimal(99), Decimal("0.1")),
    }
    reports = [(report.stop.client_id, report.state) for report in table.all(StopReport)]
    assert ("ts-1", OrderState.CANCELLED) in reports
    assert all((name, OrderState.RESTING) in reports for name in ("ts-b", "ts-1", "ts-2"))
    clocks = table.paper.state()["clocks"]
    assert clocks["unprotected_ms"] == clocks["loosened_ms"] == 0


def test_a_stop_that_fires_is_told_and_its_fill_is_ours():
    async def scenario(table: Table):
        table.open()
        await table.place("99", "ts-1")
        table.price("98")
        await asyncio.sleep(2)
        found = await table.venue.look_up(LEG, "ts-1", "stop")
        return table, found, await table.venue.executions(LEG, START_US // 1_000 - 1)

    table, found, executions = sit(scenario)
    states = [report.state for report in table.all(StopReport)]
    assert states[0] is OrderState.RESTING
    assert OrderState.TRIGGERED in states
    assert states[-1] is OrderState.FILLED
    assert found.state is OrderState.FILLED
    assert found.filled == Decimal("0.1")
    fill = table.all(ExecutionReport)[-1].execution
    assert (fill.client_id, fill.direction, fill.quantity) == ("ts-1", "sell", Decimal("0.1"))
    assert table.all(PositionReport)[-1].quantity == 0
    assert executions[-1] == fill
    assert [execution.direction for execution in executions] == ["buy", "sell"]


def test_what_the_exchange_refuses_says_why():
    async def scenario(table: Table):
        flat = await table.place("95", "ts-0", Role.BACKSTOP)
        nothing = await table.close()
        table.open()
        first = await table.place("95", "ts-1", Role.BACKSTOP)
        twin = await table.place("94", "ts-2", Role.BACKSTOP)
        passed = await table.place("101", "ts-3")
        repeated = await table.place("98", "ts-4"), await table.place("98", "ts-4")
        return flat, nothing, first, twin, passed, repeated

    flat, nothing, first, twin, passed, repeated = sit(scenario)
    assert (flat.reason, flat.code) == (Refusal.POSITION_GONE, -4509)
    assert (nothing.reason, nothing.code) == (Refusal.POSITION_GONE, -2022)
    assert isinstance(first, Acknowledged)
    assert (twin.code, twin.overlap) == (-4130, True)
    assert passed.reason is Refusal.WOULD_TRIGGER
    assert repeated[0] == repeated[1], "the same intent is the same order"


def test_an_exchange_without_two_sized_stops_says_that_they_overlap():
    async def scenario(table: Table):
        table.open()
        return await table.place("98", "ts-1"), await table.place("99", "ts-2")

    first, second = sit(
        scenario, build=Build(world=WorldSettings(second_reduce_only_stop="refuse"))
    )
    assert isinstance(first, Acknowledged)
    assert (type(second), second.overlap) == (Refused, True)


@pytest.mark.parametrize("kind", ["unavailable", "overloaded", "forbidden"])
def test_what_certainly_did_not_happen_may_be_repeated(kind):
    async def scenario(table: Table):
        table.open()
        table.paper.add_fault(Fault(kind=kind, method="POST", path=BINANCE.set_stop, count=1))
        refused = await table.place("98", "ts-1")
        await asyncio.sleep(2)
        return refused, await table.place("98", "ts-1")

    refused, repeated = sit(scenario)
    assert refused.reason is Refusal.TRANSIENT
    assert isinstance(repeated, Acknowledged)


def test_prices_come_for_what_is_watched_and_stop_when_it_is_not():
    async def scenario(table: Table):
        table.venue.watch(frozenset({SYMBOL}))
        await asyncio.sleep(60)
        kinds = {type(event) for event in table.told}
        table.venue.watch(frozenset())
        await asyncio.sleep(30)
        before = len(table.told)
        await asyncio.sleep(120)
        silent = len(table.told) == before
        table.venue.watch(frozenset({SYMBOL}))
        await asyncio.sleep(60)
        return kinds, silent, len(table.told) > before, table

    kinds, silent, again, table = sit(scenario)
    assert {LastPrice, Quote, MarkPrice} <= kinds
    assert (silent, again) == (True, True)
    states = [(state.stream, state.up) for state in table.all(StreamState)]
    assert states == [("private", True), ("market", True)], "nothing to watch is no loss"


def test_a_cut_stream_is_told_and_comes_back():
    async def scenario(table: Table):
        table.venue.watch(frozenset({SYMBOL}))
        await asyncio.sleep(5)
        now_ms = table.paper.exchange.now_ms
        for stream in ("private", "market", "public"):
            table.paper.add_fault(
                Fault(kind="cut", stream=stream, from_ms=now_ms, until_ms=now_ms + 3_000)
            )
        await asyncio.sleep(30)
        table.open()
        await asyncio.sleep(1)
        return table

    table = sit(scenario)
    for kind in ("private", "market"):
        states = [state.up for state in table.all(StreamState) if state.stream == kind]
        assert states == [True, False, True]
    assert table.all(PositionReport)[-1].quantity == Decimal("0.1")
    assert table.all(LastPrice)[-1].at_ms > START_US // 1_000 + 10_000


def test_a_silent_market_stream_is_noticed_within_eleven_seconds():
    async def scenario(table: Table):
        table.venue.watch(frozenset({SYMBOL}))
        await asyncio.sleep(20)
        now_ms = table.paper.exchange.now_ms
        table.paper.add_fault(
            Fault(kind="silence", stream="market", from_ms=now_ms, until_ms=now_ms + 15_000)
        )
        before = len(table.all(StreamState))
        await asyncio.sleep(11)
        noticed = table.all(StreamState)[before:]
        await asyncio.sleep(30)
        return noticed, table.all(StreamState)[-1], table.all(MarkPrice)[-1]

    noticed, last, mark = sit(scenario)
    assert (noticed[0].stream, noticed[0].up) == ("market", False)
    assert "silent" in noticed[0].text
    assert (last.stream, last.up) == ("market", True)
    assert mark.at_ms >= START_US // 1_000 + 55_000


def test_an_account_stream_that_does_not_tell_our_own_order_is_blind():
    async def scenario(table: Table):
        table.open()
        await asyncio.sleep(1)
        now_ms = table.paper.exchange.now_ms
        table.paper.add_fault(
            Fault(kind="silence", stream="private", from_ms=now_ms, until_ms=now_ms + 8_000)
        )
        await table.place("98", "ts-1")
        await asyncio.sleep(20)
        return [state for state in table.all(StreamState) if state.stream == "private"]

    states = sit(scenario)
    assert [state.up for state in states] == [True, False, True]
    assert "silent" in states[1].text


def test_the_account_stream_outlives_its_listen_key():
    async def scenario(table: Table):
        await asyncio.sleep(3 * 3_600)
        table.open()
        await asyncio.sleep(1)
        return table

    table = sit(scenario, prices=800)
    assert [state.up for state in table.all(StreamState)] == [True]
    assert len(table.all(PositionReport)) == 1


def test_a_listen_key_that_dies_is_replaced():
    async def scenario(table: Table):
        fault = Fault(kind="unavailable", method="PUT", path="/fapi/v1/listenKey")
        table.paper.add_fault(fault)
        await asyncio.sleep(70 * 60)
        table.open()
        await asyncio.sleep(1)
        return table

    table = sit(scenario, prices=400)
    states = [state.up for state in table.all(StreamState) if state.stream == "private"]
    assert states == [True, False, True]
    assert len(table.all(PositionReport)) == 1


def test_streams_are_renewed_before_the_exchange_cuts_them_and_nothing_is_missed():
    async def scenario(table: Table):
        table.venue.watch(frozenset({SYMBOL}))
        for number in range(3_000):
            await asyncio.sleep(0.05)
            table.price("100.2" if number % 2 else "100.3")
        table.open()
        await asyncio.sleep(1)
        return table

    table = sit(scenario, prices=600, rotate_seconds=20.0)
    assert [(state.stream, state.up) for state in table.all(StreamState)] == [
        ("private", True),
        ("market", True),
    ]
    numbers = sorted({price.trade_id for price in table.all(LastPrice)})
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len(numbers) >= 2_900
    assert len(table.all(PositionReport)) == 1


def test_a_book_that_rests_is_no_loss():
    async def scenario(table: Table):
        table.venue.watch(frozenset({SYMBOL}))
        await asyncio.sleep(900)
        return table

    table = sit(scenario, book_silence_seconds=5.0)
    assert all(state.up for state in table.all(StreamState))
    assert len(table.all(Quote)) >= 58


def test_public_trades_of_any_span_are_listed_whole():
    async def scenario(table: Table):
        await asyncio.sleep(2 * 3_600)
        now_ms = table.venue.exchange_ms()
        trades = await table.venue.trades(SYMBOL, START_US // 1_000, now_ms)
        return trades, await table.venue.fees(SYMBOL)

    trades, fees = sit(scenario, prices=1_000)
    assert len({trade.trade_id for trade in trades}) == len(trades) >= 480
    assert (fees.entry, fees.exit) == (Decimal("0.0005"), Decimal("0.0005"))
