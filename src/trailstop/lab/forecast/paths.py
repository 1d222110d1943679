"""Paths of the price that a person can draw: to a target, to a peak and back, a list.

A path is a row of corners; from one to the next the price goes in a straight line, and passes
every level on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from msgspec import Struct

from trailstop.errors import ConfigError

PATH_POINTS = 1_000
"""Into so many parts a path is cut, so that pacing and timers meet the price of their moment."""
LEAST_STEP_MS = 1_000
"""No part is shorter: the rule takes one sample a second."""
SHOWN_DIGITS = 7
"""Digits of a price where nobody has stated the symbol's grid."""


class Point(Struct, frozen=True, array_like=True):
    """A price of the path, quote currency, and its time, Unix ms."""

    at_ms: int
    price: Decimal


Path = tuple[Point, ...]
"""Corners in the order of their times; the first one is where the position stands now."""


def through(prices: Sequence[Decimal], at_ms: int, over_ms: int) -> Path:
    """Go from price to price at one speed, all within `over_ms` milliseconds.

    Two prices are a way to a target, three one to a peak and back. Raises ConfigError where the
    price never moves.
    """
    _check(prices, over_ms)
    ways = [abs(after - before) for before, after in pairwise(prices)]
    whole = sum(ways, start=Decimal(0))
    if whole == 0:
        raise ConfigError(f"the path stays at {prices[0]}: give a price to go to")
    corners, gone = [Point(at_ms, prices[0])], Decimal(0)
    for way, price in zip(ways, prices[1:], strict=True):
        gone += way
        corners.append(Point(at_ms + int(over_ms * gone / whole), price))
    return tuple(corners)


def evenly(prices: Sequence[Decimal], at_ms: int, over_ms: int) -> Path:
    """Give each price of a list the same share of `over_ms` milliseconds."""
    _check(prices, over_ms)
    parts = len(prices) - 1
    return tuple(
        Point(at_ms + over_ms * number // parts, price) for number, price in enumerate(prices)
    )


def _check(prices: Sequence[Decimal], over_ms: int) -> None:
    if len(prices) <= 1:
        raise ConfigError("a path has two prices at least: where it begins and where it goes")
    if over_ms <= 0:
        raise ConfigError(f"a path takes time: {over_ms} ms is none")
    for price in prices:
        if not (price.is_finite() and price > 0):
            raise ConfigError(f"a price of the path must be above 0, not {price}")


def shown_tick(price: Decimal) -> Decimal:
    """A price grid of `SHOWN_DIGITS` digits, for a symbol whose own nobody has stated."""
    return Decimal(1).scaleb(price.adjusted() + 1 - SHOWN_DIGITS)


def between(path: Path, grid: Decimal) -> Iterator[Point]:
    """Every point of the path after its first, cut into parts, on the price grid.

    The corners themselves stay as they are.
    """
    step_ms = max(LEAST_STEP_MS, (path[-1].at_ms - path[0].at_ms) // PATH_POINTS)
    for start, end in pairwise(path):
        span_ms = end.at_ms - start.at_ms
        for at_ms in range(start.at_ms + step_ms, end.at_ms, step_ms):
            price = start.price + (end.price - start.price) * (at_ms - start.at_ms) / span_ms
            yield Point(at_ms, (price / grid).quantize(Decimal(1), ROUND_HALF_EVEN) * grid)
        yield end
