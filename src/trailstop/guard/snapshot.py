"""A complete, dated read of one account's legs, as the guard compares it with the targets."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.domain.position import Leg, Position, Role
from trailstop.domain.price import Side


class RestingStop(Struct, frozen=True):
    """One stop that rests on the exchange and can only reduce this side.

    `quantity` is None for a whole-position stop. `triggered` is true from the trigger
    until the child order is terminal: it still counts as coverage and cannot be cancelled.
    `shared` marks the position's one stop of exchanges that keep it with the position
    (Bybit): everybody moves the same one, it has no client id, and whose it is follows from
    its price alone. A venue tells it as foreign; the daemon knows better.
    """

    leg: Leg
    side: Side
    order_id: str
    client_id: str
    role: Role
    price: Decimal
    quantity: Decimal | None
    created_at_ms: int
    triggered: bool = False
    shared: bool = False


class Snapshot(Struct, frozen=True):
    """What the exchange holds for one account at one moment.

    `asked_at_ms` is when the first request of the read was sent, exchange clock: nothing
    after it is certain to be in the answer. `symbols` is None for a read of everything,
    else only these were read. A read that failed is no Snapshot at all.
    `conditional_orders` counts every conditional order of the account, whatever it does, and
    `conditional_slots` how many the exchange takes; None where not all were read, or where
    none of ours needs a slot.
    `elsewhere` names the legs outside `symbols` that have a position: the same read tells them.
    """

    account: str
    venue: str
    asked_at_ms: int
    positions: dict[Leg, Position]
    stops: tuple[RestingStop, ...]
    symbols: frozenset[str] | None = None
    conditional_orders: int | None = None
    conditional_slots: int | None = None
    elsewhere: frozenset[Leg] = frozenset()


def within(positions: dict[Leg, Position], symbols: frozenset[str] | None) -> dict[Leg, Position]:
    """Those of some symbols, all of them for None."""
    if symbols is None:
        return positions
    return {leg: held for leg, held in positions.items() if leg.symbol in symbols}
