"""What the oracle is shown of a leg, read from matching state."""

from __future__ import annotations

import math
from decimal import Decimal

from trailstop.paper.matching import Leg
from trailstop.paper.model import (
    CLIENT,
    FULL_SLOTS,
    STOP_LOSS,
    TRAILING_TYPE,
    USER,
    Account,
    Conditional,
    Market,
    Position,
)
from trailstop.paper.registry import Registry
from trailstop.paper.stop_cover import LegView, StopView
from trailstop.paper.triggers import fires_falling, trailing_level


def leg_view(
    leg: Leg, position: Position, registry: Registry, market: Market, guard_prefix: str
) -> LegView:
    """The leg with every live stop that can only reduce it."""
    stops = []
    size = abs(position.amount)
    for conditional in registry.live_conditionals[leg[0]].values():
        if (conditional.symbol, conditional.position_side) == leg[1:] and conditional.reduces:
            view = _stop_view(conditional, size, registry, guard_prefix)
            if view is not None:
                stops.append(view)
    parts = max(1, math.ceil(size / market.max_market_quantity))
    return LegView(position.epoch, position.amount, tuple(stops), parts)


def position_of(leg: Leg, accounts: dict[str, Account]) -> Position:
    """The leg's position; flat where nothing was ever opened."""
    position = accounts[leg[0]].positions.get(leg[1:])
    if position is None:
        return Position(account=leg[0], symbol=leg[1], position_side=leg[2])
    return position


def _stop_view(
    conditional: Conditional, size: Decimal, registry: Registry, guard_prefix: str
) -> StopView | None:
    """A live stop's part in coverage; None for take-profits and sleeping trailing stops.

    A position's own stop always has the size of the position, so it counts as a sized one.
    """
    if conditional.type == TRAILING_TYPE:
        price = trailing_level(conditional)
    elif fires_falling(conditional) == (conditional.side == "SELL"):
        price = conditional.trigger_price
    else:
        price = None
    if price is None:
        return None
    quantity = size if conditional.slot in FULL_SLOTS else conditional.quantity
    if conditional.child_order_id is not None and quantity is not None:
        child = registry.orders.get(conditional.child_order_id)
        quantity = quantity if child is None else child.quantity - child.filled
    named = conditional.client_id.startswith(guard_prefix)
    own = (named or conditional.slot == STOP_LOSS) and conditional.author == CLIENT
    return StopView(
        number=conditional.algo_id,
        side=conditional.side,
        quantity=quantity,
        price=price,
        created_us=conditional.created_us,
        working=own and quantity is not None and conditional.type != TRAILING_TYPE,
        users=conditional.author == USER,
    )
