"""Bars as prices in time: four points, a quarter of the interval apart."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal

from msgspec import Struct

from trailstop.paper.prices.tape import MarkPrice, Print

POINTS_IN_BAR = 4


class Bar(Struct, frozen=True):
    """One candle as recorded. `volume` is None where the data has none."""

    open_us: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None


def bar_prices(bar: Bar) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Open, the extreme against the bar's direction, the other extreme, close."""
    if bar.close >= bar.open:
        return bar.open, bar.low, bar.high, bar.close
    return bar.open, bar.high, bar.low, bar.close


def bar_prints(bar: Bar, interval_us: int, step_size: Decimal) -> Iterator[Print]:
    """The bar's four prints: a gap to its open, then a continuous path to its close.

    Each carries a quarter of the volume on the step, the last one what is left, and at least one
    step, since a print without a quantity is no trade.
    """
    volume = bar.volume if bar.volume is not None else Decimal(0)
    share = (volume / POINTS_IN_BAR / step_size).to_integral_value(ROUND_FLOOR) * step_size
    rest = volume - share * (POINTS_IN_BAR - 1)
    before = bar.open
    for index, price in enumerate(bar_prices(bar)):
        quantity = rest if index == POINTS_IN_BAR - 1 else share
        yield Print(
            time_us=bar.open_us + interval_us * index // POINTS_IN_BAR,
            price=price,
            quantity=max(quantity, step_size),
            buyer_maker=price < before,
            path=index > 0,
        )
        before = price


def bar_marks(bar: Bar, interval_us: int) -> Iterator[MarkPrice]:
    """The four points of a bar of mark prices."""
    for index, price in enumerate(bar_prices(bar)):
        yield MarkPrice(bar.open_us + interval_us * index // POINTS_IN_BAR, price)
