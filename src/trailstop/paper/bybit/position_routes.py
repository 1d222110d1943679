"""Positions: their rows, their own stops, leverage and mode."""

from __future__ import annotations

from decimal import Decimal

from trailstop.paper.bybit.errors import (
    NOT_MODIFIED,
    SAME_LEVERAGE,
    ApiError,
    bad,
)
from trailstop.paper.bybit.order_checks import check_price, check_quantity, read_position_side
from trailstop.paper.bybit.paging import listed, page
from trailstop.paper.bybit.params import Params, invalid
from trailstop.paper.bybit.routes import Answer, Call, Route, Serve
from trailstop.paper.bybit.spelling import CATEGORY
from trailstop.paper.bybit.wire_account import held_legs, position_row
from trailstop.paper.model import Market, PositionStopRequest

DEFAULT_ROWS = 20
MOST_ROWS = 200
ONE_WAY = 0
HEDGE = 3
TPSL_SIZE_ERROR = 110058
TPSL_MODES = ("Full", "Partial")


def positions(call: Call) -> Answer:
    """Page "Get Position Info": by symbol with flat legs, by settle coin only open ones."""
    call.params.check_category()
    by_symbol = call.params.optional("symbol") is not None
    if not by_symbol and call.params.optional("settleCoin") is None:
        raise bad("params error: symbol or settleCoin is required")
    seq = call.desk.read_seq(call.now_us)
    rows = [
        ((0, -number), position_row(held, seq))
        for number, held in enumerate(
            held
            for market in call.markets()
            for held in held_legs(call.world, call.key, market.symbol)
            if by_symbol or held.position.amount
        )
    ]
    found, cursor = page(rows, call.params, DEFAULT_ROWS, MOST_ROWS)
    return Answer(listed(found, cursor, CATEGORY))


def trading_stop(call: Call) -> Answer:
    """Page "Set Trading Stop"; unlike an order it is in force when it is answered."""
    call.params.check_category()
    market, params = call.market(), call.params
    mode = params.optional("tpslMode") or "Full"
    if mode not in TPSL_MODES:
        raise invalid("tpslMode")
    position_side = read_position_side(call, market)
    stop_loss, take_profit = (
        _price(params, market, "stopLoss"),
        _price(params, market, "takeProfit"),
    )
    distance = _price(params, market, "trailingStop")
    activate = _price(params, market, "activePrice")
    if all(value is None for value in (stop_loss, take_profit, distance)):
        raise NOT_MODIFIED
    request = PositionStopRequest(
        symbol=market.symbol,
        position_side=position_side,
        mode="full" if mode == "Full" else "partial",
        stop_loss=stop_loss,
        take_profit=take_profit,
        trailing_distance=distance,
        activate_price=activate or None,
        stop_loss_working_type=params.price_type("slTriggerBy"),
        take_profit_working_type=params.price_type("tpTriggerBy"),
        size=_size(params, market) if mode == "Partial" else None,
        stop_loss_limit=_limit(params, market, "sl"),
        take_profit_limit=_limit(params, market, "tp"),
    )
    call.world.set_position_stops(call.key, request)
    return Answer({})


def set_leverage(call: Call) -> Answer:
    """Page "Set Leverage"; buy and sell leverage are one in cross margin."""
    call.params.check_category()
    market = call.market()
    buy, sell = call.params.decimal("buyLeverage"), call.params.decimal("sellLeverage")
    if buy is None or buy != sell or buy != buy.to_integral_value():
        raise invalid("leverage")
    if call.account.leverage_of(market.symbol) == int(buy):
        raise SAME_LEVERAGE
    call.world.set_leverage(call.key, market.symbol, int(buy))
    return Answer({})


def switch_mode(call: Call) -> Answer:
    """Page "Switch Position Mode": of one symbol, or of all of a coin."""
    call.params.check_category()
    mode = call.params.whole("mode")
    if mode not in (ONE_WAY, HEDGE):
        raise invalid("mode")
    market = call.market_or_none()
    if market is None and call.params.optional("coin") is None:
        raise bad("params error: symbol or coin is required")
    call.world.set_position_mode(call.key, mode == HEDGE, None if market is None else market.symbol)
    return Answer({})


def _price(params: Params, market: Market, name: str) -> Decimal | None:
    """A price or distance; 0 removes it, empty leaves it as it is."""
    price = params.decimal(name)
    if price:
        check_price(market, name, price)
    return price


def _size(params: Params, market: Market) -> Decimal:
    """The part of the position that a partial stop closes."""
    sizes = {size for size in (params.decimal("slSize"), params.decimal("tpSize")) if size}
    if len(sizes) != 1:
        raise ApiError(TPSL_SIZE_ERROR, "slSize and tpSize must be given and equal")
    size = sizes.pop()
    check_quantity(market, size, at_market=True)
    return size


def _limit(params: Params, market: Market, leg: str) -> Decimal | None:
    """The price of the limit order that a partial stop becomes; None at market."""
    if (params.optional(f"{leg}OrderType") or "Market") == "Market":
        return None
    price = params.decimal(f"{leg}LimitPrice")
    if not price:
        raise invalid(f"{leg}LimitPrice")
    check_price(market, f"{leg}LimitPrice", price)
    return price


def _write(path: str, serve: Serve) -> Route:
    return Route("POST", f"/v5/position/{path}", serve, lambda limits: limits.positions)


ROUTES = (
    Route("GET", "/v5/position/list", positions, lambda limits: limits.reads),
    _write("trading-stop", trading_stop),
    _write("set-leverage", set_leverage),
    _write("switch-mode", switch_mode),
)
