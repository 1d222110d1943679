"""In which order the prices of a bar are passed, in units of the series. See `FillRule`."""

from __future__ import annotations

from collections.abc import Callable

from trailstop.domain.price import Side
from trailstop.lab.terms import FillRule

Inside = tuple[int, ...]
"""Prices of a bar after its open, in their order."""

POINTS = {
    FillRule.WORST_CASE: 5,
    FillRule.BEST_CASE: 4,
    FillRule.HIGH_FIRST: 4,
    FillRule.LOW_FIRST: 4,
    FillRule.PAPER: 4,
    FillRule.STOP_THEN_PEAK: 2,
    FillRule.FINER: 5,
}
"""How many prices a bar has, its open included; price `j` of `k` comes `j / k` through the bar."""


def inside(
    rule: FillRule, side: Side, ohlc: tuple[int, int, int, int], ends: Callable[[int], bool]
) -> Inside:
    """What follows the open, for the rules that tell it.

    `ends` answers whether a fall from the open to this price would end the position.
    """
    open_, high, low, close = ohlc
    against, favour = (low, high) if side is Side.LONG else (high, low)
    match rule:
        case FillRule.WORST_CASE | FillRule.FINER:
            return against, favour, against, close
        case FillRule.BEST_CASE:
            return (favour, against, close) if ends(against) else (against, favour, close)
        case FillRule.HIGH_FIRST:
            return high, low, close
        case FillRule.LOW_FIRST:
            return low, high, close
        case FillRule.PAPER:
            return (low, high, close) if close >= open_ else (high, low, close)
    raise AssertionError(f"{rule} is no order of prices")
