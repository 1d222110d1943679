"""Market data: REST endpoints that need no key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from trailstop.paper.binance import wire_market as wire
from trailstop.paper.binance.errors import INVALID_INTERVAL, illegal
from trailstop.paper.binance.params import Params
from trailstop.paper.binance.routes import Call, Route, Security, by_symbol
from trailstop.paper.model import Kline
from trailstop.paper.world import World

INTERVALS = (
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip
DEFAULT_KLINES = 500
MOST_KLINES = 1_500
KLINE_WEIGHTS = ((100, 1), (500, 2), (1_001, 5))
MOST_KLINE_WEIGHT = 10
DEFAULT_TRADES = 500
MOST_TRADES = 1_000
DEPTH_LEVELS = (5, 10, 20, 50, 100, 500, 1_000)
DEFAULT_DEPTH = 500
SYNTHETIC_LEVELS = 20
"""The book has one true level; no more than this are made up behind it."""
DEPTH_WEIGHTS = ((50, 2), (100, 5), (500, 10))
MOST_DEPTH_WEIGHT = 20
DAY_US = 86_400_000_000
QUARTERS_OF_DAY = 96
US_PER_MS = 1_000


def ping(call: Call) -> Any:
    """Page "Test Connectivity"."""
    del call
    return {}


def server_time(call: Call) -> Any:
    """Page "Check Server Time"."""
    return {"serverTime": call.now_ms}


def exchange_info(call: Call) -> Any:
    """Page "Exchange Information"."""
    markets, band = list(call.world.markets.values()), call.world.settings.trigger_band
    return wire.exchange_info(markets, call.limits, band, call.now_ms)


def premium_index(call: Call) -> Any:
    """Page "Mark Price"."""
    rows = [
        wire.premium_index(
            market,
            call.world.mark(market.symbol),
            call.world.funding_rate(market.symbol),
            call.world.next_funding_us(market.symbol),
            call.now_ms,
        )
        for market in call.priced_markets()
    ]
    return _one_or_all(call, rows)


def price_ticker(call: Call) -> Any:
    """Pages "Symbol Price Ticker" and its V2."""
    rows = [
        wire.price_ticker(market.symbol, call.world.last(market.symbol), call.now_ms)
        for market in call.priced_markets()
    ]
    return _one_or_all(call, rows)


def book_ticker(call: Call) -> Any:
    """Page "Symbol Order Book Ticker"."""
    rows = [
        wire.book_ticker(market.symbol, call.world.book(market.symbol))
        for market in call.priced_markets()
    ]
    return _one_or_all(call, rows)


def day_ticker(call: Call) -> Any:
    """Page "24hr Ticker Price Change Statistics"."""
    rows = []
    for market in call.priced_markets():
        prints = call.world.trades(market.symbol, limit=1)
        rows.append(
            wire.day_ticker(
                market.symbol,
                day_candle(call.world, market.symbol, call.now_ms),
                prints[-1] if prints else None,
            )
        )
    return _one_or_all(call, rows)


def day_candle(world: World, symbol: str, now_ms: int) -> Kline:
    """The last 24 hours as one candle.

    It closes now, since clients take its end for the ticker's time.
    """
    now_us = now_ms * US_PER_MS
    rows = world.klines(
        symbol, "15m", start_us=now_us - DAY_US, end_us=now_us, limit=QUARTERS_OF_DAY
    )
    if not rows:
        last = world.last(symbol)
        return Kline(open_us=now_us, close_us=now_us, open=last, high=last, low=last, close=last)
    return Kline(
        open_us=rows[0].open_us,
        close_us=now_us,
        open=rows[0].open,
        high=max(row.high for row in rows),
        low=min(row.low for row in rows),
        close=rows[-1].close,
        volume=sum((row.volume for row in rows), Decimal(0)),
        quote_volume=sum((row.quote_volume for row in rows), Decimal(0)),
        trades=sum(row.trades for row in rows),
        first_trade_id=rows[0].first_trade_id,
        last_trade_id=rows[-1].last_trade_id,
    )


def klines(call: Call) -> Any:
    """Page "Kline/Candlestick Data"; the last row is the open candle."""
    return _klines(call, call.symbol(), "last")


def mark_klines(call: Call) -> Any:
    """Page "Mark Price Kline/Candlestick Data"."""
    return _klines(call, call.symbol(), "mark")


def index_klines(call: Call) -> Any:
    """Page "Index Price Kline/Candlestick Data"; the index is the mark here."""
    call.params.values["symbol"] = call.params.required("pair")
    return _klines(call, call.symbol(), "mark")


def _klines(call: Call, symbol: str, source: Literal["last", "mark"]) -> Any:
    interval = call.params.required("interval")
    if interval not in INTERVALS:
        raise INVALID_INTERVAL
    rows = call.world.klines(
        symbol,
        interval,
        start_us=call.params.time_us("startTime"),
        end_us=call.params.end_us(),
        limit=call.params.limit(DEFAULT_KLINES, MOST_KLINES),
        source=source,
    )
    return [wire.kline(row) for row in rows]


def aggregate_trades(call: Call) -> Any:
    """Page "Compressed/Aggregate Trades List"."""
    rows = call.world.trades(
        call.symbol(),
        start_us=call.params.time_us("startTime"),
        end_us=call.params.end_us(),
        from_id=call.params.whole("fromId"),
        limit=call.params.limit(DEFAULT_TRADES, MOST_TRADES),
    )
    return [wire.aggregate_trade(row) for row in rows]


def recent_trades(call: Call) -> Any:
    """Page "Recent Trades List"."""
    rows = call.world.trades(call.symbol(), limit=call.params.limit(DEFAULT_TRADES, MOST_TRADES))
    return [wire.public_trade(row) for row in rows]


def depth(call: Call) -> Any:
    """Page "Order Book"; behind the best level the levels are made up."""
    limit = call.params.limit(DEFAULT_DEPTH, DEPTH_LEVELS[-1])
    if limit not in DEPTH_LEVELS:
        raise illegal("limit")
    symbol = call.symbol()
    return wire.depth(
        call.world.markets[symbol],
        call.world.book(symbol),
        min(limit, SYNTHETIC_LEVELS),
        call.now_ms,
    )


def _one_or_all(call: Call, rows: list[dict[str, Any]]) -> Any:
    return rows[0] if call.params.optional("symbol") else rows


def _kline_weight(params: Params) -> int:
    limit = params.limit(DEFAULT_KLINES, MOST_KLINES)
    return next((weight for below, weight in KLINE_WEIGHTS if limit < below), MOST_KLINE_WEIGHT)


def _depth_weight(params: Params) -> int:
    limit = params.limit(DEFAULT_DEPTH, DEPTH_LEVELS[-1])
    return next((weight for most, weight in DEPTH_WEIGHTS if limit <= most), MOST_DEPTH_WEIGHT)


def _open(path: str, weight: Any, serve: Any) -> Route:
    return Route("GET", path, Security.NONE, weight, serve)


ROUTES = (
    _open("/fapi/v1/ping", 1, ping),
    _open("/fapi/v1/time", 1, server_time),
    _open("/fapi/v1/exchangeInfo", 1, exchange_info),
    _open("/fapi/v1/premiumIndex", by_symbol(1, 10), premium_index),
    _open("/fapi/v1/ticker/price", by_symbol(1, 2), price_ticker),
    _open("/fapi/v2/ticker/price", by_symbol(1, 2), price_ticker),
    _open("/fapi/v1/ticker/bookTicker", by_symbol(2, 5), book_ticker),
    _open("/fapi/v1/ticker/24hr", by_symbol(1, 40), day_ticker),
    _open("/fapi/v1/klines", _kline_weight, klines),
    _open("/fapi/v1/markPriceKlines", _kline_weight, mark_klines),
    _open("/fapi/v1/indexPriceKlines", _kline_weight, index_klines),
    _open("/fapi/v1/aggTrades", 20, aggregate_trades),
    _open("/fapi/v1/trades", 5, recent_trades),
    _open("/fapi/v1/depth", _depth_weight, depth),
)
