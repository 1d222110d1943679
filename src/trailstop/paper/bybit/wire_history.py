"""Results and the ledger as this exchange spells them; each function names its page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from trailstop.paper.bybit.executions import Execution
from trailstop.paper.bybit.spelling import CATEGORY, SIDES, money, plain, stamp, trimmed
from trailstop.paper.bybit.wire_orders import EXEC_TYPES, Row
from trailstop.paper.model import ZERO


def closed_pnl(parts: Sequence[Execution], order_id: str, leverage: int) -> Row:
    """Page "Get Closed PnL": the executions of one order that closed; net of both fees."""
    last = parts[-1]
    closed = sum((part.closed for part in parts), ZERO)
    exit_value = sum((part.price * part.closed for part in parts), ZERO)
    # A long was sold above its entry by what it realised, a short was bought below it.
    sold = 1 if last.side == "SELL" else -1
    entry_value = exit_value - sold * sum((part.realized for part in parts), ZERO)
    open_fee = sum((part.open_fee for part in parts), ZERO)
    close_fee = sum((part.close_fee for part in parts), ZERO)
    realized = sum((part.realized for part in parts), ZERO)
    order = last.order
    assert order is not None, "funding closes nothing"
    return {
        "symbol": last.symbol,
        "orderId": order_id,
        "orderType": "Market" if order.type == "MARKET" else "Limit",
        "side": SIDES[last.side],
        "qty": plain(order.quantity),
        "orderPrice": plain(order.price),
        "execType": EXEC_TYPES.get(order.source, "Trade"),
        "leverage": str(leverage),
        "closedSize": trimmed(closed),
        "cumEntryValue": money(entry_value),
        "avgEntryPrice": money(entry_value / closed),
        "cumExitValue": money(exit_value),
        "avgExitPrice": money(exit_value / closed),
        "closedPnl": money(realized - open_fee - close_fee),
        "openFee": money(open_fee),
        "closeFee": money(close_fee),
        "fillCount": str(len(parts)),
        "createdTime": stamp(parts[0].time_us),
        "updatedTime": stamp(last.time_us),
    }


def transaction(execution: Execution, row: Row) -> Row:
    """Page "Get Transaction Log"; `row` is the execution itself."""
    funding = execution.order is None
    fee: Decimal = ZERO if funding else execution.fee
    change = -execution.fee if funding else execution.realized - execution.fee
    return {
        "id": row["execId"],
        "symbol": execution.symbol,
        "category": CATEGORY,
        "side": row["side"],
        "transactionTime": row["execTime"],
        "type": "SETTLEMENT" if funding else "TRADE",
        "transSubType": "",
        "qty": row["execQty"],
        "size": trimmed(execution.size),
        "currency": "USDT",
        "tradePrice": row["execPrice"],
        "funding": money(-execution.fee) if funding else "",
        "fee": money(fee),
        "cashFlow": "0" if funding else money(execution.realized),
        "change": money(change),
        "cashBalance": money(execution.wallet),
        "feeRate": row["feeRate"],
        "bonusChange": "",
        "tradeId": row["execId"],
        "orderId": row["orderId"],
        "orderLinkId": row["orderLinkId"],
        "extraFees": "",
    }
