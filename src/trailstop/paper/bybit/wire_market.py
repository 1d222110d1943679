"""Market data as this exchange spells it; each function names its page."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from msgspec import Struct

from trailstop.paper.bybit.spelling import US_PER_MS, plain, sequence, stamp
from trailstop.paper.facts import TradePrinted
from trailstop.paper.model import Book, Fill, Kline, Market
from trailstop.paper.world import World

US_PER_HOUR = 3_600_000_000
SYNTHETIC_LEVELS = 50
"""The book has one true level; no more than this are made up, a tick apart."""
FUNDING_CAP = "0.005"
NO_OPEN_INTEREST = "0"
"""The paper exchange has no other side, so nothing is open but the accounts' positions."""
PRICE_LIMIT_RATIO = Decimal("0.01")
"""`priceLimitRatioX`: how far from the mark a limit order may buy above or sell below."""
PLACES_OF_CHANGE = 6

Row = dict[str, Any]
Levels = dict[Decimal, Decimal]
"""Quantity by price."""


class Day(Struct, frozen=True):
    """The last 24 hours of one market, with the price of an hour ago."""

    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal
    turnover: Decimal
    hour_ago: Decimal


def whole_ms(at_us: int) -> int:
    """Microseconds as the number of milliseconds that market data carries."""
    return at_us // US_PER_MS


def trade_id(trade: TradePrinted) -> str:
    """The id of a public trade: the same in the stream and in REST answers."""
    return str(uuid5(NAMESPACE_OID, f"{trade.symbol}:{trade.trade_id}"))


def ticker(world: World, symbol: str, day: Day, tick_direction: str) -> Row:
    """Pages "Get Tickers" and "Ticker" (stream, the whole of a snapshot)."""
    market, book, last = world.markets[symbol], world.book(symbol), world.last(symbol)
    change = (last - day.open) / day.open
    return {
        "symbol": symbol,
        "tickDirection": tick_direction,
        "price24hPcnt": plain(round(change, PLACES_OF_CHANGE)),
        "lastPrice": plain(last),
        "prevPrice24h": plain(day.open),
        "highPrice24h": plain(day.high),
        "lowPrice24h": plain(day.low),
        "prevPrice1h": plain(day.hour_ago),
        "markPrice": plain(world.mark(symbol)),
        "indexPrice": plain(world.index(symbol)),
        "openInterest": NO_OPEN_INTEREST,
        "openInterestValue": NO_OPEN_INTEREST,
        "turnover24h": plain(day.turnover),
        "volume24h": plain(day.volume),
        "fundingIntervalHour": str(market.funding_interval_us // US_PER_HOUR),
        "fundingCap": FUNDING_CAP,
        "singleOpenInterest": NO_OPEN_INTEREST,
        "singleOpenInterestValue": NO_OPEN_INTEREST,
        "nextFundingTime": stamp(world.next_funding_us(symbol)),
        "fundingRate": plain(world.funding_rate(symbol)),
        "bid1Price": plain(book.bid),
        "bid1Size": plain(book.bid_quantity),
        "ask1Price": plain(book.ask),
        "ask1Size": plain(book.ask_quantity),
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }


def ticker_event(row: Row, kind: str, now_us: int) -> Row:
    """Page "Ticker" (stream); a delta holds the symbol and what has changed."""
    return {
        "topic": f"tickers.{row['symbol']}",
        "type": kind,
        "data": row,
        "cs": sequence(now_us),
        "ts": whole_ms(now_us),
    }


def public_trade(trade: TradePrinted, tick_direction: str) -> Row:
    """One row of page "Trade" (stream)."""
    return {
        "T": whole_ms(trade.time_us),
        "s": trade.symbol,
        "S": "Sell" if trade.buyer_maker else "Buy",
        "v": plain(trade.quantity),
        "p": plain(trade.price),
        "L": tick_direction,
        "i": trade_id(trade),
        "BT": False,
        "RPI": False,
        "seq": sequence(trade.time_us),
    }


def public_trades_event(symbol: str, rows: list[Row]) -> Row:
    """Page "Trade" (stream)."""
    topic = f"publicTrade.{symbol}"
    return {"topic": topic, "type": "snapshot", "ts": rows[-1]["T"], "data": rows}


def levels(market: Market, book: Book, depth: int) -> tuple[Levels, Levels]:
    """Bids and asks, best first: the best level is the book's, the others are made up."""
    bids, asks = {}, {}
    for level in range(min(depth, SYNTHETIC_LEVELS)):
        away = market.tick_size * level
        if book.bid > away:
            bids[book.bid - away] = book.bid_quantity
        asks[book.ask + away] = book.ask_quantity
    return bids, asks


def level_rows(side: Mapping[Decimal, Decimal]) -> list[list[str]]:
    """Prices with their quantities; quantity 0 takes a price away."""
    return [[plain(price), plain(quantity)] for price, quantity in side.items()]


def order_book_event(topic: str, kind: str, sides: tuple[Levels, Levels], update: Update) -> Row:
    """Page "Orderbook" (stream)."""
    bids, asks = sides
    return {
        "topic": topic,
        "type": kind,
        "ts": whole_ms(update.now_us),
        "data": {
            "s": update.symbol,
            "b": level_rows(bids),
            "a": level_rows(asks),
            "u": update.number,
            "seq": sequence(update.moved_us),
        },
        "cts": whole_ms(update.moved_us),
    }


class Update(Struct, frozen=True):
    """One change of a book; `moved_us` is when the book was made, `now_us` when it is told."""

    symbol: str
    number: int
    moved_us: int
    now_us: int


def kline_event(topic: str, interval: str, row: Kline, confirm: bool, now_us: int) -> Row:
    """Page "Kline" (stream)."""
    return {
        "topic": topic,
        "data": [
            {
                "start": whole_ms(row.open_us),
                "end": whole_ms(row.close_us),
                "interval": interval,
                "open": plain(row.open),
                "close": plain(row.close),
                "high": plain(row.high),
                "low": plain(row.low),
                "volume": plain(row.volume),
                "turnover": plain(row.quote_volume),
                "confirm": confirm,
                "timestamp": whole_ms(now_us),
            }
        ],
        "ts": whole_ms(now_us),
        "type": "snapshot",
    }


def price_limits(market: Market, mark: Decimal) -> tuple[Decimal, Decimal]:
    """Highest price to buy and lowest price to sell at, on the tick inside the band."""
    tick = market.tick_size
    highest = (mark * (1 + PRICE_LIMIT_RATIO) / tick).to_integral_value(ROUND_FLOOR) * tick
    lowest = (mark * (1 - PRICE_LIMIT_RATIO) / tick).to_integral_value(ROUND_CEILING) * tick
    return highest, lowest


def price_limit_event(topic: str, market: Market, mark: Decimal, now_us: int) -> Row:
    """Page "Order Price Limit" (stream)."""
    highest, lowest = price_limits(market, mark)
    data = {"symbol": market.symbol, "buyLmt": plain(highest), "sellLmt": plain(lowest)}
    return {"topic": topic, "data": data, "ts": whole_ms(now_us)}


def liquidation_event(fill: Fill) -> Row:
    """Page "All Liquidation" (stream); `S` is the side of the position that was liquidated."""
    row = {
        "T": whole_ms(fill.time_us),
        "s": fill.symbol,
        "S": "Buy" if fill.side == "SELL" else "Sell",
        "v": plain(fill.quantity),
        "p": plain(fill.price),
    }
    topic = f"allLiquidation.{fill.symbol}"
    return {"topic": topic, "type": "snapshot", "ts": whole_ms(fill.time_us), "data": [row]}
