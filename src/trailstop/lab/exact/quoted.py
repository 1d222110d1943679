"""Prices of a series in quote currency, made once for each."""

from __future__ import annotations

from decimal import Decimal

_KEPT_MAX = 1 << 18
"""Distinct prices that are remembered; a long span of ticks has many more."""


class Quoted(dict[int, Decimal]):
    """`quoted[units]` is units × unit, exactly."""

    def __init__(self, unit: Decimal) -> None:
        super().__init__()
        self.unit = unit

    def __missing__(self, units: int) -> Decimal:
        """Make a price that was not asked for yet."""
        if len(self) >= _KEPT_MAX:
            self.clear()
        price = units * self.unit
        self[units] = price
        return price
