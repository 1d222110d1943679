"""Whose stop moves next where the exchange's own limits pace the moves (`pacing = budget`).

A trail whose better stop is held for `budget` waits here for its permission. While the limits
have room outside their reserve it comes with the same turn of the loop. Without room the legs of
all accounts behind one address wait together, and as soon as there is some they are ranked by the
money at risk at that moment. First stops do not wait: what they need is set aside.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trailstop.clock import MS_PER_SECOND
from trailstop.daemon.feeder import Feeder
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.process.supervisor import Supervisor
from trailstop.domain.position import Leg
from trailstop.engine.events import Event, MovePermitted
from trailstop.engine.trail import NEVER_MS, HoldReason
from trailstop.ports import Venue

WAKE_MARGIN_MS = 1
"""Our estimate of the exchange's clock is behind, so that room that it promises is there by then."""


class Mover(Protocol):
    """One account that moves stops."""

    venue: Venue
    feeder: Feeder

    def feed(self, guarded: GuardedLeg, event: Event) -> None:
        """Tell one of its trails one event."""
        ...


@dataclass(slots=True)
class _Waiting:
    """One leg with a better stop than rests."""

    mover: Mover
    guarded: GuardedLeg
    told: bool = False


class MoveBudget:
    """Deals out what the limits of one address leave for moves."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._waiting: dict[Leg, _Waiting] = {}
        # Legs with a write under way. What of it has left is counted already; what has not is
        # set aside. Counting both errs to the safe side for as long as an answer takes.
        self._busy: dict[Leg, Mover] = {}
        self._full: set[Mover] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None

    def weigh(self, mover: Mover, guarded: GuardedLeg) -> None:
        """Take notice of one leg after each of its events, and permit its move if it may go."""
        trail = guarded.trail
        leg = trail.leg
        if trail.live_stop is None and guarded.executor.pending:
            self._watch(mover, guarded)
        if not _wants(guarded):
            # Almost every price comes here, and almost never does anything wait.
            if self._waiting and self._waiting.pop(leg, None) is not None:
                self._rest()
            return
        waiting = self._waiting.get(leg)
        if waiting is None or waiting.guarded is not guarded:
            waiting = self._waiting[leg] = _Waiting(mover, guarded)
        if not self._is_ready(waiting):
            return
        if mover in self._full:
            self._tell(waiting)
        elif self._turn is None:
            # All prices that have arrived are weighed first: they may be those of a whole market.
            self._turn = asyncio.get_running_loop().call_soon(self._deal)

    def _deal(self) -> None:
        """Permit the moves that there is room for, the one with most money at risk first."""
        self._turn = None
        for leg in [leg for leg, one in self._waiting.items() if not _wants(one.guarded)]:
            del self._waiting[leg]
        ready = [
            one
            for one in self._waiting.values()
            if one.mover not in self._full and self._is_ready(one)
        ]
        for one in sorted(ready, key=_rank):
            if one.mover in self._full or self._is_full(one):
                self._tell(one)
            else:
                now_ms = one.mover.venue.exchange_ms()
                one.mover.feed(one.guarded, MovePermitted(now_ms))
                self._watch(one.mover, one.guarded)
        self._rest()

    def _is_ready(self, waiting: _Waiting) -> bool:
        """Whether its move could leave at once: nothing of the leg is under way or held back."""
        guarded = waiting.guarded
        if guarded.executor.pending:
            self._watch(waiting.mover, guarded)
        busy = guarded.trail.leg in self._busy
        return not (busy or guarded.executor.writes_held or guarded.flat_ms is not None)

    def _is_full(self, waiting: _Waiting) -> bool:
        """Whether the limits of its account have no room for one more; wakes when they have."""
        mover = waiting.mover
        ahead = sum(other is mover for other in self._busy.values())
        wait_ms = mover.venue.move_wait_ms(
            waiting.guarded.trail.leg, ahead=ahead, beside=len(self._busy) - ahead
        )
        if wait_ms == 0:
            self._full.discard(mover)
            return False
        self._full.add(mover)
        self._wake_in(wait_ms + WAKE_MARGIN_MS)
        return True

    def _watch(self, mover: Mover, guarded: GuardedLeg) -> None:
        """Hear of it when the writes of this leg that are under way are done."""
        leg = guarded.trail.leg
        if leg not in self._busy:
            self._busy[leg] = mover
            self._supervisor.spawn(f"budget {leg}", self._until_idle(mover, guarded))

    async def _until_idle(self, mover: Mover, guarded: GuardedLeg) -> None:
        await guarded.executor.idle()
        del self._busy[guarded.trail.leg]
        first = next((one for one in self._waiting.values() if one.mover is mover), None)
        if first is not None and not self._is_full(first):
            self._deal()

    def _tell(self, waiting: _Waiting) -> None:
        """Put on record, once for each move, that it waits for the limits."""
        if not waiting.told:
            waiting.told = True
            mover = waiting.mover
            mover.feeder.tell_hold(waiting.guarded.trail, mover.venue.exchange_ms())

    def _wake_in(self, wait_ms: int) -> None:
        loop, delay = asyncio.get_running_loop(), wait_ms / MS_PER_SECOND
        if self._timer is not None:
            if self._timer.when() <= loop.time() + delay:
                return
            self._timer.cancel()
        self._timer = loop.call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._full.clear()
        self._deal()

    def _rest(self) -> None:
        """Leave no timer behind where nothing waits."""
        if not self._waiting:
            self._full.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None


def _wants(guarded: GuardedLeg) -> bool:
    """Whether its move waits for a permission; one with a due time asks again by itself."""
    trail = guarded.trail
    waits = trail.hold is HoldReason.BUDGET and trail.release_at_ms == NEVER_MS
    return waits and not guarded.ended


def _rank(waiting: _Waiting) -> tuple[Decimal, Leg]:
    """Most money at risk first: what the move would lock in, quote currency."""
    trail = waiting.guarded.trail
    exact, live, position = trail.exact_stop, trail.live_stop, trail.position
    assert exact is not None, "held is a better stop"
    assert live is not None, "held against the live stop"
    return -(exact - live) * position.side.sign * position.quantity, trail.leg
