"""One leg's writes, one by one: name it, have its intent on disk, send it, record the answer.

Nothing here decides anything; `executor.py` does. Every write of the process passes through
here, so that none leaves without its intent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import structlog

from trailstop.daemon.writing.ids import client_id, next_generation
from trailstop.daemon.writing.writes import make_durable
from trailstop.domain.position import Leg, Role, StopKind
from trailstop.domain.price import Side
from trailstop.engine.commands import CloseReason
from trailstop.ports import (
    Acknowledged,
    CancelOutcome,
    CloseRequest,
    Gone,
    Outcome,
    StopRequest,
    Unknown,
    Venue,
)
from trailstop.storage.records import Intent, Settled
from trailstop.storage.store import Store

TAILS_OF_A_MOVE = ("replaced", "surplus", "left over from an earlier position")
"""Reasons of cancels that complete a tightening: where the new stop may rest before its intent is
durable, the old one may go, or the next tightening would be a third stop."""

SettledState = Literal["acknowledged", "refused", "unknown", "absent", "cancelled", "gone"]

_log = structlog.get_logger("trailstop.executor")


@dataclass
class OrderDesk:
    """Writes of one epoch. `settled_ms` is the exchange's time of the last answer."""

    leg: Leg
    epoch: int
    side: Side
    tag: str
    venue: Venue
    store: Store
    triggers: tuple[Literal["last", "mark"], Literal["last", "mark"]]
    generation: int = 0
    settled_ms: int = 0

    async def place(
        self,
        role: Role,
        price: Decimal,
        quantity: Decimal,
        kind: StopKind,
        *,
        replaces: str | None,
        protective: bool,
        can_wait: bool = False,
    ) -> tuple[Intent, Outcome]:
        """Rest one stop. `protective` may leave although the store does not answer.

        `can_wait` leaves the reserve of the exchange's limits to what cannot.
        """
        intent = self._intent(
            "place",
            kind.value if role is Role.WORKING else role.value,
            role=role,
            price=price,
            quantity=quantity,
            kind=kind,
            replaces=replaces,
        )
        await make_durable(self.store, intent, protective=protective)
        name = intent.client_id
        if role is Role.WORKING:
            _log.debug("creating trailing stop", leg=str(self.leg), price=price, client_id=name)
        trigger = self.triggers[0] if role is Role.WORKING else self.triggers[1]
        request = StopRequest(self.leg, self.side, role, price, quantity, trigger, name, can_wait)
        outcome = await self.venue.place_stop(request)
        self.settled_ms = self.venue.exchange_ms()
        if role is Role.WORKING and isinstance(outcome, Acknowledged):
            _log.debug("trailing stop created", leg=str(self.leg), price=price, client_id=name)
        return intent, outcome

    async def cancel(self, target: str, order_id: str | None, reason: str) -> CancelOutcome:
        """Cancel one stop of ours and record what became of it."""
        intent = self._intent("cancel", reason, replaces=target)
        await make_durable(self.store, intent, protective=reason in TAILS_OF_A_MOVE)
        outcome = await self.venue.cancel_stop(self.leg, order_id, target)
        now_ms = self.settled_ms = self.venue.exchange_ms()
        match outcome:
            case Acknowledged(removed, at_ms):
                self.record(intent, "cancelled", removed, "", at_ms)
            case Gone(code, text):
                self.record(intent, "gone", None, f"{code} {text}", now_ms)
            case Unknown(text):
                # A cancel may be repeated: the second one finds nothing to cancel.
                self.record(intent, "refused", None, text, now_ms)
            case _:
                self.record(intent, "refused", None, f"{outcome.code} {outcome.text}", now_ms)
        return outcome

    async def close(
        self, quantity: Decimal, reason: CloseReason, attempt: int
    ) -> tuple[Intent, Outcome]:
        """Send one reduce-only market close and record what became of it."""
        intent = self._intent("close", reason.value, quantity=quantity, attempt=attempt)
        await make_durable(self.store, intent, protective=True)
        request = CloseRequest(self.leg, self.side, quantity, intent.client_id)
        outcome = await self.venue.close_position(request)
        now_ms = self.settled_ms = self.venue.exchange_ms()
        match outcome:
            case Acknowledged(order_id, at_ms):
                self.record(intent, "acknowledged", order_id, "", at_ms)
            case Unknown(text):
                self.record(intent, "unknown", None, text, now_ms)
            case _:
                self.record(intent, "refused", None, f"{outcome.code} {outcome.text}", now_ms)
        return intent, outcome

    def settled(
        self, intent: Intent, state: SettledState, order_id: str | None, text: str, at_ms: int
    ) -> Settled:
        """The record of an outcome, for whoever journals it together with its consequences."""
        return Settled(intent.client_id, self.leg, self.epoch, state, order_id, text, at_ms)

    def record(
        self, intent: Intent, state: SettledState, order_id: str | None, text: str, at_ms: int
    ) -> None:
        """Journal an outcome that has no other consequence."""
        self.store.record([self.settled(intent, state, order_id, text, at_ms)])

    def _intent(
        self,
        action: Literal["place", "cancel", "close"],
        reason: str,
        *,
        role: Role | None = None,
        price: Decimal | None = None,
        quantity: Decimal | None = None,
        kind: StopKind | None = None,
        replaces: str | None = None,
        attempt: int = 0,
    ) -> Intent:
        now_ms = self.venue.exchange_ms()
        self.generation = next_generation(self.generation, now_ms - self.epoch)
        return Intent(
            client_id=client_id(self.tag, self.generation),
            leg=self.leg,
            epoch=self.epoch,
            action=action,
            role=role,
            price=price,
            quantity=quantity,
            kind=kind,
            reason=reason,
            replaces=replaces,
            generation=self.generation,
            attempt=attempt,
            at_ms=now_ms,
        )
