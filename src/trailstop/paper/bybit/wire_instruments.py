"""Instruments, candles and trades as REST answers spell them; each function names its page."""

from __future__ import annotations

from typing import Any

from trailstop.paper.bybit.spelling import SIDES, plain, stamp
from trailstop.paper.bybit.wire_market import PRICE_LIMIT_RATIO
from trailstop.paper.facts import TradePrinted
from trailstop.paper.model import CLOSED, HALTED, SETTLING, TRADING, Kline, Market

US_PER_MINUTE = 60_000_000
LAUNCH_MS = "1585526400000"
PRICE_RANGE = 1_000_000
STATUSES = {
    TRADING: "Trading",
    # Page "Enums Definitions", section "status": there is no word for a halt of a live contract.
    HALTED: "PreLaunch",
    SETTLING: "Delivering",
    CLOSED: "Closed",
}
PERPETUAL = {
    "predictedDeliveryPrice": "",
    "basisRate": "",
    "basis": "",
    "deliveryFeeRate": "",
    "deliveryTime": "0",
}
"""What tickers say of a delivery that perpetuals do not have."""

Row = dict[str, Any]


def instrument(market: Market) -> Row:
    """Page "Get Instruments Info"."""
    tick, step = market.tick_size, market.step_size
    return {
        "symbol": market.symbol,
        "contractType": "LinearPerpetual",
        "status": STATUSES[market.status],
        "baseCoin": market.base,
        "quoteCoin": market.quote,
        "settleCoin": market.quote,
        "launchTime": LAUNCH_MS,
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(market.price_precision),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{market.max_leverage}.00",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": plain(tick),
            "maxPrice": plain(tick * PRICE_RANGE),
            "tickSize": plain(tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": plain(market.max_quantity),
            "minOrderQty": plain(market.min_quantity),
            "qtyStep": plain(step),
            "postOnlyMaxOrderQty": plain(market.max_quantity),
            "maxMktOrderQty": plain(market.max_market_quantity),
            "minNotionalValue": plain(market.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": market.funding_interval_us // US_PER_MINUTE,
        "copyTrading": "none",
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {
            "priceLimitRatioX": plain(PRICE_LIMIT_RATIO),
            "priceLimitRatioY": plain(PRICE_LIMIT_RATIO),
        },
        "displayName": "",
        "symbolType": "",
    }


def risk_limit(market: Market) -> Row:
    """Page "Get Risk Limit"."""
    return {
        "id": 1,
        "symbol": market.symbol,
        "riskLimitValue": "200000000",
        "maintenanceMargin": plain(market.maintenance_rate),
        "initialMargin": plain(1 / market.maintenance_rate.__class__(market.max_leverage)),
        "isLowestRisk": 1,
        "maxLeverage": f"{market.max_leverage}.00",
        "mmDeduction": "",
    }


def kline(row: Kline) -> list[str]:
    """Page "Get Kline"."""
    return [
        stamp(row.open_us),
        plain(row.open),
        plain(row.high),
        plain(row.low),
        plain(row.close),
        plain(row.volume),
        plain(row.quote_volume),
    ]


def public_trade(trade: TradePrinted, exec_id: str) -> Row:
    """Page "Get Recent Public Trades"."""
    return {
        "execId": exec_id,
        "symbol": trade.symbol,
        "price": plain(trade.price),
        "size": plain(trade.quantity),
        "side": SIDES["SELL" if trade.buyer_maker else "BUY"],
        "time": stamp(trade.time_us),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(trade.time_us),
    }
