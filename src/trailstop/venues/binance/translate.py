"""From Binance's payloads to the domain. Pure.

What cannot be understood raises `ValueError`, whose text names the symbol and the field: one
malformed row makes a read fail, since a position left out would look flat.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Literal

from trailstop.domain.position import Leg, Position, Role
from trailstop.domain.price import Instrument, Side
from trailstop.errors import ConfigError
from trailstop.guard.snapshot import RestingStop
from trailstop.ports import (
    Bar,
    Execution,
    ExecutionReport,
    FundingBooked,
    LookedUp,
    OrderState,
    PositionReport,
    StopReport,
)
from trailstop.venues.binance import wire

VENUE = "binance"
ZERO = Decimal(0)


# --- instruments --------------------------------------------------------------------------
def instruments(info: wire.ExchangeInfo) -> dict[str, Instrument]:
    """Grids and limits by the filters; a symbol without them cannot be traded and is left out."""
    found = {}
    for symbol in info.symbols:
        filters = {entry.filter_type: entry for entry in symbol.filters}
        price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
        market = filters.get("MARKET_LOT_SIZE")
        notional = filters.get("MIN_NOTIONAL")
        if price is None or lot is None or not price.tick_size or not lot.step_size:
            continue
        found[symbol.symbol] = Instrument(
            symbol=symbol.symbol,
            tick_size=_shortest(price.tick_size),
            quantity_step=_shortest(lot.step_size),
            min_quantity=lot.min_qty or ZERO,
            max_market_quantity=market.max_qty if market else None,
            min_notional=notional.notional if notional else None,
        )
    return found


def _shortest(grid: Decimal) -> Decimal:
    """`0.10` as 0.1, without an exponent, so that a power of ten is seen as one."""
    return Decimal(plain(grid.normalize()))


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
        liquidation = row.liquidation_price
        try:
            found[leg] = Position(
                side=Side.LONG if row.position_amt > 0 else Side.SHORT,
                entry_price=row.entry_price,
                quantity=abs(row.position_amt),
                liquidation_price=liquidation if liquidation > 0 else None,
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


def number(text: str | None, what: str) -> Decimal:
    """A number that the exchange leaves empty where there is none; 0 then."""
    if not text:
        return ZERO
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{what} {text!r} is no number") from error
    if not value.is_finite():
        raise ValueError(f"{what} {text!r} is no number")
    return value


def plain(value: Decimal) -> str:
    """A number as the exchange takes it, never with an exponent."""
    return format(value, "f")


# --- fills, candles -----------------------------------------------------------------------
def _direction(side: str) -> Literal["buy", "sell"]:
    if side not in {"BUY", "SELL"}:
        raise ValueError(f"order side {side!r} is not known")
    return "buy" if side == "BUY" else "sell"


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

    Funding is the change of balance, of the symbol that the event names; a cross position's
    event may list no position. Without a symbol it belongs to nobody and is left out.
    """
    body = update.account
    reports: list[PositionReport | FundingBooked] = [
        PositionReport(
            leg=leg_of(account, row.symbol, row.position_side),
            quantity=row.amount,
            entry_price=row.entry_price,
            cause=body.reason.lower(),
            at_ms=update.at_ms,
        )
        for row in body.positions
    ]
    if body.reason == "FUNDING_FEE":
        legs = {leg_of(account, row.symbol, row.position_side) for row in body.positions}
        if body.symbol and not legs:
            legs = {leg_of(account, body.symbol, "BOTH")}
        if len(legs) == 1:
            paid = -sum((balance.change for balance in body.balances), ZERO)
            reports.append(FundingBooked(legs.pop(), paid, update.at_ms))
    return reports


def execution_report(account: str, update: wire.OrderTradeUpdate) -> ExecutionReport | None:
    """The fill in an ORDER_TRADE_UPDATE, or None where it tells none.

    Liquidations come as CALCULATED; their client ids begin `autoclose-` or `adl_autoclose`.
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
        ),
    )
