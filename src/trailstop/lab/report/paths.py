"""The prices around one trade, thinned so that a picture of them stays small."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct

from trailstop.domain.price import Side
from trailstop.lab.series import Bars, Int64, Quotes
from trailstop.lab.series import Trades as Prints
from trailstop.lab.trades import Trade

CANDLES_MOST: Final = 160
"""Candles in one picture: more are drawn over each other on a screen."""
CONTEXT_LEAST: Final = 8
CONTEXT_PART: Final = 6
"""Prices shown before and after: a sixth of those of the trade itself."""


class Path(Struct, frozen=True):
    """Candles around a trade, each of `each_ms`; where there are no prices there is none.

    `start_ms` is the middle of the first one, Unix ms, `after_ms` the distance of each from it.
    The four prices are whole units of the series from `base`, the price of one unit being
    `unit` (a string, quote currency).
    """

    start_ms: int
    after_ms: list[int]
    open: list[int]
    high: list[int]
    low: list[int]
    close: list[int]
    base: int
    unit: str
    each_ms: int


def price_path(prices: Bars | Prints | Quotes, trade: Trade) -> Path | None:
    """The prices around a trade; None where the series has none there."""
    if isinstance(prices, Bars):
        times_ms, interval_ms = prices.open_ms, prices.interval_ms
    else:
        times_ms, interval_ms = prices.time_ms, 1
    # A bar that has begun but not ended at the entry belongs to the trade, too.
    begin = int(np.searchsorted(times_ms, trade.entry_ms - interval_ms, side="left"))
    end = int(np.searchsorted(times_ms, trade.exit_ms, side="right"))
    context = max(CONTEXT_LEAST, (end - begin) // CONTEXT_PART)
    # What lies beyond a hole would press the trade itself into a corner.
    reach_ms = max(2 * context * interval_ms, (trade.exit_ms - trade.entry_ms) // CONTEXT_PART)
    near = np.searchsorted(times_ms, [trade.entry_ms - reach_ms, trade.exit_ms + reach_ms])
    begin, end = max(0, begin - context, int(near[0])), min(end + context, int(near[1]))
    if end <= begin:
        return None
    first_ms = int(times_ms[begin])
    intervals = (int(times_ms[end - 1]) - first_ms) // interval_ms + 1
    each_ms = interval_ms * -(-intervals // CANDLES_MOST)
    candle = (times_ms[begin:end] - first_ms) // each_ms
    starts = np.flatnonzero(np.diff(candle, prepend=-1))
    opened, high, low, closed = (column[begin:end] for column in _columns(prices, trade.side))
    base = int(opened[0])
    return Path(
        start_ms=first_ms + each_ms // 2,
        after_ms=_ints(candle[starts] * each_ms),
        open=_ints(opened[starts] - base),
        high=_ints(np.maximum.reduceat(high, starts) - base),
        low=_ints(np.minimum.reduceat(low, starts) - base),
        close=_ints(closed[np.append(starts[1:], end - begin) - 1] - base),
        base=base,
        unit=f"{prices.unit:f}",
        each_ms=each_ms,
    )


def _columns(prices: Bars | Prints | Quotes, side: Side) -> tuple[Int64, Int64, Int64, Int64]:
    match prices:
        case Bars():
            return prices.open, prices.high, prices.low, prices.close
        case Quotes():
            # A long leaves at the bid, a short at the ask.
            price = prices.bid if side is Side.LONG else prices.ask
        case _:
            price = prices.price
    return price, price, price, price


def _ints(values: Int64) -> list[int]:
    return [int(value) for value in values]
