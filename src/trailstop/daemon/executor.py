"""The only caller of exchange writes: one write a leg in flight, a close overtakes.

New first: the new working stop is acknowledged, then the old one is cancelled. Where the
exchange refuses two of them, the old one is cancelled beneath a confirmed backstop, and its
price is restored when the new one is not taken. An unknown outcome is looked up at the
service that owns the id before anything else is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

import structlog

from trailstop.clock import MS_PER_SECOND, Clock
from trailstop.daemon.desk import OrderDesk, SettledState
from trailstop.daemon.orders import AccountTraits, Lookup, Resting, Told, Wanted
from trailstop.daemon.supervisor import Supervisor
from trailstop.domain.position import Leg, Role, StopKind
from trailstop.domain.price import Side
from trailstop.engine.commands import CancelStop, CloseReason
from trailstop.engine.events import Refusal
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import RestingStop
from trailstop.ports import (
    Acknowledged,
    Gone,
    LookedUp,
    OrderState,
    Outcome,
    Refused,
    Unknown,
)
from trailstop.storage.records import Intent

_log = structlog.get_logger("trailstop.executor")

SETTLE_MS = 2_500
"""After this long a request that was never seen cannot take effect any more: it is older
than the receive window that it was signed with."""
LOOK_UP_SECONDS = (0.1, 0.3, 0.6, 1.0, 2.0)
"""Pauses before the look-ups of one unknown outcome; the last one repeats."""
CANCEL_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
CLOSE_TRIES = 3
BACKSTOP_AGAIN_MS = 1_000
"""How long a refused backstop waits: every pass sees that it is missing, and a leg is corrected
once a second at most."""
NEVER_CLOSED = (OrderState.ABSENT, OrderState.REJECTED)
"""What a look-up of a close can say that means it closed nothing."""


@dataclass
class LegExecutor:
    """Carries out the commands of one epoch."""

    desk: OrderDesk
    clock: Clock
    supervisor: Supervisor
    traits: AccountTraits
    tell: Callable[[Told], None]
    ask_for_pass: Callable[[str], None]
    position_quantity: Callable[[], Decimal]
    closing: Callable[[], bool]
    resting: dict[str, Resting] = field(default_factory=dict)
    leftovers: dict[str, str] = field(default_factory=dict)
    """Order ids by client id: working stops of ours from an earlier epoch that still rest."""
    _want: Wanted | None = None
    _backstop: tuple[Decimal, Decimal] | None = None
    _backstop_due_ms: int = 0
    _cancels: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    _lookups: dict[str, Lookup] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None
    _close_task: asyncio.Task[None] | None = None
    _held_close: tuple[Decimal, CloseReason] | None = None
    writes_held: bool = False
    """After a restart nothing is written before a complete read has proven the epoch: wishes
    wait, look-ups do not."""
    foreign_backstop: bool = False
    pass_when_idle: bool = False
    """A pass had to leave this leg alone because a write was under way: ask for another."""

    @property
    def leg(self) -> Leg:
        """The leg that is written to."""
        return self.desk.leg

    @property
    def side(self) -> Side:
        """The position's side."""
        return self.desk.side

    @property
    def tag(self) -> str:
        """How the client ids of this epoch begin."""
        return self.desk.tag

    @property
    def settled_ms(self) -> int:
        """The exchange's time of the last answer."""
        return self.desk.settled_ms

    # --- what is asked -------------------------------------------------------------------
    def want_working(self, price: Decimal, quantity: Decimal, kind: StopKind, text: str) -> None:
        """Have the working stop at this price and size; the newest wish counts.

        `text` explains it to a trader and is journaled with the acknowledgement.
        """
        self._want = Wanted(price, quantity, kind, self.desk.venue.exchange_ms(), text)
        self._kick()

    def want_backstop(self, price: Decimal, quantity: Decimal) -> None:
        """Have a backstop at this price; one that was refused is not asked for at once again."""
        due = self.desk.venue.exchange_ms() >= self._backstop_due_ms
        if due and self._of(Role.BACKSTOP) is None:
            self._backstop = (price, quantity)
            self._kick()

    def cancel(self, command: CancelStop) -> None:
        """Remove one stop of ours."""
        self._cancels[command.client_id] = (command.order_id, command.reason)
        self._kick()

    def close(self, quantity: Decimal, reason: CloseReason) -> None:
        """Close at market, at once, whatever is in flight."""
        if self.writes_held:
            self._held_close = (quantity, reason)
        elif self._close_task is None or self._close_task.done():
            work = self._close(quantity, reason)
            self._close_task = self.supervisor.spawn(f"close {self.leg}", work)

    def release_writes(self) -> None:
        """The epoch is proven: carry out what was asked for meanwhile."""
        self.writes_held = False
        if self._held_close is not None:
            self.close(*self._held_close)
            self._held_close = None
        self._kick()

    def look_up(self, intent: Intent) -> None:
        """Find out what became of a write of an earlier life of this process."""
        self._lookups[intent.client_id] = Lookup(intent, intent.at_ms)
        self._kick()

    def sync(self, stops: Iterable[RestingStop]) -> None:
        """Take what a fresh complete read shows of this leg's stops as what rests."""
        stops = list(stops)
        self.leftovers = {
            stop.client_id: stop.order_id
            for stop in stops
            if stop.role is Role.WORKING
            and stop.side is self.side
            and not stop.triggered
            and not stop.client_id.startswith(self.tag)
        }
        self.resting = {
            stop.client_id: Resting(
                stop.client_id,
                stop.order_id,
                stop.role,
                stop.price,
                stop.quantity if stop.quantity is not None else self.position_quantity(),
                stop.created_at_ms,
            )
            for stop in stops
            if stop.client_id.startswith(self.tag) and not stop.triggered
        }

    def gone(self, name: str) -> bool:
        """A stop of ours no longer rests; True where nobody here asked for that."""
        expected = name in self._cancels
        self._cancels.pop(name, None)
        return self.resting.pop(name, None) is not None and not expected

    @property
    def pending(self) -> bool:
        """Whether a write of this leg is under way or waits its turn."""
        return self._task is not None and not self._task.done()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Ids of writes whose outcome is not known."""
        return tuple(self._lookups)

    def stop(self) -> None:
        """Send nothing more; what rests stays."""
        self._want = self._backstop = None
        for task in (self._task, self._close_task):
            if task is not None:
                task.cancel()

    async def idle(self) -> None:
        """Return when nothing is under way."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    # --- carrying out ----------------------------------------------------------------------
    def _kick(self) -> None:
        if not self.pending:
            self._task = self.supervisor.spawn(f"writes {self.leg}", self._drain())

    def _of(self, role: Role) -> Resting | None:
        """The tightest resting stop of ours in a role, without those about to be removed."""
        chosen = [
            stop
            for stop in self.resting.values()
            if stop.role is role and stop.client_id not in self._cancels
        ]
        return max(chosen, key=lambda stop: stop.price * self.side.sign, default=None)

    async def _drain(self) -> None:
        tries = 0
        while True:
            if self._lookups and self._backstop is not None and not self.writes_held:
                # Right whatever became of the unknown write, and it covers meanwhile.
                await self._place_backstop()
            elif self._lookups:
                await self._look_up_next()
            elif self.writes_held:
                break
            elif self._want is not None and self._of(Role.WORKING) is None:
                await self._place_working()
            elif self._cancels:
                done = await self._cancel_next()
                tries = 0 if done else tries + 1
                if not done:
                    pause = CANCEL_SECONDS[min(tries, len(CANCEL_SECONDS)) - 1]
                    await self.clock.sleep(pause)
            elif self._want is not None:
                await self._move_working()
            elif self._backstop is not None:
                await self._place_backstop()
            else:
                break
        if self.pass_when_idle:
            self.pass_when_idle = False
            self.ask_for_pass("a write that was under way is done")

    async def _place_working(self) -> None:
        if self.leftovers and not self.traits.overlap and not await self._make_room():
            self._put_off("no backstop rests to remove an earlier stop above; asking for one")
            return
        want = self._take_want()
        known = bool(self.leftovers) and self.traits.overlap
        outcome = await self._send_stop(
            Role.WORKING, want.price, want.quantity, want.kind, want=want
        )
        if isinstance(outcome, Refused) and outcome.overlap:
            if known:
                self.traits.overlap = False
                newer: Wanted | None = self._want
                self._want = newer or want
                return
            # Something of that form rests that is not known here: only a full read can say.
            self.ask_for_pass("a stop that is not known here already rests")

    async def _make_room(self) -> bool:
        """Remove what an earlier epoch left, beneath a backstop, where only one may rest."""
        if self._backstop is not None:
            await self._place_backstop()
        if self._of(Role.BACKSTOP) is None and not self.foreign_backstop:
            return False
        for name, order_id in list(self.leftovers.items()):
            self._cancels[name] = (order_id, "left over from an earlier position")
            if not await self._cancel_next(name):
                return False
            self.leftovers.pop(name, None)
        return True

    def _put_off(self, text: str) -> None:
        """Give the wish back to the rule, which asks again; a pass finds out what is missing."""
        self._take_want()
        now_ms = self.desk.venue.exchange_ms()
        self.tell(Told("refused", None, now_ms, reason=Refusal.TRANSIENT, text=text))
        self.ask_for_pass(text)

    async def _place_backstop(self) -> None:
        assert self._backstop is not None
        price, quantity = self._backstop
        self._backstop = None
        outcome = await self._send_stop(Role.BACKSTOP, price, quantity, StopKind.INITIAL)
        if isinstance(outcome, Refused):
            self._backstop_due_ms = self.desk.settled_ms + BACKSTOP_AGAIN_MS
        else:
            # Both layers stand: what an earlier epoch left behind may go.
            self.ask_for_pass("a backstop was asked for")

    async def _move_working(self) -> None:
        """Replace the working stop: new first, or beneath the backstop where refused."""
        old = self._of(Role.WORKING)
        assert old is not None
        assert self._want is not None
        if (old.price, old.quantity) == (self._want.price, self._want.quantity):
            want = self._take_want()
            self.tell(self._told_resting(old, want))
            return
        if not self.traits.overlap:
            await self._move_beneath(old)
            return
        want = self._take_want()
        outcome = await self._send_stop(
            Role.WORKING, want.price, want.quantity, want.kind, old=old, want=want
        )
        if isinstance(outcome, Acknowledged):
            self._cancels[old.client_id] = (old.order_id, "replaced")
        elif isinstance(outcome, Refused) and outcome.overlap:
            self.traits.overlap = False
            # A newer wish may have come while this one was under way.
            newer: Wanted | None = self._want
            self._want = newer or want

    def _take_want(self) -> Wanted:
        want = self._want
        assert want is not None
        self._want = None
        return want

    def _told_resting(self, stop: Resting, want: Wanted) -> Told:
        return Told(
            "acknowledged", None, stop.at_ms, stop.price, stop.quantity,
            stop.price, want.kind, stop.client_id, want.asked_ms, text=want.text,
        )  # fmt: skip

    async def _move_beneath(self, old: Resting) -> None:
        """Cancel, then create, only while a backstop is confirmed; restore on failure."""
        if self._of(Role.BACKSTOP) is None and not self.foreign_backstop:
            self._put_off("no backstop rests to move the stop beneath; asking for one")
            return
        self._cancels[old.client_id] = (old.order_id, "replaced")
        if not await self._cancel_next(old.client_id) or self.closing():
            return
        want = self._take_want()
        outcome = await self._send_stop(
            Role.WORKING, want.price, want.quantity, want.kind, old=old, want=want
        )
        if isinstance(outcome, Refused) and not self.closing():
            await self._send_stop(Role.WORKING, old.price, old.quantity, want.kind)

    async def _send_stop(
        self,
        role: Role,
        price: Decimal,
        quantity: Decimal,
        kind: StopKind,
        *,
        old: Resting | None = None,
        want: Wanted | None = None,
    ) -> Outcome:
        """Place one stop and take its outcome into account."""
        intent, outcome = await self.desk.place(
            role,
            price,
            quantity,
            kind,
            replaces=None if old is None else old.client_id,
            protective=old is None or not self.side.better(old.price, price),
        )
        asked_ms, text = (intent.at_ms, "") if want is None else (want.asked_ms, want.text)
        self._settle_stop(intent, outcome, asked_ms, old, text)
        return outcome

    def _settle_stop(
        self, intent: Intent, outcome: Outcome, asked_ms: int, old: Resting | None, why: str = ""
    ) -> None:
        role, price, quantity = intent.role, intent.price, intent.quantity
        assert role is not None
        assert price is not None
        assert quantity is not None
        kind = intent.kind or StopKind.INITIAL
        now_ms = self.desk.venue.exchange_ms()
        told: Told
        match outcome:
            case Acknowledged(order_id, at_ms):
                resting = Resting(intent.client_id, order_id, role, price, quantity, at_ms)
                self.resting[intent.client_id] = resting
                told = Told(
                    "acknowledged",
                    self.desk.settled(intent, "acknowledged", order_id, "", at_ms),
                    at_ms, price, quantity, None if old is None else old.price,
                    kind, intent.client_id, asked_ms, text=why,
                )  # fmt: skip
            case Refused(reason, code, text):
                settled = self.desk.settled(intent, "refused", None, f"{code} {text}", now_ms)
                replaces = old is not None or (role is Role.WORKING and bool(self.leftovers))
                if outcome.overlap and self.traits.overlap and replaces:
                    # Not the end of this wish: it is done again beneath the backstop.
                    self.desk.store.record([settled])
                    return
                told = Told(
                    "refused", settled, now_ms, price, quantity, kind=kind,
                    client_id=intent.client_id, asked_ms=asked_ms, reason=reason, text=text,
                )  # fmt: skip
                if reason is Refusal.POSITION_GONE:
                    self.ask_for_pass(text)
            case _:
                settled = self.desk.settled(intent, "unknown", None, outcome.text, now_ms)
                self._lookups[intent.client_id] = Lookup(intent, now_ms)
                told = Told("unknown", settled, now_ms, price, quantity, text=outcome.text)
        if role is Role.WORKING:
            self.tell(told)
        elif told.settled is not None:
            self.desk.store.record([told.settled])

    # --- cancels ---------------------------------------------------------------------------
    async def _cancel_next(self, which: str | None = None) -> bool:
        """Cancel one stop; False while its fate is not known and it must be tried again."""
        target = which or next(iter(self._cancels))
        order_id, reason = self._cancels[target]
        outcome = await self.desk.cancel(target, order_id, reason)
        if isinstance(outcome, Refused | Unknown):
            return False
        if isinstance(outcome, Gone):
            # Triggered, filled or cancelled elsewhere: a fresh read says which.
            self.ask_for_pass("a stop that was to be cancelled is gone")
        self._cancels.pop(target, None)
        self.resting.pop(target, None)
        return True

    # --- unknown outcomes ------------------------------------------------------------------
    async def _look_up_next(self) -> None:
        name, lookup = next(iter(self._lookups.items()))
        pause = LOOK_UP_SECONDS[min(lookup.tries, len(LOOK_UP_SECONDS) - 1)]
        lookup.tries += 1
        await self.clock.sleep(pause)
        service: Literal["stop", "order"] = "stop" if lookup.intent.action == "place" else "order"
        try:
            found = await self.desk.venue.look_up(self.leg, name, service)
        except ReadFailed as error:
            _log.warning("look_up_failed", leg=str(self.leg), client_id=name, error=str(error))
            return
        now_ms = self.desk.venue.exchange_ms()
        if found.state is OrderState.ABSENT and now_ms - lookup.sent_ms < SETTLE_MS:
            return
        del self._lookups[name]
        self.desk.settled_ms = now_ms
        self._resolve(lookup.intent, found, now_ms)

    def _resolve(self, intent: Intent, found: LookedUp, now_ms: int) -> None:
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
            old = self.resting.get(intent.replaces or "")
            self._settle_stop(intent, Acknowledged(order_id, at_ms), intent.at_ms, old)
            if old is not None:
                self._cancels[old.client_id] = (old.order_id, "replaced")
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

    # --- closing -----------------------------------------------------------------------------
    async def _close(self, quantity: Decimal, reason: CloseReason) -> None:
        """Send a reduce-only market close; an unknown one is looked up, never repeated."""
        for attempt in range(CLOSE_TRIES):
            if any(lookup.intent.action == "close" for lookup in self._lookups.values()):
                return
            intent, outcome = await self.desk.close(quantity, reason, attempt)
            match outcome:
                case Acknowledged():
                    self.ask_for_pass("closed at market")
                    return
                case Unknown():
                    self._lookups[intent.client_id] = Lookup(intent, self.desk.settled_ms)
                    self._kick()
                    return
                case Refused(why, _, text):
                    self.ask_for_pass(text)
                    if why is not Refusal.TRANSIENT:
                        return
                    wait_ms = outcome.retry_after_ms or MS_PER_SECOND
                    await self.clock.sleep(wait_ms / MS_PER_SECOND)
