"""The first state of an epoch."""

from __future__ import annotations

from decimal import Decimal

from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees, Leg, Position, StopKind
from trailstop.domain.price import Instrument
from trailstop.engine.rules import derive
from trailstop.engine.trail import Trail


def begin(
    *,
    leg: Leg,
    epoch: int,
    position: Position,
    instrument: Instrument,
    policy: Policy,
    fees: Fees,
    at_ms: int,
    foreign_stop: Decimal | None = None,
) -> Trail:
    """Start the trail of a position that was just seen, in phase INACTIVE.

    `foreign_stop` is the tightest right-sized stop of somebody else on the leg. It counts as
    acknowledged; with `existing_stop = keep` it is the initial stop, else ours is placed
    beside it where it is wider.
    """
    trail = Trail(
        leg=leg,
        epoch=epoch,
        position=position,
        instrument=instrument,
        policy=policy,
        fees=fees,
        adopted_at_ms=at_ms,
        foreign_stop=foreign_stop,
        foreign_initial=foreign_stop is not None and policy.existing_stop == "keep",
        live_stop=foreign_stop,
        live_kind=StopKind.INITIAL if foreign_stop is None else StopKind.FOREIGN,
        exact_stop=foreign_stop,
        exact_kind=StopKind.INITIAL if foreign_stop is None else StopKind.FOREIGN,
    )
    return derive(trail)
