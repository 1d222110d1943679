"""Small markets and policies for the exact backtest, in round figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from trailstop.domain.policy import Absolute, Policy
from trailstop.domain.price import Side
from trailstop.lab import Bars, Costs, Entries, FillRule, Quotes, Trade, Trades, backtest
from trailstop.lab.terms import NO_COSTS

MINUTE_MS = 60_000
START_MS = 1_700_000_040_000
"""A whole minute; no quarter of an hour begins there."""
UNIT = Decimal("0.01")
Row = tuple[str, str, str, str]

BARE = Policy(
    initial_stop_percent=None,
    backstop_percent=None,
    breakeven_at_percent=None,
    activation_percent=Decimal(0),
    distance=Absolute(Decimal(1)),
    pacing="none",
)
"""Trails 1.00 behind the peak from the first price on, and nothing else."""


def units(price: str | Decimal) -> int:
    return int(Decimal(price) / UNIT)


def bars(rows: Iterable[Row], *, interval_ms: int = MINUTE_MS, start_ms: int = START_MS) -> Bars:
    """Bars of (open, high, low, close), one after the other."""
    columns = np.array([[units(price) for price in row] for row in rows], dtype=np.int64).T
    times = start_ms + interval_ms * np.arange(columns.shape[1], dtype=np.int64)
    return Bars("BTCUSDT", UNIT, interval_ms, times, *columns)


def prints(rows: Iterable[tuple[int, str]]) -> Trades:
    """Trades of (milliseconds after the start, price)."""
    table = list(rows)
    times = np.array([START_MS + after for after, _ in table], dtype=np.int64)
    return Trades("BTCUSDT", UNIT, times, np.array([units(price) for _, price in table]))


def book(rows: Iterable[tuple[int, str, str]]) -> Quotes:
    """Quotes of (milliseconds after the start, bid, ask)."""
    table = list(rows)
    columns = (
        np.array([START_MS + after for after, _, _ in table], dtype=np.int64),
        np.array([units(bid) for _, bid, _ in table]),
        np.array([units(ask) for _, _, ask in table]),
    )
    return Quotes("BTCUSDT", UNIT, *columns)


def entry(
    side: Side = Side.LONG,
    price: str = "100",
    *,
    index: int = 0,
    at_close: bool = True,
    exit_index: int | None = None,
    quantity: str | None = "1",
) -> Entries:
    return Entries(
        index=np.array([index]),
        sign=np.array([side.sign], dtype=np.int8),
        price=np.array([units(price)]),
        at_close=at_close,
        exit_index=None if exit_index is None else np.array([exit_index]),
        quantity=None if quantity is None else Decimal(quantity),
    )


def mirrored(rows: Sequence[Row]) -> list[Row]:
    """The same market upside down about 100: what was a long's is a short's."""
    return [tuple(str(200 - Decimal(p)) for p in (o, low, h, c)) for o, h, low, c in rows]  # type: ignore[misc]


def of_side(rows: Sequence[Row], side: Side) -> list[Row]:
    return list(rows) if side is Side.LONG else mirrored(rows)


def price_for(side: Side, price: str) -> Decimal:
    return Decimal(price) if side is Side.LONG else 200 - Decimal(price)


def one(
    prices: Any,
    entries: Entries,
    policy: Policy = BARE,
    *,
    rule: FillRule = FillRule.WORST_CASE,
    costs: Costs = NO_COSTS,
    **more: Any,
) -> Trade:
    """The one trade of a backtest by `step`."""
    result = backtest(prices, entries, policy, rule=rule, costs=costs, engine="step", **more)
    (trade,) = result.trades
    return trade


def of_moment(text: str) -> int:
    """Unix milliseconds of a time in ISO 8601."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)
