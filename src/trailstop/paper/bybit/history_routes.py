"""Orders and what became of them: open and closed orders, executions, results, the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from trailstop.paper.bybit import wire_history as wire
from trailstop.paper.bybit.desk import Desk
from trailstop.paper.bybit.errors import bad
from trailstop.paper.bybit.executions import Execution
from trailstop.paper.bybit.paging import Key, listed, page
from trailstop.paper.bybit.params import Params
from trailstop.paper.bybit.routes import Answer, Call, Route, Serve
from trailstop.paper.bybit.spelling import CATEGORY, US_PER_MS
from trailstop.paper.bybit.wire_orders import Row
from trailstop.paper.model import TRAILING_TYPE, Conditional

DEFAULT_ORDERS = 20
MOST_ORDERS = 50
DEFAULT_EXECUTIONS = 50
MOST_EXECUTIONS = 100
RECENT_CLOSED = 500
"""Page "Get Open & Closed Orders": closed orders that it still knows."""
DAY_US = 86_400_000_000
WINDOW_US = 7 * DAY_US
"""Pages of history: longest span of one question, and its default."""
ALL_ROWS = 1 << 31
ENDED_UNFILLED = ("Cancelled", "Rejected", "Deactivated")
"""Kept in the history for a day only."""
OPEN = ("New", "PartiallyFilled", "Untriggered", "Triggered")


def realtime(call: Call) -> Answer:
    """Page "Get Open & Closed Orders": open ones, with conditional orders and position stops."""
    params = call.params
    params.check_category()
    _need_scope(params)
    if _names_one(params):
        rows = list(_chosen(call, _named(call)))
    else:
        rows = list(_chosen(call, _open_orders(call)))
    if params.optional("openOnly") == "1" and not _names_one(params):
        closed = [row for row in _chosen(call, _all_orders(call)) if not _is_open(row[1])]
        rows += sorted(closed, key=lambda row: row[0])[-RECENT_CLOSED:]
    found, cursor = page(rows, params, DEFAULT_ORDERS, MOST_ORDERS)
    return Answer(listed(found, cursor, CATEGORY))


def history(call: Call) -> Answer:
    """Page "Get Order History": what has ended."""
    params = call.params
    params.check_category()
    start_us, end_us = _span(call)
    wanted = params.optional("orderStatus")
    kept_from_us = call.now_us - DAY_US
    rows = [
        (key, row)
        for key, row in _chosen(call, _named(call) if _names_one(params) else _all_orders(call))
        if not _is_open(row)
        and (_names_one(params) or start_us <= key[0] <= end_us)
        and wanted in {None, row["orderStatus"]}
        and (
            row["orderStatus"] not in ENDED_UNFILLED
            or int(row["updatedTime"]) * US_PER_MS >= kept_from_us
        )
    ]
    found, cursor = page(rows, params, DEFAULT_ORDERS, MOST_ORDERS)
    return Answer(listed(found, cursor, CATEGORY))


def executions(call: Call) -> Answer:
    """Page "Get Trade History": newest first."""
    params = call.params
    params.check_category()
    desk = call.desk
    rows = [(_key_of(row), desk.execution_row(row)) for row in _executions(call)]
    order_id, link_id = params.optional("orderId"), params.optional("orderLinkId")
    wanted = params.optional("execType")
    chosen = [
        (key, row)
        for key, row in rows
        if order_id in {None, row["orderId"]}
        and link_id in {None, row["orderLinkId"]}
        and wanted in {None, row["execType"]}
    ]
    found, cursor = page(chosen, params, DEFAULT_EXECUTIONS, MOST_EXECUTIONS)
    return Answer(listed(found, cursor, CATEGORY))


def closed_pnl(call: Call) -> Answer:
    """Page "Get Closed PnL": one row for each order that closed something."""
    call.params.check_category()
    by_order: dict[int, list[Execution]] = {}
    for row in _executions(call):
        if row.order is not None and row.closed:
            by_order.setdefault(row.order.order_id, []).append(row)
    rows = [
        (_key_of(parts[-1]), wire.closed_pnl(parts, call.desk.order_id(parts[-1].order), leverage))
        for parts in by_order.values()
        if parts[-1].order is not None
        for leverage in (call.account.leverage_of(parts[-1].symbol),)
    ]
    found, cursor = page(rows, call.params, DEFAULT_EXECUTIONS, MOST_EXECUTIONS)
    return Answer(listed(found, cursor, CATEGORY))


def transaction_log(call: Call) -> Answer:
    """Page "Get Transaction Log": trades with their fees, and funding."""
    wanted = call.params.optional("type")
    desk = call.desk
    rows = [
        (_key_of(row), spelled)
        for row in _executions(call)
        for spelled in (wire.transaction(row, desk.execution_row(row)),)
        if wanted in {None, spelled["type"]}
    ]
    found, cursor = page(rows, call.params, DEFAULT_ORDERS, MOST_ORDERS)
    return Answer({"nextPageCursor": cursor, "list": found})


# --- Orders -------------------------------------------------------------------------------------


def _open_orders(call: Call) -> Iterator[tuple[Key, Row]]:
    desk = call.desk
    for conditional in call.world.open_conditionals(call.key):
        if conditional.status == "NEW" and not _unborn(conditional):
            yield _conditional(desk, conditional)
    for order in call.world.open_orders(call.key):
        parent = desk.parent_of(order)
        if parent is not None:
            yield _conditional(desk, parent)
        else:
            yield (order.created_us, order.order_id), desk.order_row(order)


def _named(call: Call) -> Iterator[tuple[Key, Row]]:
    """The one order that is asked for by its id."""
    desk = call.desk
    order_id, link_id = call.params.optional("orderId"), call.params.optional("orderLinkId")
    for market in call.markets():
        found = desk.find(call.key, market.symbol, order_id, link_id)
        if found is None:
            continue
        if found.conditional is not None:
            if not _unborn(found.conditional):
                yield _conditional(desk, found.conditional)
        elif found.order is not None:
            yield (found.order.created_us, found.order.order_id), desk.order_row(found.order)
        elif found.entry is not None and found.entry.refused is not None:
            yield (found.entry.accepted_us, 0), found.entry.refused


def _all_orders(call: Call) -> Iterator[tuple[Key, Row]]:
    desk = call.desk
    for conditional in call.world.all_conditionals(call.key, limit=ALL_ROWS):
        if not _unborn(conditional):
            yield _conditional(desk, conditional)
    for order in call.world.all_orders(call.key, limit=ALL_ROWS):
        if order.algo_id is None:
            yield (order.created_us, order.order_id), desk.order_row(order)
    for number, entry in enumerate(desk.refused(call.key)):
        if entry.refused is not None:
            yield (entry.accepted_us, number), entry.refused


def _conditional(desk: Desk, conditional: Conditional) -> tuple[Key, Row]:
    child = desk.child_of(conditional)
    row = desk.conditional_row(conditional) if child is None else desk.order_row(child)
    return (conditional.created_us, conditional.algo_id), row


def _unborn(conditional: Conditional) -> bool:
    """A trailing stop is listed as an order only once it has begun to trail."""
    return bool(conditional.slot) and (
        conditional.type == TRAILING_TYPE
        and conditional.status == "NEW"
        and not conditional.activated
    )


def _chosen(call: Call, rows: Iterator[tuple[Key, Row]]) -> Iterator[tuple[Key, Row]]:
    """Those of the orders that the parameters ask for."""
    params = call.params
    symbols = {market.symbol for market in call.markets()}
    order_id, link_id = params.optional("orderId"), params.optional("orderLinkId")
    wanted = params.optional("orderFilter")
    for key, row in rows:
        stop = bool(row["stopOrderType"])
        if (
            row["symbol"] in symbols
            and order_id in {None, row["orderId"]}
            and link_id in {None, row["orderLinkId"]}
            and not (wanted == "Order" and stop)
            and not (wanted == "StopOrder" and not stop)
            and not (wanted == "tpslOrder" and not row["tpslMode"])
        ):
            yield key, row


def _is_open(row: Row) -> bool:
    return row["orderStatus"] in OPEN


def _names_one(params: Params) -> bool:
    return params.optional("orderId") is not None or params.optional("orderLinkId") is not None


def _need_scope(params: Params) -> None:
    if not any(params.optional(name) for name in ("symbol", "baseCoin", "settleCoin")):
        raise bad("params error: symbol, baseCoin or settleCoin is required")


# --- Executions ---------------------------------------------------------------------------------


def _executions(call: Call) -> list[Execution]:
    """The account's executions in the markets and the time asked for, oldest first."""
    symbols = {market.symbol for market in call.markets()}
    start_us, end_us = _span(call)
    return [
        row
        for row in call.desk.executions.of(call.key)
        if row.symbol in symbols and start_us <= row.time_us <= end_us
    ]


def _key_of(row: Execution) -> Key:
    return row.time_us, row.number


def _span(call: Call) -> tuple[int, int]:
    """Start and end of the question: at most seven days, by default the last ones."""
    start_us, end_us = call.params.time_us("startTime"), call.params.end_us("endTime")
    if start_us is None and end_us is None:
        return call.now_us - WINDOW_US, call.now_us
    if start_us is None:
        assert end_us is not None
        return end_us - WINDOW_US, end_us
    if end_us is None:
        return start_us, start_us + WINDOW_US
    if end_us - start_us > WINDOW_US + US_PER_MS:
        raise bad("The time range between startTime and endTime cannot exceed 7 days")
    return start_us, end_us


def _read(path: str, serve: Serve) -> Route:
    return Route("GET", f"/v5/{path}", serve, lambda limits: limits.reads)


ROUTES = (
    _read("order/realtime", realtime),
    _read("order/history", history),
    _read("execution/list", executions),
    _read("position/closed-pnl", closed_pnl),
    Route(
        "GET",
        "/v5/account/transaction-log",
        transaction_log,
        lambda limits: limits.transaction_log,
    ),
)
