"""Accepted orders as requests to the world, and what a request looks like that it refused."""

from __future__ import annotations

from decimal import Decimal

from trailstop.paper.bybit.desk import Entry
from trailstop.paper.bybit.order_checks import MOST_CONDITIONALS, Wish
from trailstop.paper.bybit.routes import Call
from trailstop.paper.bybit.wire_orders import (
    OTHER_REASON,
    POST_ONLY_REASON,
    REDUCE_ONLY_REASON,
    Known,
    Row,
    conditional_row,
    order_row,
)
from trailstop.paper.model import (
    ZERO,
    Conditional,
    ConditionalRequest,
    Order,
    OrderRequest,
    Rejection,
    RejectKind,
)
from trailstop.paper.world import World

REASONS = {
    RejectKind.POST_ONLY: POST_ONLY_REASON,
    RejectKind.REDUCE_ONLY: REDUCE_ONLY_REASON,
    RejectKind.NO_POSITION_FOR_CLOSE: REDUCE_ONLY_REASON,
}


def order_requests(call: Call, wish: Wish) -> list[OrderRequest]:
    """The plain orders that the world is asked for: more than one where a close must be split."""
    market = wish.market
    most = market.max_market_quantity if wish.kind == "MARKET" else market.max_quantity
    parts: list[OrderRequest] = []
    left = wish.quantity
    if wish.reduces:
        position = call.account.positions[market.symbol, wish.position_side]
        left = min(left, abs(position.amount))
    while left > 0:
        quantity = min(left, most)
        parts.append(
            OrderRequest(
                symbol=market.symbol,
                side=wish.side,
                type=wish.kind,
                position_side=wish.position_side,
                quantity=quantity,
                price=wish.price,
                time_in_force=wish.time_in_force,
                reduce_only=_said(wish),
                client_id="" if parts else wish.link_id,
            )
        )
        left -= quantity
    return parts


def conditional_request(call: Call, wish: Wish) -> ConditionalRequest:
    """The conditional order that the world is asked for."""
    del call
    stop = wish.rises == (wish.side == "BUY")
    kind = "STOP" if stop else "TAKE_PROFIT"
    return ConditionalRequest(
        symbol=wish.market.symbol,
        side=wish.side,
        type=f"{kind}_MARKET" if wish.price is None else kind,
        position_side=wish.position_side,
        quantity=min(wish.quantity, wish.market.max_market_quantity),
        trigger_price=wish.trigger_price,
        price=wish.price,
        time_in_force=wish.time_in_force,
        working_type=wish.working_type,
        reduce_only=_said(wish),
        close_on_trigger=wish.close_on_trigger,
        trigger_rises=wish.rises,
        per_symbol_limit=MOST_CONDITIONALS,
        client_id=wish.link_id,
    )


def refused_order(world: World, entry: Entry, request: OrderRequest, why: Rejection) -> Row:
    """The row of a plain order that the engine refused."""
    now_us = world.now_us
    order = Order(
        order_id=0,
        client_id=entry.link_id,
        account=entry.account,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        position_side=request.position_side,
        quantity=request.quantity or ZERO,
        price=request.price or ZERO,
        time_in_force=request.time_in_force,
        reduce_only=request.reduce_only,
        close_position=False,
        created_us=entry.accepted_us,
        updated_us=now_us,
        status="REJECTED",
    )
    return order_row(_known(world, entry), order) | {"rejectReason": _reason(why)}


def refused_conditional(
    world: World, entry: Entry, request: ConditionalRequest, why: Rejection
) -> Row:
    """The row of a conditional order that the engine refused."""
    conditional = Conditional(
        algo_id=0,
        client_id=entry.link_id,
        account=entry.account,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        position_side=request.position_side,
        quantity=request.quantity or ZERO,
        trigger_price=request.trigger_price,
        price=request.price,
        working_type=request.working_type,
        time_in_force=request.time_in_force,
        close_position=False,
        reduce_only=request.reduce_only,
        price_protect=False,
        created_us=entry.accepted_us,
        updated_us=world.now_us,
        status="REJECTED",
        trigger_rises=request.trigger_rises,
        close_on_trigger=request.close_on_trigger,
    )
    return conditional_row(_known(world, entry), conditional) | {"rejectReason": _reason(why)}


def _known(world: World, entry: Entry) -> Known:
    return Known(
        order_id=entry.order_id,
        market=world.markets[entry.symbol],
        link_id=entry.link_id,
        last_price=entry.last_price,
        held=Decimal(0),
    )


def _reason(why: Rejection) -> str:
    return REASONS.get(why.kind, OTHER_REASON)


def _said(wish: Wish) -> bool:
    """Whether the world is told to only reduce: in hedge mode side and leg say it already."""
    return wish.position_side == "BOTH" and (wish.reduce_only or wish.close_on_trigger)
