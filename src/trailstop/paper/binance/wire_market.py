"""Market data as this exchange spells it in REST answers; each function names its page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trailstop.paper.binance.limits import LimitSettings
from trailstop.paper.binance.spelling import ASSET, money, ms, plain
from trailstop.paper.facts import TradePrinted
from trailstop.paper.model import CLOSED, HALTED, ZERO, Book, Kline, Market

PERCENT_BAND = Decimal("0.05")
"""Where the world's settings set no other."""
STATUSES = {HALTED: "HALT", CLOSED: "CLOSE"}
"""The exchange's words for a market's status, where they differ from ours."""
MAX_OPEN_ORDERS = 200
ONBOARD_MS = 1_569_398_400_000
DELIVERY_MS = 4_133_404_800_000
"""What perpetuals carry instead of a delivery date: the year 2100."""
PRICE_RANGE = 1_000_000

Row = dict[str, Any]


def exchange_info(
    markets: list[Market], limits: LimitSettings, band: Decimal | None, now_ms: int
) -> Row:
    """Page "Exchange Information"; `band` is how far from the mark a price may lie."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute),
            _rate_limit("ORDERS", "MINUTE", 1, limits.orders_per_minute),
            _rate_limit("ORDERS", "SECOND", 10, limits.orders_per_ten_seconds),
        ],
        "exchangeFilters": [],
        "assets": [{"asset": ASSET, "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_symbol(market, band or PERCENT_BAND) for market in markets],
    }


def order_limits(limits: LimitSettings) -> list[Row]:
    """Page "Query User Rate Limit"."""
    return [
        _rate_limit("ORDERS", "SECOND", 10, limits.orders_per_ten_seconds),
        _rate_limit("ORDERS", "MINUTE", 1, limits.orders_per_minute),
    ]


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> Row:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _symbol(market: Market, band: Decimal) -> Row:
    tick, step = market.tick_size, market.step_size
    return {
        "symbol": market.symbol,
        "pair": market.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": DELIVERY_MS,
        "onboardDate": ONBOARD_MS,
        "status": STATUSES.get(market.status, market.status),
        "maintMarginPercent": plain(market.maintenance_rate * 100),
        "requiredMarginPercent": "5.0000",
        "baseAsset": market.base,
        "quoteAsset": market.quote,
        "marginAsset": market.quote,
        "pricePrecision": market.price_precision,
        "quantityPrecision": market.quantity_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": plain(market.trigger_protect),
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "tickSize": plain(tick),
                "minPrice": plain(tick),
                "maxPrice": plain(tick * PRICE_RANGE),
            },
            {
                "filterType": "LOT_SIZE",
                "stepSize": plain(step),
                "minQty": plain(market.min_quantity),
                "maxQty": plain(market.max_quantity),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "stepSize": plain(step),
                "minQty": plain(market.min_quantity),
                "maxQty": plain(market.max_market_quantity),
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": MAX_OPEN_ORDERS},
            {"filterType": "MIN_NOTIONAL", "notional": plain(market.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": plain(1 + band),
                "multiplierDown": plain(1 - band),
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ],
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }


def premium_index(
    market: Market, mark: Decimal, funding_rate: Decimal, next_funding_us: int, now_ms: int
) -> Row:
    """Page "Mark Price"."""
    return {
        "symbol": market.symbol,
        "markPrice": money(mark),
        "indexPrice": money(mark),
        "estimatedSettlePrice": money(mark),
        "lastFundingRate": money(funding_rate),
        "interestRate": "0.00010000",
        "nextFundingTime": ms(next_funding_us),
        "time": now_ms,
    }


def price_ticker(symbol: str, last: Decimal, now_ms: int) -> Row:
    """Page "Symbol Price Ticker V2"."""
    return {"symbol": symbol, "price": plain(last), "time": now_ms}


def book_ticker(symbol: str, book: Book) -> Row:
    """Page "Symbol Order Book Ticker"."""
    return {
        "symbol": symbol,
        "bidPrice": plain(book.bid),
        "bidQty": plain(book.bid_quantity),
        "askPrice": plain(book.ask),
        "askQty": plain(book.ask_quantity),
        "time": ms(book.time_us),
        "lastUpdateId": book.time_us,
    }


def depth_levels(market: Market, book: Book, levels: int) -> tuple[list[list[str]], ...]:
    """Bids and asks: the best level is the book's, those behind it lie a tick apart."""
    bids, asks = [], []
    for level in range(levels):
        away = market.tick_size * level
        if book.bid > away:
            bids.append([plain(book.bid - away), plain(book.bid_quantity)])
        asks.append([plain(book.ask + away), plain(book.ask_quantity)])
    return bids, asks


def depth(market: Market, book: Book, levels: int, now_ms: int) -> Row:
    """Page "Order Book"."""
    bids, asks = depth_levels(market, book, levels)
    return {
        "lastUpdateId": book.time_us,
        "E": now_ms,
        "T": ms(book.time_us),
        "bids": bids,
        "asks": asks,
    }


def kline(row: Kline) -> list[Any]:
    """Page "Kline/Candlestick Data"."""
    return [
        ms(row.open_us),
        plain(row.open),
        plain(row.high),
        plain(row.low),
        plain(row.close),
        plain(row.volume),
        ms(row.close_us),
        plain(row.quote_volume),
        row.trades,
        plain(row.taker_volume),
        plain(row.taker_quote_volume),
        "0",
    ]


def aggregate_trade(trade: TradePrinted) -> Row:
    """Page "Compressed/Aggregate Trades List"."""
    return {
        "a": trade.trade_id,
        "p": plain(trade.price),
        "q": plain(trade.quantity),
        "nq": plain(trade.quantity),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": ms(trade.time_us),
        "m": trade.buyer_maker,
    }


def public_trade(trade: TradePrinted) -> Row:
    """Page "Recent Trades List"."""
    return {
        "id": trade.trade_id,
        "price": plain(trade.price),
        "qty": plain(trade.quantity),
        "quoteQty": plain(trade.price * trade.quantity),
        "time": ms(trade.time_us),
        "isBuyerMaker": trade.buyer_maker,
        "isRPITrade": False,
    }


def day_ticker(symbol: str, day: Kline, last: TradePrinted | None) -> Row:
    """Page "24hr Ticker Price Change Statistics"."""
    change = day.close - day.open
    mean = day.quote_volume / day.volume if day.volume else day.close
    return {
        "symbol": symbol,
        "priceChange": plain(change),
        "priceChangePercent": format(100 * change / day.open, ".3f"),
        "weightedAvgPrice": money(mean),
        "lastPrice": plain(day.close),
        "lastQty": plain(last.quantity if last else ZERO),
        "openPrice": plain(day.open),
        "highPrice": plain(day.high),
        "lowPrice": plain(day.low),
        "volume": plain(day.volume),
        "quoteVolume": plain(day.quote_volume),
        "openTime": ms(day.open_us),
        "closeTime": ms(day.close_us),
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.trades,
    }
