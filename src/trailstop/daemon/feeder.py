"""Events into trails: step, journal, tell, carry out. In this order, always."""

from __future__ import annotations

from collections.abc import Callable

from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.reading.causes import slipped
from trailstop.daemon.writing.orders import Told
from trailstop.domain.position import Cause, Role
from trailstop.engine import events as ev
from trailstop.engine.commands import (
    Alarm,
    ClosePosition,
    Command,
    MoveStop,
    PlaceStop,
)
from trailstop.engine.explain import hold_text, move_text
from trailstop.engine.step import step
from trailstop.engine.trail import NEVER_MS, HoldReason, Trail
from trailstop.observe.hub import FactHub
from trailstop.storage.records import (
    Alarmed,
    Decided,
    Ended,
    Held,
    Input,
    Moved,
    PhaseChanged,
    Record,
)
from trailstop.storage.store import Store

_UNTOLD_HOLDS = (None, HoldReason.IN_FLIGHT, HoldReason.NOT_ACTIVATED, HoldReason.NOT_BETTER)
"""Holds without a better stop waiting: they explain the status, not a decision."""

CLOSED_BY_EXCHANGE = {
    Cause.LIQUIDATED: "liquidation",
    Cause.ADL: "auto-deleveraging",
    Cause.SETTLED: "settlement of the contract",
}
"""Ends that nobody asked for are alarms."""


class Feeder:
    """Advances trails; the store sees every input before anything is carried out."""

    def __init__(self, store: Store, hub: FactHub, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._hub = hub
        self._now_ms = now_ms

    def feed(self, guarded: GuardedLeg, event: ev.Event, told: Told | None = None) -> None:
        """Advance one trail by one event and hand its commands to the leg's executor."""
        before = guarded.trail
        after, commands = step(before, event)
        guarded.trail = after
        records: list[Record] = [Input(after.leg, after.epoch, event)]
        if told is not None and told.settled is not None:
            records.insert(0, told.settled)
        if commands:
            records.append(Decided(after.leg, after.epoch, commands, event.at_ms))
        facts = _facts(before, after, event, commands, told)
        records += facts
        self._store.record(records, trail=after)
        if facts:
            self._hub.publish(facts)
        for command in commands:
            carry_out(guarded, command)

    def feed_told(self, guarded: GuardedLeg, told: Told) -> None:
        """Advance a trail by what became of its stop."""
        event: ev.Event
        match told.what:
            case "exposed":
                self.alarm(guarded.trail, "on_backstop_alone", told.text, told.at_ms)
                return
            case "acknowledged":
                event = ev.StopAcknowledged(told.price, told.quantity, told.at_ms)
            case "refused":
                event = ev.StopRefused(
                    told.reason, told.text, told.at_ms, told.nearest, told.retry_after_ms
                )
            case "unknown":
                event = ev.StopUnknown(told.at_ms)
            case _:
                event = ev.StopTriggered(told.at_ms)
        self.feed(guarded, event, told)

    def end(self, guarded: GuardedLeg, event: ev.PositionClosed) -> None:
        """Close the books of an epoch."""
        after, _ = step(guarded.trail, event)
        guarded.trail = after
        text = slipped(after, event.cause, event.exit_price)
        ended = Ended(after.leg, after.epoch, event.cause, event.exit_price, text, event.at_ms)
        facts: list[Record] = [ended]
        if event.cause in CLOSED_BY_EXCHANGE:
            text = f"the exchange closed the position: {CLOSED_BY_EXCHANGE[event.cause]}"
            facts.append(Alarmed(after.leg, after.epoch, "closed_by_exchange", text, event.at_ms))
        self._store.record([Input(after.leg, after.epoch, event), *facts], trail=after)
        self._hub.publish(facts)

    def alarm(self, trail: Trail, code: str, text: str, at_ms: int) -> None:
        """Tell a person at once what is no decision of the trail's own."""
        alarm = Alarmed(trail.leg, trail.epoch, code, text, at_ms)
        self._store.record([alarm])
        self._hub.publish([alarm])

    def tell_hold(self, trail: Trail, at_ms: int) -> None:
        """Record why the better stop of a trail waits."""
        assert trail.hold is not None, "something is held"
        held = Held(trail.leg, trail.epoch, trail.hold.value, hold_text(trail, at_ms), at_ms)
        self._store.record([held])
        self._hub.publish([held])

    def settle_alone(self, told: Told) -> None:
        """Journal an outcome of an epoch that has ended meanwhile."""
        if told.settled is not None:
            self._store.record([told.settled])


def carry_out(guarded: GuardedLeg, command: Command) -> None:
    """Hand one command to the executor of its leg."""
    executor, trail = guarded.executor, guarded.trail
    if guarded.flat_ms is not None:
        # The size touched zero: what is open now, if anything, is another position.
        return
    match command:
        case PlaceStop(_, Role.BACKSTOP, price, quantity):
            executor.want_backstop(price, quantity)
        case PlaceStop(_, _, price, quantity, kind) | MoveStop(_, price, _, quantity, kind):
            text, budgeted = move_text(trail, command), trail.policy.pacing == "budget"
            executor.want_working(price, quantity, kind, text, at_once=budgeted)
        case ClosePosition(_, quantity, reason):
            executor.close(quantity, reason)
        case _:
            pass


def _waits(trail: Trail) -> bool:
    """Whether a better stop than the live one is held back at this moment."""
    if trail.hold in _UNTOLD_HOLDS or trail.exact_stop is None:
        return False
    if trail.hold is HoldReason.BUDGET and trail.release_at_ms == NEVER_MS:
        # It mostly goes in the same turn; `tell_hold` tells it where it does not.
        return False
    return trail.live_stop is None or trail.position.side.better(trail.exact_stop, trail.live_stop)


def _facts(
    before: Trail, after: Trail, event: ev.Event, commands: tuple[Command, ...], told: Told | None
) -> list[Record]:
    leg, epoch, at_ms = after.leg, after.epoch, event.at_ms
    facts: list[Record] = []
    if told is not None and told.what == "acknowledged" and before.own_stop != after.own_stop:
        assert after.own_stop is not None
        facts.append(
            Moved(
                leg,
                epoch,
                before.own_stop,
                after.own_stop,
                told.kind,
                told.text,
                told.asked_ms,
                told.at_ms,
                told.client_id,
            )
        )
    if after.phase is not before.phase:
        facts.append(PhaseChanged(leg, epoch, after.phase, after.price, at_ms))
    if after.hold is not before.hold and _waits(after):
        assert after.hold is not None
        facts.append(Held(leg, epoch, after.hold.value, hold_text(after, at_ms), at_ms))
    alarms = [command for command in commands if isinstance(command, Alarm)]
    facts += [Alarmed(leg, epoch, alarm.code, alarm.text, at_ms) for alarm in alarms]
    return facts
