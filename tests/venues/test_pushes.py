"""Between sockets and listener: who is slow loses no extreme, and never an account event."""

from __future__ import annotations

import asyncio
import contextlib
import random
from decimal import Decimal

import pytest

from trailstop.domain.position import Leg
from trailstop.ports import LastPrice, MarkPrice, PositionReport, Quote, VenueEvent
from trailstop.venues.connects import SPAN_SECONDS, ConnectBudget
from trailstop.venues.pushes import CONFLATE_ABOVE, Pushes

D = Decimal
LEG = Leg("main", "binance", "BTCUSDT")
SYMBOLS = tuple(f"COIN{number}USDT" for number in range(50))
BURST = 20_000


def pushes(length_max: int = 10_000) -> Pushes:
    return Pushes("binance", "main", length_max, {"private": ("private",), "market": ("market",)})


async def told(of: Pushes, count: int | None = None) -> list[VenueEvent]:
    """So many events of those that wait, or all."""
    found: list[VenueEvent] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            async for event in of.events():
                found.append(event)
                if len(found) == count:
                    break
    return found


def report(number: int) -> PositionReport:
    return PositionReport(LEG, D(number), D(100), "order", number)


async def test_a_listener_that_keeps_up_hears_every_price():
    line = pushes()
    events = [LastPrice("BTCUSDT", D(100 + n % 3), n, n) for n in range(CONFLATE_ABOVE)]
    for event in events:
        await line.put(event)
    assert await told(line, len(events)) == events
    assert line.conflated == 0


async def test_a_burst_on_fifty_symbols_takes_bounded_room_and_loses_no_extreme():
    line, chance = pushes(), random.Random(1)
    prices = {symbol: D(100) for symbol in SYMBOLS}
    high: dict[str, Decimal] = {}
    low: dict[str, Decimal] = {}
    for number in range(1, BURST + 1):
        symbol = chance.choice(SYMBOLS)
        price = prices[symbol] = prices[symbol] + D(chance.randint(-3, 3)) / 100
        high[symbol] = max(high.get(symbol, price), price)
        low[symbol] = min(low.get(symbol, price), price)
        async with asyncio.timeout(1):
            await line.put(LastPrice(symbol, price, number, number))
    assert line.waiting < CONFLATE_ABOVE + 4 * len(SYMBOLS)
    found = [event for event in await told(line) if isinstance(event, LastPrice)]
    for symbol in SYMBOLS:
        of_symbol = [event.price for event in found if event.symbol == symbol]
        assert (max(of_symbol), min(of_symbol)) == (high[symbol], low[symbol])
        assert of_symbol[-1] == prices[symbol]
        ids = [event.trade_id for event in found if event.symbol == symbol]
        assert ids == sorted(ids)
    assert line.conflated == BURST - len(found)


async def test_account_events_are_never_collapsed_and_keep_their_place():
    line = pushes()
    for number in range(1, 1_001):
        await line.put(LastPrice("BTCUSDT", D(100), number, number))
        await line.put(report(number))
        await line.put(Quote("BTCUSDT", D(99), D(101), number))
        await line.put(MarkPrice("BTCUSDT", D(100), number))
    found = await told(line)
    reports = [event for event in found if isinstance(event, PositionReport)]
    assert reports == [report(number) for number in range(1, 1_001)]
    assert sum(isinstance(event, Quote) for event in found) <= CONFLATE_ABOVE


async def test_what_comes_after_the_listener_has_caught_up_is_told_behind_what_waited():
    line = pushes()
    for number in range(1, 2 * CONFLATE_ABOVE):
        await line.put(LastPrice("BTCUSDT", D(100), number, number))
    first = await told(line, CONFLATE_ABOVE // 2)
    for number in range(2 * CONFLATE_ABOVE, 2 * CONFLATE_ABOVE + 10):
        await line.put(LastPrice("BTCUSDT", D(101), number, number))
    rest = await told(line)
    ids = [event.trade_id for event in (*first, *rest) if isinstance(event, LastPrice)]
    assert ids == sorted(ids)
    assert ids[-1] == 2 * CONFLATE_ABOVE + 9


async def test_where_nothing_can_collapse_the_sockets_wait():
    line = pushes(length_max=1_000)
    for number in range(1_000):
        await line.put(report(number))
    waiting = asyncio.create_task(line.put(report(1_000)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await told(line, 1)
    await asyncio.wait_for(waiting, 1)


async def test_a_programmers_error_in_a_task_reaches_the_listener():
    async def wrong() -> None:
        raise ZeroDivisionError

    line = pushes()
    line.spawn(wrong())
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(told(line, 1), 1)


class Clocked:
    """The loop's time, told by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now += seconds

        monkeypatch.setattr("trailstop.venues.connects.asyncio.sleep", sleep)


async def test_all_streams_together_stay_under_what_the_exchange_allows(monkeypatch):
    clocked, budget = Clocked(monkeypatch), ConnectBudget(300)
    at = []
    for _ in range(600):
        await budget.turn(first=True)
        at.append(clocked.now)
    for moment in at:
        assert sum(moment <= other < moment + SPAN_SECONDS for other in at) <= 240
    assert clocked.slept


async def test_who_only_replaces_a_good_socket_leaves_room_for_who_has_none(monkeypatch):
    clocked, budget = Clocked(monkeypatch), ConnectBudget(300)
    for _ in range(230):
        await budget.turn(first=False)
    assert clocked.slept == []
    await budget.turn(first=True)
    assert clocked.slept == []
    await budget.turn(first=False)
    assert clocked.slept
