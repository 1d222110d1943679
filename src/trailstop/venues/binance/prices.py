"""Prices by asking: last, mark and book of some symbols in three requests, whatever their number."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from trailstop.ports import LastPrice, MarkPrice, Quote
from trailstop.venues.binance import wire
from trailstop.venues.binance.rest import BinanceRest
from trailstop.venues.decoding import Decoder

R = TypeVar("R", wire.PriceTicker, wire.PremiumIndex, wire.BookRow)


async def ask(
    rest: BinanceRest, symbols: frozenset[str], now_ms: int
) -> Sequence[LastPrice | MarkPrice | Quote]:
    """Last price, mark and book, of weight 4 for one symbol and 17 for any number.

    Each is dated as the exchange dates it, and with `now_ms` where it does not. A row that cannot
    be read is left out, and only that. Raises: ReadFailed.
    """
    one = next(iter(symbols)) if len(symbols) == 1 else None
    last, marks, books = await asyncio.gather(rest.prices(one), rest.marks(one), rest.books(one))
    # Book and mark first: they bear witness to a last price that is far from the one before.
    return [
        *(
            Quote(row.symbol, row.bid_price, row.ask_price, row.time or now_ms)
            for row in _read(books, _BOOK, symbols)
        ),
        *(
            MarkPrice(row.symbol, row.mark_price, row.time or now_ms)
            for row in _read(marks, _MARK, symbols)
        ),
        *(
            LastPrice(row.symbol, row.price, None, row.time or now_ms)
            for row in _read(last, _LAST, symbols)
        ),
    ]


def _read(rows: Sequence[msgspec.Raw], decode: Decoder[R], symbols: frozenset[str]) -> Iterable[R]:
    for raw in rows:
        try:
            row = decode(raw)
        except msgspec.DecodeError:
            continue
        if row.symbol in symbols:
            yield row


_LAST: Decoder[wire.PriceTicker] = Decoder(wire.PriceTicker)
_MARK: Decoder[wire.PremiumIndex] = Decoder(wire.PremiumIndex)
_BOOK: Decoder[wire.BookRow] = Decoder(wire.BookRow)
