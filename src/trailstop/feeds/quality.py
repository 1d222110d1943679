"""Form, order and age of incoming prices; the jump rule is the engine's."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from trailstop.ports import LastPrice, MarkPrice, Quote

STALE_MS = 10_000
"""An older price is still a price, but it never closes."""
MAGNITUDE_MAX = 18
"""Decimal places before or after the point beyond which no market quotes: 1e400 is a number, and
no price."""
LOG_EVERY_MS = 60_000
"""How often one kind of refusal on one symbol is told."""


class Verdict(enum.Enum):
    """What a price is good for."""

    GOOD = "good"
    STALE = "stale"
    LATE = "late"
    REPEATED = "repeated"
    ABSURD = "absurd"
    UNREADABLE = "unreadable"
    """A field that should be a price is no number at all."""
    FROZEN = "frozen"
    """Its stream repeats a value while the exchange's own answers show another."""


ACCEPTED = frozenset({Verdict.GOOD, Verdict.STALE})


def is_price(value: Decimal) -> bool:
    """Whether a number may be a price at all."""
    return value.is_finite() and value > 0 and abs(value.adjusted()) <= MAGNITUDE_MAX


@dataclass(slots=True)
class TradeQuality:
    """Judges the trades of one symbol by their form, their numbers and their times."""

    last_id: int = -1
    last_ms: int = 0
    last_price: Decimal | None = None

    def judge(self, trade: LastPrice, now_ms: int) -> Verdict:
        """Say whether a trade may be used; late, repeated and absurd ones may not.

        `now_ms` is the exchange's time now. Trade ids rise on one symbol; a price that was
        asked for has none and is judged by its time.
        """
        verdict = self._verdict(trade, now_ms)
        if verdict in ACCEPTED:
            self.last_ms = max(self.last_ms, trade.at_ms)
            self.last_price = trade.price
            if trade.trade_id is not None:
                self.last_id = trade.trade_id
        return verdict

    def same(self, trade: LastPrice) -> bool:
        """Whether a price that was asked for is the very trade that was taken last."""
        return (trade.at_ms, trade.price) == (self.last_ms, self.last_price)

    def _verdict(self, trade: LastPrice, now_ms: int) -> Verdict:
        if not is_price(trade.price):
            return Verdict.ABSURD
        number = trade.trade_id
        if number is None:
            if self.same(trade):
                return Verdict.REPEATED
        elif number == self.last_id:
            return Verdict.REPEATED
        elif number < self.last_id:
            return Verdict.LATE
        if trade.at_ms < self.last_ms:
            return Verdict.LATE
        return Verdict.STALE if now_ms - trade.at_ms > STALE_MS else Verdict.GOOD


@dataclass(slots=True)
class TimedQuality:
    """Judges marks, or quotes, of one symbol by their form and their times."""

    last_ms: int = 0

    def judge(self, event: MarkPrice | Quote, now_ms: int) -> Verdict:
        """Say whether it may be used. A book whose bid is above its ask is none."""
        verdict = self._verdict(event, now_ms)
        if verdict in ACCEPTED:
            self.last_ms = event.at_ms
        return verdict

    def _verdict(self, event: MarkPrice | Quote, now_ms: int) -> Verdict:
        if isinstance(event, MarkPrice):
            sound = is_price(event.mark)
        else:
            sound = is_price(event.bid) and is_price(event.ask) and event.bid <= event.ask
        if not sound:
            return Verdict.ABSURD
        if event.at_ms < self.last_ms:
            return Verdict.LATE
        return Verdict.STALE if now_ms - event.at_ms > STALE_MS else Verdict.GOOD


@dataclass(slots=True)
class Refusals:
    """Counts what was refused, by symbol and verdict, and tells it in bounded words.

    The first refusal of a kind is told at once, later ones as a count once a minute.
    """

    tell: Callable[[str, Verdict, int, str], None]
    """Takes symbol, verdict, how many since it was told last, and what the last one was."""
    counts: dict[tuple[str, Verdict], int] = field(default_factory=dict)
    _told: dict[tuple[str, Verdict], tuple[int, int]] = field(default_factory=dict)

    def add(self, symbol: str, verdict: Verdict, what: str, now_ms: int) -> None:
        """Count one."""
        key = symbol, verdict
        count = self.counts[key] = self.counts.get(key, 0) + 1
        told_ms, told_count = self._told.get(key, (None, 0))
        if told_ms is None or now_ms - told_ms >= LOG_EVERY_MS:
            self._told[key] = now_ms, count
            self.tell(symbol, verdict, count - told_count, what)

    def of(self, symbol: str) -> dict[Verdict, int]:
        """The counts of one symbol."""
        return {verdict: count for (name, verdict), count in self.counts.items() if name == symbol}
