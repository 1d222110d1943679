"""The position's one stop, moved in place: one request a move, nothing to cancel.

The same price may be set twice without harm, so that an unknown outcome is answered by setting
it again. What must not happen is that the first request, late, undoes a newer price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard

from trailstop.clock import MS_PER_SECOND, Clock
from trailstop.daemon.writing.answers import SETTLE_MS, Answers
from trailstop.daemon.writing.desk import OrderDesk
from trailstop.daemon.writing.orders import Lookup, Resting, Told, Wanted
from trailstop.daemon.writing.standing import Standing
from trailstop.domain.position import Role, StopKind
from trailstop.engine.events import Refusal
from trailstop.ports import Acknowledged, Outcome, Refused
from trailstop.storage.records import Intent

ENTRY_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.6)
"""Pauses before the next attempt where the exchange does not know the position yet, as Bybit does
not for a moment after the entry (captured). Nothing was changed, so that repeating is safe while
the position is not said to be closed."""
REPEATS = 2
"""How often the same price is set again after an unknown outcome, before it is looked up."""


@dataclass
class InPlace:
    """Moves one leg's shared stop."""

    desk: OrderDesk
    standing: Standing
    answers: Answers
    clock: Clock
    tell: Callable[[Told], None]
    closing: Callable[[], bool]
    floor: Decimal | None = None
    """Where somebody else has set the stop: ours never loosens it."""
    _late_until_ms: int = 0
    """A request whose outcome was unknown may take effect until then."""

    async def move(self, want: Wanted) -> None:
        """Set the stop to what is wanted; its size is the exchange's business."""
        side, standing = self.desk.side, self.standing.working
        there = bool(standing) and standing[0].price == want.price
        if there or (self.floor is not None and not side.better(want.price, self.floor)):
            at_ms = standing[0].at_ms if there else want.asked_ms
            rests = Resting("", "", Role.WORKING, want.price, want.quantity, at_ms)
            self.answers.rests_already((rests,), want)
            return
        late_ms = self._late_until_ms - self.desk.venue.exchange_ms()
        if late_ms > 0:
            await self.clock.sleep(late_ms / MS_PER_SECOND)
            if self.closing():
                return
        old = standing[0] if standing else None
        pauses = iter(() if old is not None else ENTRY_PAUSES_SECONDS)
        while True:
            intent, outcome = await self._place(want, old)
            pause_seconds = next(pauses, None)
            if pause_seconds is None or not _is_gone(outcome) or self.closing():
                break
            await self.clock.sleep(pause_seconds)
            if self.closing():
                break
            self.desk.record(intent, "refused", None, outcome.text, self.desk.settled_ms)
        self.answers.settle_stop(
            intent, outcome, asked_ms=want.asked_ms, old=old, why=want.text, total=want.quantity
        )
        if isinstance(outcome, Acknowledged):
            self.floor = None

    async def _place(self, want: Wanted, old: Resting | None) -> tuple[Intent, Outcome]:
        return await self.desk.place(
            Role.WORKING,
            want.price,
            want.quantity,
            want.kind,
            replaces=None if old is None else old.client_id,
            protective=old is None or not self.desk.side.better(old.price, want.price),
            can_wait=old is not None,
        )

    async def again(self, name: str, lookup: Lookup) -> None:
        """Set the same price once more, which is right whatever became of the first request.

        It protects now; a look-up would have to wait until the first request is dead. Another
        price is set only after that.
        """
        before = lookup.intent
        assert before.price is not None
        assert before.quantity is not None
        self._late_until_ms = self.desk.venue.exchange_ms() + SETTLE_MS
        intent, outcome = await self.desk.place(
            Role.WORKING,
            before.price,
            before.quantity,
            before.kind or StopKind.INITIAL,
            replaces=None,
            protective=True,
        )
        del self.answers.lookups[name]
        self.desk.record(before, "absent", None, "set again", self.desk.settled_ms)
        self.answers.settle_stop(
            intent, outcome, asked_ms=before.at_ms, old=None, why="", total=before.quantity
        )
        repeated = self.answers.lookups.get(intent.client_id)
        if repeated is not None:
            repeated.tries = lookup.tries + 1


def _is_gone(outcome: Outcome) -> TypeGuard[Refused]:
    """Whether the exchange knows no position here, or none yet."""
    return isinstance(outcome, Refused) and outcome.reason is Refusal.POSITION_GONE
