"""What the guard compares the exchange with: one target a leg."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.domain.position import Leg, StopKind
from trailstop.domain.price import Side


class Target(Struct, frozen=True):
    """What should rest on one leg, as `step` last commanded it.

    `working` is the target stop, never the exact stop, so that the guard cannot bypass
    pacing; None while nothing of ours was commanded (a foreign stop is kept, say).
    `settled_ms` is the exchange's time of the last write or event on this leg: a read that
    was asked for before it says nothing. `pending` says that a write is under way,
    `unknown` names the writes of which the outcome is not known, `tag` begins the client
    ids of this epoch. `shared` says that the working stop is the position's one stop, which
    others move too. What somebody has loosened is put back from `put_back_from_ms` on, so that
    nobody is fought with.
    `in_profit` allows to do without the backstop where the account is short of slots;
    `gave_up_backstop` says that it was removed for that.
    """

    leg: Leg
    side: Side
    quantity: Decimal
    tag: str
    working: Decimal | None
    kind: StopKind = StopKind.INITIAL
    backstop: Decimal | None = None
    settled_ms: int = 0
    pending: bool = False
    unknown: tuple[str, ...] = ()
    closing: bool = False
    shared: bool = False
    put_back_from_ms: int = 0
    in_profit: bool = False
    gave_up_backstop: bool = False
