"""Whether a better exact stop goes out now, and if not, why and until when."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import force_setattr

from trailstop.domain.policy import HUNDRED
from trailstop.domain.position import Role, StopKind
from trailstop.engine.commands import Command, MoveStop, PlaceStop
from trailstop.engine.rules import MS_PER_SECOND
from trailstop.engine.trail import NEVER_MS, HoldReason, Sent, Trail

Step = tuple[Trail, tuple[Command, ...]]


def pace(trail: Trail, at_ms: int, *, permitted: bool = False) -> Step:
    """Send the exact stop if pacing lets it go, else note the reason and the due time.

    Emergency and minimum are percent of the live stop, after snapping. The interval counts
    from the acknowledgement that the exchange states. Unpaced are the first placement, the
    first replacement, the breakeven move and the first stop after activation; with a budget
    these are moves like all others, which go when they are `permitted`.
    `trail` must be the caller's own copy: it is written to.
    """
    exact, live = trail.exact_stop, trail.live_stop
    if exact is None:
        return _hold(trail, _standing(trail))
    if trail.sent is not None:
        return _hold(trail, HoldReason.UNKNOWN_OUTCOME if trail.unknown else HoldReason.IN_FLIGHT)
    if trail.retry_at_ms != NEVER_MS:
        if at_ms < trail.retry_at_ms:
            in_turn = trail.hold is HoldReason.BUDGET
            reason = HoldReason.BUDGET if in_turn else HoldReason.REFUSED
            return _hold(trail, reason, trail.retry_at_ms)
        force_setattr(trail, "retry_at_ms", NEVER_MS)
    side, price = trail.position.side, trail.price
    if price is not None and side.touches(price, exact):
        # The price is through the stop already: it would be refused, the cross decides.
        return _hold(trail, HoldReason.CROSSED)
    if live is None:
        return _send(trail, exact, trail.exact_kind, at_ms)
    own = trail.own_stop
    if own is not None and trail.own_quantity != trail.position.quantity:
        # Size is put right at once and at the same price; a better price is paced after it. The
        # grid may have changed since that price was set.
        held = trail.instrument.snap_stop(own, side, trail.policy.rounding)
        return _send(trail, held, trail.own_kind, at_ms)
    if not side.better(exact, live):
        return _hold(trail, _standing(trail))
    if trail.paused and trail.exact_kind is not StopKind.USER:
        return _hold(trail, HoldReason.PAUSED)
    if trail.after_gap:
        return _hold(trail, HoldReason.NO_PRICE)
    policy, free = trail.policy, trail.free_token != trail.spent_token
    if policy.pacing == "budget":
        # What a person asked for, what makes up for a stop that went, and our first stop beside
        # somebody else's wait for nobody.
        if not permitted and not free and own is not None:
            return _hold(trail, HoldReason.BUDGET)
    elif policy.pacing == "fixed" and trail.moves and not free:
        improvement = (exact - live) * side.sign * HUNDRED
        emergency = policy.emergency_percent
        if emergency is None or improvement < emergency * live:
            if improvement < policy.min_improvement_percent * live:
                return _hold(trail, HoldReason.MIN_IMPROVEMENT)
            assert trail.moved_at_ms is not None, "a move was acknowledged"
            due_ms = trail.moved_at_ms + int(policy.update_interval_seconds * MS_PER_SECOND)
            if at_ms < due_ms:
                return _hold(trail, HoldReason.INTERVAL, due_ms)
    return _send(trail, exact, trail.exact_kind, at_ms)


def _standing(trail: Trail) -> HoldReason:
    """Why there is nothing better than the live stop."""
    if trail.paused:
        return HoldReason.PAUSED
    if trail.distance_ok is False:
        return HoldReason.DISTANCE_REFUSED
    return HoldReason.NOT_BETTER if trail.activated else HoldReason.NOT_ACTIVATED


def _hold(trail: Trail, reason: HoldReason, due_ms: int = NEVER_MS) -> Step:
    force_setattr(trail, "hold", reason)
    force_setattr(trail, "release_at_ms", due_ms)
    return trail, ()


def _send(trail: Trail, price: Decimal, kind: StopKind, at_ms: int) -> Step:
    quantity, own = trail.position.quantity, trail.own_stop
    command: Command
    if own is None:
        command = PlaceStop(trail.leg, Role.WORKING, price, quantity, kind)
    else:
        command = MoveStop(trail.leg, price, own, quantity, kind)
    force_setattr(trail, "target_stop", price)
    force_setattr(trail, "sent", Sent(price, kind, trail.free_token, at_ms, quantity))
    force_setattr(trail, "hold", HoldReason.IN_FLIGHT)
    force_setattr(trail, "release_at_ms", NEVER_MS)
    return trail, (command,)
