"""The exact stop is reached, a stop has fired, or a position will not close: what to do."""

from __future__ import annotations

from msgspec.structs import force_setattr, replace

from trailstop.domain.position import Phase
from trailstop.engine.commands import Alarm, ClosePosition, CloseReason
from trailstop.engine.pacing import Step
from trailstop.engine.rules import MS_PER_SECOND
from trailstop.engine.trail import NEVER_MS, HoldReason, Trail

CHASE_MS = 5_000
"""How long the exchange's own trigger is given before the position is chased (T)."""


def cross(trail: Trail, at_ms: int, *, fresh: bool) -> Step:
    """The last price has reached the exact stop.

    Where the live stop stands there too the exchange's trigger does the work and is only
    watched. Where pacing left the live stop looser, `on_cross` decides; a paused trail
    leaves it to the live stop. A price that is not fresh closes nothing, now or later.
    """
    side, exact, live = trail.position.side, trail.exact_stop, trail.live_stop
    assert exact is not None, "only called where there is an exact stop"
    trail = replace(trail, hold=HoldReason.CROSSED, release_at_ms=NEVER_MS)
    if not fresh:
        return trail, ()
    loose = live is None or side.better(exact, live)
    if loose and trail.policy.on_cross == "close" and not trail.paused:
        return close(trail, at_ms, CloseReason.CROSSED)
    watch(trail, at_ms)
    return chase(trail, at_ms)


def watch(trail: Trail, at_ms: int) -> None:
    """Note since when the price is beyond the live stop, where the exchange should fire."""
    price, live, since_ms = trail.price, trail.live_stop, None
    if price is not None and live is not None and trail.position.side.touches(price, live):
        since_ms = at_ms if trail.beyond_since_ms is None else trail.beyond_since_ms
    force_setattr(trail, "beyond_since_ms", since_ms)


def close(trail: Trail, at_ms: int, reason: CloseReason) -> Step:
    """Close what is left at market, reduce-only, and watch that it happens."""
    trail = replace(
        trail,
        phase=Phase.TRIGGERED,
        triggered_at_ms=at_ms,
        closing=True,
        hold=None,
        beyond_since_ms=None,
        release_at_ms=NEVER_MS,
    )
    return trail, (ClosePosition(trail.leg, trail.position.quantity, reason),)


def chase(trail: Trail, at_ms: int) -> Step:
    """Close at market what a trigger or a close has left open for `CHASE_MS`."""
    if trail.triggered_at_ms is not None:
        since_ms, reason = trail.triggered_at_ms, CloseReason.TRIGGERED_STILL_OPEN
        text = "the stop fired or a close was sent, and the position is still open"
    elif trail.beyond_since_ms is not None:
        since_ms, reason = trail.beyond_since_ms, CloseReason.BEYOND_WITHOUT_TRIGGER
        text = "the price is beyond the stop and the exchange did not fire"
    else:
        return trail, ()
    if at_ms - since_ms < CHASE_MS:
        return trail, ()
    first = trail.chases == 0
    trail, commands = close(replace(trail, chases=trail.chases + 1), at_ms, reason)
    if first:
        # The later ones repeat every `CHASE_MS` until the position is flat.
        text = f"{text} after {CHASE_MS // MS_PER_SECOND} s: closing at market"
        commands += (Alarm(trail.leg, "chased", text),)
    return trail, commands
