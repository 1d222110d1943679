"""One bar in quote currency, seen from a position."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.domain.price import Side
from trailstop.lab.series import Bars

MS_PER_MINUTE = 60_000


class Candle(Struct, frozen=True):
    """One bar in quote currency; `index` is its place in the series, times are Unix ms."""

    index: int
    open_ms: int
    interval_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    def against(self, side: Side) -> Decimal:
        """A: the price furthest against the position."""
        return self.low if side is Side.LONG else self.high

    def in_favour(self, side: Side) -> Decimal:
        """F: the price furthest in the position's favour."""
        return self.high if side is Side.LONG else self.low

    def holds(self, price: Decimal) -> bool:
        """Whether the market was at this price."""
        return self.low <= price <= self.high

    @property
    def extremes_ms(self) -> int:
        """When F and A are taken to have come."""
        return self.open_ms + self.interval_ms // 2

    @property
    def close_ms(self) -> int:
        """End of the bar."""
        return self.open_ms + self.interval_ms


def candle_at(bars: Bars, index: int) -> Candle:
    """Read one bar of a series."""
    return Candle(
        index=index,
        open_ms=int(bars.open_ms[index]),
        interval_ms=bars.interval_ms,
        open=int(bars.open[index]) * bars.unit,
        high=int(bars.high[index]) * bars.unit,
        low=int(bars.low[index]) * bars.unit,
        close=int(bars.close[index]) * bars.unit,
    )
