"""Results of many positions as a few numbers, and how far chance alone could account for them.

These are statistics over many trades, in floating point; no exit is decided with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import e
from statistics import NormalDist
from typing import Final

import numpy as np
from msgspec import Struct

from trailstop.lab.series import Float64, Int64

DRAWS: Final = 2_000
"""Resamples of an interval: its ends then move by about a fiftieth of their width."""
LEVEL_PERCENT: Final = 95
HUNDRED: Final = 100
EULER_GAMMA: Final = 0.5772156649015329


class Score(Struct, frozen=True):
    """Positions and their results after all costs, percent of each one's value at entry.

    `max_drawdown_percent` is the deepest fall of the sum of the results in the order of the exits.
    """

    trades: int
    mean_net_percent: float
    sum_net_percent: float
    win_percent: float
    worst_net_percent: float
    max_drawdown_percent: float


class Interval(Struct, frozen=True):
    """A mean and the range in which it lies in 95 of 100 resamples."""

    mean: float
    low: float
    high: float

    @property
    def is_more_than_chance(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Results of single positions as columns: net percent, times of entry and exit."""

    net_percent: Float64
    entry_ms: Int64
    exit_ms: Int64


def together(parts: Sequence[Outcomes]) -> Outcomes:
    """The outcomes of several windows or symbols, in the order of their entries; none of none."""
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Outcomes(np.zeros(0), none, none)
    order = np.argsort(np.concatenate([part.entry_ms for part in parts]), kind="stable")
    net, entry, end = (
        np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("net_percent", "entry_ms", "exit_ms")
    )
    return Outcomes(net, entry, end)


def score(outcomes: Outcomes) -> Score:
    """Sum up; nothing at all scores zero."""
    net = outcomes.net_percent
    if not len(net):
        return Score(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    sums = np.cumsum(net[np.argsort(outcomes.exit_ms, kind="stable")])
    highest = np.maximum(np.maximum.accumulate(sums), 0.0)
    return Score(
        trades=len(net),
        mean_net_percent=float(net.mean()),
        sum_net_percent=float(net.sum()),
        win_percent=float((net > 0).mean() * HUNDRED),
        worst_net_percent=float(net.min()),
        max_drawdown_percent=float((highest - sums).max()),
    )


def stretch(outcomes: Outcomes) -> int:
    """How many positions in a row share their market: those opened while one is open, on average.

    At least the cube root of all, the usual length of a block. Outcomes are in the order of entry.
    """
    count = len(outcomes.net_percent)
    if count == 0:
        return 1
    opened = np.searchsorted(outcomes.entry_ms, outcomes.exit_ms) - np.arange(count)
    usual = round(float(np.cbrt(count)))
    return min(count, max(usual, round(float(opened.mean())), 1))


def bootstrap_mean(values: Float64, seed: int, block: int) -> Interval:
    """The mean and its 95 % interval, from blocks of values that follow one another in a circle.

    A block keeps together what is not independent; see `stretch`.
    """
    count = len(values)
    if count == 0:
        return Interval(0.0, 0.0, 0.0)
    starts = np.random.default_rng(seed).integers(0, count, (DRAWS, -(-count // block)))
    running = np.concatenate(([0.0], np.cumsum(np.concatenate((values, values[:block])))))
    sums = running[starts + block] - running[starts]
    means = sums.mean(axis=1) / block
    tail = (HUNDRED - LEVEL_PERCENT) / 2
    low, high = np.percentile(means, (tail, HUNDRED - tail))
    return Interval(float(values.mean()), float(low), float(high))


def best_by_luck(net_percent: Float64, trials: int) -> float:
    """The mean that the best of so many trials would show though all were worth nothing.

    Expected maximum of as many normal numbers with the standard error of these results. It counts
    trials as independent; neighbours are alike, so that it is rather too much than too little.
    Source: D. Bailey, M. López de Prado, The Deflated Sharpe Ratio, 2014, equation 6.
    """
    if trials <= 1 or len(net_percent) <= 1:
        return 0.0
    normal = NormalDist()
    highest = (1 - EULER_GAMMA) * normal.inv_cdf(1 - 1 / trials)
    highest += EULER_GAMMA * normal.inv_cdf(1 - 1 / (trials * e))
    return float(net_percent.std(ddof=1) / len(net_percent) ** 0.5 * highest)
