"""Tapes from recorded files: which file is what, what it holds, and its points in time order.

Each file is read twice: once to check every row and to find the grids, so that a bad row is told
before anything starts, and once as a stream while time runs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from msgspec import Struct, field

from trailstop.errors import DataError
from trailstop.paper.prices.bars import bar_marks, bar_prints
from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.rows import PriceFile, Row
from trailstop.paper.prices.tape import FundingRate, MarkPrice, Point, Print, Quote, Tape
from trailstop.paper.settings import MINUTE_US, WorldSettings
from trailstop.recorded.formats import Kind, exponent_of
from trailstop.recorded.names import MARK, interval_in, symbol_in

_PRICE_FIELDS = {
    Kind.BARS: ("open", "high", "low", "close"),
    Kind.TRADES: ("price",),
    Kind.QUOTES: ("bid", "ask"),
}
_QUANTITY_FIELD = {Kind.BARS: "volume", Kind.TRADES: "quantity"}
_RANK: dict[type, int] = {FundingRate: 0, MarkPrice: 1, Quote: 2, Print: 3}
"""Order of points of one instant: the book moves before the trade."""


class _Part(Struct):
    """One symbol's rows in one file, as the first reading found them."""

    file: PriceFile
    symbol: str
    is_mark: bool
    first_us: int = 0
    last_us: int = 0
    selected: int = 0
    first_price: Decimal | None = None
    price_exponent: int | None = None
    quantity_exponent: int | None = None
    interval_us: int = 0
    receipt_shift_us: int | None = None


class _Window(Struct, frozen=True):
    """Which rows are played: from the first time on, before the second."""

    from_us: int | None
    until_us: int | None

    def after_start(self, time_us: int) -> bool:
        return self.from_us is None or time_us >= self.from_us

    def ended(self, time_us: int) -> bool:
        return self.until_us is not None and time_us >= self.until_us


class _Group(Struct):
    """All files of one symbol, by what they bring."""

    prices: list[_Part] = field(default_factory=list)
    marks: list[_Part] = field(default_factory=list)
    quotes: list[_Part] = field(default_factory=list)
    funding: list[_Part] = field(default_factory=list)


def load_tapes(
    paths: Sequence[Path],
    settings: WorldSettings,
    *,
    from_us: int | None = None,
    until_us: int | None = None,
) -> list[Tape]:
    """One tape for each symbol in the files, in the order in which the symbols appear.

    Several files of one symbol are played one after the other; a file of best bid and ask, of
    mark bars (`-mark` in its name) or of funding rates accompanies the symbol's prices. Rows
    before `from_us` or at and after `until_us` are left out.

    Raises DataError, one line that names the file and, for a bad row, its line.
    """
    window = _Window(from_us, until_us)
    groups: dict[str, _Group] = {}
    for path in paths:
        parts = _survey(PriceFile(path), window)
        if not parts:
            raise DataError(f"{path}: the file has a header but no rows")
        for part in parts:
            group = groups.setdefault(part.symbol, _Group())
            if part.is_mark:
                group.marks.append(part)
            elif part.file.kind is Kind.QUOTES:
                group.quotes.append(part)
            elif part.file.kind is Kind.FUNDING:
                group.funding.append(part)
            else:
                group.prices.append(part)
    return [_tape(symbol, group, window, settings) for symbol, group in groups.items()]


def _survey(file: PriceFile, window: _Window) -> list[_Part]:
    """Read every row once: check it, and find symbols, grids and times."""
    named = symbol_in(file.path.name)
    parts: dict[str, _Part] = {}
    column = file.columns.get("symbol")
    is_mark = file.kind is Kind.BARS and MARK in file.path.name
    before: dict[str, int] = {}
    for line, time_us, row in file.rows():
        symbol = named if column is None else row[column].strip()
        if not symbol:
            raise DataError(
                f"{file.path}: the name does not say which market it is; rename the file so "
                "that it has the symbol in it, as in BTCUSDT-1m.csv"
            )
        part = parts.get(symbol)
        if part is None:
            part = parts[symbol] = _Part(file, symbol, is_mark)
        moment = time_us if time_us is not None else file.received_us(line, row)
        known = before.get(symbol)
        if file.kind is Kind.BARS and known is not None:
            if moment <= known:
                file.refuse(line, "the time is not after that of the row before")
            if not part.interval_us or moment - known < part.interval_us:
                part.interval_us = moment - known
        before[symbol] = moment
        if window.after_start(moment):
            _take_in(part, window, line, moment, row, known_time=time_us is not None)
    for part in parts.values():
        part.interval_us = interval_in(file.path.name) or part.interval_us or MINUTE_US
    return list(parts.values())


def _take_in(
    part: _Part, window: _Window, line: int, moment: int, row: Row, *, known_time: bool
) -> None:
    file = part.file
    price: Decimal | None = None
    match file.kind:
        case Kind.BARS:
            price = file.bar(line, moment, row).open
        case Kind.TRADES:
            printed = file.print(line, moment, row)
            if printed is None:
                return
            price = printed.price
            if part.receipt_shift_us is None and "received" in file.columns:
                part.receipt_shift_us = moment - file.received_us(line, row)
        case Kind.QUOTES:
            quote = file.quote(line, moment, row)
            if quote is None:
                return
        case Kind.FUNDING:
            file.funding(line, moment, row)
    for name in _PRICE_FIELDS.get(file.kind, ()):
        exponent = exponent_of(row[file.columns[name]])
        if part.price_exponent is None or exponent < part.price_exponent:
            part.price_exponent = exponent
    quantity = file.columns.get(_QUANTITY_FIELD.get(file.kind, ""))
    if quantity is not None and Decimal(row[quantity]):
        exponent = exponent_of(row[quantity])
        if part.quantity_exponent is None or exponent < part.quantity_exponent:
            part.quantity_exponent = exponent
    if window.ended(moment) and known_time:
        return
    if not part.selected:
        part.first_us = moment
        part.first_price = price
    part.selected += 1
    part.last_us = moment


def _tape(symbol: str, group: _Group, window: _Window, settings: WorldSettings) -> Tape:
    parts = sorted((part for part in group.prices if part.selected), key=lambda part: part.first_us)
    if not parts:
        everything = [*group.prices, *group.marks, *group.quotes, *group.funding]
        path = everything[0].file.path
        if group.prices:
            raise DataError(f"{path}: no row of {symbol} lies in the time asked for")
        raise DataError(f"{path}: give a file of traded prices of {symbol} beside it")
    for earlier, later in pairwise(parts):
        if later.first_us <= earlier.last_us:
            raise DataError(
                f"{later.file.path}: overlaps with {earlier.file.path}; give one of them"
            )
    first_price = parts[0].first_price
    assert first_price is not None, "a selected row has a price"
    ticks = [part.price_exponent for part in (*parts, *group.quotes)]
    steps = [part.quantity_exponent for part in parts]
    market = derive_market(
        symbol,
        first_price,
        min(exponent for exponent in ticks if exponent is not None),
        min((exponent for exponent in steps if exponent is not None), default=None),
        settings,
    )
    shift_us = parts[0].receipt_shift_us or 0
    streams: list[Iterable[Point]] = [_prints(parts, window, market.step_size, symbol)]
    streams += [_quotes(part, window, shift_us, symbol) for part in group.quotes]
    streams += [_marks(part, window, symbol) for part in group.marks]
    streams += [_rates(part, window, symbol) for part in group.funding]
    names = [part.file.path.name for part in (*parts, *group.quotes, *group.marks, *group.funding)]
    tape = Tape(
        market,
        heapq.merge(*streams, key=lambda point: (point.time_us, _RANK[type(point)])),
        ", ".join(names),
        has_book=bool(group.quotes),
        has_mark=bool(group.marks),
        has_funding=bool(group.funding),
    )
    tape.refused_rows = sum({id(part.file): part.file.refused_rows for part in parts}.values())
    return tape


def _rows_of(part: _Part, window: _Window, symbol: str) -> Iterator[tuple[int, int | None, Row]]:
    column = part.file.columns.get("symbol")
    for line, time_us, row in part.file.rows():
        if column is not None and row[column].strip() != symbol:
            continue
        if time_us is not None:
            if not window.after_start(time_us):
                continue
            if window.ended(time_us):
                if part.file.kind is Kind.TRADES or part.file.kind is Kind.QUOTES:
                    # Ticks stand in order of receipt, so a later row may still be an earlier one.
                    continue
                return
        yield line, time_us, row


def _prints(
    parts: Sequence[_Part], window: _Window, step_size: Decimal, symbol: str
) -> Iterator[Print]:
    """All prints, in the order of the files.

    A trade stamped earlier than the one before it is given that one's time, since the order of
    the file is the order in which they happened.
    """
    latest = 0
    for part in parts:
        for line, time_us, row in _rows_of(part, window, symbol):
            assert time_us is not None, "only quotes may lack a time"
            if part.file.kind is Kind.BARS:
                bar = part.file.bar(line, time_us, row)
                yield from bar_prints(bar, part.interval_us, step_size)
                continue
            latest = max(latest, time_us)
            printed = part.file.print(line, latest, row)
            if printed is not None:
                yield printed


def _quotes(part: _Part, window: _Window, shift_us: int, symbol: str) -> Iterator[Quote]:
    """Quotes, in order of receipt.

    Where the exchange gives no time, the time of receipt counts, moved by what the recorder's
    clock was behind in the file of trades.
    """
    latest = 0
    for line, time_us, row in _rows_of(part, window, symbol):
        moment = time_us
        if moment is None:
            moment = part.file.received_us(line, row) + shift_us
            if not window.after_start(moment) or window.ended(moment):
                continue
        latest = max(latest, moment)
        quote = part.file.quote(line, latest, row)
        if quote is not None:
            yield quote


def _marks(part: _Part, window: _Window, symbol: str) -> Iterator[MarkPrice]:
    for line, time_us, row in _rows_of(part, window, symbol):
        assert time_us is not None, "only quotes may lack a time"
        yield from bar_marks(part.file.bar(line, time_us, row), part.interval_us)


def _rates(part: _Part, window: _Window, symbol: str) -> Iterator[FundingRate]:
    for line, time_us, row in _rows_of(part, window, symbol):
        assert time_us is not None, "only quotes may lack a time"
        yield part.file.funding(line, time_us, row)
