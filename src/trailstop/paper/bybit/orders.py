"""Order entry: create, amend, cancel and their batches, for REST and for the socket alike.

Pages "Place Order", "Amend Order", "Cancel Order", "Batch Place Order" and so on. A call is
checked and answered at once; it has its effect `BybitLimits.async_ms` later. Who calls `perform`
brings the world to the present first (`Exchange.sync`) and passes on afterwards what happened
(`Exchange.tell`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from trailstop.paper.bybit import order_checks as checks
from trailstop.paper.bybit.desk import Desk, Entry, Found
from trailstop.paper.bybit.errors import (
    ORDER_NOT_EXISTS,
    ApiError,
    bad,
)
from trailstop.paper.bybit.order_requests import (
    conditional_request,
    order_requests,
    refused_conditional,
    refused_order,
)
from trailstop.paper.bybit.params import Params
from trailstop.paper.bybit.routes import Answer, Call, Route
from trailstop.paper.bybit.spelling import CATEGORY, US_PER_MS
from trailstop.paper.model import (
    Conditional,
    ConditionalRequest,
    Order,
    OrderRequest,
    Rejection,
)
from trailstop.paper.world import World

Row = dict[str, Any]
MOST_IN_BATCH = 20


class Performed(Struct, frozen=True):
    """An answered order call: result, `retExtInfo`, and the headers that tell the limit."""

    result: Any
    notes: Any
    headers: dict[str, str]


def perform(desk: Desk, key: str, operation: str, raw: dict[str, Any]) -> Performed:
    """Do one order call, such as `order.create`, for an account; raises ApiError."""
    world = desk.exchange.world
    serve = OPERATIONS[operation]
    call = Call(world, Params(raw), world.accounts[key], desk)
    headers = desk.calls.take(
        key,
        operation,
        desk.limits.orders,
        desk.exchange.skew.now_ms,
        batch_size(call.params),
        writes=True,
    )
    try:
        answer = serve(call)
    except ApiError as error:
        error.__traceback__ = None
        raise ApiError(error.ret_code, error.text, error.status, headers) from None
    return Performed(answer.result, answer.notes or {}, headers)


def batch_size(params: Params) -> int:
    """How many orders a call holds."""
    rows = params.raw.get("request")
    return max(1, len(rows)) if isinstance(rows, list) else 1


# --- Create -------------------------------------------------------------------------------------


def create(call: Call) -> Answer:
    """Page "Place Order"."""
    return Answer(_create(call))


def _create(call: Call) -> Row:
    call.params.check_category()
    wish = checks.read_wish(call)
    checks.check_wish(call, wish)
    entry = call.desk.accept(
        call.key,
        wish.market.symbol,
        wish.link_id,
        conditional=wish.conditional,
        stops=wish.stops,
    )
    if wish.conditional:
        request = conditional_request(call, wish)
        call.desk.later(lambda world: _place_conditional(call.desk, world, entry, request))
    else:
        requests = order_requests(call, wish)
        call.desk.later(lambda world: _place_orders(call.desk, world, entry, requests))
    return {"orderId": entry.order_id, "orderLinkId": entry.link_id}


def _place_orders(desk: Desk, world: World, entry: Entry, requests: list[OrderRequest]) -> None:
    """Let the world take an order; what is larger than one order may be follows in parts."""
    for number, request in enumerate(requests):
        part = entry
        if number:
            part = desk.accept(entry.account, entry.symbol)
        try:
            order = world.place_order(entry.account, request)
        except Rejection as rejection:
            desk.refuse(part, refused_order(world, part, request, rejection))
            return
        desk.entered(part, order.order_id)


def _place_conditional(desk: Desk, world: World, entry: Entry, request: ConditionalRequest) -> None:
    try:
        conditional = world.place_conditional(entry.account, request)
    except Rejection as rejection:
        desk.refuse(entry, refused_conditional(world, entry, request, rejection))
        return
    desk.entered(entry, conditional.algo_id)


# --- Amend --------------------------------------------------------------------------------------


def amend(call: Call) -> Answer:
    """Page "Amend Order": only what is given changes, in place."""
    return Answer(_amend(call))


def _amend(call: Call) -> Row:
    call.params.check_category()
    symbol, found = _named(call)
    change = checks.read_change(call, found)
    desk, key = call.desk, call.key

    def change_now(world: World) -> None:
        now = desk.find(key, symbol, *_ids(call.params))
        if now is None or not now.live:
            return
        try:
            if now.order is not None:
                world.amend_order(
                    key,
                    symbol,
                    now.order.order_id,
                    quantity=change.quantity,
                    price=change.price,
                )
            elif now.conditional is not None:
                world.amend_conditional(
                    key,
                    now.conditional.algo_id,
                    trigger_price=change.trigger_price,
                    quantity=change.quantity,
                    price=change.price,
                    working_type=change.working_type,
                )
        except Rejection:
            # The order stays as it is, and that is what its topic and its row go on to say.
            return

    desk.later(change_now)
    return _ack(desk, found)


# --- Cancel -------------------------------------------------------------------------------------


def cancel(call: Call) -> Answer:
    """Page "Cancel Order"."""
    return Answer(_cancel(call))


def _cancel(call: Call) -> Row:
    call.params.check_category()
    symbol, found = _named(call)
    desk, key = call.desk, call.key
    desk.later(
        lambda world: _cancel_now(desk, world, key, desk.find(key, symbol, *_ids(call.params)))
    )
    return _ack(desk, found)


def _cancel_now(desk: Desk, world: World, key: str, found: Found | None) -> None:
    if found is None:
        return
    order, conditional = found.order, found.conditional
    if order is not None and order.live:
        world.cancel_order(key, order.symbol, order.order_id)
    elif order is not None and order.status == "FILLED":
        desk.came_late(order)
    elif conditional is not None and conditional.status == "NEW":
        world.cancel_conditional(key, conditional.algo_id)


def cancel_all(call: Call) -> Answer:
    """Page "Cancel All Orders": without a filter conditional orders and position stops too."""
    call.params.check_category()
    if not any(call.params.optional(name) for name in ("symbol", "baseCoin", "settleCoin")):
        raise bad("params error: symbol, baseCoin or settleCoin is required")
    chosen = call.params.optional("orderFilter")
    only_stops = call.params.optional("stopOrderType") == "Stop"
    symbols = {market.symbol for market in call.markets()}
    found: list[Order | Conditional] = []
    if chosen in {None, "Order"}:
        found += [
            row
            for row in call.world.open_orders(call.key)
            if row.symbol in symbols and (chosen is None or row.algo_id is None)
        ]
    if chosen != "Order":
        found += [
            row
            for row in call.world.open_conditionals(call.key)
            if row.symbol in symbols
            and row.status == "NEW"
            and not (row.slot and chosen is not None and only_stops)
            and not (chosen == "tpslOrder" and not row.slot)
        ]
    desk, key = call.desk, call.key
    for row in found:
        named = Found(None, row) if isinstance(row, Order) else Found(None, None, row)
        desk.later(lambda world, named=named: _cancel_now(desk, world, key, named))  # type: ignore[misc]
    rows = [{"orderId": desk.order_id(row), "orderLinkId": desk.link_id(row)} for row in found]
    return Answer({"list": rows, "success": "1"})


# --- Batches ------------------------------------------------------------------------------------


def create_batch(call: Call) -> Answer:
    """Page "Batch Place Order"."""
    return _batch(call, _create, with_time=True)


def amend_batch(call: Call) -> Answer:
    """Page "Batch Amend Order"."""
    return _batch(call, _amend)


def cancel_batch(call: Call) -> Answer:
    """Page "Batch Cancel Order"."""
    return _batch(call, _cancel)


def _batch(call: Call, serve: Callable[[Call], Row], *, with_time: bool = False) -> Answer:
    """Every order has its own row in the result and its own code in the notes."""
    call.params.check_category()
    wishes = call.params.raw.get("request")
    if not isinstance(wishes, list) or not 0 < len(wishes) <= MOST_IN_BATCH:
        raise bad(f"params error: request must hold 1 to {MOST_IN_BATCH} orders")
    rows, notes = [], []
    for wish in wishes:
        if not isinstance(wish, dict):
            raise bad("params error: request must hold objects")
        row = {
            "category": CATEGORY,
            "symbol": str(wish.get("symbol", "")),
            "orderId": "",
            "orderLinkId": "",
        }
        created = ""
        try:
            row |= serve(call.single({"category": CATEGORY, **wish}))
        except ApiError as error:
            # Refusals without a variable part are raised again; their trace would grow.
            error.__traceback__ = None
            notes.append({"code": error.ret_code, "msg": error.text})
        else:
            notes.append({"code": 0, "msg": "OK"})
            created = str(call.now_us // US_PER_MS)
        rows.append(row | {"createAt": created} if with_time else row)
    return Answer({"list": rows}, {"list": notes})


# --- Shared -------------------------------------------------------------------------------------


def _named(call: Call) -> tuple[str, Found]:
    """The live order that a call names; ApiError 110001 for any other."""
    symbol = call.market().symbol
    order_id, link_id = _ids(call.params)
    if order_id is None and link_id is None:
        raise bad("params error: orderId or orderLinkId is required")
    found = call.desk.find(call.key, symbol, order_id, link_id)
    if found is None or not found.live:
        raise ORDER_NOT_EXISTS
    return symbol, found


def _ids(params: Params) -> tuple[str | None, str | None]:
    return params.optional("orderId"), params.optional("orderLinkId")


def _ack(desk: Desk, found: Found) -> Row:
    if found.entry is not None:
        return {"orderId": found.entry.order_id, "orderLinkId": found.entry.link_id}
    order = found.conditional or found.order
    assert order is not None, "an order that was found is known somewhere"
    return {"orderId": desk.order_id(order), "orderLinkId": desk.link_id(order)}


OPERATIONS: dict[str, Callable[[Call], Answer]] = {
    "order.create": create,
    "order.amend": amend,
    "order.cancel": cancel,
    "order.create-batch": create_batch,
    "order.amend-batch": amend_batch,
    "order.cancel-batch": cancel_batch,
}
ROUTES = (
    *(
        Route(
            "POST",
            f"/v5/{operation.replace('.', '/')}",
            serve,
            lambda limits: limits.orders,
            batch_size,
            limited_as=operation,
        )
        for operation, serve in OPERATIONS.items()
    ),
    Route("POST", "/v5/order/cancel-all", cancel_all, lambda limits: limits.orders),
)
