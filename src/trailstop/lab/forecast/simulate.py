"""Paths by chance: a random walk of recent volatility, or blocks of recorded returns.

Chance comes from a seeded generator of numpy: the same seed, the same paths. Returns are drawn in
floating point; the prices that come of them are exact from there on.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trailstop.errors import ConfigError, DataError
from trailstop.lab.forecast.paths import Path, Point
from trailstop.lab.series import Bars, Float64

RECENT_BARS = 1_440
"""Bars that recent volatility is taken from: a day of minutes."""
BLOCK_BARS = 60
"""Recorded returns are drawn in rows of so many, so that calm and storm stay together."""
WALK_POINTS = 200
"""Points of a simulated path; no closer together than the bars."""
LEAST_RETURNS = 20
DEFAULT_SEED = 1


def random_walk(
    bars: Bars,
    start: Decimal,
    at_ms: int,
    over_ms: int,
    *,
    count: int,
    seed: int = DEFAULT_SEED,
    tick_size: Decimal,
    recent: int = RECENT_BARS,
) -> tuple[Path, ...]:
    """Draw paths of a geometric random walk without drift.

    Its volatility is that of the last `recent` bars, close to close. Raises DataError for too
    few bars.
    """
    points, _ = _points(bars, over_ms)
    recorded = _returns(bars)[-recent:]
    bars_a_point = over_ms / points / bars.interval_ms
    deviation = float(np.std(recorded)) * np.sqrt(bars_a_point)
    drawn = np.random.default_rng(seed).standard_normal((count, points))
    # The mean of the price, not of its logarithm, stays where it is.
    steps = drawn * deviation - deviation**2 / 2
    return _paths(steps, start, at_ms, over_ms, tick_size)


def bootstrap(
    bars: Bars,
    start: Decimal,
    at_ms: int,
    over_ms: int,
    *,
    count: int,
    seed: int = DEFAULT_SEED,
    tick_size: Decimal,
    block: int = BLOCK_BARS,
) -> tuple[Path, ...]:
    """Draw paths out of blocks of recorded returns, in circles, so that each is as likely.

    Fat tails, clusters of volatility and the drift of the recorded time stay as they were.
    Raises DataError for too few bars.
    """
    points, bars_a_point = _points(bars, over_ms)
    recorded = _returns(bars)
    length = points * bars_a_point
    blocks = -(-length // block)
    starts = np.random.default_rng(seed).integers(0, len(recorded), (count, blocks, 1))
    picked = (starts + np.arange(block)).reshape(count, -1)[:, :length] % len(recorded)
    steps = recorded[picked].reshape(count, points, bars_a_point).sum(axis=2)
    return _paths(steps, start, at_ms, points * bars_a_point * bars.interval_ms, tick_size)


def _points(bars: Bars, over_ms: int) -> tuple[int, int]:
    """How many points a path has, and how many bars lie between two of them."""
    whole = over_ms // bars.interval_ms
    if whole == 0:
        raise ConfigError(
            f"the path lasts {over_ms} ms, less than one bar of {bars.interval_ms} ms: "
            "give it longer, or finer data"
        )
    bars_a_point = -(-whole // WALK_POINTS)
    return whole // bars_a_point, bars_a_point


def _returns(bars: Bars) -> Float64:
    """Logarithmic returns from close to close; a gap between two bars gives none."""
    joined = np.diff(bars.open_ms) == bars.interval_ms
    returns: Float64 = np.diff(np.log(bars.close.astype(np.float64)))[joined]
    if len(returns) < LEAST_RETURNS:
        raise DataError(
            f"{', '.join(bars.source) or bars.symbol}: {len(bars)} bars are too few to simulate "
            f"from; give {LEAST_RETURNS + 1} in a row at least"
        )
    return returns


def _paths(
    steps: Float64, start: Decimal, at_ms: int, over_ms: int, grid: Decimal
) -> tuple[Path, ...]:
    """Exact prices on the grid, the first of each path where the position stands."""
    ratios = np.exp(np.cumsum(steps, axis=1))
    ticks: NDArray[np.float64] = np.maximum(1.0, np.rint(ratios * float(start / grid)))
    count = steps.shape[1]
    times = [at_ms + over_ms * number // count for number in range(1, count + 1)]
    first = Point(at_ms, start)
    return tuple(
        (first, *(Point(when, int(tick) * grid) for when, tick in zip(times, row, strict=True)))
        for row in ticks.tolist()
    )
