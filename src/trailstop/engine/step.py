"""The trailing rule: `step(trail, event) -> (trail, commands)`, pure and edge-driven.

```
INACTIVE ──stop acknowledged──► WAITING ──activation──► ACTIVE
    │                              │                      │
    └────────── trigger, cross ────┴──────► TRIGGERED ◄───┘
                      any ──position proven flat──► CLOSED
```
Events carry the time; the same trail and event always give the same answer. A stop of a
trail only ever moves in the position's favour. What to do when nothing happens for a while
is told by `wake_at`.

`step` copies the trail once and hands the copy to one handler, which may write to it and to
nothing else. Arithmetic is that of the caller's decimal context, which must be Python's own
default or one with at least its 28 digits: prices, percents and their products are exact
there, and only breakeven, averages and net gains divide.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from msgspec.structs import force_setattr, replace

from trailstop.domain.policy import Atr
from trailstop.domain.position import Phase, StopKind
from trailstop.engine import events as ev
from trailstop.engine import rules
from trailstop.engine.acknowledge import acknowledged, refused, trigger_rejected, unknown
from trailstop.engine.closing import CHASE_MS, chase, close
from trailstop.engine.commands import CloseReason, Command
from trailstop.engine.contracts import factor, redenominate
from trailstop.engine.evaluate import accept, raise_exact
from trailstop.engine.jumps import confirm, price_seen, settle_jump
from trailstop.engine.pacing import Step, pace
from trailstop.engine.quiet import step_quietly
from trailstop.engine.trail import NEVER_MS, HoldReason, Trail

_HARMLESS = (ev.QuoteSeen, ev.MarkSeen, ev.StopAcknowledged)
"""No reason to leave the short path: the first two matter to jumps alone, the last sees to it
itself."""


def step(trail: Trail, event: ev.Event) -> Step:
    """Advance one trail by one event.

    Returns the new trail and the commands for the executor, mostly none. Raises KeyError
    for what is no event: a missing cell is an error, never a shrug. A closed trail stays as
    it is.
    """
    kind = type(event)
    if trail.quiet and type(event) is ev.PriceSeen:
        answer = step_quietly(trail, event.price, event.at_ms)
        if answer is not None:
            return answer
    handler = _HANDLERS[kind]
    if trail.phase is Phase.CLOSED:
        return trail, ()
    trail = copy(trail)
    if kind not in _HARMLESS:
        force_setattr(trail, "quiet", False)
    return handler(trail, event)


def wake_at(trail: Trail) -> int | None:
    """When `TimePassed` is due if nothing comes before: Unix ms, None for never."""
    due_ms = trail.release_at_ms
    if trail.jump is not None:
        due_ms = min(due_ms, trail.jump.deadline_ms)
    for since_ms in (trail.triggered_at_ms, trail.beyond_since_ms):
        if since_ms is not None:
            due_ms = min(due_ms, since_ms + CHASE_MS)
    ripe_ms = _ripe_at(trail)
    if ripe_ms is not None and max(trail.price_at_ms, trail.weighed_at_ms) < ripe_ms:
        due_ms = min(due_ms, ripe_ms)
    return None if due_ms == NEVER_MS else due_ms


def _ripe_at(trail: Trail) -> int | None:
    """When the age of the epoch may activate the trail; None where it is of no account."""
    minutes = trail.policy.activation_after_minutes
    if minutes is None or trail.activated or trail.base_price is None or trail.paused:
        return None
    if trail.phase is Phase.TRIGGERED or trail.phase is Phase.CLOSED:
        return None
    return trail.age_from_ms + int(minutes * rules.MS_PER_MINUTE)


def _time_passed(trail: Trail, event: ev.TimePassed) -> Step:
    at_ms = event.at_ms
    commands: tuple[Command, ...] = ()
    if trail.jump is not None and at_ms >= trail.jump.deadline_ms:
        trail, commands = settle_jump(trail)
    trail, chased = chase(trail, at_ms)
    commands += chased
    if trail.phase is Phase.TRIGGERED or trail.price is None:
        return trail, commands
    ripe_ms, exact = _ripe_at(trail), trail.exact_stop
    crossed = exact is not None and trail.position.side.touches(trail.price, exact)
    if ripe_ms is not None and at_ms >= ripe_ms:
        # Weighed also where a cross leaves it to the next price: it must not stay due.
        force_setattr(trail, "weighed_at_ms", at_ms)
        if not crossed:
            raise_exact(trail, trail.price, at_ms)
    trail, moved = pace(trail, at_ms)
    return trail, commands + moved


def _quote_seen(trail: Trail, event: ev.QuoteSeen) -> Step:
    force_setattr(trail, "bid", event.bid)
    force_setattr(trail, "ask", event.ask)
    if trail.policy.basis in ("bid_ask", "last_or_bid_ask"):
        price = event.bid if trail.position.side.sign > 0 else event.ask
        return accept(trail, price, event.at_ms, fresh=True)
    return confirm(trail)


def _mark_seen(trail: Trail, event: ev.MarkSeen) -> Step:
    force_setattr(trail, "mark", event.mark)
    return confirm(trail)


def _backfilled(trail: Trail, event: ev.PriceBackfilled) -> Step:
    """Raise activation, peak and exact stop by a price of the gap; never close on it."""
    if trail.phase is Phase.TRIGGERED or trail.base_price is None or trail.paused:
        return trail, ()
    exact = trail.exact_stop
    if exact is not None and trail.position.side.touches(event.price, exact):
        force_setattr(trail, "gap_crossed", True)
    force_setattr(trail, "after_gap", True)
    raise_exact(trail, event.price, event.at_ms)
    return trail, ()


def _candle(trail: Trail, event: ev.CandleClosed) -> Step:
    distance = trail.policy.distance
    if not isinstance(distance, Atr):
        return trail, ()
    atr = rules.next_atr(trail.atr, distance, (event.high, event.low, event.close))
    return replace(trail, atr=replace(atr, at_ms=event.at_ms)), ()


def _triggered(trail: Trail, event: ev.StopTriggered) -> Step:
    if trail.phase is Phase.TRIGGERED:
        return trail, ()
    trail = replace(
        trail,
        phase=Phase.TRIGGERED,
        triggered_at_ms=event.at_ms,
        hold=None,
        jump=None,
        beyond_since_ms=None,
        release_at_ms=NEVER_MS,
    )
    return trail, ()


def _foreign(trail: Trail, event: ev.ForeignStopSeen) -> Step:
    """A stop that is not ours appeared, moved or went: it counts, and is the floor.

    Where it was the tightest and is so no more, what was promised is placed as ours at once.
    """
    side, foreign, own, before = (
        trail.position.side, event.price, trail.own_stop, trail.live_stop,
    )  # fmt: skip
    live, kind = own, trail.own_kind
    if foreign is not None and (own is None or side.better(foreign, own)):
        live, kind = foreign, StopKind.FOREIGN
    trail = replace(trail, foreign_stop=foreign, live_stop=live, live_kind=kind)
    if before is not None and (live is None or side.better(before, live)):
        trail = replace(trail, free_token=trail.free_token + 1)
    if live is not None and (trail.exact_stop is None or side.better(live, trail.exact_stop)):
        trail = replace(trail, exact_stop=live, exact_kind=kind)
    if trail.base_price is None or trail.phase is Phase.TRIGGERED:
        return trail, ()
    if trail.phase is Phase.INACTIVE and live is not None:
        trail = replace(trail, phase=Phase.ACTIVE if trail.activated else Phase.WAITING)
    return pace(trail, event.at_ms)


def _position_changed(trail: Trail, event: ev.PositionChanged) -> Step:
    """Size, average, liquidation price or funding changed: epoch, phase and target go on."""
    before, after = trail.position, event.position
    assert before.side is after.side, "another side is another epoch"
    trail = replace(trail, position=after)
    ratio = factor(before, after)
    if ratio is not None:
        trail, alarms = redenominate(trail, ratio)
        return rules.derive(trail), alarms
    if after.entry_price != before.entry_price:
        if trail.base_price == before.entry_price:
            trail = replace(trail, base_price=after.entry_price)
        if trail.activated and rules.uses_entry(trail.policy):
            # Distances that use the entry start again at this price; others keep their peak.
            trail = replace(trail, peak=trail.price)
    trail = rules.derive(trail)
    # The guard compares the resting backstop with this and replaces it.
    trail = replace(trail, backstop=rules.backstop_kept_clear(trail))
    if after.quantity == before.quantity or trail.own_stop is None:
        return trail, ()
    return (trail, ()) if trail.phase is Phase.TRIGGERED else pace(trail, event.at_ms)


def _fees(trail: Trail, event: ev.FeesKnown) -> Step:
    return rules.derive(replace(trail, fees=event.fees)), ()


def _policy(trail: Trail, event: ev.PolicyChanged) -> Step:
    """New settings count from the next price on; what was promised stays.

    A tighter distance from the old peak may already lie through the price: the peak then
    starts again at the price, so that new settings alone never close.
    """
    if event.policy.distance != trail.policy.distance:
        trail = replace(trail, atr=None)
    trail = rules.derive(replace(trail, policy=event.policy))
    price, peak = trail.price, trail.peak
    if price is None:
        return trail, ()
    trail = replace(trail, distance_ok=rules.distance_too_small(trail, price) is None)
    if peak is not None:
        stop = rules.distance_stop(trail, peak)
        if stop is not None and trail.position.side.touches(price, stop):
            trail = replace(trail, peak=price)
    return trail, ()


def _instrument(trail: Trail, event: ev.InstrumentChanged) -> Step:
    """Go by the new grid: a wanted stop is put on it, as a new one would be.

    What rests stays where it is, and nothing is wanted that is looser.
    """
    trail = rules.derive(replace(trail, instrument=event.instrument, retry_at_ms=NEVER_MS))
    exact, price, side = trail.exact_stop, trail.price, trail.position.side
    if exact is None or price is None or exact == trail.own_stop:
        return trail, ()
    snapped, live = trail.instrument.snap_stop(exact, side, trail.policy.rounding), trail.live_stop
    if side.touches(price, snapped):
        snapped -= trail.instrument.tick_size * side.sign
    if live is not None:
        snapped = side.best(live, snapped)
    trail = replace(trail, exact_stop=snapped)
    return (trail, ()) if trail.phase is Phase.TRIGGERED else pace(trail, event.at_ms)


def _paused(trail: Trail, event: ev.Paused) -> Step:  # noqa: ARG001 - all handlers are alike
    """The live stop rests, and nothing is decided but what the exchange's trigger leaves."""
    return replace(trail, paused=True, hold=HoldReason.PAUSED, release_at_ms=NEVER_MS), ()


def _resumed(trail: Trail, event: ev.Resumed) -> Step:
    """Trail on from the live stop with a new peak: what was missed is not made up for."""
    if not trail.paused:
        return trail, ()
    trail = _restart(replace(trail, paused=False))
    return (trail, ()) if trail.phase is Phase.TRIGGERED else pace(trail, event.at_ms)


def _restart(trail: Trail) -> Trail:
    """Keep the live stop, forget the peak and what was only wanted because of it."""
    trail = replace(trail, peak=None, samples=())
    if trail.live_stop is None:
        return trail
    return replace(trail, exact_stop=trail.live_stop, exact_kind=trail.live_kind)


def _tighten(trail: Trail, event: ev.TightenAsked) -> Step:
    """Move the stop to a person's price where it is tighter and not through the price."""
    side, exact = trail.position.side, trail.exact_stop
    price = trail.instrument.snap_stop(event.price, side)
    through = trail.price is None or side.touches(trail.price, price)
    if through or trail.phase is Phase.TRIGGERED:
        return trail, ()
    if exact is not None and not side.better(price, exact):
        return trail, ()
    trail = replace(
        trail, exact_stop=price, exact_kind=StopKind.USER, free_token=trail.free_token + 1
    )
    return pace(trail, event.at_ms)


def _permitted(trail: Trail, event: ev.MovePermitted) -> Step:
    """The limits have room for this trail: its exact stop goes now, or the room is another's."""
    if trail.phase is Phase.TRIGGERED or trail.policy.pacing != "budget":
        return trail, ()
    return pace(trail, event.at_ms, permitted=True)


def _close_asked(trail: Trail, event: ev.CloseAsked) -> Step:
    return close(trail, event.at_ms, CloseReason.USER)


def _forgotten(trail: Trail, event: ev.PeakForgotten) -> Step:  # noqa: ARG001 - as above
    """An unproven continuation keeps the live stop but not the peak."""
    return _restart(trail), ()


def _closed(trail: Trail, event: ev.PositionClosed) -> Step:  # noqa: ARG001 - as above
    return replace(
        trail,
        phase=Phase.CLOSED,
        hold=None,
        jump=None,
        release_at_ms=NEVER_MS,
        triggered_at_ms=None,
        beyond_since_ms=None,
    ), ()


_HANDLERS: dict[type, Callable[[Trail, Any], Step]] = {
    ev.PriceSeen: price_seen,
    ev.QuoteSeen: _quote_seen,
    ev.MarkSeen: _mark_seen,
    ev.PriceBackfilled: _backfilled,
    ev.CandleClosed: _candle,
    ev.TimePassed: _time_passed,
    ev.StopAcknowledged: acknowledged,
    ev.StopRefused: refused,
    ev.StopUnknown: unknown,
    ev.StopTriggered: _triggered,
    ev.TriggerRejected: trigger_rejected,
    ev.PeakForgotten: _forgotten,
    ev.ForeignStopSeen: _foreign,
    ev.PositionChanged: _position_changed,
    ev.FeesKnown: _fees,
    ev.PolicyChanged: _policy,
    ev.InstrumentChanged: _instrument,
    ev.Paused: _paused,
    ev.Resumed: _resumed,
    ev.TightenAsked: _tighten,
    ev.CloseAsked: _close_asked,
    ev.MovePermitted: _permitted,
    ev.PositionClosed: _closed,
}
