"""A run of prices and what stands for it lead every trail to the same decision."""

from __future__ import annotations

import random
from collections.abc import Iterable
from decimal import Decimal

import pytest

from tests.engine.story import LEG, NO_FEES
from trailstop.domain.policy import Callback, Policy
from trailstop.domain.position import Phase, Position
from trailstop.domain.price import Instrument, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.step import step
from trailstop.engine.trail import Trail
from trailstop.ports import LastPrice, MarkPrice, Quote
from trailstop.venues.conflation import Backlog, NewestQuote, Run

D = Decimal
SYMBOL = "BTCUSDT"
START_MS = 1_000
STANDS_FOR_A_RUN = 7


def trades(prices: Iterable[Decimal]) -> list[LastPrice]:
    """Trades 20 ms apart."""
    return [
        LastPrice(SYMBOL, price, number, START_MS + number * 20)
        for number, price in enumerate(prices, 1)
    ]


def walk(seed: int, count: int, *, wild: bool) -> list[Decimal]:
    """Prices that wander; wild ones print something far away now and then, for one trade."""
    chance, price, found = random.Random(seed), D(100), []
    for _ in range(count):
        price += D(chance.randint(-6, 6)) / 100
        stray = wild and chance.random() < 0.005
        found.append(price * D(chance.choice(("0.9", "1.08"))) if stray else price)
    return found


def collapsed(events: list[LastPrice], most: int) -> list[LastPrice]:
    """The same events, told by runs of at most so many."""
    runs: list[Run] = []
    for event in events:
        if not runs or runs[-1].count >= most or not runs[-1].add(event):
            runs.append(Run(event))
    told = [run.events() for run in runs]
    assert all(len(part) <= STANDS_FOR_A_RUN for part in told)
    return [event for part in told for event in part if isinstance(event, LastPrice)]


def decided(side: Side, events: list[LastPrice], callback: str) -> Trail:
    """The trail of a position opened at 100 after these prices, or when it was to be closed."""
    trail = begin(
        leg=LEG,
        epoch=1,
        position=Position(side, D(100), D(1)),
        instrument=Instrument(SYMBOL, D("0.00000001"), D("0.001")),
        policy=Policy(
            initial_stop_percent=D(30),
            backstop_percent=D(40),
            activation_percent=D("0.05"),
            breakeven_at_percent=None,
            distance=Callback(D(callback)),
        ),
        fees=NO_FEES,
        at_ms=START_MS,
        foreign_stop=None,
    )
    trail, _ = step(trail, ev.PriceSeen(D(100), START_MS))
    assert trail.sent is not None
    trail, _ = step(trail, ev.StopAcknowledged(trail.sent.price, D(1), START_MS))
    for event in events:
        if trail.phase is Phase.TRIGGERED:
            break
        trail, _ = step(trail, ev.PriceSeen(event.price, event.at_ms))
    return trail


def test_a_run_is_told_by_its_extremes_in_their_order_and_its_newest():
    first, *others = trades(map(D, ("100", "101", "100.5", "100", "100.7", "100.6", "100.2")))
    run = Run(first)
    assert all(run.add(event) for event in others)
    assert [event.price for event in run.events()] == [D(100), D(101), D(100), D("100.2")]


@pytest.mark.parametrize("most", [10, 300, 20_000])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("callback", ["0.5", "1.1", "4"])
def test_whole_and_collapsed_prices_lead_to_one_decision(side, seed, most, callback):
    events = trades(walk(seed, 2_000, wild=False))
    whole, told = decided(side, events, callback), decided(side, collapsed(events, most), callback)
    assert told.phase is whole.phase
    if whole.phase is not Phase.TRIGGERED:
        assert (told.peak, told.exact_stop) == (whole.peak, whole.exact_stop)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("side", Side)
def test_a_stray_print_hides_no_extreme_and_raises_no_peak(side, seed):
    events = trades(walk(seed, 2_000, wild=True))
    told = collapsed(events, 20_000)
    assert len(told) < len(events)
    whole, short = decided(side, events, "4"), decided(side, told, "4")
    assert (short.phase, short.peak) == (whole.phase, whole.peak)


@pytest.mark.parametrize("bad", ["0", "-1", "NaN", "Infinity", "1e400"])
def test_what_is_no_price_stays_alone_for_its_judge(bad):
    run = Run(LastPrice(SYMBOL, D(100), 1, 1))
    assert not run.add(LastPrice(SYMBOL, D(bad), 2, 2))
    assert not Run(LastPrice(SYMBOL, D(bad), 2, 2)).add(LastPrice(SYMBOL, D(100), 3, 3))


@pytest.mark.parametrize(
    "late", [LastPrice(SYMBOL, D(101), 5, 11), LastPrice(SYMBOL, D(101), 6, 9)]
)
def test_a_repeated_or_late_trade_joins_no_run(late):
    assert not Run(LastPrice(SYMBOL, D(100), 5, 10)).add(late)


def test_of_books_only_the_newest_matters():
    newest = NewestQuote(Quote(SYMBOL, D(1), D(2), 5))
    assert newest.add(Quote(SYMBOL, D(3), D(4), 6))
    assert not newest.add(Quote(SYMBOL, D(7), D(8), 4))
    assert newest.events() == [Quote(SYMBOL, D(3), D(4), 6)]


def test_marks_and_trades_that_wait_are_told_apart():
    waiting = Backlog()
    for number in range(1, 101):
        waiting.add(LastPrice(SYMBOL, D(100) + D(number % 7) / 100, number, number))
        waiting.add(MarkPrice(SYMBOL, D(100) - D(number % 5) / 100, number))
    told = list(waiting.events())
    assert len(told) <= 2 * STANDS_FOR_A_RUN
    assert max(event.price for event in told if isinstance(event, LastPrice)) == D("100.06")
    assert min(event.mark for event in told if isinstance(event, MarkPrice)) == D("99.96")
