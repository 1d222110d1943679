"""Prices by asking: last, mark and book of some symbols in one request, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from trailstop.ports import LastPrice, MarkPrice, Quote
from trailstop.venues.bybit import wire
from trailstop.venues.bybit.rest import BybitRest


async def ask(
    rest: BybitRest, symbols: frozenset[str], now_ms: int
) -> Sequence[LastPrice | MarkPrice | Quote]:
    """Last price, mark and book, by one request.

    All are dated with the exchange's time of the answer, since no row states its own, and with
    `now_ms` where it states none. What is no number is left out, and only that.

    Raises: ReadFailed.
    """
    rows, at_ms = await rest.tickers(next(iter(symbols)) if len(symbols) == 1 else None)
    told: list[LastPrice | MarkPrice | Quote] = []
    for row in rows:
        if row.symbol in symbols:
            told += _events(row, at_ms or now_ms)
    return told


def _events(row: wire.Ticker, at_ms: int) -> Iterable[LastPrice | MarkPrice | Quote]:
    """Book and mark first: they bear witness to a last price far from the one before."""
    bid, ask_ = _number(row.bid1_price), _number(row.ask1_price)
    mark, last = _number(row.mark_price), _number(row.last_price)
    if bid is not None and ask_ is not None:
        yield Quote(row.symbol, bid, ask_, at_ms)
    if mark is not None:
        yield MarkPrice(row.symbol, mark, at_ms)
    if last is not None:
        yield LastPrice(row.symbol, last, None, at_ms)


def _number(text: str | None) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        return None
