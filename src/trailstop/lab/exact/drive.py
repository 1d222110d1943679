"""One position from entry to exit: prices, answers, timers and candles to `step`, in their order.

The rule decides, this only carries out: what it asks for rests after the latency, and what rests
fires. Between two prices nothing but time passes; a price is reached by a jump (`jump`) or passes
every level on its way (`walk`).
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees, Leg, Phase, Position, Role, StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.commands import Alarm, ClosePosition, Command, MoveStop, PlaceStop
from trailstop.engine.explain import move_text
from trailstop.engine.rules import net_break
from trailstop.engine.step import step, wake_at
from trailstop.engine.trail import NEVER_MS, HoldReason, Trail
from trailstop.lab.exact.agenda import Agenda, Course
from trailstop.lab.exact.book import Book, Request
from trailstop.lab.terms import Costs, ExitCause
from trailstop.lab.trades import StopMove

LAB = "lab"
"""Account and venue of the leg that a backtest's positions live on."""
_CAUSES = {
    StopKind.INITIAL: ExitCause.INITIAL_STOP,
    StopKind.BREAKEVEN: ExitCause.BREAKEVEN,
    StopKind.TRAIL: ExitCause.TRAIL,
}
_REFUSED = "the price has passed it"


class Opening(Struct, frozen=True):
    """A position as it is opened. `number` counts entries from 0; price in quote currency."""

    number: int
    label: str
    side: Side
    price: Decimal
    quantity: Decimal
    at_ms: int


class Exit(Struct, frozen=True):
    """How a position ended; `price` is without slippage."""

    price: Decimal
    at_ms: int
    cause: ExitCause
    crossed: bool = False


class Drive:
    """The epoch of one position, told prices in the order of their times.

    With `at_level` a close fills at the price that decided it, however long its latency is:
    between two prices of a bar nobody knows how far the market goes in it. Without, it
    fills at the last price of when it arrives. `exit` is None while the position is open.
    """

    def __init__(
        self,
        opening: Opening,
        instrument: Instrument,
        policy: Policy,
        costs: Costs,
        agenda: Agenda,
        *,
        at_level: bool,
        moves: bool,
    ) -> None:
        position = Position(
            opening.side, opening.price, opening.quantity, opened_at_ms=opening.at_ms
        )
        trail = begin(
            leg=Leg(LAB, LAB, instrument.symbol),
            epoch=opening.number + 1,
            position=position,
            instrument=instrument,
            policy=policy,
            fees=Fees(costs.entry_fee, costs.exit_fee),
            at_ms=opening.at_ms,
        )
        self.trail: Trail = replace(trail, atr=agenda.atr_at(opening.at_ms))
        self.opening = opening
        self.side = opening.side
        self.price = opening.price
        """Where the market is, told to the rule or not."""
        self.best = self.worst = opening.price
        self.exit: Exit | None = None
        self.due_ms = NEVER_MS
        """When something happens if no price comes before."""
        self.activated_ms: int | None = None
        self.safe_ms: int | None = None
        self.moves: list[StopMove] = []
        self.alarms: list[Alarm] = []
        self.book = Book(opening.side)
        self._course = Course(agenda, opening.at_ms)
        self._latency_ms = costs.latency_ms
        self._at_level = at_level
        self._with_moves = moves
        self._close_due_ms = NEVER_MS
        self._closes: Exit | None = None
        self._now_ms = opening.at_ms
        self._wake_ms = NEVER_MS
        self._woken_ms = -1

    @property
    def ended(self) -> bool:
        """Whether the position is closed: `exit` tells how."""
        return self.exit is not None

    def elapse(self, until_ms: int) -> None:
        """Let the time pass: what is due until then happens at the price of before."""
        while self.due_ms <= until_ms and not self.ended:
            self._now_ms = max(self.due_ms, self._now_ms)
            self._happen(self._now_ms)
        self._now_ms = max(until_ms, self._now_ms)

    def jump(self, price: Decimal, event: ev.PriceSeen | ev.QuoteSeen) -> None:
        """Go to a price at once; what lies between fills there."""
        if not self._arrive(price, event.at_ms):
            return
        if self._closes is None:
            self._tell(event)

    def witness(self, event: ev.QuoteSeen) -> None:
        """Tell what is no price of the position's own source, but may confirm one."""
        self.elapse(event.at_ms)
        if not self.ended and self._closes is None:
            self._tell(event)

    def skip_to(self, price: Decimal, at_ms: int) -> None:
        """Jump to a price that the rule is not told, unless it ends the position."""
        if self._arrive(price, at_ms) and self._crossed_at(price):
            self._tell(ev.PriceSeen(price, at_ms, kind="bar"))

    def walk(self, price: Decimal, at_ms: int, *, told: bool = True) -> None:
        """Pass every level up to a price; what lies between fills at its own level.

        Without `told` the rule is not told the price itself.
        """
        self.elapse(at_ms)
        if self.ended:
            return
        if self.side.better(self.price, price) and not self._falls(price, at_ms):
            return
        self._reach(price)
        if told:
            self._tell(ev.PriceSeen(price, at_ms, kind="bar"))

    def would_end(self, price: Decimal) -> bool:
        """Whether a walk to this price, against the position, would end it."""
        level = self.book.level
        if level is not None and self._reaches(price, level):
            return True
        return self.trail.policy.on_cross == "close" and self._crossed_at(price)

    def leave(self, at_ms: int, cause: ExitCause, price: Decimal | None = None) -> None:
        """End the position for a reason that is not the rule's, at this price or the last one."""
        self.elapse(at_ms)
        if self.ended:
            return
        if price is not None:
            self._reach(price)
        # A close that is still under way has ended it; the data ends before it arrives.
        self.exit = Exit(self.price, at_ms, cause) if self._closes is None else self._closed(at_ms)

    def knows(self, high: Decimal, low: Decimal) -> bool:
        """Whether prices between these two are no new extremes."""
        best, worst = self.best, self.worst
        return worst <= low and high <= best if best > worst else best <= low and high <= worst

    def passed(self, high: Decimal, low: Decimal) -> None:
        """Note extremes of prices that the rule was not told since they change nothing."""
        for price in (high, low):
            self._note(price)

    def _arrive(self, price: Decimal, at_ms: int) -> bool:
        """Be at another price; false where the position ends before it or there."""
        self.elapse(at_ms)
        if self.ended:
            return False
        self._reach(price)
        level = self.book.level
        if level is not None and self._reaches(price, level):
            self.exit = Exit(price, at_ms, _CAUSES[self.book.kind])
            return False
        return True

    def _falls(self, price: Decimal, at_ms: int) -> bool:
        """Meet the exact stop, where it is tighter than what rests, then what rests.

        False where the position ends on the way.
        """
        if self._crossed_at(price):
            exact = self.trail.exact_stop
            assert exact is not None, "a price has crossed it"
            # The stop may have come through the price by a candle: then it is met at once.
            level = exact if self.side.better(self.price, exact) else self.price
            self._reach(level)
            seen = price if self.trail.policy.strict else level
            self._tell(ev.PriceSeen(seen, at_ms, kind="bar"))
            if self.ended:
                return False
        rests = self.book.level
        if rests is None or not self._reaches(price, rests):
            return True
        level = rests if self.side.better(self.price, rests) else self.price
        self._reach(level)
        self.exit = Exit(level, at_ms, _CAUSES[self.book.kind])
        return False

    def _crossed_at(self, price: Decimal) -> bool:
        """Whether the rule would find the exact stop crossed there, before what rests fires."""
        trail, level = self.trail, self.book.level
        exact = trail.exact_stop
        if exact is None or trail.phase not in (Phase.WAITING, Phase.ACTIVE):
            return False
        nearer = level is None or self.side.better(exact, level)
        return nearer and self._reaches(price, exact)

    def _reaches(self, price: Decimal, stop: Decimal) -> bool:
        side = self.side
        return (side.beyond if self.trail.policy.strict else side.touches)(price, stop)

    def _reach(self, price: Decimal) -> None:
        self.price = price
        self._note(price)

    def _note(self, price: Decimal) -> None:
        if self.side.better(price, self.best):
            self.best = price
        elif self.side.better(self.worst, price):
            self.worst = price

    def _happen(self, at_ms: int) -> None:
        """Let the first thing that is due happen: answers before timers before the agenda."""
        if self.book.due_ms <= at_ms:
            self._answer(self.book.arrive(), at_ms)
        elif self._close_due_ms <= at_ms:
            self.exit = self._closed(at_ms)
        elif self._wake_ms <= at_ms:
            self._woken_ms = at_ms
            self._tell(ev.TimePassed(at_ms))
        else:
            self._keep_course(at_ms)
        self._schedule()

    def _keep_course(self, at_ms: int) -> None:
        next_one = self._course.take()
        if isinstance(next_one, ev.CandleClosed):
            self._tell(next_one)
            return
        position = self.trail.position
        paid = next_one * self.price * position.quantity * self.side.sign
        position = replace(position, funding_paid=position.funding_paid + paid)
        self._tell(ev.PositionChanged(position, at_ms))

    def _tell(self, event: ev.Event) -> None:
        """Advance the rule by one event, and carry out what it asks for."""
        trail, told = step(self.trail, event)
        if trail.hold is HoldReason.BUDGET:
            # No exchange limits anything here.
            trail, more = step(trail, ev.MovePermitted(event.at_ms))
            told += more
        self.trail = trail
        if trail.activated and self.activated_ms is None:
            self.activated_ms = event.at_ms
        for command in told:
            self._carry_out(command, event.at_ms)
        self._schedule()

    def _carry_out(self, command: Command, at_ms: int) -> None:
        if isinstance(command, Alarm):
            self.alarms.append(command)
        elif isinstance(command, ClosePosition):
            self._close(at_ms)
        elif isinstance(command, PlaceStop | MoveStop):
            reason = move_text(self.trail, command) if self._with_moves else ""
            request = Request(command, reason, at_ms + self._latency_ms)
            if self._latency_ms:
                self.book.ask(request)
            else:
                self._answer(request, at_ms)

    def _answer(self, request: Request, at_ms: int) -> None:
        """The exchange's answer: the stop rests, or the price has passed it already."""
        command, before = request.command, self.trail.own_stop
        backstop = isinstance(command, PlaceStop) and command.role is Role.BACKSTOP
        passed = self.side.touches(self.price, command.price)
        if backstop:
            if not passed:
                self.book.rest(command)
            return
        if passed:
            self._tell(ev.StopRefused(ev.Refusal.WOULD_TRIGGER, _REFUSED, at_ms))
            return
        self.book.rest(command)
        if self._with_moves:
            assert isinstance(command, PlaceStop | MoveStop), "only stops are answered"
            move = StopMove(at_ms, before, command.price, command.kind, request.reason)
            self.moves.append(move)
        if self.safe_ms is None and not self.side.better(net_break(self.trail), command.price):
            self.safe_ms = at_ms
        self._tell(ev.StopAcknowledged(command.price, command.quantity, at_ms))

    def _close(self, at_ms: int) -> None:
        cause = _CAUSES[self.trail.exact_kind]
        due_ms = at_ms + self._latency_ms
        self._closes = Exit(self.price, due_ms, cause, crossed=True)
        if self._at_level or not self._latency_ms:
            self.exit = self._closes
        else:
            self._close_due_ms = due_ms

    def _closed(self, at_ms: int) -> Exit:
        """The close arrives: it fills at the price of that moment."""
        assert self._closes is not None, "a close was asked for"
        return replace(self._closes, price=self.price, at_ms=at_ms)

    def _schedule(self) -> None:
        wake_ms = wake_at(self.trail) if self._closes is None else None
        if wake_ms is None or wake_ms <= self._woken_ms:
            # What a timer left due waits for a price: to wake it again changes nothing.
            wake_ms = NEVER_MS
        self._wake_ms = wake_ms
        self.due_ms = min(self.book.due_ms, self._close_due_ms, wake_ms, self._course.due_ms)
