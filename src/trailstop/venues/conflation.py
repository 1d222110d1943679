"""Prices that wait for a slow listener, collapsed to what the trailing rule needs of them.

A run of prices of one symbol is told by at most seven of them, in the order in which they came:
its high, its low, its largest fall and its largest rise (each with where it began), and the
newest. A peak raised by these is the peak of the whole run, and a stop so many percent behind it is
crossed by these if and only if it is crossed by the whole run, to within a tick. So a long and a
short on the same symbol decide as if they had seen every price.

A run spans less than a jump: a print farther away begins a run of its own, so that the jump
rule still meets it alone, and a stray print hides no high.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trailstop.engine.jumps import JUMP_DIVISOR
from trailstop.ports import LastPrice, MarkPrice, Quote

Price = LastPrice | MarkPrice
Numbered = tuple[int, Decimal, Price]


class Run:
    """Prices of one symbol and kind in the order of venue time."""

    __slots__ = ("_fall", "_high", "_low", "_newest", "_rise", "count")

    def __init__(self, first: Price) -> None:
        """Begin with a price whatever it is: one that is none is left alone by all others."""
        seen = (0, _value(first), first)
        self._high = self._low = self._newest = seen
        self._fall = self._rise = (seen, seen)
        self.count = 1

    def add(self, event: Price) -> bool:
        """Take a price in; False where it does not belong: late, no price, or a jump away."""
        value, before = _value(event), self._newest
        if not _is_after(event, before[2]) or not (_is_sound(value) and _is_sound(before[1])):
            return False
        high, low = max(self._high[1], value), min(self._low[1], value)
        if (high - low) * JUMP_DIVISOR > low:
            return False
        seen = (self.count, value, event)
        self.count += 1
        self._newest = seen
        if value > self._high[1]:
            self._high = seen
        elif value < self._low[1]:
            self._low = seen
        top, bottom = self._fall
        if value * top[1] < bottom[1] * self._high[1]:
            self._fall = (self._high, seen)
        bottom, top = self._rise
        if value * bottom[1] > top[1] * self._low[1]:
            self._rise = (self._low, seen)
        return True

    def events(self) -> list[Price]:
        """What stands for the run, in its order."""
        kept = {self._high, self._low, *self._fall, *self._rise, self._newest}
        return [event for _, _, event in sorted(kept, key=lambda seen: seen[0])]


class NewestQuote:
    """The book of one symbol, of which only the newest matters."""

    __slots__ = ("_quote", "count")

    def __init__(self, first: Quote) -> None:
        self._quote = first
        self.count = 1

    def add(self, event: Quote) -> bool:
        """Take a newer book; False for an older one."""
        if event.at_ms < self._quote.at_ms:
            return False
        self._quote = event
        self.count += 1
        return True

    def events(self) -> list[Quote]:
        """The newest."""
        return [self._quote]


class Backlog:
    """Trades and marks of one symbol that wait until something else has been told."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._open: dict[type[Price], Run] = {}

    def add(self, event: Price) -> None:
        """Let a price wait."""
        run = self._open.get(type(event))
        if run is None or not run.add(event):
            run = self._open[type(event)] = Run(event)
            self._runs.append(run)

    def events(self) -> Iterable[Price]:
        """What waits, each kind in its order."""
        for run in self._runs:
            yield from run.events()


def _value(event: Price) -> Decimal:
    return event.price if isinstance(event, LastPrice) else event.mark


def _is_sound(value: Decimal) -> bool:
    return value.is_finite() and value > 0


def _is_after(event: Price, before: Price) -> bool:
    """Whether a price is the newer one by all that it says."""
    if isinstance(event, LastPrice) and isinstance(before, LastPrice):
        if event.trade_id is None or before.trade_id is None:
            return False
        return event.trade_id > before.trade_id and event.at_ms >= before.at_ms
    return event.at_ms >= before.at_ms
