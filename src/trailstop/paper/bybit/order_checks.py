"""What order entry refuses at once, and what it reads out of an order call."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.paper.bybit.desk import Found
from trailstop.paper.bybit.errors import (
    BELOW_MINIMUM,
    DUPLICATE_LINK_ID,
    FLAT_REDUCE_ONLY,
    INDEX_MISMATCH,
    NOT_ENOUGH,
    NOT_LIVE,
    PRICE_OUT_OF_RANGE,
    REDUCE_ONLY_CONTRACT,
    TOO_MANY_ORDERS,
    TOO_MANY_STOPS,
    WRONG_SIDE_REDUCE_ONLY,
    ApiError,
    bad,
    beyond_trigger,
)
from trailstop.paper.bybit.params import Params, invalid
from trailstop.paper.bybit.routes import Call
from trailstop.paper.bybit.spelling import FALLS, POSITION_SIDES, RISES
from trailstop.paper.bybit.wire_market import price_limits
from trailstop.paper.bybit.wire_orders import rises
from trailstop.paper.model import (
    CLOSED,
    HALTED,
    SETTLING,
    Market,
    Position,
    PositionStopRequest,
    closing_side,
)

MOST_CONDITIONALS = 10
"""Page "Place Order": active conditional orders of one symbol."""
MOST_ORDERS = 500
ORDER_TYPES = {"Market": "MARKET", "Limit": "LIMIT"}
TIMES_IN_FORCE = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "PostOnly": "GTX"}


class Wish(Struct, frozen=True, kw_only=True):
    """An order as a client asks for it, in the world's words."""

    market: Market
    side: str
    position_side: str
    kind: str
    """MARKET or LIMIT."""
    quantity: Decimal
    price: Decimal | None
    time_in_force: str
    link_id: str
    reduce_only: bool
    """Asked for; a closing side of hedge mode reduces without it."""
    close_on_trigger: bool
    trigger_price: Decimal | None
    rises: bool
    working_type: str
    stops: PositionStopRequest | None
    """Stops that the position shall get when this order has filled."""

    @property
    def conditional(self) -> bool:
        """Whether the order waits for a trigger."""
        return self.trigger_price is not None

    @property
    def reduces(self) -> bool:
        """Whether the order can only make a position smaller."""
        return (
            self.reduce_only or self.close_on_trigger or closing_side(self.side, self.position_side)
        )


class Change(Struct, frozen=True, kw_only=True):
    """What an amendment gives."""

    quantity: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    working_type: str | None


def read_wish(call: Call) -> Wish:
    """Read an order; ApiError 10001 for what is missing or cannot be read."""
    params = call.params
    market = call.market()
    side = params.side()
    kind = ORDER_TYPES.get(params.required("orderType"))
    if kind is None:
        raise invalid("orderType")
    reduce_only, close_on_trigger = params.flag("reduceOnly"), params.flag("closeOnTrigger")
    position_side = read_position_side(call, market)
    quantity = params.decimal("qty")
    if quantity is None:
        raise bad("Qty invalid")
    if not quantity:
        if not (reduce_only and close_on_trigger):
            raise bad("Qty invalid")
        quantity = _everything(call, market, position_side)
    time_in_force = TIMES_IN_FORCE.get(params.optional("timeInForce") or "GTC")
    if time_in_force is None:
        raise invalid("timeInForce")
    trigger = params.decimal("triggerPrice") or None
    direction = params.whole("triggerDirection")
    if trigger is not None and direction not in (RISES, FALLS):
        raise invalid("triggerDirection")
    return Wish(
        market=market,
        side=side,
        position_side=position_side,
        kind=kind,
        quantity=quantity,
        price=_price(params) if kind == "LIMIT" else None,
        time_in_force=time_in_force,
        link_id=params.link_id(),
        reduce_only=reduce_only,
        close_on_trigger=close_on_trigger,
        trigger_price=trigger,
        rises=direction == RISES,
        working_type=params.price_type("triggerBy"),
        stops=_stops(params, market, position_side),
    )


def read_position_side(call: Call, market: Market) -> str:
    """The leg that `positionIdx` names; ApiError 10001 where it does not fit the mode."""
    hedge = call.account.hedge_of(market.symbol)
    side = POSITION_SIDES.get(call.params.whole("positionIdx") or 0)
    if side is None or (side != "BOTH") != hedge:
        raise INDEX_MISMATCH
    return side


def check_wish(call: Call, wish: Wish) -> None:
    """Refuse what can be refused before the engine sees it."""
    market = wish.market
    if market.status in (HALTED, CLOSED):
        raise NOT_LIVE
    if market.status == SETTLING and not wish.reduces:
        raise REDUCE_ONLY_CONTRACT
    at_market = wish.kind == "MARKET"
    # Page "Place Order": what reduces and is larger than one order may be is split.
    check_quantity(market, wish.quantity, at_market=at_market, splits=wish.reduces)
    for name, price in (("Price", wish.price), ("TriggerPrice", wish.trigger_price)):
        if price is not None:
            check_price(market, name, price)
    if wish.link_id and call.desk.link_taken(call.key, market.symbol, wish.link_id):
        raise DUPLICATE_LINK_ID
    price = wish.price or wish.trigger_price or call.world.last(market.symbol)
    if wish.reduces:
        _check_reduces(position_of(call, market, wish.position_side), wish.side)
    elif wish.quantity * price < market.min_notional:
        raise too_small(market)
    if wish.conditional:
        assert wish.trigger_price is not None
        _check_trigger(call, market, wish.trigger_price, wish.working_type, rising=wish.rises)
        _check_room_for_stops(call, market)
        return
    if wish.price is not None:
        _check_band(call, market, wish.side, wish.price)
    _check_room(call, market)
    if not wish.reduces:
        _check_margin(call, wish, price)


def read_change(call: Call, found: Found) -> Change:
    """Read and check an amendment of a live order."""
    params, market = call.params, call.market()
    conditional = found.conditional if found.order is None else None
    change = Change(
        quantity=params.decimal("qty") or None,
        price=params.decimal("price") or None,
        trigger_price=params.decimal("triggerPrice") or None,
        working_type=params.price_type("triggerBy") if params.optional("triggerBy") else None,
    )
    given = (change.quantity, change.price, change.trigger_price, change.working_type)
    if all(value is None for value in given):
        raise bad("params error: nothing to modify")
    for name, price in (("Price", change.price), ("TriggerPrice", change.trigger_price)):
        if price is not None:
            check_price(market, name, price)
    if change.quantity is not None:
        reduces = conditional is not None or (found.order is not None and found.order.reduces)
        check_quantity(market, change.quantity, at_market=False, splits=reduces)
    now: tuple[Decimal | str | None, ...]
    if conditional is not None:
        now = (
            conditional.quantity,
            conditional.price,
            conditional.trigger_price,
            conditional.working_type,
        )
        if change.trigger_price is not None:
            source = change.working_type or conditional.working_type
            _check_trigger(call, market, change.trigger_price, source, rising=rises(conditional))
    elif found.order is not None:
        now = (found.order.quantity, found.order.price, None, None)
    else:
        return change
    if all(new is None or new == old for new, old in zip(given, now, strict=True)):
        raise bad("The order remains unchanged as the parameters entered match the existing ones.")
    return change


def check_price(market: Market, name: str, price: Decimal) -> None:
    """Refuse a price off the tick."""
    if price <= 0 or price % market.tick_size:
        raise bad(f"{name} invalid")


def check_quantity(
    market: Market, quantity: Decimal, *, at_market: bool, splits: bool = False
) -> None:
    """Refuse a quantity off the step, or outside of the filters."""
    most = market.max_market_quantity if at_market else market.max_quantity
    if quantity % market.step_size:
        raise bad("Qty invalid")
    if quantity < market.min_quantity:
        raise bad("The number of contracts exceeds minimum limit allowed: too small")
    if quantity > most and not splits:
        raise bad("The number of contracts exceeds maximum limit allowed: too large")


def position_of(call: Call, market: Market, position_side: str) -> Position | None:
    """The leg's position, None where it is flat."""
    position = call.account.positions.get((market.symbol, position_side))
    return position if position is not None and position.amount else None


def too_small(market: Market) -> ApiError:
    """110094: below the least value of an order."""
    return ApiError(
        BELOW_MINIMUM,
        f"Order does not meet minimum order value {market.min_notional.normalize():f}{market.quote}",
    )


def _price(params: Params) -> Decimal:
    price = params.decimal("price")
    if not price:
        raise bad("Price invalid")
    return price


def _everything(call: Call, market: Market, position_side: str) -> Decimal:
    """Quantity 0 closes everything: what is held now, or whatever is held at the trigger."""
    if call.params.optional("triggerPrice"):
        return market.max_market_quantity
    position = position_of(call, market, position_side)
    if position is None:
        raise FLAT_REDUCE_ONLY
    return abs(position.amount)


def _stops(params: Params, market: Market, position_side: str) -> PositionStopRequest | None:
    stop_loss = params.decimal("stopLoss") or None
    take_profit = params.decimal("takeProfit") or None
    if stop_loss is None and take_profit is None:
        return None
    for name, price in (("StopLoss", stop_loss), ("TakeProfit", take_profit)):
        if price is not None:
            check_price(market, name, price)
    return PositionStopRequest(
        symbol=market.symbol,
        position_side=position_side,
        stop_loss=stop_loss,
        take_profit=take_profit,
        stop_loss_working_type=params.price_type("slTriggerBy"),
        take_profit_working_type=params.price_type("tpTriggerBy"),
    )


def _check_reduces(position: Position | None, side: str) -> None:
    if position is None:
        raise FLAT_REDUCE_ONLY
    if (position.amount > 0) == (side == "BUY"):
        raise WRONG_SIDE_REDUCE_ONLY


def _check_trigger(
    call: Call, market: Market, trigger: Decimal, working_type: str, *, rising: bool
) -> None:
    """Refuse a trigger that the price which it watches has already reached."""
    symbol = market.symbol
    price = call.world.last(symbol) if working_type == "last" else call.world.mark(symbol)
    if trigger <= price if rising else trigger >= price:
        raise beyond_trigger(trigger, price, working_type, rising=rising)


def _check_room_for_stops(call: Call, market: Market) -> None:
    resting = sum(
        not row.slot and row.status == "NEW"
        for row in call.world.open_conditionals(call.key, market.symbol)
    )
    coming = call.desk.pending(call.key, market.symbol, conditional=True)
    if resting + coming >= MOST_CONDITIONALS:
        raise TOO_MANY_STOPS


def _check_room(call: Call, market: Market) -> None:
    resting = len(call.world.open_orders(call.key, market.symbol))
    if resting + call.desk.pending(call.key, market.symbol, conditional=False) >= MOST_ORDERS:
        raise TOO_MANY_ORDERS


def _check_band(call: Call, market: Market, side: str, price: Decimal) -> None:
    highest, lowest = price_limits(market, call.world.mark(market.symbol))
    if price > highest if side == "BUY" else price < lowest:
        raise PRICE_OUT_OF_RANGE


def _check_margin(call: Call, wish: Wish, price: Decimal) -> None:
    """Refuse what would open more than the free margin carries."""
    position = position_of(call, wish.market, wish.position_side)
    opened = wish.quantity
    if position is not None and (position.amount > 0) != (wish.side == "BUY"):
        opened = max(Decimal(0), opened - abs(position.amount))
    notional = opened * price
    needed = notional / call.account.leverage_of(wish.market.symbol)
    if opened and needed + notional * call.account.taker_fee > call.world.available(call.key):
        raise NOT_ENOUGH
