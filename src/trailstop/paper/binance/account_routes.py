"""Positions, balances, modes and history: signed REST endpoints that place no order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trailstop.paper.binance import wire_account as wire
from trailstop.paper.binance.errors import (
    ISOLATED_NOT_SERVED,
    SAME_MARGIN_TYPE,
    SINGLE_ASSET_ONLY,
    illegal,
    missing,
)
from trailstop.paper.binance.routes import Call, Route, Security, by_symbol
from trailstop.paper.binance.wire_orders import queried_order
from trailstop.paper.model import ZERO, Market, Position

ONE_WAY_SIDES = ("BOTH",)
HEDGE_SIDES = ("BOTH", "LONG", "SHORT")
DEFAULT_ROWS = 500
MOST_ROWS = 1_000
DEFAULT_INCOME = 100
DEFAULT_FORCED = 50
MOST_FORCED = 100


def positions_v3(call: Call) -> Any:
    """Page "Position Information V3": symbols with a position or an open order."""
    symbol = call.symbol_or_none()
    with_orders = {order.symbol for order in call.world.open_orders(call.key, symbol)}
    rows = []
    for market in call.markets():
        for position in _legs(call, market):
            if not position.amount and market.symbol not in with_orders:
                continue
            rows.append(
                wire.position_v3(
                    position,
                    market,
                    _mark(call, market),
                    call.account.leverage_of(market.symbol),
                    _liquidation(call, position),
                )
            )
    return rows


def positions_v2(call: Call) -> Any:
    """Page "Position Information V2": every symbol, flat ones too."""
    return [
        wire.position_v2(
            position,
            _mark(call, market),
            call.account.leverage_of(market.symbol),
            _liquidation(call, position),
        )
        for market in call.markets()
        for position in _legs(call, market)
    ]


def _legs(call: Call, market: Market) -> list[Position]:
    """The market's legs in the account's mode, flat ones too."""
    known = {
        position.position_side: position
        for position in call.world.positions(call.key, market.symbol)
    }
    return [
        known.get(side) or Position(account=call.key, symbol=market.symbol, position_side=side)
        for side in (HEDGE_SIDES if call.account.hedge else ONE_WAY_SIDES)
    ]


def _mark(call: Call, market: Market) -> Decimal:
    """The mark, zero for a market that has not printed yet."""
    return call.world.mark(market.symbol) if call.world.has_price(market.symbol) else ZERO


def _liquidation(call: Call, position: Position) -> Decimal:
    if not position.amount:
        return ZERO
    return call.world.liquidation_price(position)


def _money(call: Call) -> wire.Money:
    held = []
    for position in call.world.positions(call.key):
        if position.amount:
            market = call.world.markets[position.symbol]
            mark = call.world.mark(position.symbol)
            leverage = call.account.leverage_of(position.symbol)
            held.append((position, market, mark, leverage))
    return wire.Money.of(held)


def account(call: Call) -> Any:
    """Pages "Account Information V3" and V2."""
    return wire.account(call.account, _money(call), call.now_ms)


def balance(call: Call) -> Any:
    """Pages "Futures Account Balance V3" and V2."""
    return [wire.balance(call.account, _money(call), call.now_ms)]


def account_config(call: Call) -> Any:
    """Page "Futures Account Configuration"."""
    return wire.account_config(call.account)


def symbol_config(call: Call) -> Any:
    """Page "Symbol Configuration"."""
    return [wire.symbol_config(call.account, market.symbol) for market in call.markets()]


def leverage_bracket(call: Call) -> Any:
    """Page "Notional and Leverage Brackets"; one bracket a symbol."""
    return [wire.leverage_bracket(market) for market in call.markets()]


def position_mode(call: Call) -> Any:
    """Page "Get Current Position Mode"."""
    return {"dualSidePosition": call.account.hedge}


def set_position_mode(call: Call) -> Any:
    """Page "Change Position Mode"."""
    if call.params.optional("dualSidePosition") is None:
        raise missing("dualSidePosition")
    call.world.set_position_mode(call.key, call.params.flag("dualSidePosition"))
    return wire.SUCCESS


def set_leverage(call: Call) -> Any:
    """Page "Change Initial Leverage"."""
    symbol = call.symbol()
    leverage = call.params.whole("leverage")
    if leverage is None:
        raise missing("leverage")
    call.world.set_leverage(call.key, symbol, leverage)
    return wire.leverage(symbol, leverage)


def set_margin_type(call: Call) -> Any:
    """Page "Change Margin Type": cross only, which every account has already."""
    call.symbol()
    if call.params.choice("marginType", ("", "CROSSED", "ISOLATED")) == "ISOLATED":
        raise ISOLATED_NOT_SERVED
    raise SAME_MARGIN_TYPE


def multi_assets(call: Call) -> Any:
    """Page "Get Current Multi-Assets Mode"."""
    del call
    return {"multiAssetsMargin": False}


def set_multi_assets(call: Call) -> Any:
    """Page "Change Multi-Assets Mode": single-asset mode only."""
    call.params.flag("multiAssetsMargin")
    raise SINGLE_ASSET_ONLY


def commission_rate(call: Call) -> Any:
    """Page "User Commission Rate"."""
    return wire.commission_rate(call.account, call.symbol())


def user_trades(call: Call) -> Any:
    """Page "Account Trade List"; `fromId` excludes times."""
    from_id = call.params.whole("fromId")
    start_us, end_us = call.params.time_us("startTime"), call.params.end_us()
    if from_id is not None and (start_us is not None or end_us is not None):
        raise illegal("fromId")
    rows = call.world.fills(
        call.key,
        call.symbol(),
        start_us=start_us,
        end_us=end_us,
        from_id=from_id,
        limit=call.params.limit(DEFAULT_ROWS, MOST_ROWS),
    )
    order_id = call.params.whole("orderId")
    return [wire.user_trade(row) for row in rows if order_id in {None, row.order_id}]


def income(call: Call) -> Any:
    """Page "Get Income History"."""
    rows = call.world.income(
        call.key,
        symbol=call.symbol_or_none(),
        kind=call.params.optional("incomeType"),
        start_us=call.params.time_us("startTime"),
        end_us=call.params.end_us(),
        limit=call.params.limit(DEFAULT_INCOME, MOST_ROWS),
    )
    return [wire.income(row) for row in rows]


def forced_orders(call: Call) -> Any:
    """Page "User's Force Orders": liquidations."""
    orders = call.world.all_orders(
        call.key,
        call.symbol_or_none(),
        start_us=call.params.time_us("startTime"),
        end_us=call.params.end_us(),
        limit=MOST_ROWS,
    )
    forced = [queried_order(order) for order in orders if order.source == "liquidation"]
    return forced[-call.params.limit(DEFAULT_FORCED, MOST_FORCED) :]


def _signed(method: str, path: str, weight: Any, serve: Any) -> Route:
    return Route(method, path, Security.SIGNED, weight, serve)


ROUTES = (
    _signed("GET", "/fapi/v3/positionRisk", 5, positions_v3),
    _signed("GET", "/fapi/v2/positionRisk", 5, positions_v2),
    _signed("GET", "/fapi/v3/account", 5, account),
    _signed("GET", "/fapi/v2/account", 5, account),
    _signed("GET", "/fapi/v3/balance", 5, balance),
    _signed("GET", "/fapi/v2/balance", 5, balance),
    _signed("GET", "/fapi/v1/accountConfig", 5, account_config),
    _signed("GET", "/fapi/v1/symbolConfig", 5, symbol_config),
    _signed("GET", "/fapi/v1/leverageBracket", 1, leverage_bracket),
    _signed("GET", "/fapi/v1/positionSide/dual", 30, position_mode),
    _signed("POST", "/fapi/v1/positionSide/dual", 1, set_position_mode),
    _signed("POST", "/fapi/v1/leverage", 1, set_leverage),
    _signed("POST", "/fapi/v1/marginType", 1, set_margin_type),
    _signed("GET", "/fapi/v1/multiAssetsMargin", 30, multi_assets),
    _signed("POST", "/fapi/v1/multiAssetsMargin", 1, set_multi_assets),
    _signed("GET", "/fapi/v1/commissionRate", 20, commission_rate),
    _signed("GET", "/fapi/v1/userTrades", 5, user_trades),
    _signed("GET", "/fapi/v1/income", 30, income),
    _signed("GET", "/fapi/v1/forceOrders", by_symbol(20, 50), forced_orders),
)
