"""The guard: compare one complete read with the targets and say what would mend it.

Level-triggered, idempotent, silent when content. A position without a trail is adopted, a
bare one gets its stop, a late stop is moved to its target, surplus within a role goes
loosest first and only once the best one covers, what is left on a flat leg is removed.
Orders that are not ours are never touched, but for the position's one shared stop, which is
put back where somebody has loosened or removed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trailstop.domain.position import Leg, Position, Role, StopKind
from trailstop.engine.commands import (
    AdoptPosition,
    Alarm,
    CancelStop,
    Command,
    EndEpoch,
    LookUp,
    MoveStop,
    PlaceStop,
)
from trailstop.guard.protection import Target
from trailstop.guard.slots import backstops_to_give_up, room_for_backstop
from trailstop.guard.snapshot import RestingStop, Snapshot


def plan(targets: Mapping[Leg, Target], snapshot: Snapshot | None) -> tuple[Command, ...]:
    """Commands that would make the exchange agree with the targets; () when it does.

    `targets` are those of the snapshot's account. None is a read that failed or was
    partial: it says nothing, so nothing is planned. Legs outside the snapshot's symbols,
    and legs on which something happened since it was asked for, are left alone.
    """
    if snapshot is None:
        return ()
    stops: dict[Leg, list[RestingStop]] = {}
    for stop in snapshot.stops:
        stops.setdefault(stop.leg, []).append(stop)
    given_up = backstops_to_give_up(targets, snapshot, stops)
    commands: list[Command] = []
    for leg in sorted({*targets, *snapshot.positions, *stops}):
        if snapshot.symbols is None or leg.symbol in snapshot.symbols:
            commands += _plan_leg(
                leg, targets.get(leg), snapshot, stops.get(leg, []), given_up.get(leg)
            )
    return tuple(commands)


def _plan_leg(
    leg: Leg,
    target: Target | None,
    snapshot: Snapshot,
    stops: list[RestingStop],
    given_up: RestingStop | None,
) -> Iterable[Command]:
    position = snapshot.positions.get(leg)
    if target is None:
        return _untracked(leg, position, stops)
    if snapshot.asked_at_ms < target.settled_ms or target.pending:
        return ()
    if target.unknown:
        return [LookUp(leg, client_id) for client_id in target.unknown]
    if position is None or position.side is not target.side:
        return [EndEpoch(leg), *_orphans(stops)]
    if target.shared:
        return _shared(target, position, snapshot, stops)
    if given_up is not None:
        text = "the account is short of conditional orders: the backstop goes, its stop stays"
        slots: list[Command] = [_cancel(given_up, "slots"), Alarm(leg, "short_of_slots", text)]
        return [*_working(target, position, snapshot, stops), *slots, *_leftovers(target, stops)]
    return [
        *_working(target, position, snapshot, stops),
        *_backstop(target, position, stops, room=room_for_backstop(target, snapshot)),
        *_leftovers(target, stops),
    ]


def _shared(
    target: Target, position: Position, snapshot: Snapshot, stops: list[RestingStop]
) -> Iterable[Command]:
    """Put the position's one stop back where it is gone or looser than our target.

    A tighter one is somebody's own choice, and stays.
    """
    if target.closing or target.working is None:
        return
    slot = next((stop for stop in stops if stop.shared), None)
    if slot is not None and (slot.triggered or not target.side.better(target.working, slot.price)):
        return
    if snapshot.asked_at_ms < target.put_back_from_ms:
        return
    if slot is None:
        yield PlaceStop(target.leg, Role.WORKING, target.working, position.quantity, target.kind)
    else:
        yield MoveStop(target.leg, target.working, slot.price, position.quantity, target.kind)


def _untracked(leg: Leg, position: Position | None, stops: list[RestingStop]) -> Iterable[Command]:
    if position is not None:
        return [AdoptPosition(leg, position)]
    return _orphans(stops)


def _orphans(stops: Iterable[RestingStop]) -> list[Command]:
    """Remove what is ours on a leg that is proven flat, before it meets a new position."""
    return [
        _cancel(stop, "orphan")
        for stop in stops
        if stop.role is not Role.FOREIGN and not stop.triggered
    ]


def _cancel(stop: RestingStop, reason: str) -> CancelStop:
    return CancelStop(stop.leg, stop.order_id, stop.client_id, stop.role, reason)


def _of_role(target: Target, stops: list[RestingStop], role: Role) -> list[RestingStop]:
    """Stops of this epoch in one role, tightest first, of one price the largest first."""
    chosen = [
        stop
        for stop in stops
        if stop.role is role and stop.side is target.side and stop.client_id.startswith(target.tag)
    ]
    return sorted(
        chosen,
        key=lambda stop: (stop.price * target.side.sign, stop.quantity or Decimal(0)),
        reverse=True,
    )


def _working(
    target: Target, position: Position, snapshot: Snapshot, stops: list[RestingStop]
) -> Iterable[Command]:
    ours = _of_role(target, stops, Role.WORKING)
    if target.closing or any(stop.triggered for stop in ours):
        # A triggered stop's child is at work; the chase after 5 s has its own clock.
        return
    if not ours:
        if target.working is not None:
            yield PlaceStop(
                target.leg, Role.WORKING, target.working, position.quantity, target.kind
            )
        return
    parts, rest = _parts(ours, position.quantity)
    standing = price = parts[0].price
    late = target.working is not None and target.side.better(target.working, price)
    if late and snapshot.asked_at_ms >= target.put_back_from_ms:
        assert target.working is not None
        price = target.working
    if price != standing or _sum(parts) != position.quantity:
        # The surplus waits until one set covers: it may be what covers now.
        yield MoveStop(target.leg, price, standing, position.quantity, target.kind)
        return
    for stop in reversed(rest):
        yield _cancel(stop, "surplus")


def _parts(
    ours: list[RestingStop], quantity: Decimal
) -> tuple[list[RestingStop], list[RestingStop]]:
    """The tightest stops that together hold the position, mostly one, and the others.

    A position above the largest market order has its working stop in several parts of one
    price.
    """
    parts: list[RestingStop] = []
    for stop in ours:
        if parts and (stop.price != parts[0].price or _sum(parts) >= quantity):
            break
        parts.append(stop)
    return parts, ours[len(parts) :]


def _sum(stops: Iterable[RestingStop]) -> Decimal:
    """Size that these stops hold together."""
    return sum((_size(stop) for stop in stops), Decimal(0))


def _size(stop: RestingStop) -> Decimal:
    assert stop.quantity is not None, "a working stop has a size"
    return stop.quantity


def _backstop(
    target: Target, position: Position, stops: list[RestingStop], *, room: bool
) -> Iterable[Command]:
    ours = _of_role(target, stops, Role.BACKSTOP)
    foreign = any(
        stop.role is Role.FOREIGN and stop.quantity is None and stop.side is target.side
        for stop in stops
    )
    if target.closing or any(stop.triggered for stop in ours):
        return
    if not ours and not foreign and room and target.backstop is not None:
        yield PlaceStop(target.leg, Role.BACKSTOP, target.backstop, position.quantity)
    for stop in reversed(ours[1:]):
        yield _cancel(stop, "surplus")
    working = _of_role(target, stops, Role.WORKING)
    if ours and _is_too_far(target, ours[0]) and _is_covered(target, working):
        # Two of them cannot rest together: the next pass places the nearer one.
        yield _cancel(ours[0], "behind the liquidation margin")


def _is_too_far(target: Target, backstop: RestingStop) -> bool:
    return target.backstop is None or target.side.better(target.backstop, backstop.price)


def _leftovers(target: Target, stops: list[RestingStop]) -> Iterable[Command]:
    """Stops of ours from an earlier epoch go once this epoch's own working stop rests.

    A foreign stop that serves as the initial one, for the whole position, is as good.
    """
    theirs = any(
        stop.role is Role.FOREIGN
        and stop.side is target.side
        and stop.quantity is not None
        and stop.quantity >= target.quantity
        for stop in stops
    )
    served = target.kind is StopKind.FOREIGN and theirs
    if not served and not _is_covered(target, _of_role(target, stops, Role.WORKING)):
        return
    for stop in stops:
        old = stop.role is not Role.FOREIGN and not stop.client_id.startswith(target.tag)
        if old and not stop.triggered:
            yield _cancel(stop, "left over from an earlier position")


def _is_covered(target: Target, working: list[RestingStop]) -> bool:
    """Whether the working stop of this epoch holds the whole position."""
    return _sum(stop for stop in working if not stop.triggered) >= target.quantity
