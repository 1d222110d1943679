"""Form, order and age of incoming trades; the jump rule is the engine's."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from trailstop.ports import LastPrice

STALE_MS = 10_000
"""An older price is still a price, but it never closes."""


class Verdict(enum.Enum):
    """What a trade is good for."""

    GOOD = "good"
    STALE = "stale"
    LATE = "late"
    REPEATED = "repeated"
    ABSURD = "absurd"


@dataclass(slots=True)
class TradeQuality:
    """Judges the trades of one symbol and counts what it refuses."""

    last_id: int = -1
    last_ms: int = 0
    refused: dict[Verdict, int] = field(default_factory=dict)

    def judge(self, trade: LastPrice, now_ms: int) -> Verdict:
        """Say whether a trade may be used; late, repeated and absurd ones may not.

        `now_ms` is the exchange's time now. Trade ids rise on one symbol.
        """
        verdict = self._verdict(trade, now_ms)
        if verdict in (Verdict.GOOD, Verdict.STALE):
            self.last_id, self.last_ms = trade.trade_id, max(self.last_ms, trade.at_ms)
        else:
            self.refused[verdict] = self.refused.get(verdict, 0) + 1
        return verdict

    def _verdict(self, trade: LastPrice, now_ms: int) -> Verdict:
        if not trade.price.is_finite() or trade.price <= 0:
            return Verdict.ABSURD
        if trade.trade_id == self.last_id:
            return Verdict.REPEATED
        if trade.trade_id < self.last_id or trade.at_ms < self.last_ms:
            return Verdict.LATE
        return Verdict.STALE if now_ms - trade.at_ms > STALE_MS else Verdict.GOOD
