"""The only caller of exchange writes: one write a leg in flight, a close overtakes.

New first: the new working stop is acknowledged, then the old one is cancelled. Where the
exchange refuses two of them, the old one is cancelled beneath a confirmed backstop, and its
price is restored when the new one is not taken. The position's one stop, where an exchange has
that form, is moved in place. An unknown outcome is looked up at the service that owns the id
before anything else is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

import structlog

from trailstop.clock import MS_PER_SECOND, Clock
from trailstop.daemon.process.supervisor import Supervisor
from trailstop.daemon.writing.answers import SETTLE_MS, Answers
from trailstop.daemon.writing.closes import Closes
from trailstop.daemon.writing.desk import OrderDesk
from trailstop.daemon.writing.doubts import Doubts
from trailstop.daemon.writing.in_place import REPEATS, InPlace
from trailstop.daemon.writing.orders import AccountTraits, AskForPass, Lookup, Resting, Told, Wanted
from trailstop.daemon.writing.standing import Standing, parts_of, size_of
from trailstop.domain.position import Leg, Role, StopKind
from trailstop.domain.price import Side
from trailstop.engine.commands import CancelStop, CloseReason
from trailstop.engine.events import Refusal
from trailstop.errors import ReadFailed
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

LOOK_UP_SECONDS = (0.1, 0.3, 0.6, 1.0, 2.0)
"""Pauses before the look-ups of one unknown outcome; the last one repeats."""
CANCEL_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
BACKSTOP_AGAIN_MS = 1_000
"""How long a refused backstop waits: every pass sees that it is missing, and a leg is corrected
once a second at most."""
TURN_SECONDS_MAX = 1.0
"""How long a replacement waits for its turn."""
EXPOSED_MS = 500
"""A move beneath the backstop that takes longer is an alarm (design, section 5)."""


@dataclass
class LegExecutor:
    """Carries out the commands of one epoch."""

    desk: OrderDesk
    clock: Clock
    supervisor: Supervisor
    traits: AccountTraits
    tell: Callable[[Told], None]
    ask_for_pass: AskForPass
    standing: Standing
    answers: Answers
    closing: Callable[[], bool]
    in_place: InPlace = field(init=False)
    closes: Closes = field(init=False)
    doubts: Doubts = field(init=False)
    _want: Wanted | None = None
    _backstop: tuple[Decimal, Decimal] | None = None
    _backstop_due_ms: int = 0
    _task: asyncio.Task[None] | None = None
    _close_task: asyncio.Task[None] | None = None
    _held_close: tuple[Decimal, CloseReason] | None = None
    _moves_beneath: int = 0
    writes_held: bool = False
    """After a restart nothing is written before a complete read has proven the epoch: wishes
    wait, look-ups do not."""
    foreign_backstop: bool = False
    pass_when_idle: bool = False
    """A pass had to leave this leg alone because a write was under way: ask for another."""

    def __post_init__(self) -> None:
        """Hand the shared parts on to those who send in their own way."""
        self.in_place = InPlace(
            self.desk, self.standing, self.answers, self.clock, self.tell, self.closing
        )
        self.doubts = Doubts(self.desk, self.standing, self.tell, self.ask_for_pass)
        self.closes = Closes(self.desk, self.answers, self.clock, self.ask_for_pass, self._kick)

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

    @property
    def shared(self) -> bool:
        """Whether the working stop is the position's one stop, which others move too."""
        return self.answers.shared

    # --- what is asked -------------------------------------------------------------------
    def want_working(
        self, price: Decimal, quantity: Decimal, kind: StopKind, text: str, *, at_once: bool = False
    ) -> None:
        """Have the working stop at this price and size; the newest wish counts.

        `text` explains it to a trader and is journaled with the acknowledgement. `at_once`: it was
        its turn already, and the limits have room for it now.
        """
        asked_ms = self.desk.venue.exchange_ms()
        self._want = Wanted(price, quantity, kind, asked_ms, text, at_once)
        self._kick()

    def want_backstop(self, price: Decimal, quantity: Decimal) -> None:
        """Have a backstop at this price; one that was refused is not asked for at once again."""
        due = self.desk.venue.exchange_ms() >= self._backstop_due_ms
        if due and self.standing.backstop is None:
            self._backstop = (price, quantity)
            self._kick()

    def cancel(self, command: CancelStop) -> None:
        """Remove one stop of ours."""
        self.standing.cancels[command.client_id] = (command.order_id, command.reason)
        self._kick()

    def doubt(self, names: Iterable[str]) -> None:
        """Ask for these stops one by one: a list that should show them does not."""
        self.doubts.about(names)
        self._kick()

    def close(self, quantity: Decimal, reason: CloseReason) -> None:
        """Close at market, at once, whatever is in flight."""
        if self.writes_held:
            self._held_close = (quantity, reason)
        elif self._close_task is None or self._close_task.done():
            work = self.closes.close(quantity, reason)
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
        self.answers.lookups[intent.client_id] = Lookup(intent, intent.at_ms)
        self._kick()

    @property
    def pending(self) -> bool:
        """Whether a write of this leg is under way or waits its turn."""
        return self._task is not None and not self._task.done()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Ids of writes whose outcome is not known."""
        return tuple(self.answers.lookups)

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

    async def _drain(self) -> None:
        tries = 0
        while True:
            if self.answers.lookups and self._backstop is not None and not self.writes_held:
                # Right whatever became of the unknown write, and it covers meanwhile.
                await self._place_backstop()
            elif self.answers.lookups:
                await self._look_up_next()
            elif self.writes_held:
                break
            elif self._want is not None and self.shared:
                await self.in_place.move(self._take_want())
            elif self._want is not None and not self.standing.working:
                await self._place_working()
            elif self.standing.cancels:
                done = await self._cancel_next()
                tries = 0 if done else tries + 1
                if not done:
                    pause = CANCEL_SECONDS[min(tries, len(CANCEL_SECONDS)) - 1]
                    await self.clock.sleep(pause)
            elif self._want is not None:
                await self._move_working()
            elif self._backstop is not None:
                await self._place_backstop()
            elif self.doubts.any:
                await self.doubts.settle_next()
            else:
                break
        if self.pass_when_idle:
            self.pass_when_idle = False
            self.ask_for_pass("a write that was under way is done")

    # --- the working stop ------------------------------------------------------------------
    async def _place_working(self) -> None:
        leftovers = self.standing.leftovers
        if leftovers and not self.traits.overlap and not await self._make_room():
            self._put_off("no backstop rests to remove an earlier stop above; asking for one")
            return
        want = self._take_want()
        known = bool(leftovers) and self.traits.overlap
        outcome = await self._send_parts(want, ())
        if isinstance(outcome, Refused) and outcome.overlap:
            if known:
                self._one_stop_only(want)
                return
            # Something of that form rests that is not known here: only a full read can say.
            self.ask_for_pass("a stop that is not known here already rests")

    async def _make_room(self) -> bool:
        """Remove what an earlier epoch left, beneath a backstop, where only one may rest."""
        if self._backstop is not None:
            await self._place_backstop()
        if self.standing.backstop is None and not self.foreign_backstop:
            return False
        for name, order_id in list(self.standing.leftovers.items()):
            self.standing.cancels[name] = (order_id, "left over from an earlier position")
            if not await self._cancel_next(name):
                return False
            self.standing.leftovers.pop(name, None)
        return True

    async def _move_working(self) -> None:
        """Replace the working stop: new first, or beneath the backstop where refused."""
        old = self.standing.working
        assert self._want is not None
        if (old[0].price, size_of(old)) == (self._want.price, self._want.quantity):
            want = self._take_want()
            self.answers.rests_already(old, want)
            return
        if not self.traits.overlap:
            await self._move_beneath(old)
            return
        if self._drop_surplus(old, self._want.quantity):
            return
        if self._want.at_once:
            await self._replace(old)
            return
        async with self._turn():
            if self._want is not None:
                await self._replace(old)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until the account has a conditional order free for a replacement, but not long.

        Answers may be late or lost: then it is better to be refused than to stand in line.
        """
        turns = self.traits.turns
        try:
            async with asyncio.timeout(TURN_SECONDS_MAX):
                await turns.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            turns.release()

    async def _replace(self, old: Sequence[Resting]) -> None:
        """Rest the new stop and remove those before it, which is when it leaves its turn."""
        want = self._take_want()
        outcome = await self._send_parts(want, old)
        if isinstance(outcome, Refused) and outcome.overlap:
            self._one_stop_only(want)
        if isinstance(outcome, Acknowledged):
            for stop in old:
                if stop.client_id in self.standing.cancels:
                    await self._cancel_next(stop.client_id)

    def _drop_surplus(self, kept: Sequence[Resting], wanted: Decimal) -> bool:
        """Have looser stops of an earlier move removed first: a third one never rests.

        Such a move was cut short. They stay as long as they are needed: where neither those that
        are kept nor a backstop hold the position, or where these are parts of a larger stop.
        """
        largest = self.desk.venue.instrument(self.leg.symbol).max_market_quantity
        quantity, surplus = self.standing.position_quantity(), [*self.standing.surplus]
        single = len(parts_of(wanted, largest)) == 1
        biggest = max(kept, key=lambda stop: stop.quantity)
        whole = biggest.quantity >= quantity
        if single and (whole or size_of(kept) < quantity):
            # No parts of one stop: a correction of the size was cut short.
            surplus += [stop for stop in kept if stop is not biggest]
        beneath = self.standing.backstop is not None or self.foreign_backstop
        if not surplus or not (whole or size_of(kept) >= quantity or (beneath and single)):
            return False
        for stop in surplus:
            self.standing.cancels[stop.client_id] = (stop.order_id, "surplus")
        return True

    def _one_stop_only(self, want: Wanted) -> None:
        """The exchange refuses a second stop: do it again beneath the backstop."""
        self.traits.overlap = False
        # A newer wish may have come while this one was under way.
        newer: Wanted | None = self._want
        self._want = newer or want

    def _take_want(self) -> Wanted:
        want = self._want
        assert want is not None
        self._want = None
        return want

    def _put_off(self, text: str) -> None:
        """Give the wish back to the rule, which asks again; a pass finds out what is missing."""
        self._take_want()
        now_ms = self.desk.venue.exchange_ms()
        self.tell(Told("refused", None, now_ms, reason=Refusal.TRANSIENT, text=text))
        self.ask_for_pass(text)

    async def _move_beneath(self, old: Sequence[Resting]) -> None:
        """Cancel, then create, only while a backstop is confirmed; restore on failure."""
        if self.standing.backstop is None and not self.foreign_backstop:
            self._put_off("no backstop rests to move the stop beneath; asking for one")
            return
        for stop in old:
            self.standing.cancels[stop.client_id] = (stop.order_id, "replaced")
            if not await self._cancel_next(stop.client_id):
                return
        if self.closing():
            return
        self._moves_beneath += 1
        self.supervisor.spawn(f"exposed {self.leg}", self._tell_exposed(self._moves_beneath))
        want = self._take_want()
        outcome = await self._send_parts(want, old)
        if isinstance(outcome, Refused) and not self.closing():
            # The grid may have changed since: a price off it would be refused once more.
            price = self.desk.venue.instrument(self.leg.symbol).snap_stop(old[0].price, self.side)
            before = Wanted(price, size_of(old), want.kind, want.asked_ms)
            await self._send_parts(before, ())

    async def _tell_exposed(self, move: int) -> None:
        """Raise the alarm where a move beneath the backstop is not done in time."""
        await self.clock.sleep(EXPOSED_MS / MS_PER_SECOND)
        if move == self._moves_beneath and not self.standing.working and not self.closing():
            text = f"no working stop for {EXPOSED_MS} ms: the position stands on its backstop alone"
            self.tell(Told("exposed", None, self.desk.venue.exchange_ms(), text=text))

    async def _send_parts(self, want: Wanted, old: Sequence[Resting]) -> Outcome:
        """Rest the working stop, in parts where one order would be too large.

        Told as one stop with the last part. Once all rest, every other working stop may go.
        Where some parts rest already only the missing ones are sent.
        """
        largest = self.desk.venue.instrument(self.leg.symbol).max_market_quantity
        kept: Sequence[Resting] = [
            stop for stop in self.standing.working if stop.price == want.price
        ]
        parts = parts_of(want.quantity - size_of(kept), largest)
        if parts[0] <= 0 or len(kept) + len(parts) != len(parts_of(want.quantity, largest)):
            kept, parts = (), parts_of(want.quantity, largest)
        others = [name for name, stop in self.standing.resting.items() if stop not in kept]
        *first, last = parts
        for size in first:
            outcome = await self._send_stop(
                Role.WORKING, want.price, size, old=old, want=want, whole=False
            )
            if not isinstance(outcome, Acknowledged):
                return outcome
        outcome = await self._send_stop(Role.WORKING, want.price, last, old=old, want=want)
        if not isinstance(outcome, Acknowledged):
            return outcome
        for name in others:
            stop = self.standing.resting.get(name)
            if stop is not None and stop.role is Role.WORKING:
                self.standing.cancels[name] = (stop.order_id, "replaced")
        return outcome

    async def _place_backstop(self) -> None:
        assert self._backstop is not None
        price, quantity = self._backstop
        self._backstop = None
        outcome = await self._send_stop(Role.BACKSTOP, price, quantity)
        if not isinstance(outcome, Refused):
            # Both layers stand: what an earlier epoch left behind may go.
            self.ask_for_pass("a backstop was asked for")
            return
        self._backstop_due_ms = self.desk.settled_ms + BACKSTOP_AGAIN_MS
        nearest, working = outcome.nearest, self.standing.working
        behind = working and nearest is not None and self.side.better(working[0].price, nearest)
        if behind and nearest != price:
            assert nearest is not None
            _log.warning("backstop_clamped", leg=str(self.leg), wanted=price, price=nearest)
            await self._send_stop(Role.BACKSTOP, nearest, quantity)

    async def _send_stop(
        self,
        role: Role,
        price: Decimal,
        quantity: Decimal,
        *,
        old: Sequence[Resting] = (),
        want: Wanted | None = None,
        whole: bool = True,
    ) -> Outcome:
        """Place one order and take its outcome into account.

        `whole` is false for a part of a working stop that others complete.
        """
        kind = StopKind.INITIAL if want is None else want.kind
        first = old[0] if old else None
        intent, outcome = await self.desk.place(
            role,
            price,
            quantity,
            kind,
            replaces=None if first is None else first.client_id,
            protective=first is None or not self.side.better(first.price, price),
            can_wait=bool(old) and size_of(old) >= self.standing.position_quantity(),
        )
        asked_ms, text = (intent.at_ms, "") if want is None else (want.asked_ms, want.text)
        total = quantity if want is None else want.quantity
        self.answers.settle_stop(
            intent,
            outcome,
            asked_ms=asked_ms,
            old=first,
            why=text,
            total=total if whole else None,
        )
        return outcome

    # --- cancels ---------------------------------------------------------------------------
    async def _cancel_next(self, which: str | None = None) -> bool:
        """Cancel one stop; False while its fate is not known and it must be tried again."""
        target = which or next(iter(self.standing.cancels))
        order_id, reason = self.standing.cancels[target]
        outcome = await self.desk.cancel(target, order_id, reason)
        if isinstance(outcome, Refused | Unknown):
            return False
        if isinstance(outcome, Gone):
            # Triggered, filled or cancelled elsewhere: a fresh read says which.
            self.ask_for_pass("a stop that was to be cancelled is gone")
        self.standing.drop(target)
        return True

    # --- unknown outcomes ------------------------------------------------------------------
    async def _look_up_next(self) -> None:
        name, lookup = next(iter(self.answers.lookups.items()))
        again = self.shared and lookup.intent.action == "place" and not self.writes_held
        if again and lookup.tries < REPEATS:
            await self.in_place.again(name, lookup)
            return
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
        if self.shared and service == "stop" and found.price != lookup.intent.price:
            # Something else rests there: what was asked for has not taken effect.
            found = LookedUp(OrderState.ABSENT)
        if found.state is OrderState.ABSENT and now_ms - lookup.sent_ms < SETTLE_MS:
            return
        del self.answers.lookups[name]
        self.desk.settled_ms = now_ms
        self.answers.resolve(lookup.intent, found, now_ms)
