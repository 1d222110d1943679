"""One accepted price: crossed? → peak → activation → breakeven → exact stop → ratchet → snap.

`accept` runs the whole order and hands the result to pacing; `raise_exact` is the part
without the cross and without commands, which back-filled prices use. Both write to the
trail that they are given, which must be the caller's own copy.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import force_setattr, replace

from trailstop.domain.policy import HUNDRED
from trailstop.domain.position import Phase, Role, StopKind
from trailstop.engine import rules
from trailstop.engine.closing import close, cross, watch
from trailstop.engine.commands import Alarm, CloseReason, Command, PlaceStop
from trailstop.engine.pacing import Step, pace
from trailstop.engine.quiet import quieten
from trailstop.engine.trail import HoldReason, Sample, Trail

SAMPLE_MS = 1_000


def accept(trail: Trail, price: Decimal, at_ms: int, *, fresh: bool) -> Step:
    """Decide on one accepted price."""
    force_setattr(trail, "price", price)
    force_setattr(trail, "price_at_ms", at_ms)
    force_setattr(trail, "gap_crossed", False)
    force_setattr(trail, "after_gap", False)
    if trail.phase is Phase.TRIGGERED:
        return trail, ()
    exact, side = trail.exact_stop, trail.position.side
    if exact is not None:
        if trail.phase is not Phase.INACTIVE:
            reached = side.beyond if trail.policy.strict else side.touches
            if reached(price, exact):
                return cross(trail, at_ms, fresh=fresh)
        elif trail.base_price and trail.sent is None and side.touches(price, exact):
            # The first stop was refused and the price has passed it: nothing was promised yet.
            measure_anew(trail)
    if fresh:
        force_setattr(trail, "beyond_since_ms", None)
    if trail.base_price is None:
        return _first_price(trail, price, at_ms, fresh=fresh)
    if trail.paused and trail.live_stop is not None:
        # The rule rests with the person who paused it; the live stop and its watch stay.
        force_setattr(trail, "hold", HoldReason.PAUSED)
        return trail, ()
    settled = raise_exact(trail, price, at_ms)
    trail, commands = pace(trail, at_ms)
    quieten(trail, settled=settled)
    return trail, commands


def measure_anew(trail: Trail) -> None:
    """Forget a first stop that never came to rest: the next price is the first one again."""
    for name in ("base_price", "exact_stop", "peak"):
        force_setattr(trail, name, None)


def _first_price(trail: Trail, price: Decimal, at_ms: int, *, fresh: bool) -> Step:
    """Adoption: choose the base, the first stop and the backstop."""
    side, base = trail.position.side, trail.position.entry_price
    alarms: tuple[Command, ...] = ()
    stop = None if trail.foreign_initial else rules.initial_stop(trail, base)
    if stop is not None and side.touches(price, trail.instrument.snap_stop(stop, side)):
        text = f"price {price} is already beyond the initial stop {stop.normalize():f}"
        if trail.policy.on_adopt_beyond == "close" and fresh:
            trail, closing = close(
                replace(trail, base_price=base), at_ms, CloseReason.BEYOND_AT_ADOPTION
            )
            alarm = Alarm(trail.leg, "adopted_beyond_stop", f"{text}: closing at market")
            return trail, (*closing, alarm)
        base = price
        text += f": the stop is measured from {price} instead"
        alarms = (Alarm(trail.leg, "adopted_beyond_stop", text),)
    trail = rules.derive(replace(trail, base_price=base))
    refusal = rules.distance_too_small(trail, price)
    if refusal is not None:
        alarms += (Alarm(trail.leg, "distance_refused", refusal + "; not trailed"),)
    force_setattr(trail, "distance_ok", refusal is None)
    raise_exact(trail, price, at_ms)
    if trail.initial_at is not None and trail.exact_stop is None:
        text = f"the tick of {trail.instrument.tick_size} leaves no price for a stop at {price}"
        alarms += (Alarm(trail.leg, "no_stop", f"{text}: not protected"),)
    if trail.live_stop is not None:
        force_setattr(trail, "phase", Phase.ACTIVE if trail.activated else Phase.WAITING)
    trail, placed = pace(trail, at_ms)
    if fresh:
        # The stop of somebody else may be reached by the very first price.
        watch(trail, at_ms)
    trail, backstop = _place_backstop(trail, base)
    return trail, placed + backstop + alarms


def _place_backstop(trail: Trail, base: Decimal) -> Step:
    """Place the backstop, unless one that was asked for before still lies behind the stop."""
    side, exact, live, before = (
        trail.position.side, trail.exact_stop, trail.live_stop, trail.backstop,
    )  # fmt: skip
    loosest = live if live is not None and exact is not None and side.better(exact, live) else exact
    kept = before is not None and loosest is not None and side.better(loosest, before)
    percent = trail.policy.backstop_percent
    if percent is None or kept:
        return trail, ()
    price = rules.backstop_price(trail, percent, base, loosest)
    if price is None:
        text = "no room for a backstop between the stop and the liquidation price"
        return trail, (Alarm(trail.leg, "no_backstop", f"{text}: only the working stop rests"),)
    command = PlaceStop(trail.leg, Role.BACKSTOP, price, trail.position.quantity)
    return replace(trail, backstop=price), (command,)


def raise_exact(trail: Trail, price: Decimal, at_ms: int) -> bool:
    """New peak, activation, breakeven, distance, ratchet and snap at this price.

    `base_price` must be set. Returns whether the exact stop is settled: whether no lower
    price than the peak could change it, whatever it is.
    """
    side = trail.position.side
    _follow(trail, price, at_ms)
    if trail.policy.momentum_percent_per_minute is not None:
        _momentum(trail, price, at_ms)
    exact = trail.exact_stop
    best, kind = exact, trail.exact_kind
    initial, breakeven = trail.initial_at, trail.breakeven_at
    # The initial stop; later only where a new entry or liquidation price tightens it.
    if initial is not None and (
        best is None or (side.better(initial, best) and not side.touches(price, initial))
    ):
        best, kind = initial, StopKind.INITIAL
    if (
        breakeven is not None
        and (best is None or side.better(breakeven, best))
        and rules.breakeven_due(trail, price)
    ):
        best, kind = breakeven, StopKind.BREAKEVEN
        if not trail.breakeven_moved:
            force_setattr(trail, "breakeven_moved", True)
            _unpace(trail)
    if trail.activated and trail.distance_ok:
        assert trail.peak is not None, "a trail that is activated has a peak"
        behind = rules.distance_stop(trail, trail.peak)
        if behind is not None and (best is None or side.better(behind, best)):
            best, kind = behind, StopKind.TRAIL
    if best is not None and (exact is None or side.better(best, exact)):
        _put_exact(trail, best, kind, price)
        exact = trail.exact_stop
    return exact is not None and not any(
        stop is not None and side.better(stop, exact) for stop in (best, initial, breakeven)
    )


def _put_exact(trail: Trail, best: Decimal, kind: StopKind, price: Decimal) -> None:
    """Snap the new exact stop, one tick back from the price, never looser than before."""
    side, before = trail.position.side, trail.exact_stop
    snapped = trail.instrument.snap_stop(best, side, trail.policy.rounding)
    if side.touches(price, snapped) and not side.touches(price, best):
        snapped -= trail.instrument.tick_size * side.sign
    if snapped > 0 and (before is None or side.better(snapped, before)):
        force_setattr(trail, "exact_stop", snapped)
        force_setattr(trail, "exact_kind", kind)


def _follow(trail: Trail, price: Decimal, at_ms: int) -> None:
    """Raise the peak, or begin to trail."""
    if trail.activated:
        if trail.peak is None or trail.position.side.better(price, trail.peak):
            force_setattr(trail, "peak", price)
    elif trail.distance_ok and rules.activates(trail, price, at_ms):
        force_setattr(trail, "activated", True)
        force_setattr(trail, "peak", price)
        _unpace(trail)
        if trail.phase is Phase.WAITING:
            force_setattr(trail, "phase", Phase.ACTIVE)


def _unpace(trail: Trail) -> None:
    """Exempt the next move from pacing.

    Not where a budget rules: a market that runs brings many positions here at once, and the
    limits decide then whose turn it is.
    """
    if trail.policy.pacing != "budget":
        force_setattr(trail, "free_token", trail.free_token + 1)


def _momentum(trail: Trail, price: Decimal, at_ms: int) -> None:
    """Take a sample a second and tighten the distance once, when the price runs."""
    policy, samples = trail.policy, trail.samples
    if trail.momentum_used or (samples and at_ms - samples[-1].at_ms < SAMPLE_MS):
        return
    window_ms = policy.momentum_window_seconds * rules.MS_PER_SECOND
    first = 0
    while first + 1 < len(samples) and at_ms - samples[first + 1].at_ms >= window_ms:
        first += 1
    samples = (*samples[first:], Sample(at_ms, price))
    force_setattr(trail, "samples", samples)
    reference, least = samples[0], policy.momentum_percent_per_minute
    assert least is not None, "only called where momentum is on"
    if trail.phase is not Phase.ACTIVE or at_ms - reference.at_ms < window_ms:
        return
    moved = (price - reference.price) * trail.position.side.sign * HUNDRED
    window_minutes = Decimal(policy.momentum_window_seconds) / rules.SECONDS_PER_MINUTE
    if moved >= least * window_minutes * reference.price:
        force_setattr(trail, "momentum_used", True)
        force_setattr(trail, "samples", ())
