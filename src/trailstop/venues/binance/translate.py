"""From Binance's payloads to the domain. Pure.

What cannot be understood raises `ValueError`, whose text names the symbol and the field: one
malformed row makes a read fail, since a position left out would look flat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Literal

from trailstop.domain.position import Leg, Position, Role
from trailstop.domain.price import Side
from trailstop.errors import ConfigError
from trailstop.guard.snapshot import RestingStop
from trailstop.ports import (
    Bar,
    Execution,
    ExecutionReport,
    FundingBooked,
    LookedUp,
    OrderState,
    Origin,
    PositionReport,
    StopReport,
)
from trailstop.venues.binance import wire
from trailstop.venues.decoding import ZERO, number, stated

VENUE = "binance"


# --- positions ----------------------------------------------------------------------------
def leg_of(account: str, symbol: str, position_side: str) -> Leg:
    """The leg of a row; BOTH in one-way mode. ValueError for a side not known."""
    if position_side not in {"BOTH", "LONG", "SHORT"}:
        raise ValueError(f"{symbol}: position side {position_side!r} is not known")
    return Leg(account, VENUE, symbol, position_side.lower())


def positions(account: str, rows: Iterable[wire.PositionRow]) -> dict[Leg, Position]:
    """Open positions by leg. ValueError for a row that makes no sense."""
    found: dict[Leg, Position] = {}
    for row in rows:
        leg = leg_of(account, row.symbol, row.position_side)
        if not row.position_amt.is_finite():
            raise ValueError(f"{leg}: positionAmt {row.position_amt} is no number")
        if row.position_amt == 0:
            continue
        if leg in found:
            raise ValueError(f"{leg}: two rows for one position")
        liquidation, entry = row.liquidation_price, stated(row.entry_price)
        try:
            found[leg] = Position(
                side=Side.LONG if row.position_amt > 0 else Side.SHORT,
                entry_price=entry or stated(row.mark_price) or ZERO,
                quantity=abs(row.position_amt),
                liquidation_price=liquidation if liquidation > 0 else None,
                entry_known=entry is not None,
            )
        except (ConfigError, InvalidOperation) as error:
            raise ValueError(f"{leg}: {error}") from error
    return found


# --- stops --------------------------------------------------------------------------------
STOP_KINDS = frozenset({"STOP_MARKET", "STOP", "TRAILING_STOP_MARKET"})
"""Conditional orders that limit a loss; the take-profits are the others."""

ALGO_STATES = {
    "NEW": OrderState.RESTING,
    "WORKING": OrderState.RESTING,
    "TRIGGERING": OrderState.TRIGGERED,
    "TRIGGERED": OrderState.TRIGGERED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
}
"""`algoStatus`; FINISHED is left out since its meaning depends on what was filled."""

ORDER_STATES = {
    "NEW": OrderState.RESTING,
    "PARTIALLY_FILLED": OrderState.RESTING,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.CANCELLED,
    "EXPIRED_IN_MATCH": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
}


def algo_state(status: str, filled: Decimal) -> OrderState:
    """What an `algoStatus` means. FINISHED says that the child order is over, no more."""
    if status == "FINISHED":
        return OrderState.FILLED if filled > 0 else OrderState.CANCELLED
    if status not in ALGO_STATES:
        raise ValueError(f"algoStatus {status!r} is not known")
    return ALGO_STATES[status]


def _reduced_side(side: str, position_side: str, reducing: bool) -> Side | None:
    """Which side an order can only reduce; None where it could open or add."""
    reduced = {"SELL": Side.LONG, "BUY": Side.SHORT}.get(side)
    if position_side == "BOTH":
        return reduced if reducing else None
    return reduced if reduced is not None and reduced.value == position_side.lower() else None


def can_only_reduce(order: wire.Order) -> bool:
    """Whether a plain order can make no position larger: by its flags, or by its hedge leg."""
    flagged = order.reduce_only or order.close_position
    return _reduced_side(order.side, order.position_side, flagged) is not None


def _role(client_id: str, close_position: bool, own_prefix: str) -> Role:
    if not client_id.startswith(own_prefix):
        return Role.FOREIGN
    return Role.BACKSTOP if close_position else Role.WORKING


def resting_stop(
    account: str, order: wire.AlgoOrder, own_prefix: str, triggered: bool = False
) -> RestingStop | None:
    """A conditional order as a stop, or None where it is no stop that can only reduce.

    A trailing order of somebody else has no trigger price that one could rely on before it
    shows one, so it does not count until then.
    """
    if (order.order_type or order.kind) not in STOP_KINDS:
        return None
    side = _reduced_side(order.side, order.position_side, order.reduce_only or order.close_position)
    price = number(order.trigger_price, f"{order.symbol}: triggerPrice")
    if side is None or price <= 0:
        return None
    return RestingStop(
        leg=leg_of(account, order.symbol, order.position_side),
        side=side,
        order_id=str(order.algo_id),
        client_id=order.client_algo_id,
        role=_role(order.client_algo_id, order.close_position, own_prefix),
        price=price,
        quantity=None
        if order.close_position
        else number(order.quantity, f"{order.symbol}: quantity"),
        created_at_ms=order.create_time,
        triggered=triggered or order.algo_status in {"TRIGGERING", "TRIGGERED"},
    )


def looked_up_stop(order: wire.AlgoOrder) -> LookedUp:
    """What became of a conditional order."""
    filled = number(order.actual_qty, f"{order.symbol}: actualQty")
    average = number(order.actual_price, f"{order.symbol}: actualPrice")
    return LookedUp(
        state=algo_state(order.algo_status, filled),
        order_id=str(order.algo_id),
        price=number(order.trigger_price, f"{order.symbol}: triggerPrice"),
        quantity=None
        if order.close_position
        else number(order.quantity, f"{order.symbol}: quantity"),
        at_ms=order.create_time,
        filled=filled,
        average_price=average if average > 0 else None,
    )


def looked_up_order(order: wire.Order) -> LookedUp:
    """What became of a plain order."""
    if order.status not in ORDER_STATES:
        raise ValueError(f"{order.symbol}: order status {order.status!r} is not known")
    return LookedUp(
        state=ORDER_STATES[order.status],
        order_id=str(order.order_id),
        price=order.price if order.price > 0 else None,
        quantity=order.orig_qty,
        at_ms=order.update_time,
        filled=order.executed_qty,
        average_price=order.avg_price or None,
    )


# --- fills, candles -----------------------------------------------------------------------
def _direction(side: str) -> Literal["buy", "sell"]:
    if side not in {"BUY", "SELL"}:
        raise ValueError(f"order side {side!r} is not known")
    return "buy" if side == "BUY" else "sell"


ORIGINS = (
    ("autoclose-", Origin.LIQUIDATION),
    ("adl_autoclose", Origin.ADL),
    ("settlement_autoclose-", Origin.SETTLEMENT),
)
"""How the exchange names its own orders, page `user-data-streams/Event-Order-Update`, 2026-11."""


def origin(client_id: str) -> Origin:
    """Who made an order, as far as its client id says so."""
    return next((made for name, made in ORIGINS if client_id.startswith(name)), Origin.ORDER)


def execution(trade: wire.UserTrade, client_id: str) -> Execution:
    """One fill from the trade list, joined with its order's client id."""
    return Execution(
        execution_id=str(trade.id),
        order_id=str(trade.order_id),
        client_id=client_id,
        symbol=trade.symbol,
        position_side=trade.position_side.lower(),
        direction=_direction(trade.side),
        price=trade.price,
        quantity=trade.qty,
        fee=trade.commission,
        fee_asset=trade.commission_asset,
        realized=trade.realized_pnl,
        at_ms=trade.time,
        origin=origin(client_id),
    )


def bar(row: wire.Kline, now_ms: int) -> Bar:
    """One candle; it is closed once its last millisecond is over by the exchange's clock."""
    return Bar(row.open_time, row.open, row.high, row.low, row.close, row.close_time < now_ms)


# --- account stream -----------------------------------------------------------------------
def stop_report(account: str, update: wire.AlgoUpdate, own_prefix: str) -> StopReport | None:
    """What an ALGO_UPDATE says of a stop; None for orders that are no stops.

    An order of ours is told even where its reduce-only flag were missing, so that nobody
    waits for it in vain.
    """
    order = update.order
    if order.kind not in STOP_KINDS:
        return None
    ours = order.client_id.startswith(own_prefix)
    reducing = ours or order.reduce_only or order.close_position
    side = _reduced_side(order.side, order.position_side, reducing)
    price = number(order.trigger_price, f"{order.symbol}: tp")
    if side is None or price <= 0:
        return None
    state = algo_state(order.status, number(order.filled, f"{order.symbol}: aq"))
    stop = RestingStop(
        leg=leg_of(account, order.symbol, order.position_side),
        side=side,
        order_id=str(order.algo_id),
        client_id=order.client_id,
        role=_role(order.client_id, order.close_position, own_prefix),
        price=price,
        quantity=None if order.close_position else number(order.quantity, f"{order.symbol}: q"),
        created_at_ms=update.at_ms,
        triggered=state is OrderState.TRIGGERED,
    )
    told = order.status == "REJECTED"
    return StopReport(stop, state, (order.reject_reason or "") if told else "", update.at_ms)


def account_reports(
    account: str, update: wire.AccountUpdate
) -> list[PositionReport | FundingBooked]:
    """What an ACCOUNT_UPDATE says of positions, and of funding where that is its reason.

    In hedge mode a symbol's rows are LONG, SHORT and an empty BOTH, which is no news there.
    Funding is the change of balance, of the symbol that the event names; a cross position's
    event may list no position, and is then told of the leg of one-way mode. Without a symbol it
    belongs to nobody and is left out.
    """
    body = update.account
    hedged = {row.symbol for row in body.positions if row.position_side != "BOTH"}
    rows = [
        row
        for row in body.positions
        if row.amount or row.position_side != "BOTH" or row.symbol not in hedged
    ]
    reports: list[PositionReport | FundingBooked] = [
        PositionReport(
            leg=leg_of(account, row.symbol, row.position_side),
            quantity=row.amount,
            entry_price=stated(row.entry_price) or ZERO,
            cause=body.reason.lower(),
            at_ms=update.at_ms,
        )
        for row in rows
    ]
    if body.reason == "FUNDING_FEE":
        amounts = {leg_of(account, row.symbol, row.position_side): row.amount for row in rows}
        if body.symbol and not amounts:
            amounts = {leg_of(account, body.symbol, "BOTH"): ZERO}
        paid = -sum((balance.change for balance in body.balances), ZERO)
        shares = funding_shares(paid, amounts)
        reports += [FundingBooked(leg, part, update.at_ms) for leg, part in shares.items()]
    return reports


def funding_shares(paid: Decimal, amounts: Mapping[Leg, Decimal]) -> dict[Leg, Decimal]:
    """Which leg paid how much of one symbol's funding, by their signed amounts.

    Long and short pay at the same rate on the same mark, in opposite directions. Where they are
    of one size nothing was paid, and what each of them paid is not to be known: nothing then,
    as for legs of several symbols.
    """
    if not paid:
        return {}
    if len(amounts) == 1:
        return dict.fromkeys(amounts, paid)
    net = sum(amounts.values(), ZERO)
    if not net or len({leg.symbol for leg in amounts}) != 1:
        return {}
    return {leg: paid * amount / net for leg, amount in amounts.items() if amount}


def execution_report(account: str, update: wire.OrderTradeUpdate) -> ExecutionReport | None:
    """The fill in an ORDER_TRADE_UPDATE, or None where it tells none.

    Liquidations come as CALCULATED.
    """
    order = update.order
    if order.execution not in {"TRADE", "CALCULATED"} or order.last_quantity <= 0:
        return None
    leg = leg_of(account, order.symbol, order.position_side)
    return ExecutionReport(
        leg,
        Execution(
            execution_id=str(order.trade_id),
            order_id=str(order.order_id),
            client_id=order.client_id,
            symbol=order.symbol,
            position_side=leg.position_side,
            direction=_direction(order.side),
            price=order.last_price,
            quantity=order.last_quantity,
            fee=order.commission or ZERO,
            fee_asset=order.commission_asset or "",
            realized=order.realized or ZERO,
            at_ms=order.at_ms,
            origin=origin(order.client_id),
        ),
    )
