"""One backtest by the fast engine: which bar or trade each entry leaves at, and at what price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from trailstop.domain.policy import Atr, Policy
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError
from trailstop.lab.entries import NEVER, Entries
from trailstop.lab.exact.run import Exact
from trailstop.lab.exact.task import Task
from trailstop.lab.kernel.able import why_not
from trailstop.lab.kernel.averages import NO_AVERAGES, Averages, averages_of
from trailstop.lab.kernel.bars import run_bars, sample_rows
from trailstop.lab.kernel.integers import Whole, levels, translate
from trailstop.lab.kernel.outcome import CLOSE_TO_PRICE, DONE, JUMPED, TOO_LARGE
from trailstop.lab.kernel.ticks import run_ticks
from trailstop.lab.kernel.tight import is_plain, run_tight
from trailstop.lab.series import Bars, Int64, Quotes, Trades
from trailstop.lab.terms import Costs, ExitCause, FillRule
from trailstop.lab.trades import Exits

RULES = tuple(FillRule)
POINTS_MAX = 5


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Entries as the loops want them: checked, with the last bar each may stay to."""

    entries: Entries
    signs: Int64
    last: Int64
    limited: Int64


def scan(  # noqa: PLR0917 - the parts of a backtest in their usual order
    prices: Bars | Trades | Quotes,
    entries: Entries,
    policy: Policy,
    instrument: Instrument,
    rule: FillRule,
    costs: Costs,
    *,
    threads: int = 1,
    averages: Averages | None = None,
) -> Exits:
    """Find the exits of all entries, exactly as `step` would.

    Where a price jumps through both the stop that rests and a tighter one that pacing holds back,
    the cause is that of the tighter one, since pacing is not looked at.
    Fees count where the rule counts them; slippage is left to the caller. `averages` are those of
    a policy with an ATR, where they are known already. Raises ConfigError for what only the exact
    engine can do.
    """
    reason = why_not(policy, rule, costs, instrument, prices)
    if reason is not None:
        raise ConfigError(reason)
    job = prepare(prices, entries)
    whole = translate(policy, instrument, prices.unit)
    if isinstance(policy.distance, Atr) and averages is None:
        assert not isinstance(prices, Quotes), "refused above"
        averages = averages_of(prices, policy.distance)
    return run(
        prices, job, policy, instrument, whole, rule, costs, averages or NO_AVERAGES, threads
    )


def prepare(prices: Bars | Trades | Quotes, entries: Entries) -> Job:
    """Check the entries. Raises ConfigError for one that the series does not hold."""
    count = len(prices)
    index = entries.index
    if len(index) and (int(index.min()) < 0 or int(index.max()) >= count):
        raise ConfigError(f"an entry lies outside the {count} rows of prices: leave it out")
    if len(index) and int(entries.price.min()) <= 0:
        raise ConfigError("an entry has a price that is not above 0: leave it out")
    limited = np.zeros(len(index), dtype=np.int64)
    last = np.full(len(index), count - 1, dtype=np.int64)
    if entries.exit_index is not None:
        chosen = entries.exit_index != NEVER
        limited[chosen] = 1
        last[chosen] = entries.exit_index[chosen]
        if len(index) and (int(last.max()) >= count or bool((last < index).any())):
            raise ConfigError("an exit lies before its entry or after the prices: mend exit_index")
    return Job(entries, entries.sign.astype(np.int64), last, limited)


def run(  # noqa: PLR0917 - as above
    prices: Bars | Trades | Quotes,
    job: Job,
    policy: Policy,
    instrument: Instrument,
    whole: Whole,
    rule: FillRule,
    costs: Costs,
    averages: Averages,
    threads: int,
) -> Exits:
    """The loop over prepared entries."""
    entries, count = job.entries, len(job.entries)
    found = levels(policy, whole, entries, costs, prices.unit)
    ranges = np.empty(0, dtype=np.int64)
    if isinstance(policy.distance, Atr):
        ranges = averages.distances(policy.distance.multiplier, whole, prices.unit)
    index, price, cause = (np.empty(count, dtype=np.int64) for _ in range(3))

    samples = sample_rows(whole.cell)
    shared = (
        entries.index, job.signs, entries.price, job.last, job.limited, entries.at_close,
        found.activation,
    )  # fmt: skip
    rest = (
        found.ripe, found.initial, found.breakeven, found.breakeven_from, found.paid, found.rungs,
        averages.end_ms, ranges, index, price, cause,
    )  # fmt: skip

    def plain_part(first: int, until: int) -> int:
        assert isinstance(prices, Bars)
        return run_tight(
            prices.open, prices.high, prices.low, prices.close, whole.cell, whole.rates,
            *shared, index, price, cause, first, until,
        )  # fmt: skip

    def bars_part(first: int, until: int) -> int:
        assert isinstance(prices, Bars)
        return run_bars(
            prices.open_ms, prices.open, prices.high, prices.low, prices.close,
            prices.interval_ms, RULES.index(rule), whole.cell, whole.rates, whole.fast,
            np.zeros((samples, 2), dtype=np.int64), np.empty(POINTS_MAX, dtype=np.int64),
            *shared, *rest, first, until,
        )  # fmt: skip

    def ticks_part(first: int, until: int) -> int:
        assert not isinstance(prices, Bars)
        is_quoted = isinstance(prices, Quotes)
        bids = prices.bid if isinstance(prices, Quotes) else prices.price
        asks = prices.ask if isinstance(prices, Quotes) else prices.price
        return run_ticks(
            prices.time_ms, bids, asks, is_quoted, whole.cell, whole.rates, whole.fast,
            np.zeros((samples, 2), dtype=np.int64), *shared, *rest, first, until,
        )  # fmt: skip

    if not isinstance(prices, Bars):
        outcomes = in_parts(ticks_part, count, threads)
    elif is_plain(policy, whole, rule):
        outcomes = in_parts(plain_part, count, threads)
        if CLOSE_TO_PRICE in outcomes:
            outcomes = in_parts(bars_part, count, threads)
    else:
        outcomes = in_parts(bars_part, count, threads)
    check(outcomes)
    exits = Exits(index=index, price=price, scale=whole.scale, cause=cause.astype(np.int8))
    if isinstance(prices, Trades) and JUMPED in exits.cause:
        unslipped = replace(costs, slippage_percent=Decimal(0))
        task = Task(prices, entries, policy, instrument, rule, unslipped, moves=False)
        _decide_by_step(exits, prices, job.last, task)
    return exits


def in_parts(part: Callable[[int, int], int], count: int, threads: int) -> Sequence[int]:
    """Do the work in as many parts as threads are wanted; the loops let each other run."""
    if threads <= 1 or count < threads:
        return (part(0, count),)
    edges = [count * number // threads for number in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return tuple(pool.map(part, edges[:-1], edges[1:]))


def check(outcomes: Sequence[int]) -> None:
    """Raise ConfigError where a loop could not decide."""
    if all(outcome == DONE for outcome in outcomes):
        return
    if TOO_LARGE in outcomes:
        raise ConfigError(
            "prices and settings have too many digits for the fast engine: round the settings, "
            "or take the exact engine"
        )
    raise ConfigError(
        "a position opens beyond its first stop: take the exact engine, which measures anew"
    )


def _decide_by_step(exits: Exits, trades: Trades, last: Int64, task: Task) -> None:
    """Fill in the exits of positions in which a trade had to be confirmed."""
    exact, causes = Exact(task), tuple(ExitCause)
    for number in np.flatnonzero(exits.cause == JUMPED):
        trade = exact.trade(int(number))
        left = int(np.searchsorted(trades.time_ms, trade.exit_ms, side="right")) - 1
        exits.index[number] = min(left, int(last[number]))
        exits.price[number] = int(trade.exit_price / trades.unit * exits.scale)
        exits.cause[number] = causes.index(trade.cause)
