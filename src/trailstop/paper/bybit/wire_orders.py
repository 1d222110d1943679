"""Orders and executions as this exchange spells them, in REST answers and private topics.

Pages "Get Open & Closed Orders", "Get Order History", "Get Trade History", "Order" and
"Execution" (streams). A conditional order that has triggered keeps its id: its row is that of
the plain order which it became, with the trigger beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from msgspec import Struct

from trailstop.paper.bybit.executions import Execution
from trailstop.paper.bybit.spelling import (
    ASSET,
    CATEGORY,
    FALLS,
    POSITION_INDEX,
    RISES,
    SIDES,
    TRIGGER_BY,
    id_text,
    money,
    plain,
    sequence,
    stamp,
    trimmed,
)
from trailstop.paper.model import (
    FULL_SLOTS,
    STOP_TYPES,
    TRAILING_TYPE,
    ZERO,
    Conditional,
    Market,
    Order,
    PositionStopRequest,
)

Row = dict[str, Any]

ORDER_STATUS = {
    "NEW": "New",
    "PARTIALLY_FILLED": "PartiallyFilled",
    "FILLED": "Filled",
    "CANCELED": "Cancelled",
    "EXPIRED": "Cancelled",
    "REJECTED": "Rejected",
}
WAITING_STATUS = {
    "NEW": "Untriggered",
    "TRIGGERING": "Triggered",
    "TRIGGERED": "Triggered",
    "FINISHED": "Triggered",
    "CANCELED": "Cancelled",
    "EXPIRED": "Cancelled",
    "REJECTED": "Rejected",
}
DEACTIVATED = "Deactivated"
"""An ordinary conditional order that ended before its trigger; the page says so of spot and of
conditional orders, so position stops stay Cancelled."""
STOP_ORDER_TYPES = {
    "": "Stop",
    "stop_loss": "StopLoss",
    "take_profit": "TakeProfit",
    "trailing_stop": "TrailingStop",
    "partial_stop_loss": "PartialStopLoss",
    "partial_take_profit": "PartialTakeProfit",
}
CREATE_TYPES = {
    "plain": "CreateByUser",
    "conditional": "CreateByUser",
    "liquidation": "CreateByLiq",
    "adl": "CreateByAdl_PassThrough",
    "settlement": "CreateBySettle",
}
EXEC_TYPES = {"liquidation": "BustTrade", "adl": "AdlTrade", "settlement": "Delivery"}
CLOSED_BY_HAND = "user-"
"""Client ids of what a person does by hand begin with this in the world."""
CREATE_BY_CLOSING = "CreateByClosing"
CANCEL_TYPES = {
    "": "CancelByUser",
    "position_closed": "CancelByTpSlTsClear",
    "replaced": "CancelByUser",
    "liquidation": "CancelByPrepareLiq",
    "settlement": "CancelBySettle",
    "exchange": "CancelByAdmin",
    "margin": "UNKNOWN",
}
CANCEL_BY_USER = "CancelByUser"
CANCEL_BY_REDUCE_ONLY = "CancelByReduceOnly"
NO_CANCEL = "UNKNOWN"
NO_ERROR = "EC_NoError"
NOT_FILLED_AT_ONCE = "EC_NoImmediateQtyToFill"
LATE_CANCEL = "EC_OrigClOrdIDDoesNotExist"
OTHER_REASON = "EC_Others"
REDUCE_ONLY_REASON = "EC_NoEnoughQtyToFill"
POST_ONLY_REASON = "EC_PostOnlyWillTakeLiquidity"
TIMES_IN_FORCE = {"GTX": "PostOnly"}
SLIPPAGE_CAP = Decimal("0.05")
"""How far from the price a market order may fill; its row shows that as its price."""


class Known(Struct, frozen=True, kw_only=True):
    """What this dialect knows of an order beyond the world's record of it."""

    order_id: str
    market: Market
    link_id: str = ""
    last_price: Decimal | None = None
    """The last price when the order was accepted; None for one that came in another way."""
    held: Decimal = ZERO
    """Size of the position now: what a stop for the whole position would close."""
    executions: Sequence[Execution] = ()
    stops: PositionStopRequest | None = None
    """Stops that the position gets when the order has filled."""


def order_row(known: Known, order: Order, parent: Conditional | None = None) -> Row:
    """A plain order, or with `parent` what a triggered conditional order has become."""
    leaves = order.quantity - order.filled if order.live else ZERO
    market = order.type == "MARKET"
    price = _cap(known, order) if market else plain(order.price)
    fee = sum((row.fee for row in known.executions), ZERO)
    cancel_type, reason = _end_of(order)
    return _trigger_part(parent, known.market) | {
        **_head(known, order, "Market" if market else "Limit"),
        "price": price,
        "qty": plain(order.quantity),
        "timeInForce": _time_in_force(order.type, order.time_in_force),
        "orderStatus": ORDER_STATUS[order.status],
        "cancelType": cancel_type,
        "rejectReason": reason,
        "avgPrice": trimmed(order.average_price) if order.filled else "",
        "leavesQty": trimmed(leaves),
        "leavesValue": trimmed(leaves * order.price),
        "cumExecQty": trimmed(order.filled),
        "cumExecValue": trimmed(order.filled_notional),
        "cumExecFee": money(fee),
        "cumFeeDetail": {ASSET: money(fee)} if known.executions else {},
        "reduceOnly": order.reduces,
        "closeOnTrigger": parent is not None and _closes_on_trigger(parent),
        "createType": create_type(order, parent),
        "createdTime": stamp(parent.created_us if parent is not None else order.created_us),
        "updatedTime": stamp(order.updated_us),
    }


def conditional_row(known: Known, conditional: Conditional) -> Row:
    """A conditional order that has not triggered, or that ended without becoming an order."""
    quantity = known.held if conditional.quantity is None else conditional.quantity
    live = conditional.status == "NEW"
    leaves = quantity if live else ZERO
    limited = conditional.price is not None
    cancel_type, reason = _end_of_conditional(conditional)
    value = leaves * (conditional.price or trigger_price(conditional, known.market) or ZERO)
    return _trigger_part(conditional, known.market) | {
        **_head(known, conditional, "Limit" if limited else "Market"),
        "price": plain(conditional.price) if limited else "",
        "qty": plain(quantity),
        "timeInForce": _time_in_force("LIMIT" if limited else "MARKET", conditional.time_in_force),
        "orderStatus": conditional_status(conditional),
        "cancelType": cancel_type,
        "rejectReason": reason,
        "avgPrice": "",
        "leavesQty": trimmed(leaves),
        "leavesValue": trimmed(value),
        "cumExecQty": "0",
        "cumExecValue": "0",
        "cumExecFee": "0",
        "cumFeeDetail": {},
        "reduceOnly": conditional.reduces,
        "closeOnTrigger": _closes_on_trigger(conditional),
        "createType": create_type(None, conditional),
        "createdTime": stamp(conditional.created_us),
        "updatedTime": stamp(conditional.updated_us),
    }


def order_event(row: Row, executions: Sequence[Execution] = ()) -> Row:
    """A row as the topic `order` carries it."""
    closed = sum(
        (part.realized - part.open_fee - part.close_fee for part in executions if part.closed), ZERO
    )
    return row | {"category": CATEGORY, "feeCurrency": ASSET, "closedPnl": money(closed)}


def late_cancel(row: Row) -> Row:
    """The second row of an order that was filled while its cancel was on its way."""
    return row | {"cancelType": CANCEL_BY_USER, "rejectReason": LATE_CANCEL}


def execution_row(
    execution: Execution, order_id: str, link_id: str, parent: Conditional | None
) -> Row:
    """One execution, in the list and in the topic `execution`.

    Funding has no order; its row carries the side and size of the position that paid.
    """
    order = execution.order
    funding = order is None
    return {
        "category": CATEGORY,
        "symbol": execution.symbol,
        "orderId": order_id,
        "orderLinkId": link_id,
        "side": SIDES[execution.side],
        "orderPrice": "0" if order is None or order.type == "MARKET" else plain(order.price),
        "orderQty": "0" if order is None else plain(order.quantity),
        "leavesQty": "0" if order is None else trimmed(order.quantity - order.filled),
        "orderType": "UNKNOWN" if order is None else _order_type(order),
        "stopOrderType": "UNKNOWN" if parent is None else STOP_ORDER_TYPES[parent.slot],
        "createType": "" if order is None else create_type(order, parent),
        "execId": id_text(execution.number),
        "execPrice": plain(execution.price),
        "execQty": plain(execution.quantity),
        "execValue": trimmed(execution.price * execution.quantity),
        "execType": "Funding" if order is None else EXEC_TYPES.get(order.source, "Trade"),
        "execFee": money(execution.fee),
        "feeRate": trimmed(execution.fee_rate),
        "feeCurrency": "",
        "execPnl": money(execution.realized) if execution.closed else "0",
        "closedSize": "" if funding else trimmed(execution.closed),
        "isMaker": execution.maker,
        "isLeverage": "0",
        "markPrice": plain(execution.mark),
        "indexPrice": "",
        "underlyingPrice": "",
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "extraFees": "",
        "execTime": stamp(execution.time_us),
        "seq": sequence(execution.time_us),
    }


def fast_execution_row(row: Row) -> Row:
    """An execution as the topic `execution.fast` carries it: without fees and types."""
    names = (
        "category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker",
        "orderLinkId", "side", "execTime", "seq",
    )  # fmt: skip
    return {name: row[name] for name in names}


def create_type(order: Order | None, parent: Conditional | None) -> str:
    """Who or what made the order."""
    if parent is not None:
        return f"CreateBy{STOP_ORDER_TYPES[parent.slot]}" if parent.slot else "CreateByUser"
    if order is None:
        return "CreateByUser"
    if order.reduces and order.source == "plain" and order.client_id.startswith(CLOSED_BY_HAND):
        return CREATE_BY_CLOSING
    return CREATE_TYPES[order.source]


def conditional_status(conditional: Conditional) -> str:
    """The status of a conditional order that is no plain order yet."""
    if conditional.status == "REJECTED" and conditional.cancel_reason == "margin":
        return "Cancelled"
    if conditional.status in ("CANCELED", "EXPIRED") and not conditional.slot:
        return DEACTIVATED
    return WAITING_STATUS[conditional.status]


def trigger_price(conditional: Conditional, market: Market) -> Decimal | None:
    """Where the order fires; for a trailing stop that waits, where it begins to trail."""
    if conditional.type != TRAILING_TYPE:
        return conditional.trigger_price
    distance, extreme = conditional.distance, conditional.extreme
    if distance is None or extreme is None or not conditional.activated:
        return conditional.activate_price
    level = extreme - distance if conditional.side == "SELL" else extreme + distance
    return level.quantize(market.tick_size)


def rises(conditional: Conditional) -> bool:
    """Whether the order waits for a rise of the price."""
    if conditional.trigger_rises is not None:
        return conditional.trigger_rises
    stop = conditional.type in STOP_TYPES or conditional.type == TRAILING_TYPE
    return (conditional.side == "BUY") == stop


def _head(known: Known, order: Order | Conditional, order_type: str) -> Row:
    stops = known.stops
    return {
        "symbol": order.symbol,
        "orderId": known.order_id,
        "orderLinkId": known.link_id,
        "blockTradeId": "",
        "side": SIDES[order.side],
        "orderType": order_type,
        "positionIdx": POSITION_INDEX[order.position_side],
        "lastPriceOnCreated": plain(known.last_price),
        "isLeverage": "",
        "orderIv": "",
        "placeType": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "0",
        "extraFees": "",
        "takeProfit": plain(stops.take_profit) if stops else "",
        "stopLoss": plain(stops.stop_loss) if stops else "",
        "tpTriggerBy": TRIGGER_BY[stops.take_profit_working_type] if stops else "",
        "slTriggerBy": TRIGGER_BY[stops.stop_loss_working_type] if stops else "",
        "tpLimitPrice": "0",
        "slLimitPrice": "0",
    }


def _trigger_part(parent: Conditional | None, market: Market) -> Row:
    if parent is None:
        return {
            "stopOrderType": "",
            "tpslMode": "",
            "triggerPrice": "",
            "triggerDirection": 0,
            "triggerBy": "",
        }
    mode = ""
    if parent.slot:
        mode = "Full" if parent.slot in FULL_SLOTS else "Partial"
    return {
        "stopOrderType": STOP_ORDER_TYPES[parent.slot],
        "tpslMode": mode,
        "triggerPrice": plain(trigger_price(parent, market)),
        "triggerDirection": RISES if rises(parent) else FALLS,
        "triggerBy": TRIGGER_BY[parent.working_type],
    }


def _closes_on_trigger(conditional: Conditional) -> bool:
    return bool(conditional.slot) or conditional.close_on_trigger or conditional.close_position


def _end_of(order: Order) -> tuple[str, str]:
    """Cancel type and reject reason of an order."""
    if order.status not in ("CANCELED", "EXPIRED"):
        return NO_CANCEL, NO_ERROR
    if order.status == "EXPIRED" and not order.cancel_reason:
        if order.time_in_force in ("IOC", "FOK"):
            return NO_CANCEL, NOT_FILLED_AT_ONCE
        return CANCEL_BY_REDUCE_ONLY, NO_ERROR
    if order.cancel_reason == "position_closed":
        return CANCEL_BY_REDUCE_ONLY, NO_ERROR
    return CANCEL_TYPES[order.cancel_reason], NO_ERROR


def _end_of_conditional(conditional: Conditional) -> tuple[str, str]:
    if conditional.status == "REJECTED":
        return NO_CANCEL, OTHER_REASON
    if conditional.status in ("CANCELED", "EXPIRED"):
        return CANCEL_TYPES[conditional.cancel_reason], NO_ERROR
    return NO_CANCEL, NO_ERROR


def _order_type(order: Order) -> str:
    return "Market" if order.type == "MARKET" else "Limit"


def _time_in_force(kind: str, time_in_force: str) -> str:
    return "IOC" if kind == "MARKET" else TIMES_IN_FORCE.get(time_in_force, time_in_force)


def _cap(known: Known, order: Order) -> str:
    """The worst price that a market order may have: on the tick inside the cap."""
    start = known.last_price or order.average_price
    if not start:
        return ""
    tick = known.market.tick_size
    if order.side == "BUY":
        return plain((start * (1 + SLIPPAGE_CAP) / tick).to_integral_value(ROUND_FLOOR) * tick)
    return plain((start * (1 - SLIPPAGE_CAP) / tick).to_integral_value(ROUND_CEILING) * tick)
