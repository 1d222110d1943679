"""Bars as prices, in the order that a fill rule names."""

from __future__ import annotations

import numpy as np

from trailstop.domain.price import Side
from trailstop.engine.events import PriceSeen
from trailstop.lab.exact.band import idle_band
from trailstop.lab.exact.drive import Drive
from trailstop.lab.exact.paths import POINTS, inside
from trailstop.lab.exact.quoted import Quoted
from trailstop.lab.series import Bars, Int64
from trailstop.lab.terms import ExitCause, FillRule

_FIRST_LOOK, _LAST_LOOK = 16, 8_192
"""Bars that are searched at once for one that matters; each look is larger than the one before."""


class BarFeed:
    """Tells a drive the prices of bars, but for those that change nothing.

    With `every` it tells all of them; both ways end alike.
    """

    def __init__(self, bars: Bars, rule: FillRule, *, every: bool = False) -> None:
        self._bars = bars
        self._rule = rule
        self._points = POINTS[rule]
        self._every = every
        self._quoted = Quoted(bars.unit)

    def open(self, drive: Drive) -> None:
        """Tell the price of the entry."""
        opening = drive.opening
        drive.jump(opening.price, PriceSeen(opening.price, opening.at_ms, kind="bar"))

    def run(self, drive: Drive, first: int, last: int, cause: ExitCause, *, opened: bool) -> None:
        """Tell the bars `first` to `last`, and leave at the close of the last for this cause.

        With `opened` the position opens in the first bar, in place of its open.
        """
        bars, index = self._bars, first
        while index <= last:
            if not opened and not self._every:
                index = self._skip(drive, index, last)
            self._bar(drive, index, opened=opened)
            if drive.ended:
                return
            opened = False
            index += 1
        # Not every rule tells the close, but whoever leaves there gets it.
        close = self._quoted[int(bars.close[last])] if first <= last else None
        drive.leave(int(bars.open_ms[last]) + bars.interval_ms, cause, close)

    def _bar(self, drive: Drive, index: int, *, opened: bool) -> None:
        bars, price = self._bars, self._quoted
        start_ms = int(bars.open_ms[index])
        ohlc = (
            int(bars.open[index]), int(bars.high[index]), int(bars.low[index]),
            int(bars.close[index]),
        )  # fmt: skip
        if self._rule is FillRule.STOP_THEN_PEAK:
            self._stop_then_peak(drive, start_ms, ohlc, opened=opened)
            return
        if not opened:
            first = price[ohlc[0]]
            drive.jump(first, PriceSeen(first, start_ms, kind="bar"))
        told = inside(self._rule, drive.side, ohlc, lambda units: drive.would_end(price[units]))
        for number, units in enumerate(told, 1):
            if drive.ended:
                return
            at_ms = start_ms + bars.interval_ms * number // self._points
            drive.walk(price[units], at_ms)

    def _stop_then_peak(
        self, drive: Drive, start_ms: int, ohlc: tuple[int, int, int, int], *, opened: bool
    ) -> None:
        """The stop of before meets the adverse extreme; the other one is the new peak."""
        price, (open_, high, low, _) = self._quoted, ohlc
        against, favour = (low, high) if drive.side is Side.LONG else (high, low)
        if not opened:
            drive.skip_to(price[open_], start_ms)
        if not drive.ended:
            drive.walk(price[against], start_ms, told=False)
        if not drive.ended:
            drive.walk(price[favour], start_ms + self._bars.interval_ms // self._points)

    def _skip(self, drive: Drive, index: int, last: int) -> int:
        """The next bar that may matter.

        What is due before its open happens at the last price of before, which is told then.
        """
        bars, price = self._bars, self._quoted
        band = None if index >= last else idle_band(drive, bars.unit, filtered=False)
        if band is None:
            return index
        due = int(np.searchsorted(bars.open_ms, drive.due_ms - bars.interval_ms, side="right"))
        found = _first_outside(bars.high, bars.low, index, min(last, due), band)
        if found <= index:
            return index
        if not drive.knows(band[1] * bars.unit, band[0] * bars.unit):
            drive.passed(
                price[int(bars.high[index:found].max())], price[int(bars.low[index:found].min())]
            )
        if drive.due_ms <= int(bars.open_ms[found]):
            self._tell_last(drive, found - 1)
        return found

    def _tell_last(self, drive: Drive, index: int) -> None:
        """Tell the last price of a bar."""
        bars, number = self._bars, self._points - 1
        units = bars.close[index]
        if self._rule is FillRule.STOP_THEN_PEAK:
            units = bars.high[index] if drive.side is Side.LONG else bars.low[index]
        at_ms = int(bars.open_ms[index]) + bars.interval_ms * number // self._points
        drive.walk(self._quoted[int(units)], at_ms)


def _first_outside(high: Int64, low: Int64, index: int, until: int, band: tuple[int, int]) -> int:
    """First bar from `index` on that leaves the band, else `until`."""
    lowest, highest = band
    look = _FIRST_LOOK
    while index < until:
        if int(high[index]) > highest or int(low[index]) < lowest:
            return index
        end = min(index + look, until)
        outside = (high[index:end] > highest) | (low[index:end] < lowest)
        found = int(outside.argmax())
        if outside[found]:
            return index + found
        index, look = end, min(look * 4, _LAST_LOOK)
    return index
