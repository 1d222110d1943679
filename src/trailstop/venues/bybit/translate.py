"""From Bybit's payloads to the domain. Pure.

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
from trailstop.ports import Bar, Execution, LookedUp, OrderState, Origin, Trade
from trailstop.venues.bybit import wire
from trailstop.venues.decoding import ZERO, number, shortest, stated, whole
from trailstop.venues.rights import KeyRights

VENUE = "bybit"
MS_PER_MINUTE = 60_000
Status = Literal["trading", "halted", "settling", "closed"]


# --- the key ------------------------------------------------------------------------------
ORDERS_AND_STOPS = frozenset({"Order", "Position"})
"""`ContractTrade`: orders, and stops of positions; unified accounts say `DerivativesTrade`."""


def key_rights(key: wire.KeyInfo) -> KeyRights:
    """Whether a key can close and move stops, and whether it can withdraw."""
    may = key.permissions
    if may is None:
        return KeyRights(lacks="readOnly is 1" if key.read_only else "")
    lacks = ""
    if key.read_only:
        lacks = "readOnly is 1"
    elif not (may.derivatives or ORDERS_AND_STOPS.issubset(may.contract_trade)):
        lacks = "it has neither ContractTrade with Order and Position nor DerivativesTrade"
    return KeyRights(lacks, withdraws="Withdraw" in may.wallet)


# --- instruments --------------------------------------------------------------------------
STATUSES: dict[str, Status] = {
    "Trading": "trading",
    "PreLaunch": "halted",
    "Settling": "settling",
    "Delivering": "settling",
    "Closed": "closed",
}
"""`enum#status`; any other word counts as a halt."""


def instrument(info: wire.InstrumentInfo) -> Instrument:
    """Grid and limits of one symbol. ValueError where nothing can be placed on them."""
    lot, what = info.lot_size_filter, f"{info.symbol}: lotSizeFilter"
    try:
        return Instrument(
            symbol=info.symbol,
            tick_size=shortest(info.price_filter.tick_size),
            quantity_step=shortest(lot.qty_step),
            min_quantity=number(lot.min_order_qty, what),
            max_market_quantity=number(lot.max_mkt_order_qty, what) or None,
            min_notional=number(lot.min_notional_value, what) or None,
        )
    except (ConfigError, InvalidOperation) as error:
        raise ValueError(str(error)) from error


def status(word: str) -> Status:
    """What an instrument's status means for its positions."""
    return STATUSES.get(word, "halted")


# --- positions ----------------------------------------------------------------------------
POSITION_SIDES = {0: "both", 1: "long", 2: "short"}
POSITION_INDEXES = {side: index for index, side in POSITION_SIDES.items()}
SIDES = {"Buy": Side.LONG, "Sell": Side.SHORT}
"""Of positions; an order of that side opens or adds to them."""
REDUCES = {"Sell": Side.LONG, "Buy": Side.SHORT}
"""Of orders: the side of position that they reduce."""


def leg_of(account: str, symbol: str, position_idx: int) -> Leg:
    """The leg of a row; 0 is one-way mode. ValueError for an index not known."""
    if position_idx not in POSITION_SIDES:
        raise ValueError(f"{symbol}: positionIdx {position_idx} is not known")
    return Leg(account, VENUE, symbol, POSITION_SIDES[position_idx])


def position(account: str, row: wire.PositionRow) -> tuple[Leg, Position | None]:
    """The leg of a row and what is open on it, None where flat. ValueError for nonsense."""
    leg = leg_of(account, row.symbol, row.position_idx)
    size = number(row.size, f"{leg}: size")
    if size == 0:
        return leg, None
    if row.side not in SIDES:
        raise ValueError(f"{leg}: side {row.side!r} is not known")
    side = SIDES[row.side]
    if leg.position_side not in {"both", side.value}:
        raise ValueError(f"{leg}: a position of side {row.side}")
    liquidation = number(row.liq_price, f"{leg}: liqPrice")
    entry = stated(row.avg_price) or stated(row.entry_price)
    try:
        return leg, Position(
            side=side,
            entry_price=entry or stated(row.mark_price) or ZERO,
            quantity=size,
            opened_at_ms=whole(row.open_time) or None,
            liquidation_price=liquidation if liquidation > 0 else None,
            entry_known=entry is not None,
        )
    except ConfigError as error:
        raise ValueError(f"{leg}: {error}") from error


def positions(account: str, rows: Iterable[wire.PositionRow]) -> dict[Leg, Position]:
    """Open positions by leg. A row that a later page repeats counts as that page has it."""
    found: dict[Leg, Position] = {}
    for row in rows:
        leg, held = position(account, row)
        if held is not None:
            found[leg] = held
    return found


# --- stops --------------------------------------------------------------------------------
POSITION_STOP = "StopLoss"
TRAILING_STOP = "TrailingStop"
STOP_KINDS = frozenset({POSITION_STOP, TRAILING_STOP, "PartialStopLoss", "Stop"})
"""`enum#stopordertype`: what limits a loss; a user's "Stop" does so in one direction only."""
FALLS, RISES = 2, 1
AGAINST = {Side.LONG: FALLS, Side.SHORT: RISES}
"""`triggerDirection` of an order that fires when the price goes against the position."""

ORDER_STATES = {
    "Created": OrderState.RESTING,
    "New": OrderState.RESTING,
    "PartiallyFilled": OrderState.RESTING,
    "Untriggered": OrderState.RESTING,
    "Triggered": OrderState.TRIGGERED,
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELLED,
    "PartiallyFilledCanceled": OrderState.CANCELLED,
    "Deactivated": OrderState.CANCELLED,
    "Rejected": OrderState.REJECTED,
}
"""`enum#orderstatus`."""


def order_state(row: wire.OrderRow) -> OrderState:
    """What an `orderStatus` means. ValueError for one not known."""
    if row.order_status not in ORDER_STATES:
        raise ValueError(f"{row.symbol}: orderStatus {row.order_status!r} is not known")
    return ORDER_STATES[row.order_status]


def is_position_stop(row: wire.OrderRow) -> bool:
    """Whether the order is the position's one stop, the Full one."""
    return row.stop_order_type == POSITION_STOP and row.tpsl_mode != "Partial"


def position_stop(
    account: str, row: wire.PositionRow, orders: Iterable[wire.OrderRow]
) -> RestingStop | None:
    """The position's one stop as its row states it, together with the size; None without.

    `orders` may hold the order that the exchange keeps for it, whose id and time are taken.
    They were read at another moment: without an order of this price the id is "".
    """
    leg, held = position(account, row)
    price = number(row.stop_loss, f"{leg}: stopLoss")
    if held is None or price <= 0:
        return None
    own = next(
        (
            order
            for order in orders
            if is_position_stop(order)
            and leg_of(account, order.symbol, order.position_idx) == leg
            and number(order.trigger_price, f"{leg}: triggerPrice") == price
        ),
        None,
    )
    updated_ms = row.updated_time if own is None else own.updated_time or own.created_time
    return _shared(leg, held.side, price, own.order_id if own else "", whole(updated_ms) or 0)


def resting_stop(
    account: str, row: wire.OrderRow, market: Decimal | None = None
) -> RestingStop | None:
    """A conditional order as a stop, or None where it is no stop that can only reduce.

    The position's own stop comes as shared; the client id of others is theirs, or the order's
    id. A trailing order counts once it is active: before, its trigger price is the price at
    which it starts, on the other side of the market. `market` is a price of now; without it
    the last price at the order's creation is taken, which may keep an active one from counting
    but never counts an inactive one. A quantity of 0 closes the whole position.
    """
    if row.stop_order_type not in STOP_KINDS:
        return None
    leg = leg_of(account, row.symbol, row.position_idx)
    price = number(row.trigger_price, f"{leg}: triggerPrice")
    side = REDUCES.get(row.side)
    if side is None or price <= 0 or not _only_reduces(row, leg, side):
        return None
    at_ms = whole(row.updated_time) or whole(row.created_time) or 0
    if is_position_stop(row):
        return _shared(leg, side, price, row.order_id, at_ms, triggered=_is_triggered(row))
    if not _is_against(row, side, price, market):
        return None
    quantity = number(row.qty, f"{leg}: qty")
    return RestingStop(
        leg=leg,
        side=side,
        order_id=row.order_id,
        client_id=row.order_link_id or row.order_id,
        role=Role.FOREIGN,
        price=price,
        quantity=quantity if quantity > 0 else None,
        created_at_ms=whole(row.created_time) or at_ms,
        triggered=_is_triggered(row),
    )


def _only_reduces(row: wire.OrderRow, leg: Leg, side: Side) -> bool:
    if leg.position_side == "both":
        return row.reduce_only or row.close_on_trigger or row.stop_order_type != "Stop"
    return leg.position_side == str(side.value)


def _is_against(row: wire.OrderRow, side: Side, price: Decimal, market: Decimal | None) -> bool:
    """Whether the order fires when the price goes against the position."""
    if row.stop_order_type == TRAILING_STOP:
        market = market or number(row.last_price_on_created, f"{row.symbol}: lastPriceOnCreated")
        return market > 0 and bool(side.better(market, price))
    if row.stop_order_type == "Stop":
        return row.trigger_direction == AGAINST[side]
    return not row.trigger_direction or row.trigger_direction == AGAINST[side]


def _is_triggered(row: wire.OrderRow) -> bool:
    return row.order_status in {"Triggered", "New", "PartiallyFilled"}


def _shared(
    leg: Leg, side: Side, price: Decimal, order_id: str, at_ms: int, *, triggered: bool = False
) -> RestingStop:
    return RestingStop(
        leg=leg,
        side=side,
        order_id=order_id,
        client_id="",
        role=Role.FOREIGN,
        price=price,
        quantity=None,
        created_at_ms=at_ms,
        triggered=triggered,
        shared=True,
    )


def looked_up_order(row: wire.OrderRow) -> LookedUp:
    """What became of an order. The price of a market order is its cap, so it is left out."""
    average = number(row.avg_price, f"{row.symbol}: avgPrice")
    price = ZERO if row.order_type == "Market" else number(row.price, f"{row.symbol}: price")
    return LookedUp(
        state=order_state(row),
        order_id=row.order_id,
        price=price if price > 0 else None,
        quantity=number(row.qty, f"{row.symbol}: qty"),
        at_ms=whole(row.updated_time),
        filled=number(row.cum_exec_qty, f"{row.symbol}: cumExecQty"),
        average_price=average if average > 0 else None,
    )


# --- fills --------------------------------------------------------------------------------
NO_FILLS = frozenset({"Funding", "SessionSettlePnL"})
"""`enum#exectype`: bookings that change no size."""
KINDS = {
    "AdlTrade": Origin.ADL,
    "BustTrade": Origin.LIQUIDATION,
    "Settle": Origin.SETTLEMENT,
    "Delivery": Origin.SETTLEMENT,
}
CREATORS = {
    "CreateByLiq": Origin.LIQUIDATION,
    "CreateByTakeOver_PassThrough": Origin.LIQUIDATION,
    "CreateByAdl_PassThrough": Origin.ADL,
    "CreateBySettle": Origin.SETTLEMENT,
    "CreateByStopLoss": Origin.POSITION_STOP,
    "CreateByPartialStopLoss": Origin.FOREIGN_STOP,
    "CreateByTrailingStop": Origin.FOREIGN_STOP,
}
"""`enum#createtype`; what is not listed was an order of somebody."""
STOPS = {
    POSITION_STOP: Origin.POSITION_STOP,
    "PartialStopLoss": Origin.FOREIGN_STOP,
    TRAILING_STOP: Origin.FOREIGN_STOP,
}


def is_fill(row: wire.ExecutionRow) -> bool:
    """Whether the row changed a size; funding did not."""
    return row.exec_type not in NO_FILLS


def origin(row: wire.ExecutionRow) -> Origin:
    """What brought a fill about, as far as the exchange says so."""
    return (
        KINDS.get(row.exec_type)
        or STOPS.get(row.stop_order_type or "")
        or CREATORS.get(row.create_type or "")
        or Origin.ORDER
    )


def hedge_side(row: wire.ExecutionRow) -> str:
    """The position side of a fill in hedge mode, where no fill can both close and open."""
    if row.closed_size is None:
        raise ValueError(f"{row.symbol}: a fill without closedSize belongs to neither side")
    closing = number(row.closed_size, f"{row.symbol}: closedSize") > 0
    side = (REDUCES if closing else SIDES).get(row.side)
    if side is None:
        raise ValueError(f"{row.symbol}: order side {row.side!r} is not known")
    return str(side.value)


def execution(row: wire.ExecutionRow, position_side: str) -> Execution:
    """One fill. The row does not say its position side: `both`, or what `hedge_side` finds."""
    if row.side not in SIDES:
        raise ValueError(f"{row.symbol}: order side {row.side!r} is not known")
    return Execution(
        execution_id=row.exec_id,
        order_id=row.order_id,
        client_id=row.order_link_id or "",
        symbol=row.symbol,
        position_side=position_side,
        direction="buy" if row.side == "Buy" else "sell",
        price=number(row.exec_price, f"{row.symbol}: execPrice"),
        quantity=number(row.exec_qty, f"{row.symbol}: execQty"),
        fee=number(row.exec_fee, f"{row.symbol}: execFee"),
        fee_asset=row.fee_currency or "",
        realized=number(row.exec_pnl, f"{row.symbol}: execPnl"),
        at_ms=row.exec_time,
        origin=origin(row),
    )


# --- market data --------------------------------------------------------------------------
def bar(row: wire.Kline, minutes: int, now_ms: int) -> Bar:
    """One candle; it is closed once its time is over by the exchange's clock."""
    is_closed = row.open_time + minutes * MS_PER_MINUTE <= now_ms
    return Bar(row.open_time, row.open, row.high, row.low, row.close, is_closed)


def trade(row: wire.RecentTrade) -> Trade:
    """One public trade; the rows of one sweep share `seq`."""
    return Trade(whole(row.seq) or 0, row.price, row.time)
