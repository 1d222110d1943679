"""Random backtests by the fast engine and by `step`, held against each other.

`compare` is what the benchmark runs 100 000 times and the tests some hundred: entries in both
directions on bars whose prices tie often, under every setting that the fast engine takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from trailstop.domain.policy import (
    Absolute,
    Atr,
    Callback,
    Distance,
    Policy,
    ProfitShare,
    Rung,
    Steps,
)
from trailstop.domain.price import Instrument, Rounding
from trailstop.lab.entries import NEVER, Entries
from trailstop.lab.exact.run import Exact
from trailstop.lab.exact.task import Task
from trailstop.lab.kernel import scan, why_not
from trailstop.lab.series import Bars, Int64, Quotes, Trades
from trailstop.lab.sweep import Place, sweep
from trailstop.lab.terms import Costs, ExitCause, FillRule

RULES = tuple(rule for rule in FillRule if rule not in (FillRule.FREQTRADE, FillRule.FINER))
TICKS = ("0.01", "0.5", "1.0")
MINUTE_MS = 60_000
CAUSES = tuple(ExitCause)
ENDS = (ExitCause.TIME_LIMIT, ExitCause.END_OF_DATA)
PLAIN_SHARE = 0.25
ABSOLUTE_SHARE, MIXED_SHARE = 0.3, 0.15
TICK_SHARE, QUOTE_SHARE, JUMP_SHARE = 0.15, 0.3, 0.3
CANDLE_BARS = 15
"""Bars from which on one candle of the longest timeframe is whole."""


@dataclass(frozen=True)
class Case:
    """One backtest of a few entries."""

    prices: Bars | Trades | Quotes
    entries: Entries
    policy: Policy
    instrument: Instrument
    rule: FillRule
    costs: Costs


@dataclass(frozen=True)
class Difference:
    """An entry that the two engines do not end alike: (time, price, cause) of each."""

    case: Case
    entry: int
    kernel: tuple[int, Decimal, str]
    step: tuple[int, Decimal, str]


def compare(cases: int, seed: int) -> list[Difference]:
    """Exits that differ in so many random backtests."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(cases):
        on_ticks = random.random() < TICK_SHARE
        found += differences(random_ticks(random) if on_ticks else random_case(random))
    return found


def differences(case: Case) -> list[Difference]:
    """Exits of one backtest that differ in bar, price or cause."""
    exits = scan(case.prices, case.entries, case.policy, case.instrument, case.rule, case.costs)
    task = Task(
        case.prices, case.entries, case.policy, case.instrument, case.rule, case.costs,
        moves=False, every=True,
    )  # fmt: skip
    exact, found = Exact(task), []
    for number in range(len(case.entries)):
        price = Decimal(int(exits.price[number])) / exits.scale * case.prices.unit
        index = int(exits.index[number])
        kernel = (_time(case.prices, index), price, CAUSES[exits.cause[number]].value)
        trade = exact.trade(number)
        left_ms = trade.exit_ms
        if isinstance(case.prices, Bars) and trade.cause not in ENDS:
            left_ms = _bar_time(case.prices, left_ms)
        elif isinstance(case.prices, Bars):
            left_ms -= case.prices.interval_ms
        step = (left_ms, trade.exit_price, trade.cause.value)
        # A jump through both the stop that rests and a tighter one that pacing holds back is named
        # after the first by the exact engine, after the second by this one.
        held_back = case.policy.pacing != "none" and not trade.crossed
        if kernel != step and not (held_back and kernel[:2] == step[:2]):
            found.append(Difference(case, number, kernel, step))
    return found


def _time(prices: Bars | Trades | Quotes, index: int) -> int:
    times = prices.open_ms if isinstance(prices, Bars) else prices.time_ms
    return int(times[index])


def _bar_time(bars: Bars, at_ms: int) -> int:
    return int(bars.open_ms[np.searchsorted(bars.open_ms, at_ms, side="right") - 1])


def grid_differences(random: np.random.Generator) -> list[tuple[Case, Place, int]]:
    """Exits that a sweep of a random grid finds otherwise than a backtest of the cell."""
    case = random_case(random)
    unit, tick = case.prices.unit, case.instrument.tick_size
    policy = replace(case.policy, activation_after_minutes=None, momentum_percent_per_minute=None)
    kind = random.random()
    distances: list[Distance] = [
        Callback(Decimal(int(part)) / 20) for part in random.choice(100, 6, replace=False) + 1
    ]
    if kind < ABSOLUTE_SHARE:
        distances = [
            Absolute(unit * int(part)) for part in random.choice(200, 6, replace=False) + 1
        ]
    elif kind < ABSOLUTE_SHARE + MIXED_SHARE:
        distances[2], distances[4] = Absolute(tick * 5), policy.distance
    activations = [Decimal(int(part)) / 10 for part in random.choice(30, 4, replace=False)]
    grid = sweep(
        case.prices, case.entries, policy, activation=activations, distance=distances,
        breakeven=[None, Decimal("0.3")] if policy.rounding is Rounding.MARKET else [None],
        rule=case.rule, costs=case.costs, instrument=case.instrument, threads=1, keep_exits=True,
    )  # fmt: skip
    found = []
    for place in np.ndindex(grid.sum_percent.shape):
        cell = grid.policy_at(place)
        exits, swept = (
            scan(case.prices, case.entries, cell, case.instrument, case.rule, case.costs),
            grid.exits_at(place),
        )
        same = (exits.index == swept.index) & (exits.cause == swept.cause)
        same &= exits.price * swept.scale == swept.price * exits.scale
        found += [(replace_policy(case, cell), place, int(at)) for at in np.flatnonzero(~same)]
    return found


def replace_policy(case: Case, policy: Policy) -> Case:
    """The same backtest under other settings."""
    return Case(case.prices, case.entries, policy, case.instrument, case.rule, case.costs)


def random_case(random: np.random.Generator) -> Case:
    """A backtest that ties often: few distinct prices, round percents, coarse ticks."""
    tick = Decimal(str(random.choice(TICKS)))
    unit = tick if random.random() < 0.7 else tick / 5
    bars = random_bars(random, int(random.integers(3, 300)), unit, int(tick / unit))
    entries = random_entries(random, bars.open, bars.close)
    costs = Costs(
        entry_fee=_pick(random, "0", "0.0002", "0.0005", "0.0011"),
        exit_fee=_pick(random, "0", "0.0005", "0.00055"),
        latency_ms=0,
    )
    rule = RULES[random.integers(len(RULES))]
    instrument = Instrument("RANDOM", tick, Decimal("0.001"))
    plain = random.random() < PLAIN_SHARE
    while True:
        policy = plain_policy(random, tick) if plain else random_policy(random, bars, tick)
        if isinstance(policy.distance, Atr) and len(bars) < CANDLE_BARS:
            continue
        if why_not(policy, rule, costs, instrument, bars) is None:
            return Case(bars, entries, policy, instrument, rule, costs)


def random_ticks(random: np.random.Generator) -> Case:
    """A backtest on single trades, or on quotes for a policy of bid and ask."""
    case = random_case(random)
    assert isinstance(case.prices, Bars), "made so"
    count, start = int(random.integers(3, 600)), int(case.prices.close[0])
    size = max(1, start // 300)
    moves = random.integers(-size, size + 1, count)
    if random.random() < JUMP_SHARE:
        moves[random.random(count) < 0.02] *= 12
    walk = np.maximum(start + np.cumsum(moves), size * 60)
    time_ms = np.cumsum(random.choice([0, 0, 10, 400, 3_000, 90_000], count)) + MINUTE_MS
    prices: Trades | Quotes = Trades("RANDOM", case.prices.unit, time_ms, walk)
    policy = case.policy
    if random.random() < QUOTE_SHARE:
        spread = random.integers(1, 4, count)
        prices = Quotes("RANDOM", case.prices.unit, time_ms, walk, walk + spread)
        policy = replace(policy, basis="bid_ask", initial_stop_percent=None)
    entries = random_entries(random, walk, walk)
    case = Case(prices, entries, policy, case.instrument, case.rule, case.costs)
    refused = why_not(policy, case.rule, case.costs, case.instrument, prices)
    return random_ticks(random) if refused else case


def random_bars(random: np.random.Generator, count: int, unit: Decimal, coarse: int) -> Bars:
    """A random walk in steps of the unit, with gaps between bars and in time."""
    start = int(random.choice([200, 1_000, 20_000])) * coarse
    size = max(1, int(start * random.choice([0.001, 0.004, 0.02])))
    grid = coarse if random.random() < 0.5 else 1
    moves = random.integers(-size, size + 1, (count, 4)) // grid * grid
    close = np.maximum(start + np.cumsum(moves[:, 0]), start // 4)
    jumps = random.random(count) < 0.2
    open_ = np.concatenate(([start], close[:-1])) + moves[:, 1] * jumps
    high = np.maximum(open_, close) + np.abs(moves[:, 2])
    low = np.maximum(np.minimum(open_, close) - np.abs(moves[:, 3]), 1)
    missing = random.random(count) < 0.03
    open_ms = np.cumsum(np.where(missing, random.integers(2, 30, count), 1)) * MINUTE_MS
    times, *prices = (column.astype(np.int64) for column in (open_ms, open_, high, low, close))
    opens, highs, lows, closes = prices
    return Bars("RANDOM", unit, MINUTE_MS, times, opens, highs, lows, closes)


def random_entries(random: np.random.Generator, opens: Int64, closes: Int64) -> Entries:
    """Up to four positions, of both sides, some with a limit of time."""
    count = min(len(closes), int(random.integers(1, 5)))
    index = np.sort(random.choice(len(closes), count, replace=False)).astype(np.int64)
    at_close = bool(random.random() < 0.6)
    exit_index = None
    if random.random() < 0.5:
        held = index + random.integers(1, 60, count)
        exit_index = np.where(random.random(count) < 0.3, NEVER, np.minimum(held, len(closes) - 1))
    return Entries(
        index=index,
        sign=random.choice([-1, 1], count).astype(np.int8),
        price=(closes if at_close else opens)[index],
        at_close=at_close,
        exit_index=exit_index,
    )


def random_policy(random: np.random.Generator, bars: Bars, tick: Decimal) -> Policy:
    """Any settings; the caller asks whether the fast engine takes them."""
    steps = Steps(
        (Rung(Decimal("0.5"), _pick(random, "1", "0.4")), Rung(Decimal(1), Decimal("0.5")),
         Rung(Decimal(2), _pick(random, "0.25", "0.6")))
    )  # fmt: skip
    kinds: tuple[Distance, ...] = (
        Callback(_pick(random, "0.1", "0.2", "0.5", "1", "2.5")),
        Callback(_pick(random, "0.05", "0.3", "0.75", "1.25", "5")),
        Absolute(tick * int(random.integers(1, 60)) / int(random.choice([1, 1, 2]))),
        Atr(int(random.integers(2, 6)), int(random.choice([1, 2, 5])),
            _pick(random, "0.5", "1", "2", "3.5"), _pick(random, "0.5", "1")),
        ProfitShare(_pick(random, "0.25", "0.5", "0.8")),
        steps,
    )  # fmt: skip
    price = int(bars.close[random.integers(len(bars))]) * bars.unit
    by_price = random.random() < 0.15
    off = None
    return Policy(
        initial_stop_percent=_or(random, off, "0.5", "1", "2", "0.07"),
        backstop_percent=off,
        activation_percent=off if by_price else _pick(random, "0", "0", "0.2", "0.5", "1", "1.5"),
        activation_price=price if by_price else off,
        activation_after_minutes=_pick(random, "1", "10", "2.5") if random.random() < 0.2 else off,
        activation_after_gain_percent=_pick(random, "0", "0.1"),
        distance=kinds[random.integers(len(kinds))],
        breakeven_at_percent=_or(random, off, "0", "0.3", "0.5"),
        breakeven_offset_percent=_pick(random, "0", "0", "0.05", "-0.1"),
        gain_basis="net" if random.random() < 0.2 else "gross",
        momentum_percent_per_minute=_pick(random, "0.1", "0.5") if random.random() < 0.2 else off,
        momentum_factor=_pick(random, "0.7", "0.5", "1"),
        momentum_window_seconds=int(random.choice([30, 60, 300])),
        min_distance_ticks=int(random.choice([0, 1, 3])),
        min_distance_percent=_pick(random, "0.1", "0"),
        pacing="none" if random.random() < 0.5 else "fixed",
        rounding=Rounding.MARKET if random.random() < 0.8 else Rounding.NONE,
    )


def plain_policy(random: np.random.Generator, tick: Decimal) -> Policy:
    """One distance and no other stop, as other backtesters have it."""
    callback = Callback(_pick(random, "0.2", "0.5", "1", "2"))
    return Policy(
        initial_stop_percent=None,
        backstop_percent=None,
        breakeven_at_percent=None,
        activation_percent=_pick(random, "0", "0.2", "0.5", "1"),
        distance=callback if random.random() < 0.7 else Absolute(tick * int(random.integers(1, 9))),
        min_distance_ticks=int(random.choice([0, 1, 3])),
        pacing="none",
        rounding=Rounding.MARKET if random.random() < 0.6 else Rounding.NONE,
    )


def _pick(random: np.random.Generator, *choices: str) -> Decimal:
    return Decimal(choices[random.integers(len(choices))])


def _or(random: np.random.Generator, off: None, *choices: str) -> Decimal | None:
    return off if random.random() < 0.4 else _pick(random, *choices)
