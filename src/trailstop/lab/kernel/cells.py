"""Runs the grid's loop: settings in, statistics of every cell out, on as many threads as wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm

import numpy as np
from msgspec.structs import replace

from trailstop.domain.policy import Absolute, Callback, Distance, Policy
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError
from trailstop.lab.entries import Entries
from trailstop.lab.kernel.bars import UNTIMED_ROWS
from trailstop.lab.kernel.falls import BLOCK
from trailstop.lab.kernel.grid import run_grid
from trailstop.lab.kernel.integers import (
    FIXED,
    FIXED_FAST,
    ROOM,
    TICK,
    activation_levels,
    levels,
    translate,
)
from trailstop.lab.kernel.scan import POINTS_MAX, RULES, Job, check
from trailstop.lab.kernel.tally import (
    CAUSE_BITS,
    CAUSES,
    DRAWDOWN,
    ENTRIES_MAX,
    FIGURES,
    HIGHEST,
    LOWEST,
    SUM,
    WINS,
    WORST_ONE,
)
from trailstop.lab.series import Bars, Float64, Int64
from trailstop.lab.terms import Costs, FillRule
from trailstop.lab.trades import Exits

HUNDRED = 100
CLOSE_BELOW = 1e-12
"""Falls are compared as floating point within this share; what is found is decided exactly."""
REPORTS = 50
"""How often a thread stops to tell how far it is."""
Told = Callable[[int], None]
"""Is told how many positions more are done."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Statistics of activations × distances: `figures[a, f, d]`, causes as `counts[c, a, d]`.

    `kept[a, d, e]` is bar, price in units ÷ `scale` and cause of every exit, where asked for.
    """

    figures: Float64
    counts: Int64
    kept: Int64
    scale: int


def can_share(policy: Policy) -> bool:
    """Whether one pass tells all distances of this kind: it must be one number, and no time."""
    return (
        isinstance(policy.distance, Callback | Absolute)
        and policy.momentum_percent_per_minute is None
        and policy.activation_after_minutes is None
    )


def run_block(  # noqa: PLR0917 - the parts of a backtest in their usual order
    bars: Bars,
    job: Job,
    policies: Sequence[Policy],
    distances: Sequence[Distance],
    instrument: Instrument,
    rule: FillRule,
    costs: Costs,
    *,
    threads: int,
    keeps: bool,
    told: Told | None,
) -> Block:
    """All `policies`, which differ in their activation alone, under all distances of one kind.

    Both must rise. Raises ConfigError where prices are too large.
    """
    policy, by_amount = policies[0], isinstance(distances[0], Absolute)
    widths = [_width(distance, bars.unit) for distance in distances]
    for distance in (distances[0], distances[-1]):
        # What no policy takes is refused here by it; the others lie between these two.
        policy = replace(policy, distance=distance)
    gains = [Fraction(each.activation_percent or 0) / HUNDRED for each in policies]
    parts = lcm(*(fraction.denominator for fraction in (*widths, *gains)))
    whole = translate(policy, instrument, bars.unit, parts)
    scale, tick_units = whole.scale, int(whole.cell[TICK]) // whole.scale
    if max(widths) * scale >= ROOM:
        raise ConfigError("an absolute distance is larger than any price: leave it out")
    cells = np.repeat(whole.cell[None], len(widths), axis=0)
    wide = np.array([int(width * scale) for width in widths], dtype=np.int64)
    if by_amount:
        cells[:, FIXED] = cells[:, FIXED_FAST] = wide
    rates = (wide * (not by_amount))[:, None]
    least = wide / scale * (1 - CLOSE_BELOW)
    shared = levels(policy, whole, job.entries, costs, bars.unit)
    at_once = np.array([each.activation_percent == 0 for each in policies], dtype=np.int64)
    activation = np.array(
        [activation_levels(each, scale, job.entries, costs, bars.unit) for each in policies]
    )
    rows, width, count = len(policies), len(distances), len(job.entries)
    kept = np.zeros((rows, width, count if keeps else 0, 3), dtype=np.int64)
    longest = int((job.last - job.entries.index).max(initial=0)) + 1
    nothing = np.empty(0, dtype=np.int64)

    def part(begin: int, until: int) -> tuple[int, Float64, Int64]:
        figures, counts = _empty(rows, width)
        causes = np.zeros((CAUSES, rows, width), dtype=np.int64)
        scratch = _scratch(longest)
        stride = min(ENTRIES_MAX, max(1, (until - begin) // (REPORTS if told else 1)))
        for start in range(begin, until, stride):
            stop = min(start + stride, until)
            outcome = run_grid(
                bars.open_ms, bars.open, bars.high, bars.low, bars.close, bars.interval_ms,
                RULES.index(rule), cells, rates, least, tick_units, by_amount,
                np.zeros((UNTIMED_ROWS, 2), dtype=np.int64), np.empty(POINTS_MAX, dtype=np.int64),
                np.empty_like(cells[0]),
                job.entries.index, job.signs, job.entries.price, job.last, job.limited,
                job.entries.at_close, at_once, activation, shared.initial, shared.breakeven,
                shared.breakeven_from, shared.rungs[0], nothing,
                float(costs.entry_fee), float(costs.exit_fee),
                float(costs.slippage_percent) / HUNDRED,
                figures, counts, keeps, kept, *scratch, start, stop,
            )  # fmt: skip
            if outcome:
                return outcome, figures, causes
            if told is not None:
                told(stop - start)
            if stop == until or (stop - begin) // ENTRIES_MAX > (start - begin) // ENTRIES_MAX:
                for cause in range(CAUSES):
                    causes[cause] += (counts >> (CAUSE_BITS * cause)) & ((1 << CAUSE_BITS) - 1)
                counts[:] = 0
        return 0, figures, causes

    edges = [count * number // threads for number in range(threads + 1)]
    if threads == 1 or count < threads:
        done = [part(0, count)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            done = list(pool.map(part, edges[:-1], edges[1:]))
    check([outcome for outcome, _, _ in done])
    figures, causes = done[0][1:]
    for _, more, counted in done[1:]:
        figures, causes = joined(figures, more), causes + counted
    return Block(figures, causes, kept, scale)


def _width(distance: Distance, unit: Decimal) -> Fraction:
    """A callback as a fraction of the peak, an absolute distance in units."""
    if isinstance(distance, Absolute):
        return Fraction(distance.distance) / Fraction(unit)
    assert isinstance(distance, Callback), "others share no pass"
    return Fraction(distance.callback_percent) / HUNDRED


def joined(before: Float64, after: Float64) -> Float64:
    """Statistics of two runs of positions, one after the other; the figures are axis 1."""
    both = np.empty_like(before)
    total = before[:, SUM]
    both[:, SUM] = total + after[:, SUM]
    both[:, WINS] = before[:, WINS] + after[:, WINS]
    both[:, WORST_ONE] = np.minimum(before[:, WORST_ONE], after[:, WORST_ONE])
    both[:, HIGHEST] = np.maximum(before[:, HIGHEST], total + after[:, HIGHEST])
    both[:, LOWEST] = np.minimum(before[:, LOWEST], total + after[:, LOWEST])
    across = before[:, HIGHEST] - (total + after[:, LOWEST])
    both[:, DRAWDOWN] = np.maximum(np.maximum(before[:, DRAWDOWN], after[:, DRAWDOWN]), across)
    return both


def figures_of(results: Float64) -> Float64:
    """The same statistics of one cell whose results are all there."""
    found = np.zeros(FIGURES)
    running = np.concatenate(([0.0], np.cumsum(results)))
    found[SUM], found[WINS] = running[-1], np.count_nonzero(results > 0)
    found[WORST_ONE] = results.min(initial=np.inf)
    found[HIGHEST], found[LOWEST] = running.max(), running.min()
    found[DRAWDOWN] = (np.maximum.accumulate(running) - running).max()
    return found


def net_percent(
    exits: Exits, entries: Entries, costs: Costs, instrument: Instrument, unit: Decimal
) -> Float64:
    """Results after fees and slippage, percent of the value at entry; as the loops reckon them."""
    sign = entries.sign.astype(np.float64)
    bought, left = entries.price * sign, exits.price / exits.scale * sign
    if costs.slippage_percent:
        tick = float(instrument.tick_size / unit)
        left -= np.abs(left) * (float(costs.slippage_percent) / HUNDRED)
        left = np.floor(left / tick) * tick
        left = np.where(sign > 0, np.maximum(left, tick), left)
    paid = entries.price * float(costs.entry_fee) + np.abs(left) * float(costs.exit_fee)
    net: Float64 = (left - bought - paid) / entries.price * HUNDRED
    return net


def _empty(rows: int, width: int) -> tuple[Float64, Int64]:
    figures = np.zeros((rows, FIGURES, width))
    figures[:, WORST_ONE] = np.inf
    return figures, np.zeros((rows, width), dtype=np.int64)


def _scratch(longest: int) -> tuple[Int64, Float64, Float64, Int64]:
    blocks = longest // BLOCK + 1
    return (
        np.empty(longest + 1, dtype=np.int64),
        np.empty(longest),
        np.empty(blocks),
        np.empty(blocks, dtype=np.int64),
    )
