"""What the exchange does to a position or a market, as the venue tells it; on the paper exchange."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial

import pytest

from tests.paper.server.support import START_US, SYMBOL
from tests.venues import paper_table
from tests.venues.paper_table import BINANCE, Table
from trailstop.domain.position import Role
from trailstop.engine.events import Refusal
from trailstop.paper.assembly import Build
from trailstop.paper.settings import WorldSettings
from trailstop.ports import (
    Acknowledged,
    ExecutionReport,
    InstrumentChanged,
    OrderState,
    Origin,
    PositionReport,
    Refused,
    StopReport,
)

sit = partial(paper_table.sit, BINANCE)
BEGAN_MS = START_US // 1_000 - 1


def world(table: Table):
    return table.paper.exchange.sync()


END = {
    Origin.LIQUIDATION: lambda table: world(table).liquidate(table.key, SYMBOL),
    Origin.ADL: lambda table: world(table).deleverage(table.key, SYMBOL),
    Origin.SETTLEMENT: lambda table: world(table).settle(SYMBOL),
}


@pytest.mark.parametrize("origin", list(END))
def test_what_the_exchange_closes_itself_says_so_in_stream_and_list(origin):
    async def scenario(table: Table):
        table.open()
        await table.place("95", "ts-b", Role.BACKSTOP)
        await asyncio.sleep(1)
        END[origin](table)
        table.paper.exchange.tell()
        await asyncio.sleep(1)
        return (
            table,
            await table.venue.executions(table.leg, BEGAN_MS),
            await table.venue.snapshot(None),
        )

    table, fills, snapshot = sit(scenario)
    assert [fill.origin for fill in fills] == [Origin.ORDER, origin]
    assert table.all(ExecutionReport)[-1].execution == fills[-1]
    assert table.all(PositionReport)[-1].quantity == 0
    assert (snapshot.positions, snapshot.stops) == ({}, ())
    assert table.all(StopReport)[-1].state is OrderState.CANCELLED


def test_a_tick_that_changes_is_told_at_the_first_refusal_and_the_next_stop_rests():
    async def scenario(table: Table):
        table.open()
        await asyncio.sleep(60)
        world(table).change_market(SYMBOL, tick_size=Decimal("0.5"))
        table.paper.exchange.tell()
        refused = await table.place("97.3", "ts-1")
        return refused, await table.place("97.5", "ts-2"), table

    refused, placed, table = sit(scenario)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.TRANSIENT
    assert isinstance(placed, Acknowledged)
    (told,) = table.all(InstrumentChanged)
    assert (told.symbol, told.status, told.instrument.tick_size) == (
        SYMBOL, "trading", Decimal("0.5"),
    )  # fmt: skip


def test_a_halt_is_told_at_the_first_refusal_and_its_end_within_the_half_hour():
    async def scenario(table: Table):
        table.open()
        await asyncio.sleep(60)
        world(table).halt(SYMBOL)
        table.paper.exchange.tell()
        refused = await table.place("97", "ts-1")
        world(table).resume(SYMBOL)
        await asyncio.sleep(31 * 60)
        return refused, table

    refused, table = sit(scenario)
    assert isinstance(refused, Refused)
    assert [told.status for told in table.all(InstrumentChanged)] == ["halted", "trading"]


def test_a_change_of_a_watched_market_is_told_within_two_seconds():
    async def scenario(table: Table):
        table.venue.watch(frozenset({SYMBOL}))
        await asyncio.sleep(60)
        acts = (
            lambda: world(table).change_market(SYMBOL, tick_size=Decimal("0.5")),
            lambda: world(table).halt(SYMBOL),
            lambda: world(table).resume(SYMBOL),
            lambda: world(table).delist(SYMBOL),
            lambda: world(table).settle(SYMBOL),
        )
        for act in acts:
            act()
            table.paper.exchange.tell()
            await asyncio.sleep(2)
        return table

    table = sit(scenario)
    told = [(event.status, event.text) for event in table.all(InstrumentChanged)]
    assert told == [
        ("trading", "tick size 0.1 to 0.5"),
        ("halted", "HALT"),
        ("trading", "TRADING"),
        ("settling", "SETTLING"),
        ("closed", "CLOSE"),
    ]


def test_a_stop_below_the_band_is_refused_with_the_one_that_will_do():
    async def scenario(table: Table):
        table.open()
        await asyncio.sleep(60)
        refused = await table.place("90", "ts-1")
        nearest = str(refused.nearest)
        return refused, await table.place(nearest, "ts-2"), nearest

    refused, placed, nearest = sit(
        scenario, build=Build(world=WorldSettings(trigger_band=Decimal("0.08")))
    )
    assert refused.reason is Refusal.BAND
    assert Decimal("92.0") <= Decimal(nearest) <= Decimal("92.2")
    assert isinstance(placed, Acknowledged)


def test_the_slots_that_are_taken_are_counted_whoever_takes_them():
    async def scenario(table: Table):
        table.open()
        await table.place("95", "ts-b", Role.BACKSTOP)
        await table.place("97", "web-1")
        everything = await table.venue.snapshot(None)
        some = await table.venue.snapshot(frozenset({SYMBOL}))
        return everything, some

    everything, some = sit(scenario)
    assert (everything.conditional_orders, everything.conditional_slots) == (2, 200)
    assert (some.conditional_orders, some.conditional_slots) == (None, None)
