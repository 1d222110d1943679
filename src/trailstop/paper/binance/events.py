"""Stream events as this exchange spells them; each function names its page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from trailstop.paper.binance.spelling import (
    ASSET,
    SELF_TRADE,
    WORKING_TYPES,
    conditional_time_in_force,
    money,
    ms,
    plain,
)
from trailstop.paper.binance.wire_account import unrealized
from trailstop.paper.binance.wire_market import DELIVERY_MS, ONBOARD_MS, STATUSES, depth_levels
from trailstop.paper.facts import (
    AccountChanged,
    BookMoved,
    ConditionalChanged,
    OrderChanged,
    TradePrinted,
)
from trailstop.paper.model import ZERO, Book, Kline, Market, Order, Position

Event = dict[str, Any]
USD_MARGINED = 1
"""`st`: the kind of market that a symbol belongs to."""
US_PER_MS = 1_000


def aggregate_trade(fact: TradePrinted) -> Event:
    """Page "Aggregate Trade Streams"."""
    return {
        "e": "aggTrade",
        "E": ms(fact.time_us),
        "a": fact.trade_id,
        "s": fact.symbol,
        "p": plain(fact.price),
        "q": plain(fact.quantity),
        "nq": plain(fact.quantity),
        "f": fact.trade_id,
        "l": fact.trade_id,
        "T": ms(fact.time_us),
        "m": fact.buyer_maker,
        "st": USD_MARGINED,
    }


def book_ticker(fact: BookMoved) -> Event:
    """Page "Individual Symbol Book Ticker Streams"."""
    return {
        "e": "bookTicker",
        "u": fact.time_us,
        "E": ms(fact.time_us),
        "T": ms(fact.time_us),
        "s": fact.symbol,
        "ps": fact.symbol,
        "b": plain(fact.bid),
        "B": plain(fact.bid_quantity),
        "a": plain(fact.ask),
        "A": plain(fact.ask_quantity),
        "st": USD_MARGINED,
    }


def partial_depth(fact: BookMoved, market: Market, levels: int) -> Event:
    """Page "Partial Book Depth Streams"; levels behind the best are made up."""
    book = Book(fact.bid, fact.bid_quantity, fact.ask, fact.ask_quantity, fact.time_us)
    bids, asks = depth_levels(market, book, levels)
    return {
        "e": "depthUpdate",
        "E": ms(fact.time_us),
        "T": ms(fact.time_us),
        "s": fact.symbol,
        "U": fact.time_us,
        "u": fact.time_us,
        "pu": fact.time_us - 1,
        "b": bids,
        "a": asks,
    }


def mark_price(
    symbol: str, mark: Decimal, funding_rate: Decimal, next_funding_us: int, now_ms: int
) -> Event:
    """Page "Mark Price Stream"; the index is the mark here."""
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": symbol,
        "p": money(mark),
        "ap": money(mark),
        "i": money(mark),
        "P": money(mark),
        "r": money(funding_rate),
        "T": ms(next_funding_us),
        "st": USD_MARGINED,
    }


def contract_info(market: Market, now_ms: int) -> Event:
    """Page "Contract Info Stream"."""
    return {
        "e": "contractInfo",
        "E": now_ms,
        "s": market.symbol,
        "ps": market.symbol,
        "ct": "PERPETUAL",
        "dt": DELIVERY_MS,
        "ot": ONBOARD_MS,
        "cs": STATUSES.get(market.status, market.status),
    }


def kline(symbol: str, interval: str, row: Kline, closed: bool, time_us: int) -> Event:
    """Page "Kline/Candlestick Streams"."""
    return {
        "e": "kline",
        "E": ms(time_us),
        "s": symbol,
        "k": {
            "t": ms(row.open_us),
            "T": ms(row.close_us),
            "s": symbol,
            "i": interval,
            "f": row.first_trade_id,
            "L": row.last_trade_id,
            "o": plain(row.open),
            "c": plain(row.close),
            "h": plain(row.high),
            "l": plain(row.low),
            "v": plain(row.volume),
            "n": row.trades,
            "x": closed,
            "q": plain(row.quote_volume),
            "V": plain(row.taker_volume),
            "Q": plain(row.taker_quote_volume),
            "B": "0",
        },
    }


def mini_ticker(symbol: str, day: Kline, now_ms: int) -> Event:
    """Page "Individual Symbol Mini Ticker Stream"."""
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": symbol,
        "ps": symbol,
        "c": plain(day.close),
        "o": plain(day.open),
        "h": plain(day.high),
        "l": plain(day.low),
        "v": plain(day.volume),
        "q": plain(day.quote_volume),
        "st": USD_MARGINED,
    }


def day_ticker(symbol: str, day: Kline, now_ms: int) -> Event:
    """Page "Individual Symbol Ticker Streams"."""
    change = day.close - day.open
    mean = day.quote_volume / day.volume if day.volume else day.close
    return mini_ticker(symbol, day, now_ms) | {
        "e": "24hrTicker",
        "p": plain(change),
        "P": format(100 * change / day.open, ".3f"),
        "w": money(mean),
        "Q": "0",
        "O": ms(day.open_us),
        "C": ms(day.close_us),
        "F": day.first_trade_id,
        "L": day.last_trade_id,
        "n": day.trades,
    }


def order_update(fact: OrderChanged) -> Event:
    """Page "Event: Order Update"."""
    order, fill = fact.order, fact.fill
    return {
        "e": "ORDER_TRADE_UPDATE",
        "E": ms(fact.time_us),
        "T": ms(fact.time_us),
        "o": {
            "s": order.symbol,
            "c": order.client_id,
            "S": order.side,
            "o": order.type,
            "f": order.time_in_force,
            "q": plain(order.quantity),
            "p": plain(order.price),
            "ap": plain(order.average_price),
            "sp": "0",
            "x": fact.execution,
            "X": order.status,
            "i": order.order_id,
            "l": plain(fill.quantity if fill else ZERO),
            "z": plain(order.filled),
            "L": plain(fill.price if fill else ZERO),
            "N": fill.fee_asset if fill else ASSET,
            "n": money(fill.fee) if fill else "0",
            "T": ms(fact.time_us),
            "t": fill.trade_id if fill else 0,
            "b": "0",
            "a": "0",
            "m": fill.maker if fill else False,
            "R": order.reduce_only or order.close_position,
            "wt": "CONTRACT_PRICE",
            "ot": _original_type(order),
            "ps": order.position_side,
            "cp": order.close_position,
            "rp": money(fill.realized) if fill else "0",
            "pP": False,
            "si": 0,
            "ss": 0,
            "V": SELF_TRADE,
            "pm": "NONE",
            "gtd": 0,
            "er": "0",
        },
    }


def _original_type(order: Order) -> str:
    return order.original_type or order.type


def trade_lite(fact: OrderChanged) -> Event:
    """Page "Event: Trade Lite"."""
    order, fill = fact.order, fact.fill
    assert fill is not None
    return {
        "e": "TRADE_LITE",
        "E": ms(fact.time_us),
        "T": ms(fact.time_us),
        "s": order.symbol,
        "q": plain(order.quantity),
        "p": plain(order.price),
        "m": fill.maker,
        "c": order.client_id,
        "S": order.side,
        "L": plain(fill.price),
        "l": plain(fill.quantity),
        "t": fill.trade_id,
        "i": order.order_id,
    }


def account_update(
    fact: AccountChanged, rows: Sequence[Position], marks: dict[str, Decimal], change: Decimal
) -> Event:
    """Page "Event: Balance and Position Update"; `change` of the wallet besides trading."""
    wallet = money(fact.wallet)
    content: Event = {
        "m": fact.reason,
        "B": [{"a": ASSET, "wb": wallet, "cw": wallet, "bc": money(change)}],
        "P": [_changed_position(row, marks[row.symbol]) for row in rows],
    }
    if fact.reason == "FUNDING_FEE" and fact.positions:
        content["S"] = fact.positions[0].symbol
    return {
        "e": "ACCOUNT_UPDATE",
        "E": ms(fact.time_us),
        "T": ms(fact.time_us),
        "a": content,
    }


def _changed_position(position: Position, mark: Decimal) -> Event:
    return {
        "s": position.symbol,
        "pa": plain(position.amount),
        "ep": plain(position.entry_price),
        "cr": money(position.realized),
        "up": money(unrealized(position, mark)),
        "mt": "cross",
        "iw": "0",
        "ps": position.position_side,
        "ma": ASSET,
        "bep": money(position.break_even_price),
    }


def algo_update(fact: ConditionalChanged) -> Event:
    """Page "Event: Algo Order Update"."""
    row = fact.conditional
    content: Event = {
        "caid": row.client_id,
        "aid": row.algo_id,
        "at": "CONDITIONAL",
        "o": row.type,
        "s": row.symbol,
        "S": row.side,
        "ps": row.position_side,
        "f": conditional_time_in_force(row),
        "q": plain(row.quantity),
        "X": row.status,
        "ai": "" if row.child_order_id is None else str(row.child_order_id),
        "tp": plain(row.trigger_price),
        "p": plain(row.price),
        "V": SELF_TRADE,
        "wt": WORKING_TYPES[row.working_type],
        "pm": "NONE",
        "cp": row.close_position,
        "pP": row.price_protect,
        "R": row.reduce_only or row.close_position,
        "tt": ms(row.triggered_us),
        "gtd": 0,
    }
    if row.child_order_id is not None:
        content |= {
            "ap": plain(row.average_price),
            "aq": plain(row.filled),
            "act": row.child_type,
        }
    if row.callback_rate is not None:
        content |= {
            "cr": plain(row.callback_rate),
            "AP": plain(row.activate_price),
            "ia": row.activated,
        }
    if row.reject_reason:
        content["rm"] = row.reject_reason
    return {
        "e": "ALGO_UPDATE",
        "E": ms(fact.time_us),
        "T": ms(fact.time_us),
        "o": content,
    }


def listen_key_expired(listen_key: str, now_ms: int) -> Event:
    """Page "Event: User Data Stream Expired"."""
    return {"e": "listenKeyExpired", "E": now_ms, "listenKey": listen_key}
