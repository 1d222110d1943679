"""Made-up bars from a seed: the market on which speed is measured and examples run."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import numpy as np

from trailstop.errors import ConfigError
from trailstop.lab.data.columns import frozen
from trailstop.lab.series import Bars

MINUTE_MS: Final = 60_000
YEAR_MS: Final = 365 * 24 * 60 * MINUTE_MS
START_MS: Final = 1_735_689_600_000
"""2025-01-01 00:00 UTC."""
_HALF: Final = 0.5


def synthetic_bars(
    seed: int,
    count: int,
    *,
    symbol: str = "BTCUSDT",
    start_price: Decimal = Decimal(60_000),
    tick: Decimal = Decimal("0.1"),
    interval_ms: int = MINUTE_MS,
    start_ms: int = START_MS,
    volatility: float = 0.8,
    jumps_a_day: float = 1.0,
    jump_size: float = 0.01,
) -> Bars:
    """A geometric Brownian motion with jumps, as bars whose extremes fit their ends.

    `volatility` is a year's standard deviation, `jump_size` that of a jump, both of the
    logarithm of the price. Half of the jumps come between two bars, so that stops are gapped,
    the others inside one. High and low are drawn from the distribution that they have between
    the given ends. The same arguments give the same bars.
    """
    if count < 1:
        raise ConfigError(f"{count} bars cannot be made; ask for at least one")
    chance = np.random.default_rng(seed)
    sigma = volatility * np.sqrt(interval_ms / YEAR_MS)
    drifted = chance.normal(-sigma * sigma / 2, sigma, count)
    jumps_a_bar = jumps_a_day * interval_ms / (24 * 60 * MINUTE_MS)
    sizes = chance.normal(0.0, jump_size, count) * chance.poisson(jumps_a_bar, count)
    between = chance.random(count) < _HALF
    gaps, leaps = np.where(between, sizes, 0.0), np.where(between, 0.0, sizes)
    gaps[0] = 0.0
    ends = np.cumsum(gaps + drifted + leaps)
    begins = ends - drifted - leaps
    # The highest point of a Brownian path from 0 to d is (d + √(d² − 2σ² ln u)) / 2.
    spreads = [
        np.sqrt(drifted * drifted - 2 * sigma * sigma * np.log1p(-chance.random(count)))
        for _ in range(2)
    ]
    tops = begins + (drifted + spreads[0]) / 2
    bottoms = begins + (drifted - spreads[1]) / 2
    first = float(start_price / tick)
    opens, closes, highs, lows = (
        np.maximum(np.rint(first * np.exp(path)), 1).astype(np.int64)
        for path in (begins, ends, tops, bottoms)
    )
    return Bars(
        symbol=symbol,
        unit=tick,
        interval_ms=interval_ms,
        open_ms=frozen(start_ms + interval_ms * np.arange(count, dtype=np.int64)),
        open=frozen(opens),
        high=frozen(np.maximum(highs, np.maximum(opens, closes))),
        low=frozen(np.minimum(lows, np.minimum(opens, closes))),
        close=frozen(closes),
        source=(f"synthetic, seed {seed}",),
    )
