"""More first stops than an account's limit lets out at once: they wait their turn, and say so."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from itertools import count

import pytest

from benchmarks.soaking.meter import Meter
from tests.acceptance.exchanges import EXCHANGES
from tests.acceptance.fixtures import QUIET_WORLD
from tests.acceptance.table import START_PRICE, WEEK_S, Table
from tests.paper.server.support import SECOND_US, START_US, market
from trailstop.paper.assembly import Build
from trailstop.paper.harness import run_scenario
from trailstop.paper.prices.tape import Print, Tape

BYBIT = next(one for one in EXCHANGES if one.name == "bybit" and not one.hedge)
"""Ten stops a second are its limit, the least of all."""
A_WINDOW = 10
WINDOW_MS = 1_200
"""A second, and what two requests may come closer to each other on their way."""
LATE_MS = 2_000
IN_TURN = re.compile(r"waits its turn: (\d+) ms until the exchange's limit allows it")


def _names(many):
    return tuple(f"C{number:02}USDT" for number in range(many))


def _tape(symbol):
    prints = [
        Print(START_US + second * SECOND_US, START_PRICE, Decimal(1), False)
        for second in (0, WEEK_S)
    ]
    return Tape(market(symbol), iter(prints), "hand-made")


class _Opened:
    """What became of positions that were all open when the guard started."""

    def __init__(self, table):
        self._table = table
        self.covered_ms: dict[str, int] = {}
        self.holds: list[str] = []

    async def watch(self, names, side):
        table = self._table
        for _ in count():
            for symbol in names:
                if symbol not in self.covered_ms and table.ours(side, symbol):
                    self.covered_ms[symbol] = table.now_ms
            if len(self.covered_ms) == len(names):
                return
            self.holds += [
                row.hold_text
                for row in (table.daemon.facade.status().legs if hasattr(table, "daemon") else ())
                if row.hold_reason == "budget"
            ]
            await table.wait(0.05)


async def _records(table, kind):
    await table.store.durable()
    return [row.record for row in await table.store.events(kinds=[kind], limit=10_000)]


def _start(many, side, folder, judge):
    names = _names(many)

    async def scene(paper, addresses):
        table = Table(BYBIT, paper, addresses, folder, [])
        table.meter = Meter(paper)
        printer = asyncio.create_task(table.print_on())
        try:
            for symbol in names:
                table.price(START_PRICE, symbol)
            table.printing = False
            for symbol in names:
                table.open(side, "0.5", symbol=symbol)
            opened = _Opened(table)
            watching = asyncio.create_task(opened.watch(names, side))
            await table.start()
            async with asyncio.timeout(60):
                await watching
            await table.wait(1)
            await judge(table, opened)
        finally:
            printer.cancel()
            await table.stop()

    build = Build(world=QUIET_WORLD, hedge=False, bybit_port=0)
    run_scenario(scene, [_tape(symbol) for symbol in names], build)


@pytest.mark.parametrize("side", ["long", "short"])
def test_first_stops_that_the_limit_holds_up_for_a_moment_are_holds_and_no_alarms(side, tmp_path):
    many = 15

    async def judge(table, opened):
        held = await _records(table, "held")
        assert await _records(table, "alarmed") == []
        assert len({row.leg for row in held}) == many - A_WINDOW
        assert all(IN_TURN.search(row.text) for row in held), held
        assert opened.holds
        assert all(IN_TURN.search(text) for text in opened.holds), opened.holds
        first_ms, *_, last_ms = sorted(opened.covered_ms.values())
        assert last_ms - first_ms <= WINDOW_MS + 200, "as early as the limit lets them"
        assert table.meter.refused == {}, "and no earlier"

    _start(many, side, tmp_path, judge)


def test_a_position_that_is_still_bare_after_two_seconds_is_an_alarm_that_says_why(tmp_path):
    many = 45

    async def judge(table, opened):
        alarms = await _records(table, "alarmed")
        assert {row.code for row in alarms} == {"first_stop_late"}
        legs = [row.leg.symbol for row in alarms]
        assert len(legs) == len(set(legs)), "once each"
        assert all(IN_TURN.search(row.text) for row in alarms), alarms
        rows = {row.leg.symbol: row for row in table.daemon.facade.status().legs}
        adopted = {row.leg.symbol: row.at_ms for row in await _records(table, "adopted")}
        covered = opened.covered_ms.items()
        late = {symbol for symbol, at in covered if at - adopted[symbol] > LATE_MS + 100}
        assert late <= set(legs)
        told_ms = {row.leg.symbol: row.at_ms for row in alarms}
        assert all(LATE_MS <= told_ms[symbol] - adopted[symbol] <= LATE_MS + 100 for symbol in legs)
        assert all(opened.covered_ms[symbol] >= told_ms[symbol] for symbol in legs)
        assert all(row.protection == "held" for row in rows.values())
        first_ms, *_, last_ms = sorted(opened.covered_ms.values())
        windows = (many - 1) // A_WINDOW
        assert last_ms - first_ms <= windows * WINDOW_MS + 300, "as early as the limit lets them"
        assert table.meter.refused == {}
        # Each asks again when there is room for it, and hardly ever in vain.
        refused = [row for row in await _records(table, "settled") if row.state == "refused"]
        assert len(refused) <= 2 * many

    _start(many, "long", tmp_path, judge)
