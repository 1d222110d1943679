"""Conditional orders: the Algo Service, where they live since 2025-12-09."""

from __future__ import annotations

from typing import Any

from trailstop.paper.binance import wire_orders as wire
from trailstop.paper.binance.errors import (
    BAD_REDUCE_ONLY,
    INVALID_TIME_IN_FORCE,
    INVALID_TYPE,
    from_rejection,
    missing,
)
from trailstop.paper.binance.order_routes import (
    ALL_CANCELLED,
    DEFAULT_ROWS,
    MOST_ROWS,
    POSITION_SIDES,
    TIMES_IN_FORCE,
)
from trailstop.paper.binance.routes import Call, Route, Security, by_symbol
from trailstop.paper.binance.spelling import PRICE_TYPES, WORKING_TYPES
from trailstop.paper.model import (
    CONDITIONAL_TYPES,
    TRAILING_TYPE,
    ConditionalRequest,
    Rejection,
)

ALGO_TYPES = ("", "CONDITIONAL")


def place(call: Call) -> Any:
    """Page "New Algo Order"."""
    params = call.params
    params.required("algoType")
    params.choice("algoType", ALGO_TYPES)
    symbol, side = call.symbol(), params.side()
    kind = params.required("type").upper()
    if kind not in CONDITIONAL_TYPES:
        raise INVALID_TYPE
    if kind != TRAILING_TYPE and params.optional("triggerPrice") is None:
        raise missing("triggerprice")  # Spelled so by the exchange (seen 2026-09-12).
    if kind == TRAILING_TYPE:
        params.required("callbackRate")
    if kind in {"STOP", "TAKE_PROFIT"}:
        params.required("price")
    close_position = params.flag("closePosition")
    if not close_position:
        params.required("quantity")
    if call.account.hedge and params.optional("reduceOnly"):
        raise BAD_REDUCE_ONLY
    placed = call.world.place_conditional(
        call.key,
        ConditionalRequest(
            symbol=symbol,
            side=side,
            type=kind,
            position_side=params.choice("positionSide", POSITION_SIDES),
            quantity=params.decimal("quantity"),
            trigger_price=params.decimal("triggerPrice"),
            price=params.decimal("price"),
            time_in_force=params.choice("timeInForce", TIMES_IN_FORCE, INVALID_TIME_IN_FORCE),
            working_type=PRICE_TYPES[params.choice("workingType", tuple(WORKING_TYPES.values()))],
            close_position=close_position,
            reduce_only=params.flag("reduceOnly"),
            price_protect=params.flag("priceProtect"),
            callback_rate=params.decimal("callbackRate"),
            activate_price=params.decimal("activatePrice"),
            client_id=params.client_id("clientAlgoId"),
        ),
    )
    return wire.placed_conditional(placed)


def cancel(call: Call) -> Any:
    """Page "Cancel Algo Order"."""
    try:
        return wire.cancelled_conditional(call.world.cancel_conditional(call.key, *_ids(call)))
    except Rejection as rejection:
        raise from_rejection(rejection, cancelling=True) from rejection


def cancel_all(call: Call) -> Any:
    """Page "Cancel All Algo Open Orders"."""
    for row in call.world.open_conditionals(call.key, call.symbol()):
        call.world.cancel_conditional(call.key, row.algo_id)
    return ALL_CANCELLED


def query(call: Call) -> Any:
    """Page "Query Algo Order"."""
    return wire.queried_conditional(call.world.conditional(call.key, *_ids(call)))


def open_orders(call: Call) -> Any:
    """Page "Current All Algo Open Orders"."""
    wanted = call.params.whole("algoId")
    rows = call.world.open_conditionals(call.key, call.symbol_or_none())
    return [wire.queried_conditional(row) for row in rows if wanted in {None, row.algo_id}]


def all_orders(call: Call) -> Any:
    """Page "Query All Algo Orders"."""
    first_id = call.params.whole("algoId") or 0
    rows = call.world.all_conditionals(
        call.key,
        call.symbol(),
        start_us=call.params.time_us("startTime"),
        end_us=call.params.end_us(),
        limit=call.params.limit(DEFAULT_ROWS, MOST_ROWS),
    )
    return [wire.queried_conditional(row) for row in rows if row.algo_id >= first_id]


def _ids(call: Call) -> tuple[int | None, str | None]:
    algo_id = call.params.whole("algoId")
    client_id = call.params.optional("clientAlgoId")
    if algo_id is None and client_id is None:
        raise missing("algoId")
    return algo_id, None if algo_id is not None else client_id


def _signed(method: str, path: str, weight: Any, serve: Any, orders: int = 0) -> Route:
    return Route(method, path, Security.SIGNED, weight, serve, orders)


ROUTES = (
    _signed("POST", "/fapi/v1/algoOrder", 0, place, orders=1),
    _signed("DELETE", "/fapi/v1/algoOrder", 1, cancel),
    _signed("GET", "/fapi/v1/algoOrder", 1, query),
    _signed("GET", "/fapi/v1/openAlgoOrders", by_symbol(1, 40), open_orders),
    _signed("GET", "/fapi/v1/allAlgoOrders", 5, all_orders),
    _signed("DELETE", "/fapi/v1/algoOpenOrders", 1, cancel_all),
)
