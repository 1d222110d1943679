"""Whose is the position's one stop, and when is it put back.

Where an exchange keeps one stop with the position everybody on the account moves the same one,
and it has no client id. It is ours where it stands at the price that we set last, or at one
that we asked for and do not know the outcome of; else somebody has moved it. A tighter one
becomes the floor. A looser or removed one is put back, at most once a minute, so that nobody
is fought with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from trailstop.daemon.leg import GuardedLeg
from trailstop.domain.position import Leg, Role, StopKind
from trailstop.engine.trail import Trail
from trailstop.guard.snapshot import RestingStop, Snapshot

PUT_BACK_MS = 60_000
"""Least time between two corrections of a stop that somebody else moves (design, section 5)."""


def claim(snapshot: Snapshot, legs: Mapping[Leg, GuardedLeg]) -> Snapshot:
    """The same read, with the shared stops that are ours as working stops of ours."""
    stops = tuple(_claimed(stop, snapshot, legs.get(stop.leg)) for stop in snapshot.stops)
    return replace(snapshot, stops=stops)


def kind_at(price: Decimal, guarded: GuardedLeg) -> StopKind:
    """Which stop stands at this price: the one that we set last or asked for, or another's."""
    trail, lookups = guarded.trail, guarded.executor.answers.lookups
    if price == trail.own_stop:
        return trail.own_kind
    if trail.sent is not None and price == trail.sent.price:
        return trail.sent.kind
    kinds = (lookup.intent.kind for lookup in lookups.values() if lookup.intent.price == price)
    return next((kind for kind in kinds if kind is not None), StopKind.FOREIGN)


def has_fired(price: Decimal, guarded: GuardedLeg) -> bool:
    """Whether a stop that was rejected had fired: it was told so, or the price is there."""
    trail = guarded.trail
    there = trail.price is not None and trail.position.side.touches(trail.price, price)
    return guarded.fired is not None or there


def is_ours(price: Decimal, guarded: GuardedLeg) -> bool:
    """Whether a shared stop at this price is the one that we set last, or may have set."""
    return kind_at(price, guarded) is not StopKind.FOREIGN


def compare_shared(
    stops: Iterable[RestingStop], foreign: Decimal | None, trail: Trail
) -> Literal["as_set", "looser", "gone"]:
    """What rests on a leg with one shared stop, against the live stop that is promised."""
    resting = [stop.price for stop in stops if stop.role is Role.WORKING]
    resting += [] if foreign is None else [foreign]
    if trail.live_stop is None:
        return "as_set"
    side = trail.position.side
    if not resting:
        return "gone"
    best = max(resting, key=lambda price: price * side.sign)
    return "looser" if side.better(trail.live_stop, best) else "as_set"


def shared_floor(stops: Iterable[RestingStop]) -> Decimal | None:
    """Price of a shared stop that somebody else has set: ours may only be tighter."""
    prices = [stop.price for stop in stops if stop.shared and stop.role is Role.FOREIGN]
    return prices[0] if prices else None


def _claimed(stop: RestingStop, snapshot: Snapshot, guarded: GuardedLeg | None) -> RestingStop:
    position = snapshot.positions.get(stop.leg)
    if not stop.shared or guarded is None or position is None:
        return stop
    if stop.side is not guarded.trail.position.side or not is_ours(stop.price, guarded):
        return stop
    standing = guarded.executor.standing.working
    name = standing[0].client_id if standing else f"{guarded.executor.tag}0"
    return replace(stop, role=Role.WORKING, client_id=name, quantity=position.quantity)
