"""One guarded leg at run time: the trail, its executor, its timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from trailstop.clock import MS_PER_SECOND
from trailstop.daemon.talk.status import LegStatus, Protection
from trailstop.daemon.writing.executor import LegExecutor
from trailstop.domain.policy import HUNDRED
from trailstop.domain.position import Phase, StopKind
from trailstop.engine import rules
from trailstop.engine.explain import hold_text
from trailstop.engine.step import wake_at
from trailstop.engine.trail import HoldReason, Trail
from trailstop.guard.protection import Target

CENT = Decimal("0.01")
FIRST_STOP_MS = 2_000
"""D of the invariants: a position without its first stop for so long is an alarm."""
CONFIRM_GRACE_MS = 2_000
"""What a pass itself may take (D of the invariants) beyond the time between two passes."""


@dataclass
class GuardedLeg:
    """What the daemon knows of one epoch while it lasts.

    `event_ms` is the exchange's time of the last thing heard of the position, `flat_ms` when
    it was said to be flat. `read_ms` is when the read was asked for that proved the position: what
    the account stream tells of the time before is in it already.
    """

    trail: Trail
    executor: LegExecutor
    event_ms: int = 0
    read_ms: int = 0
    confirmed_ms: int = 0
    """Exchange's time at which it said last what rests: by a read, an event or an answer."""
    flat_ms: int | None = None
    ended: bool = False
    foreign_ids: set[str] = field(default_factory=set)
    put_back_from_ms: int = 0
    """When a shared stop that somebody else moves may be put back next."""
    shared_stop: Literal["as_set", "looser", "gone"] = "as_set"
    """What the last read showed of the position's one stop, against what is promised."""
    stop_rejected: bool = False
    """The exchange has taken back the position's one stop: nobody's hand has moved it."""
    gave_up_backstop: bool = False
    """Its backstop was removed because the account is short of conditional orders."""
    fired: StopKind | None = None
    """Of what kind the position's one stop was when it fired."""
    late_told: bool = False
    """Its first stop, which waited its turn, was late, and a person was told."""
    timer: asyncio.TimerHandle | None = None

    @property
    def late_ms(self) -> int | None:
        """When a first stop that waits its turn is late, Unix ms; None where none waits so.

        The rule repeats it as soon as the limits have room; a person is told once.
        """
        trail = self.trail
        waits = trail.live_stop is None and trail.hold is HoldReason.BUDGET
        return trail.adopted_at_ms + FIRST_STOP_MS if waits and not self.late_told else None

    def arm(self, now_ms: int, fire: Callable[[], None]) -> None:
        """Set the one timer to when the trail wants to be woken."""
        idle = self.ended or self.executor.writes_held
        times = () if idle else (wake_at(self.trail), self.late_ms)
        due_ms = min((at_ms for at_ms in times if at_ms is not None), default=None)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if due_ms is not None:
            delay = max(0, due_ms - now_ms) / MS_PER_SECOND
            self.timer = asyncio.get_running_loop().call_later(delay, fire)

    def finish(self) -> None:
        """Stop writing and waking; what rests stays until it is removed as an orphan."""
        self.ended = True
        self.executor.stop()
        if self.timer is not None:
            self.timer.cancel()

    def target(self) -> Target:
        """What the guard compares the exchange with."""
        trail, executor = self.trail, self.executor
        return Target(
            leg=trail.leg,
            side=trail.position.side,
            quantity=trail.position.quantity,
            tag=executor.tag,
            working=trail.target_stop,
            kind=trail.live_kind,
            backstop=trail.backstop,
            settled_ms=max(executor.settled_ms, self.event_ms),
            pending=executor.pending,
            unknown=executor.unknown,
            closing=trail.phase is Phase.TRIGGERED,
            shared=executor.shared,
            put_back_from_ms=self.put_back_from_ms,
            in_profit=_in_profit(trail),
            gave_up_backstop=self.gave_up_backstop,
        )

    def protection(self, now_ms: int, within_ms: int) -> Protection:
        """What is known to be held on the exchange; held long ago is not known.

        `within_ms` is the time within which the exchange should have confirmed it.
        """
        protection = self._protection
        stale = now_ms - self.confirmed_ms > within_ms
        return "unknown" if stale and protection in ("held", "moving") else protection

    @property
    def _protection(self) -> Protection:
        """What the exchange said last, and what was sent since."""
        executor = self.executor
        if executor.unknown:
            return "unknown"
        if self.shared_stop == "looser" or self._is_loosened:
            return "moving"
        if self.shared_stop == "gone":
            return "placing" if executor.pending else "none"
        covered = bool(executor.standing.resting) or self.trail.live_kind is StopKind.FOREIGN
        if executor.pending:
            return "moving" if covered else "placing"
        return "held" if covered else "none"

    @property
    def _is_loosened(self) -> bool:
        """Whether somebody has loosened our own order, and it is not put back yet."""
        own, working = self.trail.own_stop, self.executor.standing.working
        return bool(
            own is not None and working and self.trail.position.side.better(own, working[0].price)
        )

    def status(self, now_ms: int, reconcile_ms: int) -> LegStatus:
        """The leg as people see it, by the exchange's time; passes come every `reconcile_ms`."""
        trail = self.trail
        position, price, stop = trail.position, trail.price, trail.live_stop
        distance = None
        if price is not None and stop is not None:
            distance = (abs(price - stop) * HUNDRED / price).quantize(CENT)
        gain = None
        if price is not None and position.entry_known:
            gain = rules.gain_percent(trail, price, net=False)
        return LegStatus(
            leg=trail.leg,
            epoch=trail.epoch,
            side=position.side,
            phase=trail.phase,
            entry_price=position.entry_price,
            quantity=position.quantity,
            opened_at_ms=trail.age_from_ms,
            protection=self.protection(now_ms, reconcile_ms + CONFIRM_GRACE_MS),
            confirmed_ago_ms=max(0, now_ms - self.confirmed_ms) if self.confirmed_ms else None,
            price=price,
            price_at_ms=trail.price_at_ms or None,
            peak=trail.peak,
            exact_stop=trail.exact_stop,
            target_stop=trail.target_stop,
            live_stop=stop,
            live_kind=trail.live_kind if stop is not None else None,
            backstop=trail.backstop,
            activation_price=trail.activation_at,
            distance_percent=distance,
            gain_percent=None if gain is None else gain.quantize(CENT),
            moves=trail.moves,
            hold_reason=None if trail.hold is None else trail.hold.value,
            hold_text=None if trail.hold is None else hold_text(trail, now_ms),
            paused=trail.paused,
        )


def _in_profit(trail: Trail) -> bool:
    """Whether the working stop locks a gain in: it lies at the entry or beyond."""
    own, position = trail.own_stop, trail.position
    return own is not None and not position.side.better(position.entry_price, own)
