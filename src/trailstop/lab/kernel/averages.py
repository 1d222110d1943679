"""Average true ranges of a series in whole numbers, by the engine's own formula."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Context, Decimal

import numpy as np

from trailstop.domain.policy import Atr
from trailstop.lab.exact.candles import atr_states, closed_candles
from trailstop.lab.kernel.integers import NONE, Whole
from trailstop.lab.series import Bars, Int64, Trades


@dataclass(frozen=True, slots=True, eq=False)
class Averages:
    """Wilder's average after each candle, quote currency; None until it has `length` of them."""

    end_ms: Int64
    values: tuple[Decimal | None, ...]
    known: dict[tuple[Decimal, int], Int64] = field(default_factory=dict)
    """Distances that were asked for, since all activations of a sweep share them."""

    def distances(self, multiplier: Decimal, whole: Whole, unit: Decimal) -> Int64:
        """Each average times the multiplier in sub-units, odd between two points of the grid."""
        key = multiplier, whole.scale
        if key not in self.known:
            half = Decimal(whole.scale // 2)
            self.known[key] = np.array(
                [
                    # The engine multiplies first, in its 28 digits; what follows is exact.
                    NONE if value is None else _mark(value * multiplier, half, unit)
                    for value in self.values
                ],
                dtype=np.int64,
            )
        return self.known[key]


NO_AVERAGES = Averages(np.empty(0, dtype=np.int64), ())
_EXACT = Context(prec=80)


def averages_of(prices: Bars | Trades, atr: Atr) -> Averages:
    """The averages that all candles from the begin of the series on come to."""
    candles = closed_candles(prices, atr.timeframe_minutes)
    values = tuple(
        state.value if state.candles >= atr.length else None
        for state in atr_states(candles, atr, prices.unit)
    )
    return Averages(candles.end_ms, values)


def _mark(distance: Decimal, half: Decimal, unit: Decimal) -> int:
    parts = _EXACT.divide(_EXACT.multiply(distance, half), unit)
    whole = int(parts)
    return 2 * whole + (parts != whole)
