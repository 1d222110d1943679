"""Market data: REST endpoints that need no key."""

from __future__ import annotations

from typing import Any, Literal

from trailstop.paper.bybit import wire_instruments as wire
from trailstop.paper.bybit.paging import listed, page
from trailstop.paper.bybit.params import invalid
from trailstop.paper.bybit.routes import Answer, Call, Route, Serve
from trailstop.paper.bybit.spelling import CATEGORY, US_PER_MS, plain, sequence
from trailstop.paper.bybit.stream_days import FLAT_UP, day_of
from trailstop.paper.bybit.topics import INTERVALS
from trailstop.paper.bybit.wire_market import level_rows, levels, price_limits, ticker, trade_id

DEFAULT_KLINES = 200
MOST_KLINES = 1_000
DEFAULT_TRADES = 500
MOST_TRADES = 1_000
DEFAULT_DEPTH = 25
MOST_DEPTH = 500
DEFAULT_INSTRUMENTS = 500
MOST_INSTRUMENTS = 1_000
NS_PER_US = 1_000
US_PER_SECOND = 1_000_000
MARK_COLUMNS = 5


def server_time(call: Call) -> Answer:
    """Page "Get Bybit Server Time"."""
    now_us = call.now_us
    return Answer({"timeSecond": str(now_us // US_PER_SECOND), "timeNano": str(now_us * NS_PER_US)})


def instruments(call: Call) -> Answer:
    """Page "Get Instruments Info"."""
    call.params.check_category()
    wanted = call.params.optional("status")
    rows = [
        ((0, -number), row)
        for number, row in enumerate(map(wire.instrument, call.markets()))
        if wanted in {None, row["status"]}
    ]
    found, cursor = page(rows, call.params, DEFAULT_INSTRUMENTS, MOST_INSTRUMENTS)
    return Answer({"category": CATEGORY, "list": found, "nextPageCursor": cursor})


def tickers(call: Call) -> Answer:
    """Page "Get Tickers"."""
    call.params.check_category()
    world = call.world
    rows = [
        ticker(world, market.symbol, day_of(world, market.symbol), FLAT_UP) | wire.PERPETUAL
        for market in call.markets()
        if world.has_price(market.symbol)
    ]
    return Answer({"category": CATEGORY, "list": rows})


def klines(call: Call) -> Answer:
    """Page "Get Kline": newest first, the open candle included."""
    return _klines(call, "last")


def mark_klines(call: Call) -> Answer:
    """Pages "Get Mark Price Kline" and "Get Index Price Kline"; the index is the mark here."""
    return _klines(call, "mark")


def _klines(call: Call, source: Literal["last", "mark"]) -> Answer:
    if call.params.optional("category") is not None:
        call.params.check_category()
    market = call.market()
    interval = INTERVALS.get(call.params.required("interval"))
    if interval is None:
        raise invalid("interval")
    rows = call.world.klines(
        market.symbol,
        interval,
        start_us=call.params.time_us("start"),
        end_us=call.params.end_us("end"),
        limit=call.params.limit(DEFAULT_KLINES, MOST_KLINES),
        source=source,
    )
    spelled = [wire.kline(row) for row in reversed(rows)]
    if source == "mark":
        spelled = [row[:MARK_COLUMNS] for row in spelled]
    return Answer({"symbol": market.symbol, "category": CATEGORY, "list": spelled})


def order_book(call: Call) -> Answer:
    """Page "Get Orderbook"; behind the best level the levels are made up."""
    call.params.check_category()
    market = call.market()
    book = call.world.book(market.symbol)
    bids, asks = levels(market, book, call.params.limit(DEFAULT_DEPTH, MOST_DEPTH))
    return Answer(
        {
            "s": market.symbol,
            "b": level_rows(bids),
            "a": level_rows(asks),
            "ts": call.now_us // US_PER_MS,
            "u": sequence(book.time_us),
            "seq": sequence(book.time_us),
            "cts": book.time_us // US_PER_MS,
        }
    )


def recent_trades(call: Call) -> Answer:
    """Page "Get Recent Public Trades": newest first."""
    call.params.check_category()
    market = call.market()
    limit = call.params.limit(DEFAULT_TRADES, MOST_TRADES)
    rows = [
        wire.public_trade(trade, trade_id(trade))
        for trade in reversed(call.world.trades(market.symbol, limit=limit))
    ]
    return Answer({"category": CATEGORY, "list": rows})


def price_limit(call: Call) -> Answer:
    """Page "Get Order Price Limit"."""
    market = call.market()
    highest, lowest = price_limits(market, call.world.mark(market.symbol))
    return Answer(
        {
            "symbol": market.symbol,
            "buyLmt": plain(highest),
            "sellLmt": plain(lowest),
            "ts": str(call.now_us // US_PER_MS),
        }
    )


def risk_limit(call: Call) -> Answer:
    """Page "Get Risk Limit": one tier a market."""
    call.params.check_category()
    rows = [wire.risk_limit(market) for market in call.markets()]
    return Answer(listed(rows, "", CATEGORY))


def funding_history(call: Call) -> Answer:
    """Page "Get Funding Rate History": the paper exchange keeps no rates of the past."""
    call.params.check_category()
    call.market()
    rows: list[Any] = []
    return Answer({"category": CATEGORY, "list": rows})


def _open(path: str, serve: Serve) -> Route:
    return Route("GET", f"/v5/market/{path}", serve)


ROUTES = (
    _open("time", server_time),
    _open("instruments-info", instruments),
    _open("tickers", tickers),
    _open("kline", klines),
    _open("mark-price-kline", mark_klines),
    _open("index-price-kline", mark_klines),
    _open("orderbook", order_book),
    _open("recent-trade", recent_trades),
    _open("price-limit", price_limit),
    _open("risk-limit", risk_limit),
    _open("funding/history", funding_history),
)
