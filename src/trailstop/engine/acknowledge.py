"""What the exchange answered to the last write, and what follows from it.

These events speak of our working stop alone; a backstop's answers go to the guard. Every
function here is given the caller's own copy of the trail.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import force_setattr, replace

from trailstop.domain.position import Phase
from trailstop.engine.closing import close, watch
from trailstop.engine.commands import Alarm, CloseReason, Command
from trailstop.engine.evaluate import accept, measure_anew
from trailstop.engine.events import (
    Refusal,
    StopAcknowledged,
    StopRefused,
    StopUnknown,
    TriggerRejected,
)
from trailstop.engine.pacing import Step, pace
from trailstop.engine.quiet import reopen
from trailstop.engine.trail import NEVER_MS, HoldReason, Trail

STALE_MS = 10_000
"""A price older than this never closes."""
RETRY_MS = {
    Refusal.WOULD_TRIGGER: 1_000,
    Refusal.POSITION_GONE: 5_000,
    Refusal.TRANSIENT: 1_000,
    Refusal.NOT_SENT: 0,
    Refusal.BUDGET: 500,
    Refusal.FULL: 1_000,
    Refusal.LIMIT: 5_000,
    Refusal.BAND: 5_000,
    Refusal.OTHER: 5_000,
}
"""How long a refused stop waits before it is asked for again, where nothing else is said."""
LOST_MAX = 3
"""A stop that did not arrive is asked for again at once; so many in a row are told."""


def acknowledged(trail: Trail, event: StopAcknowledged) -> Step:
    """Our working stop rests at this price: it is live, and the price is decided again.

    The time of a move is the exchange's acknowledgement, never the attempt. A first
    placement is no move, and neither is a stop put right in size alone.
    """
    side, live, sent, quiet = trail.position.side, trail.live_stop, trail.sent, trail.quiet
    force_setattr(trail, "quiet", False)
    kind, quantity = trail.exact_kind, event.quantity
    if sent is not None and sent.price == event.price:
        kind, quantity = sent.kind, sent.quantity
        trail = replace(trail, sent=None, unknown=False, spent_token=sent.free_token)
    if trail.own_stop is not None and side.better(trail.own_stop, event.price):
        # An answer that is older than what rests already changes nothing else.
        return trail, ()
    trail = replace(
        trail,
        own_stop=event.price,
        own_kind=kind,
        own_quantity=quantity,
        target_stop=event.price if trail.target_stop is None else trail.target_stop,
        refusals=0,
        retry_at_ms=NEVER_MS,
    )
    if live is None or side.better(event.price, live):
        trail = replace(trail, live_stop=event.price, live_kind=kind)
        if live is not None:
            trail = replace(trail, moves=trail.moves + 1, moved_at_ms=event.at_ms)
    if trail.phase is Phase.TRIGGERED:
        return trail, ()
    if trail.phase is Phase.INACTIVE:
        trail = replace(trail, phase=Phase.ACTIVE if trail.activated else Phase.WAITING)
    if trail.exact_stop is None or side.better(event.price, trail.exact_stop):
        trail = replace(trail, exact_stop=event.price, exact_kind=kind)
    if live is None and trail.price is not None:
        fresh = event.at_ms - trail.price_at_ms <= STALE_MS
        return accept(trail, trail.price, trail.price_at_ms, fresh=fresh)
    trail, commands = pace(trail, event.at_ms)
    if quiet:
        reopen(trail)
    if trail.hold is HoldReason.CROSSED and event.at_ms - trail.price_at_ms <= STALE_MS:
        watch(trail, event.at_ms)
    return trail, commands


def refused(trail: Trail, event: StopRefused) -> Step:
    """The stop that was asked for certainly does not rest; the one before still does."""
    sent = trail.sent
    trail = replace(
        trail, sent=None, unknown=False, target_stop=trail.own_stop, refusals=trail.refusals + 1
    )
    if trail.phase is Phase.TRIGGERED:
        return trail, ()
    pause_ms, hold = RETRY_MS[event.reason], HoldReason.REFUSED
    in_turn = event.reason is Refusal.FULL and trail.live_stop is None
    if event.reason is Refusal.FULL and event.retry_after_ms is not None:
        pause_ms = event.retry_after_ms
    if event.reason is Refusal.BUDGET or in_turn:
        hold = HoldReason.BUDGET
    due_ms = event.at_ms + pause_ms
    trail = replace(trail, hold=hold, retry_at_ms=due_ms, release_at_ms=due_ms)
    if event.reason is Refusal.WOULD_TRIGGER:
        if trail.phase is not Phase.INACTIVE:
            return _beyond(trail, event)
        if sent is not None and trail.policy.initial_stop_percent is not None:
            return _first_beyond(trail, event, sent.price)
    if event.nearest is not None and sent is not None:
        return _outside_band(trail, event, sent.price)
    quiet = (Refusal.POSITION_GONE, Refusal.NOT_SENT, Refusal.BUDGET)
    lost = event.reason is Refusal.NOT_SENT and trail.refusals == LOST_MAX
    if not lost and (event.reason in quiet or in_turn or trail.refusals > 1):
        # Only a complete read may say flat, and the guard makes one; a repeat is told once. A
        # first stop that waits its turn is told by those who see the time pass, if it is late.
        return trail, ()
    wanted = "" if sent is None else f" at {sent.price}"
    text = f"the exchange refused the stop{wanted}: {event.text}"
    if event.reason is Refusal.FULL:
        text = f"the stop{wanted} is not sent yet: {event.text}"
    if lost:
        text = f"the stop{wanted} has not arrived, asked for {LOST_MAX} times: {event.text}"
    return trail, (Alarm(trail.leg, "stop_refused", text),)


def _beyond(trail: Trail, event: StopRefused) -> Step:
    """The exchange's price is beyond the exact stop: the same as a cross."""
    if trail.policy.on_cross == "close" and not trail.paused:
        return close(trail, event.at_ms, CloseReason.CROSSED)
    return replace(trail, hold=HoldReason.CROSSED), ()


def _first_beyond(trail: Trail, event: StopRefused, refused_price: Decimal) -> Step:
    """The price ran past the first stop: it is adopted beyond it, at that price at best."""
    commands: tuple[Command, ...] = ()
    if trail.refusals == 1:
        text = f"the price ran past the first stop at {refused_price}: {event.text}"
        commands = (Alarm(trail.leg, "first_stop_refused", text),)
    if trail.policy.on_adopt_beyond == "close":
        trail, closing = close(trail, event.at_ms, CloseReason.BEYOND_AT_ADOPTION)
        return trail, closing + commands
    force_setattr(trail, "retry_at_ms", NEVER_MS)
    measure_anew(trail)
    trail, placed = accept(trail, refused_price, trail.price_at_ms, fresh=False)
    return trail, placed + commands


def _outside_band(trail: Trail, event: StopRefused, refused_price: Decimal) -> Step:
    """The exchange allows no stop so far away: the nearest that it takes is tighter, and goes.

    The one move that the rule did not ask for; it is told, and never loosens.
    """
    side, nearest = trail.position.side, event.nearest
    assert nearest is not None, "only called with a band"
    reached = trail.price is not None and side.touches(trail.price, nearest)
    if reached or not side.better(nearest, refused_price):
        return trail, ()
    price = trail.instrument.snap_stop(nearest, side)
    text = f"the exchange allows no stop at {refused_price}: {price} is the farthest that it takes"
    trail = replace(trail, exact_stop=price, retry_at_ms=NEVER_MS, free_token=trail.free_token + 1)
    trail, commands = pace(trail, event.at_ms)
    return trail, (*commands, Alarm(trail.leg, "degraded_by_band", text))


def unknown(trail: Trail, event: StopUnknown) -> Step:  # noqa: ARG001 - all handlers are alike
    """It is not known whether the stop rests: hold everything until the look-up."""
    if trail.sent is None:
        return trail, ()
    return replace(trail, unknown=True, hold=HoldReason.UNKNOWN_OUTCOME), ()


def trigger_rejected(trail: Trail, event: TriggerRejected) -> Step:
    """A stop fired and its order was refused: close at market at once, reduce-only."""
    trail, commands = close(trail, event.at_ms, CloseReason.TRIGGER_REJECTED)
    text = f"the stop fired and its order was refused ({event.text}): closing at market"
    return trail, (*commands, Alarm(trail.leg, "trigger_rejected", text))
