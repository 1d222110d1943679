"""How soon stops come, by the exchange's own clock: the first of a position, and each move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from trailstop.paper.assembly import Paper
from trailstop.paper.facts import AccountChanged, ConditionalChanged, Fact
from trailstop.paper.model import CLIENT, STOP_LOSS, Conditional

OWN = "ts-"
"""What the client ids of the guard begin with."""
MS_US = 1_000
LegKey = tuple[str, str, str]
"""Key of the account, symbol, position side."""


def is_ours(row: Conditional) -> bool:
    """Whether the guard set this stop last."""
    return row.client_id.startswith(OWN) or (row.slot == STOP_LOSS and row.author == CLIENT)


class Stops:
    """Hears when positions open, and when stops of the guard come to their price."""

    def __init__(self, paper: Paper) -> None:
        self.first: list[tuple[int, int]] = []
        """Each opening fill (microseconds), and the milliseconds from it to the first stop of the
        guard that rested for it."""
        self._last: dict[LegKey, tuple[int, Decimal]] = {}
        self.between_ms: list[tuple[int, int]] = []
        """Each tightening of a working stop: the how-manieth of its position, and the time since
        the stop came to the price before."""
        self._tightened: Counter[LegKey] = Counter()
        self._opened_us: dict[LegKey, int] = {}
        self._waiting: dict[LegKey, int] = {}
        paper.exchange.listen(self._hear)

    @property
    def waiting(self) -> int:
        """Open positions that had no stop yet."""
        return len(self._waiting)

    def _hear(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, ConditionalChanged):
                if fact.conditional.status == "NEW" and is_ours(fact.conditional):
                    self._on_stop(fact.conditional, fact.time_us)
            elif isinstance(fact, AccountChanged):
                for row in fact.positions:
                    leg = (fact.account, row.symbol, row.position_side)
                    if not row.amount:
                        self._waiting.pop(leg, None)
                        self._opened_us.pop(leg, None)
                        self._forget(leg)
                    elif self._opened_us.get(leg) != row.opened_us:
                        self._opened_us[leg] = self._waiting[leg] = row.opened_us
                        self._forget(leg)

    def _forget(self, leg: LegKey) -> None:
        self._last.pop(leg, None)
        self._tightened.pop(leg, None)

    def _on_stop(self, row: Conditional, at_us: int) -> None:
        leg = (row.account, row.symbol, row.position_side)
        opened_us = self._waiting.pop(leg, None)
        if opened_us is not None:
            # Rounded up: nothing is shown as sooner than it was.
            self.first.append((opened_us, -((opened_us - at_us) // MS_US)))
        if row.close_position or row.trigger_price is None:
            return
        before = self._last.get(leg)
        if before is not None and before[1] == row.trigger_price:
            return
        if before is not None and (row.trigger_price > before[1]) == (row.side == "SELL"):
            self._tightened[leg] += 1
            self.between_ms.append((self._tightened[leg], (at_us - before[0]) // MS_US))
        self._last[leg] = (at_us, row.trigger_price)
