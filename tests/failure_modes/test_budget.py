"""`pacing = budget` in a market that moves as one: more stops to move than the limits let go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from benchmarks.soaking.meter import Meter
from tests.acceptance.fixtures import QUIET_WORLD
from tests.acceptance.table import START_PRICE, WEEK_S, Table
from tests.paper.server.support import SECOND_US, START_US, market
from trailstop.engine.events import MovePermitted
from trailstop.paper.assembly import Build
from trailstop.paper.harness import run_scenario
from trailstop.paper.prices.tape import Print, Tape

CROWD = tuple(f"C{number:02}USDT" for number in range(50))
EARLIER = "EARLYUSDT"
LATECOMERS = ("LATEUSDT", "LATERUSDT")
MARKETS = (*CROWD, EARLIER, *LATECOMERS)
STEP = Decimal("0.002")
CLOCK_BEHIND_MS = 100
"""The guard's estimate of the exchange's clock is a little behind."""
ARRIVED_MS = 300
"""By then every stream has told the price of the burst."""
OTHERS_ORDERS = 200
"""What somebody else sends of an account's 300 orders in ten seconds: 40 are left for moves."""
MINUTE_MS = 60_000
BUDGET = ("[policy]", 'pacing = "budget"', 'breakeven_at_percent = "none"')
OPENED_AT_ONCE = 5
OPENED_EVERY_S = 10
"""Each opening costs reads; all of them within a minute would use up the weight."""
ALL = 100_000


class Crowd(Table):
    """A table with many markets, and what the exchange's limits had to bear."""

    def print_all(self, gain_percent: str, side: str) -> None:
        """The whole market moves in one moment, in favour of this side."""
        sign = 1 if side == "long" else -1
        price = START_PRICE * (1 + sign * Decimal(gain_percent) / 100)
        for symbol in CROWD:
            self.price(price, symbol)

    async def minute_begins(self) -> None:
        """Wait until every fixed window has just begun."""
        await self.wait((MINUTE_MS - self.now_ms % MINUTE_MS) / 1_000 + 0.5)

    def moved(self, symbol: str, side: str, percent_behind: str) -> bool:
        """Whether the stop lies so far behind the price, and no other one beside it."""
        wanted = self.behind(side, self._prices[symbol], percent_behind)
        return [stop.price for stop in self.ours(side, symbol)] == [wanted]

    def ours_on(self, side: str) -> Callable[[str], object]:
        """What rests of ours on a symbol."""
        return lambda symbol: self.ours(side, symbol)

    async def permitted(self, since_ms: int) -> list[tuple[str, int]]:
        """Symbols and times of the moves that were permitted, in their order."""
        await self.store.durable()
        rows = await self.store.events(kinds=["input"], limit=ALL)
        events = [(row.record.leg.symbol, row.record.event) for row in rows]
        return [
            (symbol, event.at_ms)
            for symbol, event in events
            if isinstance(event, MovePermitted) and event.at_ms >= since_ms
        ]


def _tape(symbol):
    prints = [
        Print(START_US + second * SECOND_US, START_PRICE, Decimal(1), False)
        for second in (0, WEEK_S)
    ]
    return Tape(market(symbol), iter(prints), "hand-made")


@pytest.fixture
def crowd(exchange, tmp_path, side, ended):
    """Fifty trails behind one account, each larger than the one before, and the same gain."""

    def run(story):
        async def scene(paper, addresses):
            table = Crowd(exchange, paper, addresses, tmp_path, list(BUDGET))
            table.meter = Meter(paper)
            printer = asyncio.create_task(table.print_on())
            try:
                for symbol in MARKETS:
                    table.price(START_PRICE, symbol)
                table.printing = False  # Fifty quiet markets, so that a minute passes quickly.
                await table.start()
                for number, symbol in enumerate(CROWD, start=1):
                    table.open(side, str(STEP * number), symbol=symbol)
                    if number % OPENED_AT_ONCE == 0:
                        await table.wait(OPENED_EVERY_S)
                table.print_all("1.6", side)
                await table.until(
                    lambda: all(table.moved(symbol, side, "0.5") for symbol in CROWD), 60
                )
                await table.wait(10)
                await story(table)
                ended(table)
            finally:
                printer.cancel()
                await table.stop()

        served = {f"{exchange.name}_port": 0}
        build = Build(world=QUIET_WORLD, hedge=exchange.hedge, **served)
        run_scenario(scene, [_tape(symbol) for symbol in MARKETS], build)

    return run


@pytest.mark.usefixtures("one_way")
def test_order_burst_limit_with_a_budget_goes_by_money_at_risk_and_unprotected_first(
    exchange, crowd, side
):
    async def story(table):
        if not exchange.one_layer:
            table.fault("foreign_use", orders=OTHERS_ORDERS)
        await table.minute_begins()
        # By the answers to these orders the guard learns what others use of this window.
        table.open(side, "0.5", symbol=EARLIER)
        await table.until(lambda: len(table.stops(side, EARLIER)) == table.layers, 2)
        await table.wait(1)
        burst_ms = table.now_ms - CLOCK_BEHIND_MS
        table.print_all("3.6", side)
        for symbol in LATECOMERS:
            table.open(side, "0.5", symbol=symbol)
        await table.wait(ARRIVED_MS / 1_000)
        held = [row for row in table.daemon.facade.status().legs if row.hold_reason == "budget"]
        await table.until(lambda: all(map(table.ours_on(side), LATECOMERS)), 2)
        await table.until(lambda: all(table.moved(symbol, side, "0.5") for symbol in CROWD), 30)

        permitted = await table.permitted(burst_ms)
        symbols = [symbol for symbol, _ in permitted]
        assert sorted(symbols) == list(CROWD), "each of them once"
        at_once = sum(at_ms < burst_ms + ARRIVED_MS for _, at_ms in permitted)
        assert 0 < at_once < len(CROWD)
        by_risk = [symbol for symbol in reversed(CROWD) if symbol in symbols[at_once:]]
        assert symbols[at_once:] == by_risk, "all gained alike: the largest first"
        assert {row.leg.symbol for row in held} == set(by_risk)
        assert all("most money at risk" in row.hold_text for row in held)
        assert table.meter.refused == {}, "no limit was hit"
        table.assert_never_bare()

    crowd(story)
