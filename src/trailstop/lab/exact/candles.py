"""Closed candles of the ATR's timeframe, made of the prices that a backtest is given."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trailstop.domain.policy import Atr
from trailstop.engine.rules import MS_PER_MINUTE, next_atr
from trailstop.engine.trail import AtrState
from trailstop.lab.data.resample import resample
from trailstop.lab.series import Bars, Int64, Trades


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Candles on the grid of Unix time; each is known from `end_ms` on. Prices in units."""

    end_ms: Int64
    high: Int64
    low: Int64
    close: Int64

    def __len__(self) -> int:
        return len(self.end_ms)


def closed_candles(prices: Bars | Trades, minutes: int) -> Candles:
    """Candles of so many minutes that the series holds from begin to end; empty where none does.

    A candle in which nothing was traded is left out. Raises ConfigError where bars do not fill
    such a candle evenly.
    """
    span_ms = minutes * MS_PER_MINUTE
    bars = _whole_bars(prices, span_ms) if isinstance(prices, Bars) else _of_trades(prices, span_ms)
    if bars is None:
        none = np.empty(0, dtype=np.int64)
        return Candles(none, none, none, none)
    return Candles(bars.open_ms + span_ms, bars.high, bars.low, bars.close)


def _whole_bars(bars: Bars, span_ms: int) -> Bars | None:
    if not len(bars) or not _holds_one(int(bars.open_ms[0]), _end_ms(bars), span_ms):
        return None
    return resample(bars, span_ms)


def _of_trades(trades: Trades, span_ms: int) -> Bars | None:
    """Each candle's first, highest, lowest and last trade; those at the edges may lack some."""
    time_ms, price = trades.time_ms, trades.price
    if not len(trades) or not _holds_one(int(time_ms[0]), int(time_ms[-1]), span_ms):
        return None
    slots = time_ms // span_ms
    first = np.flatnonzero(np.diff(slots, prepend=slots[0] - 1))
    last = np.append(first[1:], len(slots)) - 1
    open_ms = slots[first] * span_ms
    whole = (open_ms >= time_ms[0]) & (open_ms + span_ms <= time_ms[-1])
    return Bars(
        symbol=trades.symbol,
        unit=trades.unit,
        interval_ms=span_ms,
        open_ms=open_ms[whole],
        open=price[first][whole],
        high=np.maximum.reduceat(price, first)[whole],
        low=np.minimum.reduceat(price, first)[whole],
        close=price[last][whole],
    )


def _end_ms(bars: Bars) -> int:
    return int(bars.open_ms[-1]) + bars.interval_ms


def _holds_one(begin_ms: int, end_ms: int, span_ms: int) -> bool:
    """Whether a whole candle of the grid lies between two times."""
    first_ms = -(-begin_ms // span_ms) * span_ms
    return first_ms + span_ms <= end_ms


def atr_states(candles: Candles, atr: Atr, unit: Decimal) -> tuple[AtrState, ...]:
    """Wilder's average after each candle, by the engine's own formula, in quote currency."""
    state, states = None, []
    for high, low, close in zip(
        candles.high.tolist(), candles.low.tolist(), candles.close.tolist(), strict=True
    ):
        state = next_atr(state, atr, (high * unit, low * unit, close * unit))
        states.append(state)
    return tuple(states)
