"""What the public topics tell: tickers put together from snapshots and deltas, and trades.

A ticker's delta carries only what changed (page `websocket/public/ticker`), so that its news
is what the merged ticker says, never the delta alone.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from trailstop.ports import LastPrice, MarkPrice, Quote, UnusablePrice
from trailstop.venues.bybit import frames, wire

RETELL_MS = 1_000
"""A price that rests is told again once a second: the exchange has just said it still holds."""
REMEMBERED_TRADES = 8_192
"""Ids kept a symbol at most, eight of the largest messages."""
REMEMBER_MS = 60_000
"""Older ones are forgotten: a repeat comes within seconds, and a later one is late by its time."""


@dataclass(slots=True)
class _Ticker:
    """One symbol's merged ticker."""

    mark: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None

    def merge(self, row: wire.Ticker) -> list[str]:
        """Take over what the row carries; returns what of it is no price."""
        bad = []
        for name, text in (
            ("mark", row.mark_price),
            ("bid", row.bid1_price),
            ("ask", row.ask1_price),
        ):
            if text is None:
                continue
            value = _price(text)
            setattr(self, name, value)
            if value is None and text:
                bad.append(f"{name} {text!r}")
        return bad


class Tickers:
    """Merges the tickers of all watched symbols and tells what is new in them."""

    def __init__(self) -> None:
        self._merged: dict[str, _Ticker] = {}
        self._told_mark: dict[str, MarkPrice] = {}
        self._told_quote: dict[str, Quote] = {}

    def forget(self) -> None:
        """The socket is a new one: deltas mean nothing before its snapshots have come."""
        self._merged.clear()

    def only(self, symbols: frozenset[str]) -> None:
        """Drop what is not watched any more; watched again it begins with a snapshot."""
        for kept in (self._merged, self._told_mark, self._told_quote):
            for symbol in kept.keys() - symbols:
                kept.pop(symbol)

    def take(
        self, kind: str, row: wire.Ticker, at_ms: int
    ) -> list[MarkPrice | Quote | UnusablePrice]:
        """Merge a snapshot or a delta. `at_ms` is the frame's time.

        A frame older than what was told is merged and not told. A field that should be a price and
        is none counts as unknown until the next; the rest of the row is told.
        """
        symbol = row.symbol
        if kind == "snapshot":
            self._merged[symbol] = _Ticker()
        merged = self._merged.get(symbol)
        if merged is None:
            return []
        bad = merged.merge(row)
        news: list[MarkPrice | Quote | UnusablePrice] = []
        if bad:
            news.append(UnusablePrice(symbol, f"{', '.join(bad)} is no price"))
        if merged.mark is not None:
            mark = MarkPrice(symbol, merged.mark, at_ms)
            before = self._told_mark.get(symbol)
            if before is None or _is_news(before.mark != mark.mark, at_ms - before.at_ms):
                self._told_mark[symbol] = mark
                news.append(mark)
        if merged.bid is not None and merged.ask is not None:
            quote = Quote(symbol, merged.bid, merged.ask, at_ms)
            told = self._told_quote.get(symbol)
            changed = told is None or (told.bid, told.ask) != (quote.bid, quote.ask)
            if told is None or _is_news(changed, at_ms - told.at_ms):
                self._told_quote[symbol] = quote
                news.append(quote)
        return news


def _is_news(changed: bool, since_ms: int) -> bool:
    return since_ms >= (0 if changed else RETELL_MS)


def _price(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and value > 0 else None


@dataclass(slots=True)
class _Numbered:
    """The trades of one symbol so far: the newest number, and the ids seen last."""

    number: int = 0
    seen: OrderedDict[str, int] = field(default_factory=OrderedDict)


class Trades:
    """Numbers the trades of each symbol as they come.

    The exchange's ids are random text, and its `seq` is shared by a whole sweep and may begin
    anew after a restart of the exchange. So a trade's number is its place in the order of
    arrival, which within one socket is the order of matching, also inside one millisecond.
    A trade whose id was seen already (after a change of sockets) is dropped; one that comes
    late is told by its time.
    """

    def __init__(self) -> None:
        self._symbols: dict[str, _Numbered] = {}

    def take(self, trade: frames.PublicTrade) -> LastPrice | None:
        """A trade as an event; None for a repeat."""
        numbered = self._symbols.setdefault(trade.symbol, _Numbered())
        if trade.trade_id in numbered.seen:
            return None
        seen = numbered.seen
        seen[trade.trade_id] = trade.at_ms
        while (
            len(seen) > REMEMBERED_TRADES or trade.at_ms - next(iter(seen.values())) > REMEMBER_MS
        ):
            seen.popitem(last=False)
        numbered.number += 1
        return LastPrice(trade.symbol, trade.price, numbered.number, trade.at_ms)
