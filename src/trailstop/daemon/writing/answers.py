"""What an answer of the exchange means for what rests, and what is told to the leg of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trailstop.daemon.writing.desk import OrderDesk, SettledState
from trailstop.daemon.writing.orders import AccountTraits, AskForPass, Lookup, Resting, Told, Wanted
from trailstop.daemon.writing.standing import Standing, size_of
from trailstop.domain.position import Role, StopKind
from trailstop.engine.events import Refusal
from trailstop.ports import Acknowledged, LookedUp, OrderState, Outcome, Refused, StopForm
from trailstop.storage.records import Intent

SETTLE_MS = 2_500
"""After this long a request that was never seen cannot take effect any more: it is older
than the receive window that it was signed with."""
NEVER_CLOSED = (OrderState.ABSENT, OrderState.REJECTED)
"""What a look-up of a close can say that means it closed nothing."""


@dataclass
class Answers:
    """Takes the answers to one epoch's writes into account."""

    desk: OrderDesk
    standing: Standing
    traits: AccountTraits
    tell: Callable[[Told], None]
    ask_for_pass: AskForPass
    lookups: dict[str, Lookup] = field(default_factory=dict)
    """Writes of which the outcome is not known, by client id."""

    @property
    def shared(self) -> bool:
        """Whether the working stop is the position's one stop, which others move too."""
        return self.desk.venue.stop_form is StopForm.POSITION_STOP

    def rests_already(self, stops: Sequence[Resting], want: Wanted) -> None:
        """Tell that what is wanted rests: nothing needs to be sent."""
        stop = stops[0]
        told = Told(
            "acknowledged", None, stop.at_ms, stop.price, size_of(stops),
            stop.price, want.kind, stop.client_id, want.asked_ms, text=want.text,
        )  # fmt: skip
        self.tell(told)

    def settle_stop(
        self,
        intent: Intent,
        outcome: Outcome,
        *,
        asked_ms: int,
        old: Resting | None,
        why: str,
        total: Decimal | None,
    ) -> None:
        """Take one answer into account; `total` None is a part that is told with the last."""
        role, price, quantity = intent.role, intent.price, intent.quantity
        assert role is not None
        assert price is not None
        assert quantity is not None
        kind = intent.kind or StopKind.INITIAL
        now_ms = self.desk.venue.exchange_ms()
        told: Told
        match outcome:
            case Acknowledged(order_id, at_ms):
                if self.shared:
                    self.standing.resting.clear()
                resting = Resting(intent.client_id, order_id, role, price, quantity, at_ms)
                self.standing.resting[intent.client_id] = resting
                settled = self.desk.settled(intent, "acknowledged", order_id, "", at_ms)
                if total is None:
                    self.desk.store.record([settled])
                    return
                told = Told(
                    "acknowledged", settled, at_ms, price, total,
                    None if old is None else old.price,
                    kind, intent.client_id, asked_ms, text=why,
                )  # fmt: skip
            case Refused(reason, code, text):
                settled = self.desk.settled(intent, "refused", None, f"{code} {text}", now_ms)
                leftovers = role is Role.WORKING and bool(self.standing.leftovers)
                if outcome.overlap and self.traits.overlap and (old is not None or leftovers):
                    # Not the end of this wish: it is done again beneath the backstop.
                    self.desk.store.record([settled])
                    return
                told = Told(
                    "refused", settled, now_ms, price, quantity, kind=kind,
                    client_id=intent.client_id, asked_ms=asked_ms, reason=reason, text=text,
                    nearest=outcome.nearest, retry_after_ms=outcome.retry_after_ms,
                )  # fmt: skip
                if reason in (Refusal.POSITION_GONE, Refusal.LIMIT):
                    self.ask_for_pass(text, full=reason is Refusal.LIMIT)
            case _:
                settled = self.desk.settled(intent, "unknown", None, outcome.text, now_ms)
                self.lookups[intent.client_id] = Lookup(intent, now_ms)
                told = Told("unknown", settled, now_ms, price, quantity, text=outcome.text)
        if role is Role.WORKING:
            self.tell(told)
        elif told.settled is not None:
            self.desk.store.record([told.settled])

    def resolve(self, intent: Intent, found: LookedUp, now_ms: int) -> None:
        """Tell what the look-up says, in the words of an ordinary answer."""
        order_id = found.order_id or ""
        at_ms = found.at_ms or now_ms
        state: SettledState
        if intent.action != "place":
            state = "absent" if found.state in NEVER_CLOSED else "acknowledged"
            self.desk.record(intent, state, order_id, found.state.value, at_ms)
            self.ask_for_pass("a close was looked up")
            return
        if found.state is OrderState.RESTING:
            old = self.standing.resting.get(intent.replaces or "")
            taken = Acknowledged(order_id, at_ms)
            self.settle_stop(
                intent, taken, asked_ms=intent.at_ms, old=old, why="", total=intent.quantity
            )
            if old is not None and not self.shared:
                self.standing.cancels[old.client_id] = (old.order_id, "replaced")
            if intent.quantity != self.standing.position_quantity():
                self.ask_for_pass("a stop that was looked up may be a part")
        elif found.state in (OrderState.TRIGGERED, OrderState.FILLED):
            settled = self.desk.settled(intent, "acknowledged", order_id, found.state.value, at_ms)
            # Now, not when it was placed: what the exchange does itself has its time from here.
            self.tell(Told("triggered", settled, now_ms))
            self.ask_for_pass("a stop fired while its outcome was unknown")
        else:
            state = "absent" if found.state is OrderState.ABSENT else "gone"
            settled = self.desk.settled(intent, state, order_id, found.state.value, now_ms)
            if intent.role is Role.WORKING:
                text = f"the look-up says {found.state.value}"
                self.tell(Told("refused", settled, now_ms, reason=Refusal.NOT_SENT, text=text))
            else:
                self.desk.store.record([settled])
