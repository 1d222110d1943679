"""Each venue against the paper exchange: both ends written apart, meeting on the wire."""

from __future__ import annotations

import asyncio
import itertools
import random
from decimal import Decimal

import pytest

from tests.paper.server.support import START_US, SYMBOL, tape
from tests.venues.paper_table import BINANCE, BYBIT, Dialect, Table, sit
from trailstop.engine.events import Refusal
from trailstop.errors import BadCredentials
from trailstop.paper.assembly import Addresses, Build, Paper
from trailstop.paper.harness import run_scenario
from trailstop.paper.trouble.faults import Fault
from trailstop.ports import (
    Acknowledged,
    LastPrice,
    MarkPrice,
    OrderState,
    Quote,
    Refused,
    StreamState,
    Unknown,
)
from trailstop.timelink import LoopClock

pytestmark = pytest.mark.parametrize("dialect", [BINANCE, BYBIT], ids=lambda row: row.name)


def test_a_close_leaves_nothing_open(dialect: Dialect):
    async def scenario(table: Table):
        table.open()
        await table.place("98")
        outcome = await table.close()
        await asyncio.sleep(0.5)
        found = await table.venue.look_up(table.leg, "ts-c", "order")
        repeated = await table.close()
        return outcome, found, repeated, await table.venue.snapshot(None)

    outcome, found, repeated, snapshot = sit(dialect, scenario)
    assert isinstance(outcome, Acknowledged)
    assert (found.state, found.filled, found.order_id) == (
        OrderState.FILLED, Decimal("0.1"), outcome.order_id,
    )  # fmt: skip
    assert isinstance(repeated, (Acknowledged, Refused))
    assert snapshot.positions == {}


@pytest.mark.parametrize(
    ("kind", "executed", "state"),
    [
        ("lost_request", False, OrderState.ABSENT),
        ("lost_answer", False, OrderState.RESTING),
        ("unknown", True, OrderState.RESTING),
        ("unknown", False, OrderState.ABSENT),
        ("internal", True, OrderState.RESTING),
        ("timeout", True, OrderState.RESTING),
    ],
)
def test_after_an_unknown_outcome_a_look_up_tells(dialect: Dialect, kind, executed, state):
    async def scenario(table: Table):
        table.open()
        table.paper.add_fault(
            Fault(kind=kind, method="POST", path=dialect.set_stop, count=1, executed=executed)
        )
        outcome = await table.place("98")
        return outcome, await table.venue.look_up(table.leg, "ts-1", "stop")

    outcome, found = sit(dialect, scenario)
    assert isinstance(outcome, Unknown)
    assert found.state is state
    assert found.price == (Decimal(98) if state is OrderState.RESTING else None)


def test_too_many_requests_are_refused_for_now_and_done_later(dialect: Dialect):
    async def scenario(table: Table):
        table.open()
        table.paper.add_fault(
            Fault(kind="too_many_requests", method="POST", path=dialect.set_stop, count=1)
        )
        refused = await table.place("98")
        await asyncio.sleep(2)
        return refused, await table.place("98")

    refused, repeated = sit(dialect, scenario)
    assert refused.reason is Refusal.TRANSIENT
    assert refused.retry_after_ms > 0
    assert isinstance(repeated, Acknowledged)


def test_prices_come_for_what_is_watched(dialect: Dialect):
    async def scenario(table: Table):
        table.venue.watch(frozenset({SYMBOL}))
        await asyncio.sleep(60)
        return table

    table = sit(dialect, scenario, every_s=5)
    assert {LastPrice, Quote, MarkPrice} <= {type(event) for event in table.told}
    assert all(state.up for state in table.all(StreamState))


def test_history_of_prices_is_whole(dialect: Dialect):
    async def scenario(table: Table):
        await asyncio.sleep(3_600)
        table.price("105")
        await asyncio.sleep(3_600)
        venue = table.venue
        now_ms, start_ms = venue.exchange_ms(), START_US // 1_000
        trades = await venue.trades(SYMBOL, now_ms - 600_000, now_ms)
        bars = await venue.bars(SYMBOL, 1, start_ms, now_ms, "last")
        marks = await venue.bars(SYMBOL, 1, start_ms, now_ms, "mark")
        return trades, bars, marks, await venue.last_price(SYMBOL), await venue.fees(SYMBOL)

    trades, bars, marks, price, fees = sit(dialect, scenario, prices=1_000)
    assert len(trades) >= 38
    assert [trade.at_ms for trade in trades] == sorted(trade.at_ms for trade in trades)
    assert [bar.closed for bar in bars][-2:] == [True, False]
    assert all(later.at_ms - bar.at_ms == 60_000 for bar, later in itertools.pairwise(bars))
    assert max(mark.high for mark in marks) > Decimal(101)
    assert price == Decimal(100)
    assert fees.entry == fees.exit > 0


@pytest.mark.parametrize("field", ["api_key", "api_secret"])
def test_a_wrong_key_is_said_to_be_wrong(dialect: Dialect, field):
    async def play(paper: Paper, addresses: Addresses) -> None:
        settings = dialect.settings_for(paper, addresses, **{field: "x" * 64})
        clock = LoopClock(paper.exchange.loop)
        await dialect.venue(settings, clock, random.Random(1)).start()

    with pytest.raises(BadCredentials, match=dialect.key_variable):
        run_scenario(play, [tape([100] * 10)], Build(bybit_port=0))
