"""The short path of one price, for the many that change next to nothing.

Most prices of an active trail are no new peak and reach no stop; most new peaks raise the
exact stop by less than pacing lets go. `quieten`, at the end of the general path, notes what
both may rely on; `step_quietly` takes such a price, or says None where the general path must
decide. What makes the answers the same:

- the band: two prices inside it are within 2 % of each other, so the jump rule is silent;
- settled: initial stop, breakeven and distance are no better than the exact stop, and a lower
  price cannot change that; a better one only raises the exact stop through its distance;
- the factor: a callback's stop is peak − peak × factor, whatever the peak;
- the limit: the exact stop below which a held move stays held for the same reason.

`step` closes the path (`quiet = False`) on every event that could change one of them, and
`reopen` opens it again after an acknowledgement.
"""

from __future__ import annotations

from copy import copy
from decimal import Decimal

from msgspec.structs import force_setattr

from trailstop.domain.policy import Callback
from trailstop.domain.position import Phase, StopKind
from trailstop.domain.price import Rounding
from trailstop.engine.pacing import Step, pace
from trailstop.engine.rules import CENT
from trailstop.engine.trail import HoldReason, Trail

QUIET_BAND = Decimal("0.0098")
"""Half width of the band, as a fraction: 1.0098 / 0.9902 is under 1.02."""


def step_quietly(trail: Trail, price: Decimal, at_ms: int) -> Step | None:
    """Advance a quiet trail by one price; None where the general path must."""
    side, exact, peak = trail.position.side, trail.exact_stop, trail.peak
    assert exact is not None, "a quiet trail is active"
    assert peak is not None, "a quiet trail is active"
    if (
        not trail.quiet_low <= price <= trail.quiet_high
        or side.touches(price, exact)
        or at_ms < trail.price_at_ms
    ):
        return None
    if side.better(price, peak):
        factor = trail.quiet_factor
        if factor is None:
            return None
        stop = trail.instrument.snap_stop(price - price * factor, side)
        if side.touches(price, stop):
            return None
        trail = copy(trail)
        force_setattr(trail, "peak", price)
        if side.better(stop, exact):
            exact = stop
            force_setattr(trail, "exact_stop", exact)
            force_setattr(trail, "exact_kind", StopKind.TRAIL)
        limit = trail.quiet_limit
        stays = limit is not None and side.better(limit, exact)
    else:
        trail = copy(trail)
        stays = True
    force_setattr(trail, "price", price)
    force_setattr(trail, "price_at_ms", at_ms)
    if stays and at_ms < trail.release_at_ms:
        return trail, ()
    trail, commands = pace(trail, at_ms)
    force_setattr(trail, "quiet_limit", _limit(trail))
    return trail, commands


def quieten(trail: Trail, *, settled: bool) -> None:
    """Open the short path where it is sure to answer like the general one.

    `trail` is the caller's own copy, its last price just weighed on the general path.
    """
    policy, price = trail.policy, trail.price
    running = policy.momentum_percent_per_minute is not None and not trail.momentum_used
    if (
        not settled
        or running
        or trail.phase is not Phase.ACTIVE
        or trail.hold is HoldReason.CROSSED
        or trail.beyond_since_ms is not None
        or trail.jump is not None
        or price is None
    ):
        return
    if not trail.quiet_low <= price <= trail.quiet_high:
        half = price * QUIET_BAND
        force_setattr(trail, "quiet_low", price - half)
        force_setattr(trail, "quiet_high", price + half)
    force_setattr(trail, "quiet_factor", _factor(trail))
    force_setattr(trail, "quiet_limit", _limit(trail))
    force_setattr(trail, "quiet", True)


def reopen(trail: Trail) -> None:
    """Open the path again after an answer, which changes the live stop and the hold alone."""
    if trail.hold is not HoldReason.CROSSED and trail.jump is None:
        force_setattr(trail, "quiet_limit", _limit(trail))
        force_setattr(trail, "quiet", True)


def _factor(trail: Trail) -> Decimal | None:
    """Signed share of the peak that lies between it and the stop; None for other distances."""
    policy = trail.policy
    if (
        not isinstance(policy.distance, Callback)
        or policy.rounding is not Rounding.MARKET
        or trail.momentum_used
        or not trail.distance_ok
    ):
        return None
    return policy.distance.callback_percent * CENT * trail.position.side.sign


def _limit(trail: Trail) -> Decimal | None:
    """Exact stop from which a move is held no more, or for another reason; None: ask pacing."""
    policy, live = trail.policy, trail.live_stop
    if trail.hold is HoldReason.INTERVAL:
        percent = policy.emergency_percent
    elif trail.hold is HoldReason.MIN_IMPROVEMENT:
        percent = policy.min_improvement_percent
        if policy.emergency_percent is not None:
            percent = min(percent, policy.emergency_percent)
    else:
        return None
    if percent is None or live is None:
        return None
    return live + live * percent * CENT * trail.position.side.sign
