"""Files of bars, trades, best bid and ask, and funding rates as series in whole units.

Each reader takes CSV, as it is or in `.gz` or `.zip`, with or without header, in the formats of
Binance's and Bybit's archives or plain, and Parquet. A price keeps every digit: the series' unit
is the finest decimal in the file. Rows that an exchange sends and that mean nothing are left out
and listed in `refused`; rows that contradict themselves raise DataError with their line, or are
listed too with `skip_bad`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, Generic, TypeVar

import numpy as np
import polars as pl

from trailstop.domain.price import Side
from trailstop.errors import DataError
from trailstop.lab.data import fields
from trailstop.lab.data.columns import US_PER_MS, Mask, exact, frozen, nulls, times_us
from trailstop.lab.data.sieve import Reason, Sieve
from trailstop.lab.data.table import Table, kind_of, load, symbol_of
from trailstop.lab.series import Bars, Funding, Int64, PriceKind, Quotes, Trades
from trailstop.recorded.formats import Kind, power_of_ten
from trailstop.recorded.names import MINUTE_US, interval_in

OHLC: Final = ("open", "high", "low", "close")
LEAVES_AT: Final[dict[Side, PriceKind]] = {Side.LONG: "bid", Side.SHORT: "ask"}
"""The quote at which a position is closed at market."""
QUOTED: Final[dict[PriceKind, str]] = {
    quote: f"bars of the best {quote}, at which a {side.value} leaves; it enters there, too, and "
    "the spread that this costs is not counted"
    for side, quote in LEAVES_AT.items()
}
"""What a reader of results must know of bars of one quote."""
BACKWARDS_MS_MAX: Final = 60_000
"""Ticks stand in order of receipt, so that one may be stamped a little before the one before it;
a step back by more is a file in the wrong order."""

_Series = TypeVar("_Series", Bars, Trades, Quotes)


@dataclass(frozen=True, slots=True, eq=False)
class Read(Generic[_Series]):
    """A series and what else its file tells.

    `quantity_decimals` is the finest quantity. `shift_ms` is how far the exchange's clock is
    before that of receipt, None where the file has not both; `received` says that the series has
    the time of receipt alone.
    """

    series: _Series
    quantity_decimals: int | None = None
    shift_ms: int | None = None
    received: bool = False


def read_bars(
    path: Path | str,
    *,
    symbol: str | None = None,
    skip_bad: bool = False,
    quoted: Side | None = None,
) -> Bars:
    """The candles of a file; of mark prices where its name has `-mark`.

    Of a file of the best bid and ask, `quoted` is the side of the positions: bars of the bid, at
    which a long leaves, or of the ask. The interval is the most frequent distance of two bars.
    Bars may be missing. Raises DataError for prices that contradict each other and times that do
    not rise, unless `skip_bad`, and for bid and ask where no side is chosen.
    """
    return bars_of(Path(path), symbol=symbol, skip_bad=skip_bad, quoted=quoted).series


def read_trades(path: Path | str, *, symbol: str | None = None, skip_bad: bool = False) -> Trades:
    """The trades of a file; those without price or quantity are refused, as Binance sends some.

    A trade that is stamped before the one before it gets that one's time.
    """
    return trades_of(Path(path), symbol=symbol, skip_bad=skip_bad).series


def read_quotes(path: Path | str, *, symbol: str | None = None, skip_bad: bool = False) -> Quotes:
    """The changes of best bid and ask of a file; empty and crossed ones are refused.

    Where the exchange gives no time, as on Binance's spot markets, the time of receipt counts,
    and a note says so.
    """
    return quotes_of(Path(path), symbol=symbol, skip_bad=skip_bad).series


def read_funding(path: Path | str, *, symbol: str | None = None) -> Funding:
    """The settlements of a file, in rising time."""
    path = Path(path)
    table = load(path, Kind.FUNDING, ("rate",), symbol)
    sieve = Sieve(table, skip_bad=False)
    time_us = fields.times(table, sieve)
    rates = exact(table.column("rate"))
    sieve.reject(nulls(rates), fields.faulty(table, "rate"))
    sieve.settled()
    time_ms = time_us // US_PER_MS
    sieve.reject(
        np.diff(time_ms, prepend=-1) <= 0, lambda _: "the time is not after that of the row before"
    )
    sieve.settled()
    texts = table.column("rate").cast(pl.String).str.strip_chars()
    return Funding(
        symbol=symbol_of(table, symbol),
        time_ms=frozen(time_ms),
        rates=tuple(map(Decimal, texts)),
        source=(path.name,),
    )


def bars_of(
    path: Path, *, symbol: str | None = None, skip_bad: bool = False, quoted: Side | None = None
) -> Read[Bars]:
    """As `read_bars`, with what else the file tells."""
    quote = _quote(path, quoted)
    kind = Kind.BARS if quote is None else Kind.QUOTE_BARS
    columns = OHLC if quote is None else tuple(f"{quote}_{name}" for name in OHLC)
    table = load(path, kind, (*columns, "volume"), symbol)
    sieve = Sieve(table, skip_bad=skip_bad)
    time_ms = fields.times(table, sieve) // US_PER_MS
    decimals, prices = fields.prices(table, columns, sieve)
    opens, highs, lows, closes = prices
    lowest = columns[OHLC.index("low")]
    sieve.reject(lows <= 0, lambda at: f"the lowest price is {table.cell(at, lowest)}")
    sieve.reject(
        (highs < lows) | ~_within(opens, lows, highs) | ~_within(closes, lows, highs),
        lambda _: "open and close must lie between low and high",
    )
    volume = fields.volumes(table, sieve)
    kept = sieve.settled()
    interval_ms = _interval_ms(path, time_ms[kept])
    _reject_overlaps(sieve, kept, time_ms, interval_ms)
    kept = sieve.settled()
    bars = Bars(
        symbol=symbol_of(table, symbol),
        unit=power_of_ten(-decimals),
        interval_ms=interval_ms,
        open_ms=frozen(time_ms[kept]),
        open=frozen(opens[kept]),
        high=frozen(highs[kept]),
        low=frozen(lows[kept]),
        close=frozen(closes[kept]),
        volume=None if volume is None else frozen(volume[kept]),
        kind=quote or table.kind_of_price,
        source=(path.name,),
        refused=sieve.refused(),
        notes=() if quote is None else (f"{path.name}: {QUOTED[quote]}",),
    )
    return Read(bars, fields.quantity_decimals(table, "volume"))


def trades_of(path: Path, *, symbol: str | None = None, skip_bad: bool = False) -> Read[Trades]:
    """As `read_trades`, with what else the file tells."""
    table = load(path, Kind.TRADES, ("price", "quantity"), symbol)
    sieve = Sieve(table, skip_bad=skip_bad)
    time_us = fields.times(table, sieve)
    decimals, (prices,) = fields.prices(table, ("price",), sieve)
    quantities = exact(table.column("quantity"))
    sieve.reject(nulls(quantities), fields.faulty(table, "quantity"))
    sieve.leave_out(
        (prices <= 0) | (quantities.fill_null(0) <= 0).to_numpy(),
        lambda at: (
            f"price {table.cell(at, 'price')} and quantity {table.cell(at, 'quantity')}: no trade"
        ),
    )
    time_ms = _rising(time_us // US_PER_MS, sieve)
    kept = sieve.settled()
    trades = Trades(
        symbol=symbol_of(table, symbol),
        unit=power_of_ten(-decimals),
        time_ms=frozen(time_ms[kept]),
        price=frozen(prices[kept]),
        source=(path.name,),
        refused=sieve.refused(),
    )
    return Read(
        trades, fields.quantity_decimals(table, "quantity"), _shift_ms(table, time_us, kept)
    )


def quotes_of(path: Path, *, symbol: str | None = None, skip_bad: bool = False) -> Read[Quotes]:
    """As `read_quotes`, with what else the file tells."""
    table = load(path, Kind.QUOTES, ("bid", "ask"), symbol)
    sieve = Sieve(table, skip_bad=skip_bad)
    received = False
    if "received" in table.frame.columns and table.column("time").null_count():
        table, received = _timed_by_receipt(table), True
    time_us = fields.times(table, sieve)
    for field in ("bid", "ask"):
        sieve.leave_out(nulls(table.column(field)), _no(field))
    decimals, (bids, asks) = fields.prices(table, ("bid", "ask"), sieve)
    sieve.leave_out(
        (bids <= 0) | (asks < bids),
        lambda at: f"bid {table.cell(at, 'bid')} and ask {table.cell(at, 'ask')}: empty or crossed",
    )
    time_ms = _rising(time_us // US_PER_MS, sieve)
    kept = sieve.settled()
    note = f"{path.name}: no time of the exchange's own; the time of receipt counts"
    quotes = Quotes(
        symbol=symbol_of(table, symbol),
        unit=power_of_ten(-decimals),
        time_ms=frozen(time_ms[kept]),
        bid=frozen(bids[kept]),
        ask=frozen(asks[kept]),
        source=(path.name,),
        refused=sieve.refused(),
        notes=(note,) if received else (),
    )
    return Read(quotes, received=received)


def _quote(path: Path, quoted: Side | None) -> PriceKind | None:
    """Which quote's bars a file has for the side; None where they are bars of another price."""
    if kind_of(path) is not Kind.QUOTE_BARS:
        return None
    if quoted is None:
        raise DataError(
            f"{path}: bars of the best bid and ask, of which longs need the one and shorts the "
            "other; choose a side: long or short"
        )
    return LEAVES_AT[quoted]


def _within(values: Int64, lows: Int64, highs: Int64) -> Mask:
    return (lows <= values) & (values <= highs)


def _no(field: str) -> Reason:
    return lambda _: f"there is no {field}"


def _shift_ms(table: Table, time_us: Int64, kept: Int64) -> int | None:
    """How far the exchange's clock is before that of the recorder, the median of all rows."""
    if "received" not in table.frame.columns:
        return None
    received_us = times_us(table.column("received"))
    shift_us = (pl.Series(time_us) - received_us).gather(kept).median()
    return round(shift_us / US_PER_MS) if isinstance(shift_us, float) else None


def _interval_ms(path: Path, time_ms: Int64) -> int:
    """The most frequent distance, unless the name tells a shorter one that divides it.

    In a thin market most minutes may have no bar.
    """
    named_us = interval_in(path.name)
    steps = np.diff(time_ms)
    steps = steps[steps > 0]
    if not len(steps):
        return (named_us or MINUTE_US) // US_PER_MS
    lengths, counts = np.unique(steps, return_counts=True)
    usual = int(lengths[counts.argmax()])
    if named_us is not None and usual % (named_us // US_PER_MS) == 0:
        return named_us // US_PER_MS
    return usual


def _reject_overlaps(sieve: Sieve, kept: Int64, time_ms: Int64, interval_ms: int) -> None:
    """Refuse bars that begin before the one before them ends."""
    times = time_ms[kept]
    if (np.diff(times) >= interval_ms).all():
        return
    early = np.zeros(len(time_ms), dtype=np.bool_)
    end_ms = int(times[0])
    for at, begin_ms in zip(kept.tolist(), times.tolist(), strict=True):
        if begin_ms < end_ms:
            early[at] = True
        else:
            end_ms = begin_ms + interval_ms

    def why(at: int) -> str:
        rises = time_ms[at] > time_ms[kept[np.searchsorted(kept, at) - 1]]
        if not rises:
            return "the time is not after that of the row before"
        return f"the bar begins before the one before it ends ({interval_ms} ms a bar)"

    sieve.reject(early, why)


def _rising(time_ms: Int64, sieve: Sieve) -> Int64:
    """Times of ticks, each at least that of the tick before it."""
    latest = np.maximum.accumulate(time_ms)
    sieve.reject(
        latest - time_ms > BACKWARDS_MS_MAX,
        lambda at: (
            f"the time is {int(latest[at] - time_ms[at])} ms before that of a row before; "
            "sort the rows by time"
        ),
    )
    return latest


def _timed_by_receipt(table: Table) -> Table:
    frame = table.frame
    if frame["time"].dtype == frame["received"].dtype:
        frame = frame.with_columns(time=pl.coalesce("time", "received"))
    else:
        frame = frame.with_columns(time=pl.col("received"))
    return Table(table.path, table.format, frame, table.word, table.kind_of_price)
