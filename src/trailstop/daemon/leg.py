"""One guarded leg at run time: the trail, its executor, its timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from trailstop.clock import MS_PER_SECOND
from trailstop.daemon.executor import LegExecutor
from trailstop.daemon.status import LegStatus, Protection
from trailstop.domain.policy import HUNDRED
from trailstop.domain.position import Phase, StopKind
from trailstop.engine import rules
from trailstop.engine.explain import hold_text
from trailstop.engine.step import wake_at
from trailstop.engine.trail import Trail
from trailstop.guard.protection import Target

CENT = Decimal("0.01")


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
    flat_ms: int | None = None
    ended: bool = False
    foreign_ids: set[str] = field(default_factory=set)
    put_back_from_ms: int = 0
    """When a shared stop that somebody else moves may be put back next."""
    shared_stop: Literal["as_set", "looser", "gone"] = "as_set"
    """What the last read showed of the position's one stop, against what is promised."""
    gave_up_backstop: bool = False
    """Its backstop was removed because the account is short of conditional orders."""
    fired: StopKind | None = None
    """Of what kind the position's one stop was when it fired."""
    timer: asyncio.TimerHandle | None = None

    def arm(self, now_ms: int, fire: Callable[[], None]) -> None:
        """Set the one timer to when the trail wants to be woken."""
        idle = self.ended or self.executor.writes_held
        due_ms = None if idle else wake_at(self.trail)
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

    @property
    def protection(self) -> Protection:
        """What is known to be held on the exchange."""
        executor = self.executor
        if executor.unknown:
            return "unknown"
        if self.shared_stop == "looser":
            return "moving"
        if self.shared_stop == "gone":
            return "placing" if executor.pending else "none"
        covered = bool(executor.standing.resting) or self.trail.live_kind is StopKind.FOREIGN
        if executor.pending:
            return "moving" if covered else "placing"
        return "held" if covered else "none"

    def status(self) -> LegStatus:
        """The leg as people see it."""
        trail = self.trail
        position, price, stop = trail.position, trail.price, trail.live_stop
        distance = None
        if price is not None and stop is not None:
            distance = (abs(price - stop) * HUNDRED / price).quantize(CENT)
        gain = None if price is None else rules.gain_percent(trail, price, net=False)
        return LegStatus(
            leg=trail.leg,
            epoch=trail.epoch,
            side=position.side,
            phase=trail.phase,
            entry_price=position.entry_price,
            quantity=position.quantity,
            opened_at_ms=trail.age_from_ms,
            protection=self.protection,
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
            hold_text=None if trail.hold is None else hold_text(trail),
            paused=trail.paused,
        )


def _in_profit(trail: Trail) -> bool:
    """Whether the working stop locks a gain in: it lies at the entry or beyond."""
    own, position = trail.own_stop, trail.position
    return own is not None and not position.side.better(position.entry_price, own)
