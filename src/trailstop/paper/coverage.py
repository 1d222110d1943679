"""What the oracle is shown of a leg, read from matching state."""

from __future__ import annotations

from trailstop.paper.matching import Leg
from trailstop.paper.model import (
    STOP_TYPES,
    TRAILING_TYPE,
    Account,
    Conditional,
    Position,
)
from trailstop.paper.oracle import LegView, StopView
from trailstop.paper.registry import Registry
from trailstop.paper.triggers import trailing_level


def leg_view(leg: Leg, position: Position, registry: Registry, guard_prefix: str) -> LegView:
    """The leg with every live stop that can only reduce it."""
    stops = []
    for conditional in registry.live_conditionals[leg[0]].values():
        if (conditional.symbol, conditional.position_side) == leg[1:] and conditional.reduces:
            view = _stop_view(conditional, registry, guard_prefix)
            if view is not None:
                stops.append(view)
    return LegView(position.epoch, position.amount, tuple(stops))


def position_of(leg: Leg, accounts: dict[str, Account]) -> Position:
    """The leg's position; flat where nothing was ever opened."""
    position = accounts[leg[0]].positions.get(leg[1:])
    if position is None:
        return Position(account=leg[0], symbol=leg[1], position_side=leg[2])
    return position


def _stop_view(conditional: Conditional, registry: Registry, guard_prefix: str) -> StopView | None:
    """A live stop's part in coverage; None for take-profits and sleeping trailing stops."""
    if conditional.type == TRAILING_TYPE:
        price = trailing_level(conditional)
    elif conditional.type in STOP_TYPES:
        price = conditional.trigger_price
    else:
        price = None
    if price is None:
        return None
    quantity = conditional.quantity
    if conditional.child_order_id is not None and quantity is not None:
        child = registry.orders.get(conditional.child_order_id)
        quantity = quantity if child is None else child.quantity - child.filled
    own = conditional.client_id.startswith(guard_prefix)
    return StopView(
        number=conditional.algo_id,
        side=conditional.side,
        quantity=quantity,
        price=price,
        created_us=conditional.created_us,
        working=own and quantity is not None and conditional.type != TRAILING_TYPE,
    )
