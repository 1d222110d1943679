"""Positions and balances as this exchange spells them, in REST answers and private topics.

Pages "Get Position Info", "Position" (stream), "Get Wallet Balance" and "Wallet" (stream).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from trailstop.paper.bybit.spelling import (
    ASSET,
    CATEGORY,
    POSITION_INDEX,
    US_PER_MS,
    money,
    plain,
    stamp,
    trimmed,
)
from trailstop.paper.model import (
    FULL_SLOTS,
    SETTLING,
    STOP_LOSS,
    TAKE_PROFIT,
    TRAILING_STOP,
    ZERO,
    Account,
    Conditional,
    Market,
    Position,
)
from trailstop.paper.world import World

Row = dict[str, Any]

ONE_WAY_SIDES = ("BOTH",)
HEDGE_SIDES = ("LONG", "SHORT")
RISK_ID = 1
RISK_LIMIT = "200000000"
ADL_RANK = 2
_ALL = 1 << 31
_MOVED = "TRANSFER"
"""Lines of the ledger that are no result."""
LEAST_BREAK_EVEN_FEE = Decimal("0.00055")
"""Page "Get Position Info", breakEvenPrice: the fee of closing is taken for at least this."""


class Held(Struct, frozen=True, kw_only=True):
    """One leg with everything that its row shows; flat when the position is."""

    position: Position
    market: Market
    mark: Decimal
    leverage: int
    liquidation: Decimal
    taker_fee: Decimal
    stops: Sequence[Conditional]
    """The position's own stops for its whole size."""
    result_before: Decimal
    """Results of the closed positions before it on this leg."""
    first_us: int
    """When the leg was used first, 0 if never."""
    updated_us: int
    """When the position, or one of its own stops, changed last."""


def held_legs(world: World, key: str, symbol: str) -> list[Held]:
    """The legs of one market in the account's mode: one, or long and short."""
    account = world.accounts[key]
    sides = HEDGE_SIDES if account.hedge_of(symbol) else ONE_WAY_SIDES
    return [held_leg(world, account, symbol, side) for side in sides]


def held_leg(world: World, account: Account, symbol: str, position_side: str) -> Held:
    """One leg as it is now."""
    position = account.positions.get((symbol, position_side)) or Position(
        account=account.key, symbol=symbol, position_side=position_side
    )
    past = [
        epoch
        for epoch in account.epochs
        if (epoch.symbol, epoch.position_side) == (symbol, position_side)
    ]
    slotted = [
        row
        for row in world.all_conditionals(account.key, symbol, limit=_ALL)
        if row.slot and row.position_side == position_side
    ]
    return Held(
        position=position,
        market=world.markets[symbol],
        mark=world.mark(symbol) if world.has_price(symbol) else ZERO,
        leverage=account.leverage_of(symbol),
        liquidation=world.liquidation_price(position) if position.amount else ZERO,
        taker_fee=account.taker_fee,
        stops=[row for row in slotted if row.slot in FULL_SLOTS and row.status == "NEW"],
        result_before=sum((epoch.result for epoch in past), ZERO),
        first_us=past[0].opened_us if past else position.opened_us,
        updated_us=max([position.updated_us, *(row.updated_us for row in slotted)]),
    )


def position_row(held: Held, seq: int) -> Row:
    """Page "Get Position Info"; a flat leg has no side and size 0.

    `seq` is of the moment at which the row is read or told, and orders rows of both.
    """
    position = held.position
    size = abs(position.amount)
    value = size * position.entry_price
    initial = value / held.leverage
    maintenance = size * held.mark * held.market.maintenance_rate
    result = position.realized - position.fees + position.funding if position.amount else ZERO
    unrealised = (held.mark - position.entry_price) * position.amount
    slots = {row.slot: row for row in held.stops}
    return {
        "positionIdx": POSITION_INDEX[position.position_side],
        "riskId": RISK_ID,
        "riskLimitValue": RISK_LIMIT,
        "symbol": position.symbol,
        "side": _side(position),
        "size": trimmed(size),
        "avgPrice": trimmed(position.entry_price) if position.amount else "0",
        "sessionAvgPrice": "",
        "positionValue": money(value) if position.amount else "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": ADL_RANK if position.amount else 0,
        "leverage": str(held.leverage),
        "positionBalance": "0",
        "markPrice": plain(held.mark),
        "liqPrice": trimmed(held.liquidation) if held.liquidation > 0 else "",
        "bustPrice": "",
        "positionIM": money(initial),
        "positionIMByMp": money(size * held.mark / held.leverage),
        "positionMM": money(maintenance),
        "positionMMByMp": money(maintenance),
        "tpslMode": "Full",
        "takeProfit": _level(slots.get(TAKE_PROFIT)),
        "stopLoss": _level(slots.get(STOP_LOSS)),
        "trailingStop": _distance(slots.get(TRAILING_STOP)),
        "unrealisedPnl": money(unrealised) if position.amount else "",
        "curRealisedPnl": money(result),
        "cumRealisedPnl": money(held.result_before + result),
        "breakEvenPrice": _break_even(held, result),
        "seq": seq,
        "isReduceOnly": held.market.status == SETTLING,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": stamp(held.first_us),
        "updatedTime": stamp(held.updated_us),
        "openTime": position.opened_us // US_PER_MS if position.amount else 0,
    }


def position_event(held: Held, seq: int) -> Row:
    """A leg as the topic `position` carries it."""
    row = position_row(held, seq)
    price = row.pop("avgPrice")
    return row | {"category": CATEGORY, "entryPrice": price}


def wallet_row(world: World, account: Account) -> Row:
    """The account's totals with its one coin, in the list and in the topic `wallet`."""
    unrealised = initial = maintenance = ZERO
    for position in world.positions(account.key):
        if position.amount:
            notional = abs(position.amount) * world.mark(position.symbol)
            unrealised += world.unrealized(position)
            initial += notional / account.leverage_of(position.symbol)
            maintenance += notional * world.markets[position.symbol].maintenance_rate
    equity = account.wallet + unrealised
    result = sum(row.amount for row in world.income(account.key, limit=_ALL) if row.kind != _MOVED)
    coin = {
        "coin": ASSET,
        "equity": money(equity),
        "usdValue": money(equity),
        "walletBalance": money(account.wallet),
        "locked": "0",
        "spotHedgingQty": "0",
        "borrowAmount": "0.000000000000000000",
        "accruedInterest": "0",
        "totalOrderIM": "0",
        "totalPositionIM": money(initial),
        "totalPositionMM": money(maintenance),
        "unrealisedPnl": money(unrealised),
        "cumRealisedPnl": money(Decimal(result)),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "availableToBorrow": "",
        "availableToWithdraw": "",
        "spotBorrow": "0",
    }
    return {
        "accountType": "UNIFIED",
        "accountIMRate": _rate(initial, equity),
        "accountMMRate": _rate(maintenance, equity),
        "accountIMRateByMp": _rate(initial, equity),
        "accountMMRateByMp": _rate(maintenance, equity),
        "accountLTV": "0",
        "totalEquity": money(equity),
        "totalWalletBalance": money(account.wallet),
        "totalMarginBalance": money(equity),
        "totalAvailableBalance": money(max(ZERO, equity - initial)),
        "totalPerpUPL": money(unrealised),
        "totalInitialMargin": money(initial),
        "totalInitialMarginByMp": money(initial),
        "totalMaintenanceMargin": money(maintenance),
        "totalMaintenanceMarginByMp": money(maintenance),
        "coin": [coin],
    }


def _side(position: Position) -> str:
    if not position.amount:
        return ""
    return "Buy" if position.amount > 0 else "Sell"


def _level(stop: Conditional | None) -> str:
    return "" if stop is None else plain(stop.trigger_price)


def _distance(stop: Conditional | None) -> str:
    return "0" if stop is None else plain(stop.distance)


def _break_even(held: Held, result: Decimal) -> str:
    """(entry × size − result) / (size − |size| × closing fee), with signed sizes."""
    amount = held.position.amount
    if not amount:
        return ""
    fee = max(held.taker_fee, LEAST_BREAK_EVEN_FEE)
    price = (held.position.entry_price * amount - result) / (amount - abs(amount) * fee)
    return money(price)


def _rate(margin: Decimal, equity: Decimal) -> str:
    return "0" if equity <= 0 else str(round(margin / equity, 4))
