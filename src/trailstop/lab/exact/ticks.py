"""Trades and quotes as prices: each is reached by a jump."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from trailstop.domain.price import Side
from trailstop.engine.events import PriceSeen, QuoteSeen
from trailstop.engine.jumps import JUMP_DIVISOR
from trailstop.lab.exact.band import idle_band
from trailstop.lab.exact.drive import Drive
from trailstop.lab.exact.quoted import Quoted
from trailstop.lab.series import Int64, Quotes, Trades
from trailstop.lab.terms import ExitCause

_SINGLE_LOOKS = 8
"""Ticks that are looked at one by one first, since a price that moves leaves the band soon."""
_FIRST_LOOK, _LAST_LOOK = 64, 65_536
"""Ticks that are searched at once for one that matters; each look is larger than the one before."""


class TickFeed(ABC):
    """Tells a drive single prices, but for those that change nothing.

    With `every` it tells all of them; both ways end alike.
    """

    filtered = False
    """Whether the jump rule applies to these prices."""

    def __init__(self, time_ms: Int64, quoted: Quoted, *, every: bool = False) -> None:
        self._time_ms = time_ms
        self._quoted = quoted
        self._every = every

    @abstractmethod
    def open(self, drive: Drive, index: int) -> None:
        """Tell the first price of a position that opens at this tick."""

    @abstractmethod
    def tell(self, drive: Drive, index: int) -> None:
        """Tell one tick."""

    @abstractmethod
    def watched(self, side: Side) -> Int64:
        """The column that a position of this side is judged by, in units."""

    def run(self, drive: Drive, first: int, last: int, cause: ExitCause) -> None:
        """Tell the ticks `first` to `last`, and leave at the last one for this cause."""
        column, index = self.watched(drive.side), first
        while index <= last:
            if not self._every:
                index = self._skip(drive, column, index, last)
            self.tell(drive, index)
            if drive.ended:
                return
            index += 1
        drive.leave(int(self._time_ms[last]), cause)

    def _skip(self, drive: Drive, column: Int64, index: int, last: int) -> int:
        """The next tick that may matter; the one before it is told where that makes a difference."""
        quoted, peak = self._quoted, drive.trail.peak
        if peak is not None and drive.side.better(quoted[int(column[index])], peak):
            return index
        band = idle_band(drive, quoted.unit, filtered=self.filtered)
        if band is None:
            return index
        until = min(last, int(np.searchsorted(self._time_ms, drive.due_ms)))
        found = _first_outside(column, index, until, band)
        if found > index:
            if not drive.knows(band[1] * quoted.unit, band[0] * quoted.unit):
                passed = column[index:found]
                drive.passed(quoted[int(passed.max())], quoted[int(passed.min())])
            if drive.due_ms <= int(self._time_ms[found]) or self._far(drive, found):
                self.tell(drive, found - 1)
        return found

    def _far(self, drive: Drive, index: int) -> bool:
        """Whether the jump rule might hold a tick back, so that the last price matters."""
        if not self.filtered:
            return False
        column, told = self.watched(drive.side), drive.trail.price
        price, before = self._quoted[int(column[index])], self._quoted[int(column[index - 1])]
        assert told is not None, "a drive that may skip has been told a price"
        return any(abs(price - last) * JUMP_DIVISOR > last for last in (before, told))


class TradeFeed(TickFeed):
    """Trades, judged as live: a stray print is held back until a second one comes.

    What rests on the exchange fires at a stray print too.
    """

    filtered = True

    def __init__(self, trades: Trades, *, every: bool = False) -> None:
        super().__init__(trades.time_ms, Quoted(trades.unit), every=every)
        self._trades = trades

    def open(self, drive: Drive, index: int) -> None:  # noqa: ARG002 - quotes ask for it
        """Tell the price of the entry as the first trade."""
        opening = drive.opening
        drive.jump(opening.price, PriceSeen(opening.price, opening.at_ms))

    def tell(self, drive: Drive, index: int) -> None:
        """Tell one trade."""
        price = self._quoted[int(self._trades.price[index])]
        drive.jump(price, PriceSeen(price, int(self._time_ms[index])))

    def watched(self, side: Side) -> Int64:  # noqa: ARG002 - quotes ask for it
        """Both sides are judged by the price of the trade."""
        return self._trades.price


class QuoteFeed(TickFeed):
    """Best bid and ask: a long is judged by the bid, a short by the ask, and leaves there."""

    def __init__(self, quotes: Quotes, *, every: bool = False) -> None:
        super().__init__(quotes.time_ms, Quoted(quotes.unit), every=every)
        self._quotes = quotes

    def open(self, drive: Drive, index: int) -> None:
        """Tell the quote at which the position opens."""
        self.tell(drive, index)

    def tell(self, drive: Drive, index: int) -> None:
        """Tell one quote."""
        event = self.event(index)
        drive.jump(event.bid if drive.side is Side.LONG else event.ask, event)

    def event(self, index: int) -> QuoteSeen:
        """One quote as the rule is told it."""
        bid, ask = self._quotes.bid[index], self._quotes.ask[index]
        quoted = self._quoted
        return QuoteSeen(quoted[int(bid)], quoted[int(ask)], int(self._time_ms[index]))

    def watched(self, side: Side) -> Int64:
        """The side at which a position leaves."""
        return self._quotes.bid if side is Side.LONG else self._quotes.ask


class BothFeed(TradeFeed):
    """Trades with the quotes between them, a quote first where both have one time.

    A policy on trades takes from quotes only the spread and what confirms a jump; one that is
    `judged` by both, `last_or_bid_ask`, is told all. Positions open at, and are counted by,
    trades.
    """

    def __init__(
        self, trades: Trades, quotes: Quotes, *, judged: bool, every: bool = False
    ) -> None:
        super().__init__(trades, every=every or judged)
        self._quotes = QuoteFeed(quotes)
        self._judged = judged
        self._known = np.searchsorted(quotes.time_ms, trades.time_ms, side="right")
        self._told = 0
        """Quotes up to here are known to the drive that runs."""

    def open(self, drive: Drive, index: int) -> None:
        """Tell the price of the entry, after the quote that stood then."""
        self._told = int(self._known[index])
        if self._told and not self._judged:
            drive.witness(self._quotes.event(self._told - 1))
        super().open(drive, index)

    def tell(self, drive: Drive, index: int) -> None:
        """Tell the quotes since the trade before, then one trade."""
        since, until = int(self._known[index - 1]) if index else 0, int(self._known[index])
        # Of those that were passed over with their trades only the last one still counts.
        first = self._told if self._judged else max(self._told, since - 1)
        for quote in range(first, until):
            if self._judged:
                self._quotes.tell(drive, quote)
            else:
                drive.witness(self._quotes.event(quote))
        self._told = max(self._told, until)
        super().tell(drive, index)


def _first_outside(column: Int64, index: int, until: int, band: tuple[int, int]) -> int:
    """First tick from `index` on that leaves the band, else `until`, and never before `index`."""
    lowest, highest = band
    for near in range(index, min(index + _SINGLE_LOOKS, until)):
        if not lowest <= int(column[near]) <= highest:
            return near
    index, look = min(index + _SINGLE_LOOKS, max(index, until)), _FIRST_LOOK
    while index < until:
        end = min(index + look, until)
        outside = (column[index:end] > highest) | (column[index:end] < lowest)
        found = int(outside.argmax())
        if outside[found]:
            return index + found
        index, look = end, min(look * 4, _LAST_LOOK)
    return index
