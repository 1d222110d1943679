"""Random prices with many ties, in coarse units, and policies over every setting that decides."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import strategies as st

from tests.engine.worlds import DISTANCES, POLICIES
from tests.lab.exact.worlds import MINUTE_MS, START_MS, UNIT
from trailstop.domain.policy import Atr, Policy
from trailstop.domain.price import Rounding
from trailstop.lab import Bars, Costs, Entries, Quotes, Trades

SPREADS = (5, 20, 80)
"""Usual move of one price in units, of which 10 000 are the first price."""
GRIDS = (1, 10, 50)
COSTS = st.builds(
    Costs,
    entry_fee=st.just(Decimal("0.0005")),
    exit_fee=st.just(Decimal("0.0005")),
    latency_ms=st.sampled_from([0, 0, 250, 40_000]),
)
PACED = st.builds(
    Policy,
    initial_stop_percent=st.sampled_from([None, Decimal(1), Decimal(2)]),
    backstop_percent=st.sampled_from([None, Decimal(3)]),
    distance=DISTANCES | st.just(Atr(length=3, timeframe_minutes=2, multiplier=Decimal(1))),
    activation_percent=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal("1.5")]),
    activation_after_minutes=st.sampled_from([None, None, Decimal(5)]),
    breakeven_at_percent=st.sampled_from([None, Decimal("0.5")]),
    gain_basis=st.sampled_from(["gross", "net"]),
    momentum_percent_per_minute=st.sampled_from([None, None, Decimal("0.1")]),
    min_distance_ticks=st.sampled_from([0, 3]),
    update_interval_seconds=st.sampled_from([Decimal(0), Decimal(100)]),
    min_improvement_percent=st.sampled_from([Decimal(0), Decimal("0.1"), Decimal(1)]),
    pacing=st.sampled_from(["fixed", "none", "budget"]),
    rounding=st.sampled_from([Rounding.MARKET, Rounding.MARKET, *Rounding]),
    on_cross=st.sampled_from(["close", "hold"]),
    strict=st.sampled_from([False, False, True]),
)
SETTINGS = POLICIES | PACED


def random_bars(seed: int, count: int = 120, *, interval_ms: int = MINUTE_MS) -> Bars:
    """Bars that begin anywhere in an hour; a few are missing, and gaps lie between some."""
    rng = np.random.default_rng(seed)
    spread, grid = int(rng.choice(SPREADS)), int(rng.choice(GRIDS))
    closes = 10_000 + np.cumsum(rng.normal(0, spread, count).astype(np.int64))
    opens = np.concatenate([[10_000], closes[:-1]])
    opens = opens + (rng.random(count) < 0.1) * rng.integers(-4 * spread, 4 * spread, count)
    tall = np.abs(rng.normal(0, spread, (2, count))).astype(np.int64)
    high, low = np.maximum(opens, closes) + tall[0], np.minimum(opens, closes) - tall[1]
    times = START_MS + interval_ms * np.flatnonzero(rng.random(count * 2) < 0.9)[:count]
    columns = [np.maximum(column // grid * grid, grid) for column in (opens, high, low, closes)]
    return Bars("BTCUSDT", UNIT, interval_ms, times.astype(np.int64), *columns)


def random_trades(seed: int, count: int = 400) -> Trades:
    """Trades of some seconds' distance, several at one time, with stray prints among them."""
    rng = np.random.default_rng(seed)
    spread, grid = int(rng.choice(SPREADS)), int(rng.choice(GRIDS))
    price = 10_000 + np.cumsum(rng.normal(0, spread / 2, count).astype(np.int64))
    price = price + (rng.random(count) < 0.02) * rng.integers(-600, 600, count)
    times = START_MS + np.cumsum(rng.exponential(2_000, count) * (rng.random(count) < 0.8))
    return Trades("BTCUSDT", UNIT, times.astype(np.int64), np.maximum(price // grid * grid, grid))


def random_quotes(seed: int) -> Quotes:
    trades = random_trades(seed)
    rng = np.random.default_rng(seed)
    ask = trades.price + rng.integers(1, 20, len(trades))
    return Quotes("BTCUSDT", UNIT, trades.time_ms, trades.price, ask)


def random_entries(seed: int, prices: Bars | Trades | Quotes, count: int = 4) -> Entries:
    """Longs and shorts at prices of the series, some with a time limit."""
    rng = np.random.default_rng(seed)
    index = np.sort(rng.integers(0, len(prices) // 2, count))
    column = {Bars: "close", Trades: "price", Quotes: "bid"}[type(prices)]
    limit = np.where(rng.random(count) < 0.3, index + 40, -1)
    return Entries(
        index=index,
        sign=rng.choice([1, -1], count).astype(np.int8),
        price=getattr(prices, column)[index],
        at_close=bool(rng.integers(2)),
        exit_index=limit,
    )
