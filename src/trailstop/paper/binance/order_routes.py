"""Plain orders: MARKET and LIMIT. Conditional types are refused here since 2025-12-09."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from trailstop.paper.binance import wire_orders as wire
from trailstop.paper.binance.errors import (
    BAD_REDUCE_ONLY,
    INVALID_TIME_IN_FORCE,
    INVALID_TYPE,
    OLD_ROUTE,
    UNKNOWN_ORDER_CANCELLED,
    ApiError,
    from_rejection,
    illegal,
    missing,
)
from trailstop.paper.binance.params import Params
from trailstop.paper.binance.routes import Call, Route, Security, by_symbol
from trailstop.paper.binance.wire_market import order_limits
from trailstop.paper.model import CONDITIONAL_TYPES, Order, OrderRequest, Rejection
from trailstop.paper.params import as_text

PLAIN_TYPES = ("MARKET", "LIMIT")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX")
POSITION_SIDES = ("BOTH", "LONG", "SHORT")
MOST_IN_BATCH = 5
DEFAULT_ROWS = 500
MOST_ROWS = 1_000
ALL_CANCELLED = {"code": 200, "msg": "The operation of cancel all open order is done."}


def place(call: Call) -> Any:
    """Page "New Order"."""
    return wire.placed_order(_place(call))


def _place(call: Call) -> Order:
    params = call.params
    symbol, side = call.symbol(), params.side()
    kind = params.required("type").upper()
    if kind in CONDITIONAL_TYPES:
        raise OLD_ROUTE
    if kind not in PLAIN_TYPES:
        raise INVALID_TYPE
    if params.optional("quantity") is None:
        raise missing("quantity")
    if kind == "LIMIT":
        params.required("timeInForce")
        params.required("price")
    reduce_only = params.flag("reduceOnly")
    if call.account.hedge and params.optional("reduceOnly"):
        raise BAD_REDUCE_ONLY
    return call.world.place_order(
        call.key,
        OrderRequest(
            symbol=symbol,
            side=side,
            type=kind,
            position_side=params.choice("positionSide", POSITION_SIDES),
            quantity=params.decimal("quantity"),
            price=params.decimal("price"),
            time_in_force=params.choice("timeInForce", TIMES_IN_FORCE, INVALID_TIME_IN_FORCE),
            reduce_only=reduce_only,
            client_id=params.client_id("newClientOrderId"),
        ),
    )


def place_batch(call: Call) -> Any:
    """Page "Place Multiple Orders": each order has its own answer."""
    return [_each(call, order, place) for order in _batch(call, "batchOrders")]


def _batch(call: Call, name: str) -> list[dict[str, str]]:
    try:
        rows = msgspec.json.decode(call.params.required(name), type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise illegal(name) from error
    if not 0 < len(rows) <= MOST_IN_BATCH:
        raise illegal(name)
    return [{key: as_text(value) for key, value in row.items()} for row in rows]


def _each(call: Call, values: dict[str, str], serve: Any) -> Any:
    single = dataclasses.replace(call, params=Params.of(values))
    try:
        return serve(single)
    except ApiError as error:
        return {"code": error.code, "msg": error.text}
    except Rejection as rejection:
        refused = from_rejection(rejection)
        return {"code": refused.code, "msg": refused.text}


def modify(call: Call) -> Any:
    """Page "Modify Order": a resting limit order, in place; both numbers are mandatory."""
    params = call.params
    symbol = call.symbol()
    params.side()
    params.required("quantity")
    params.required("price")
    order_id, client_id = _ids(call)
    order = call.world.amend_order(
        call.key,
        symbol,
        order_id,
        client_id,
        quantity=params.decimal("quantity"),
        price=params.decimal("price"),
    )
    return wire.placed_order(order)


def cancel(call: Call) -> Any:
    """Page "Cancel Order"."""
    symbol = call.symbol()
    try:
        return wire.placed_order(call.world.cancel_order(call.key, symbol, *_ids(call)))
    except Rejection as rejection:
        raise from_rejection(rejection, cancelling=True) from rejection


def cancel_batch(call: Call) -> Any:
    """Page "Cancel Multiple Orders"; clients in wide use write its lists in small letters."""
    symbol = call.symbol()
    lists = (("orderIdList", "orderId"), ("origClientOrderIdList", "origClientOrderId"))
    for listed, single in lists:
        text = call.params.optional(listed) or call.params.optional(listed.lower())
        if text is not None:
            try:
                ids = msgspec.json.decode(text, type=list[int | str])
            except msgspec.DecodeError as error:
                raise illegal(listed) from error
            return [_each(call, {"symbol": symbol, single: str(row)}, cancel) for row in ids]
    raise missing(lists[0][0])


def cancel_all(call: Call) -> Any:
    """Page "Cancel All Open Orders": plain orders only, conditional ones survive."""
    symbol = call.symbol()
    for order in call.world.open_orders(call.key, symbol):
        call.world.cancel_order(call.key, symbol, order.order_id)
    return ALL_CANCELLED


def query(call: Call) -> Any:
    """Page "Query Order"."""
    return wire.queried_order(call.world.order(call.key, call.symbol(), *_ids(call)))


def query_open(call: Call) -> Any:
    """Page "Query Current Open Order"."""
    order = call.world.order(call.key, call.symbol(), *_ids(call))
    if not order.live:
        raise UNKNOWN_ORDER_CANCELLED
    return wire.queried_order(order)


def open_orders(call: Call) -> Any:
    """Page "Current All Open Orders": plain orders only."""
    rows = call.world.open_orders(call.key, call.symbol_or_none())
    return [wire.queried_order(row) for row in rows]


def all_orders(call: Call) -> Any:
    """Page "All Orders"."""
    first_id = call.params.whole("orderId") or 0
    rows = call.world.all_orders(
        call.key,
        call.symbol_or_none(),
        start_us=call.params.time_us("startTime"),
        end_us=call.params.end_us(),
        limit=call.params.limit(DEFAULT_ROWS, MOST_ROWS),
    )
    return [wire.queried_order(row) for row in rows if row.order_id >= first_id]


def rate_limits(call: Call) -> Any:
    """Page "Query User Rate Limit"."""
    return order_limits(call.limits)


def _ids(call: Call) -> tuple[int | None, str | None]:
    order_id = call.params.whole("orderId")
    client_id = call.params.optional("origClientOrderId")
    if order_id is None and client_id is None:
        raise missing("orderId")
    return order_id, None if order_id is not None else client_id


def _signed(method: str, path: str, weight: Any, serve: Any, orders: int = 0) -> Route:
    return Route(method, path, Security.SIGNED, weight, serve, orders)


ROUTES = (
    _signed("POST", "/fapi/v1/order", 0, place, orders=1),
    _signed("PUT", "/fapi/v1/order", 0, modify, orders=1),
    _signed("DELETE", "/fapi/v1/order", 1, cancel),
    _signed("GET", "/fapi/v1/order", 1, query),
    _signed("GET", "/fapi/v1/openOrder", 1, query_open),
    _signed("GET", "/fapi/v1/openOrders", by_symbol(1, 40), open_orders),
    _signed("GET", "/fapi/v1/allOrders", 5, all_orders),
    _signed("DELETE", "/fapi/v1/allOpenOrders", 1, cancel_all),
    _signed("POST", "/fapi/v1/batchOrders", 5, place_batch, orders=MOST_IN_BATCH),
    _signed("DELETE", "/fapi/v1/batchOrders", 1, cancel_batch),
    _signed("GET", "/fapi/v1/rateLimit/order", 1, rate_limits),
)
