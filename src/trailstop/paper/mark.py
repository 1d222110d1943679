"""The mark price where the data has none: a time-weighted mean of the last price.

The mark is published once a second, as the exchanges do: it is a step function that changes at
whole seconds of virtual time only. Its value at a second is the exact mean of the last price over
the window that ends there, so it can be worked out at any later moment of that second without
having been watched, and the world needs no event for a second that nobody looks at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from trailstop.paper.settings import SECOND_US

MARK_DIGITS = 8
"""Least number of decimals of a mark, as Binance shows it."""
MARK_DIGITS_BEYOND_TICK = 2


def whole_second(time_us: int) -> int:
    """The latest whole second at or before a time."""
    return time_us - time_us % SECOND_US


class MeanMark:
    """Exact time-weighted mean of a step function over a sliding window."""

    def __init__(self, window_us: int, tick_size: Decimal) -> None:
        self._grid = _grid(tick_size)
        self._window_us = window_us
        # Each piece: its start, its price, and the integral of price over time up to its start.
        self._pieces: deque[tuple[int, Decimal, Decimal]] = deque()
        self._known_us = -1
        self._known = Decimal(0)

    def put(self, time_us: int, price: Decimal) -> None:
        """From this moment on the last price is `price`. Times never go back."""
        if self._pieces:
            start, held, total = self._pieces[-1]
            if price == held:
                return
            if time_us == start:
                self._pieces.pop()
            else:
                total += held * (time_us - start)
            self._pieces.append((time_us, price, total))
        else:
            self._pieces.append((time_us, price, Decimal(0)))
        oldest = whole_second(time_us) - self._window_us
        while len(self._pieces) > 1 and self._pieces[1][0] <= oldest:
            self._pieces.popleft()

    def regrid(self, factor: Decimal, tick_size: Decimal) -> None:
        """One contract has become `factor` contracts, with another tick."""
        self._grid = _grid(tick_size)
        self._known_us = -1
        self._pieces = deque(
            (start, price / factor, total / factor) for start, price, total in self._pieces
        )

    def at(self, time_us: int) -> Decimal:
        """The mark in force at a time not before the last `put`."""
        second = whole_second(time_us)
        if second != self._known_us:
            self._known = self._mean(second)
            self._known_us = second
        return self._known

    def window(self, time_us: int) -> Iterator[Decimal]:
        """Every last price that still can move the mark after a time."""
        oldest = whole_second(time_us) - self._window_us
        for index, (_, price, _) in enumerate(self._pieces):
            if index + 1 == len(self._pieces) or self._pieces[index + 1][0] > oldest:
                yield price

    def _mean(self, second: int) -> Decimal:
        first_start, first_price, _ = self._pieces[0]
        start = max(second - self._window_us, first_start)
        if second <= start:
            return first_price.quantize(self._grid, ROUND_HALF_EVEN)
        total = self._integral(second) - self._integral(start)
        return (total / (second - start)).quantize(self._grid, ROUND_HALF_EVEN)

    def _integral(self, time_us: int) -> Decimal:
        for start, price, total in reversed(self._pieces):
            if start <= time_us:
                return total + price * (time_us - start)
        raise AssertionError("asked for a time before the first price")


def _grid(tick_size: Decimal) -> Decimal:
    exponent = tick_size.as_tuple().exponent
    assert isinstance(exponent, int), "a tick is a finite number"
    digits = max(MARK_DIGITS, MARK_DIGITS_BEYOND_TICK - exponent)
    return Decimal((0, (1,), -digits))
