"""Orders as this exchange spells them in REST answers; each function names its pages."""

from __future__ import annotations

from typing import Any

from trailstop.paper.binance.spelling import (
    SELF_TRADE,
    WORKING_TYPES,
    conditional_time_in_force,
    ms,
    plain,
)
from trailstop.paper.model import Conditional, Order

Row = dict[str, Any]


def placed_order(order: Order) -> Row:
    """Pages "New Order", "Modify Order" and "Cancel Order".

    Without `avgPrice` and `cumQuote`, which left these answers in 2026-07.
    """
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "pair": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": plain(order.price),
        "origQty": plain(order.quantity),
        "executedQty": plain(order.filled),
        "cumQty": plain(order.filled),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.original_type or order.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": SELF_TRADE,
        "goodTillDate": 0,
        "updateTime": ms(order.updated_us),
    }


def queried_order(order: Order) -> Row:
    """Pages "Query Order", "All Orders" and "Current All Open Orders"."""
    return placed_order(order) | {
        "avgPrice": plain(order.average_price),
        "cumQuote": plain(order.filled_notional),
        "time": ms(order.created_us),
    }


def placed_conditional(row: Conditional) -> Row:
    """Page "New Algo Order"."""
    trailing = row.callback_rate is not None
    return {
        "algoId": row.algo_id,
        "clientAlgoId": row.client_id,
        "algoType": "CONDITIONAL",
        "orderType": row.type,
        "symbol": row.symbol,
        "side": row.side,
        "positionSide": row.position_side,
        "timeInForce": conditional_time_in_force(row),
        "quantity": plain(row.quantity),
        "algoStatus": row.status,
        "triggerPrice": plain(row.trigger_price),
        "price": plain(row.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": SELF_TRADE,
        "workingType": WORKING_TYPES[row.working_type],
        "priceMatch": "NONE",
        "closePosition": row.close_position,
        "priceProtect": row.price_protect,
        "reduceOnly": row.reduce_only or row.close_position,
        "activatePrice": plain(row.activate_price) if trailing else "",
        "callbackRate": plain(row.callback_rate) if trailing else "",
        "createTime": ms(row.created_us),
        "updateTime": ms(row.updated_us),
        "triggerTime": ms(row.triggered_us),
        "goodTillDate": 0,
    }


def queried_conditional(row: Conditional) -> Row:
    """Pages "Query Algo Order", "Current All Algo Open Orders" and "Query All Algo Orders"."""
    return placed_conditional(row) | {
        "actualOrderId": "" if row.child_order_id is None else str(row.child_order_id),
        "actualPrice": plain(row.average_price),
        "actualType": row.child_type,
        "actualQty": plain(row.filled),
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
    }


def cancelled_conditional(row: Conditional) -> Row:
    """Page "Cancel Algo Order"; its `code` is a text."""
    return {
        "algoId": row.algo_id,
        "clientAlgoId": row.client_id,
        "code": "200",
        "msg": "success",
    }
