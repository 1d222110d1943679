"""Moves of many stops at once: each needs a free conditional order for a moment, and few are."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from msgspec.structs import replace

from tests.acceptance.exchanges import EXCHANGES
from tests.acceptance.fixtures import QUIET_WORLD
from tests.acceptance.table import START_PRICE, WEEK_S, Table
from tests.paper.server.support import SECOND_US, START_US, market
from trailstop.paper.assembly import Build
from trailstop.paper.harness import run_scenario
from trailstop.paper.prices.tape import Print, Tape

BINANCE = next(one for one in EXCHANGES if one.name == "binance" and not one.hedge)
MANY = 40
FREE = 12
"""Conditional orders left beside a stop and a backstop of each."""


def _tape(symbol):
    prints = [
        Print(START_US + second * SECOND_US, START_PRICE, Decimal(1), False)
        for second in (0, WEEK_S)
    ]
    return Tape(market(symbol), iter(prints), "hand-made")


def test_a_burst_of_moves_never_runs_out_of_conditional_orders(tmp_path):
    names = tuple(f"C{number:02}USDT" for number in range(MANY))

    async def scene(paper, addresses):
        table = Table(BINANCE, paper, addresses, tmp_path, [])
        printer = asyncio.create_task(table.print_on())
        try:
            for symbol in names:
                table.price(START_PRICE, symbol)
            table.printing = False
            for symbol in names:
                table.open("long", "0.5", symbol=symbol)
            await table.start()
            await table.until(lambda: all(len(table.stops("long", name)) == 2 for name in names))
            moved_from = table.now_ms
            for symbol in names:
                table.price(START_PRICE * 1019 / 1000, symbol)
            await table.until(
                lambda: all(
                    any(stop.price > START_PRICE for stop in table.ours("long", name))
                    and len(table.stops("long", name)) == 2
                    for name in names
                )
            )
            assert table.now_ms - moved_from < 5_000
            await table.store.durable()
            told = [row.record for row in await table.store.events(kinds=["alarmed"], limit=1_000)]
            assert told == []
        finally:
            printer.cancel()
            await table.stop()

    world = replace(QUIET_WORLD, max_conditionals=2 * MANY + FREE)
    run_scenario(scene, [_tape(symbol) for symbol in names], Build(world=world, hedge=False))
