"""Positions, balances and history as REST answers spell them; each function names its page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from trailstop.paper.binance.spelling import ASSET, money, ms, plain
from trailstop.paper.model import ZERO, Account, Fill, Income, Market, Position

BRACKET_CAP = 1_000_000
ADL_QUANTILE = 1
SUCCESS = {"code": 200, "msg": "success"}

Row = dict[str, Any]
Held = tuple[Position, Market, Decimal, int]
"""A position with its market, mark price and leverage."""


def position_v3(
    position: Position, market: Market, mark: Decimal, leverage: int, liquidation: Decimal
) -> Row:
    """Page "Position Information V3"."""
    notional = position.amount * mark
    initial = abs(notional) / leverage
    return {
        "symbol": position.symbol,
        "positionSide": position.position_side,
        "positionAmt": plain(position.amount),
        "entryPrice": plain(position.entry_price),
        "breakEvenPrice": money(position.break_even_price),
        "markPrice": money(mark),
        "unRealizedProfit": money(unrealized(position, mark)),
        "liquidationPrice": money(liquidation) if liquidation > 0 else "0",
        "isolatedMargin": "0",
        "notional": money(notional),
        "marginAsset": market.quote,
        "isolatedWallet": "0",
        "initialMargin": money(initial),
        "maintMargin": money(abs(notional) * market.maintenance_rate),
        "positionInitialMargin": money(initial),
        "openOrderInitialMargin": "0",
        "adl": ADL_QUANTILE,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": ms(position.updated_us),
    }


def position_v2(position: Position, mark: Decimal, leverage: int, liquidation: Decimal) -> Row:
    """Page "Position Information V2"."""
    return {
        "symbol": position.symbol,
        "positionAmt": plain(position.amount),
        "entryPrice": plain(position.entry_price),
        "breakEvenPrice": money(position.break_even_price),
        "markPrice": money(mark),
        "unRealizedProfit": money(unrealized(position, mark)),
        "liquidationPrice": money(liquidation) if liquidation > 0 else "0",
        "leverage": str(leverage),
        "maxNotionalValue": str(BRACKET_CAP),
        "marginType": "cross",
        "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false",
        "positionSide": position.position_side,
        "notional": money(position.amount * mark),
        "isolatedWallet": "0",
        "updateTime": ms(position.updated_us),
    }


def unrealized(position: Position, mark: Decimal) -> Decimal:
    """What closing at the mark would realise, without fees."""
    return (mark - position.entry_price) * position.amount


def leverage_bracket(market: Market) -> Row:
    """Page "Notional and Leverage Brackets"."""
    return {
        "symbol": market.symbol,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": 1,
                "initialLeverage": market.max_leverage,
                "notionalCap": BRACKET_CAP,
                "notionalFloor": 0,
                "maintMarginRatio": float(market.maintenance_rate),
                "cum": 0.0,
            }
        ],
    }


def commission_rate(account: Account, symbol: str) -> Row:
    """Page "User Commission Rate"."""
    return {
        "symbol": symbol,
        "makerCommissionRate": plain(account.maker_fee),
        "takerCommissionRate": plain(account.taker_fee),
        "rpiCommissionRate": "0.00005",
    }


def symbol_config(account: Account, symbol: str) -> Row:
    """Page "Symbol Configuration"."""
    return {
        "symbol": symbol,
        "marginType": "CROSSED",
        "isAutoAddMargin": False,
        "leverage": account.leverage_of(symbol),
        "maxNotionalValue": str(BRACKET_CAP),
    }


def user_trade(fill: Fill) -> Row:
    """Page "Account Trade List"."""
    return {
        "buyer": fill.side == "BUY",
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "id": fill.trade_id,
        "maker": fill.maker,
        "orderId": fill.order_id,
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "quoteQty": plain(fill.price * fill.quantity),
        "marginAsset": fill.fee_asset,
        "realizedPnl": money(fill.realized),
        "side": fill.side,
        "positionSide": fill.position_side,
        "symbol": fill.symbol,
        "pair": fill.symbol,
        "time": ms(fill.time_us),
    }


def income(row: Income) -> Row:
    """Page "Get Income History"."""
    return {
        "symbol": row.symbol,
        "incomeType": row.kind,
        "income": money(row.amount),
        "asset": row.asset,
        "info": row.kind,
        "time": ms(row.time_us),
        "tranId": row.income_id,
        "tradeId": "" if row.trade_id is None else str(row.trade_id),
    }


class Money(Struct, frozen=True):
    """What an account's positions make of its wallet, in the quote currency."""

    unrealized: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    held: Sequence[Held]

    @classmethod
    def of(cls, held: Sequence[Held]) -> Money:
        """Sum up the open positions."""
        unrealised = initial = maintenance = ZERO
        for position, market, mark, leverage in held:
            notional = abs(position.amount) * mark
            unrealised += unrealized(position, mark)
            initial += notional / leverage
            maintenance += notional * market.maintenance_rate
        return cls(unrealised, initial, maintenance, held)

    def available(self, wallet: Decimal) -> Decimal:
        """What may back new positions."""
        return max(ZERO, wallet + self.unrealized - self.initial_margin)


def account(account: Account, sums: Money, now_ms: int) -> Row:
    """Pages "Account Information V3" and V2; the fields of both."""
    wallet = money(account.wallet)
    margin_balance = money(account.wallet + sums.unrealized)
    available = money(sums.available(account.wallet))
    asset = {
        "asset": ASSET,
        "walletBalance": wallet,
        "unrealizedProfit": money(sums.unrealized),
        "marginBalance": margin_balance,
        "maintMargin": money(sums.maintenance_margin),
        "initialMargin": money(sums.initial_margin),
        "positionInitialMargin": money(sums.initial_margin),
        "openOrderInitialMargin": "0.00000000",
        "crossWalletBalance": wallet,
        "crossUnPnl": money(sums.unrealized),
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "marginAvailable": True,
        "updateTime": now_ms,
    }
    return {
        "feeTier": 0,
        "canTrade": account.trades,
        "canDeposit": True,
        "canWithdraw": True,
        "multiAssetsMargin": False,
        "updateTime": 0,
        "totalInitialMargin": money(sums.initial_margin),
        "totalMaintMargin": money(sums.maintenance_margin),
        "totalWalletBalance": wallet,
        "totalUnrealizedProfit": money(sums.unrealized),
        "totalMarginBalance": margin_balance,
        "totalPositionInitialMargin": money(sums.initial_margin),
        "totalOpenOrderInitialMargin": "0.00000000",
        "totalCrossWalletBalance": wallet,
        "totalCrossUnPnl": money(sums.unrealized),
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "assets": [asset],
        "positions": [_account_position(row) for row in sums.held],
    }


def _account_position(row: Held) -> Row:
    position, market, mark, leverage = row
    notional = position.amount * mark
    initial = money(abs(notional) / leverage)
    return {
        "symbol": position.symbol,
        "positionSide": position.position_side,
        "positionAmt": plain(position.amount),
        "unrealizedProfit": money(unrealized(position, mark)),
        "isolatedMargin": "0.00000000",
        "notional": money(notional),
        "isolatedWallet": "0",
        "initialMargin": initial,
        "positionInitialMargin": initial,
        "openOrderInitialMargin": "0",
        "maintMargin": money(abs(notional) * market.maintenance_rate),
        "leverage": str(leverage),
        "isolated": False,
        "entryPrice": plain(position.entry_price),
        "breakEvenPrice": money(position.break_even_price),
        "maxNotional": str(BRACKET_CAP),
        "updateTime": ms(position.updated_us),
    }


def balance(account: Account, sums: Money, now_ms: int) -> Row:
    """Pages "Futures Account Balance V3" and V2."""
    available = money(sums.available(account.wallet))
    return {
        "accountAlias": account.name,
        "asset": ASSET,
        "balance": money(account.wallet),
        "crossWalletBalance": money(account.wallet),
        "crossUnPnl": money(sums.unrealized),
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "marginAvailable": True,
        "updateTime": now_ms,
    }


def account_config(account: Account) -> Row:
    """Page "Futures Account Configuration"."""
    return {
        "feeTier": 0,
        "canTrade": account.trades,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": account.hedge,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def leverage(symbol: str, number: int) -> Row:
    """Page "Change Initial Leverage"."""
    return {"leverage": number, "maxNotionalValue": str(BRACKET_CAP), "symbol": symbol}
