"""Positions with a time as positions with an index: where in a series each opens and ends."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, NoReturn

import numpy as np
from msgspec import Struct

from trailstop.domain.price import Side
from trailstop.errors import DataError
from trailstop.lab.data.columns import frozen
from trailstop.lab.data.shape import moment, times_of
from trailstop.lab.entries import NEVER, Entries
from trailstop.lab.series import Bars, Int64, Quotes, Trades

FAR_FACTOR: Final = 2
"""A price so many times above or below the market's is one of another market or unit."""
_AGAINST: Final = {Side.LONG: ROUND_CEILING, Side.SHORT: ROUND_FLOOR}


class Entry(Struct, frozen=True):
    """A position to open: `at_ms` is when, Unix milliseconds.

    Without a `price`, quote currency, it opens at what the market is then. `quantity` is base
    currency. `exit_ms` is when it is closed at the latest.
    """

    at_ms: int
    side: Side
    price: Decimal | None = None
    quantity: Decimal | None = None
    label: str = ""
    exit_ms: int | None = None


Named = tuple[str, Entry]
"""Where an entry was given, for a person, and the entry."""


def placed(entries: Iterable[Named], series: Bars | Trades | Quotes) -> Entries:
    """The entries in the order of time, each at its place in the series.

    Among bars a position opens at the close of the bar that ends at its time, or, for a time
    inside a bar, of that bar, since a bar does not tell what came before and after within it.
    Where one has no such bar, as at the very first open, and all times are those of opens, they
    open there. Among trades and quotes a position opens after the last one up to its time.

    A price off the series' unit is put on it against the position. Raises DataError that names
    the entry where its time is outside the data or in a hole, its price is far from the market's,
    or only some entries have a quantity.
    """
    named = sorted(entries, key=lambda one: one[1].at_ms)
    if not named:
        raise DataError("there are no entries; give at least one")
    found = [place_of(entry.at_ms, series) for _, entry in named]
    at_close = True
    if None in found and isinstance(series, Bars):
        opens = [_open_of(entry.at_ms, series) for _, entry in named]
        if None not in opens:
            found, at_close = opens, False
    places = [
        _nowhere(where, entry.at_ms, series) if place is None else place
        for (where, entry), place in zip(named, found, strict=True)
    ]
    seats = [
        _Seat(where, entry, at, at_close=at_close)
        for (where, entry), at in zip(named, places, strict=True)
    ]
    labels = tuple(entry.label for _, entry in named)
    return Entries(
        index=frozen(np.array(places, dtype=np.int64)),
        sign=frozen(np.array([entry.side.sign for _, entry in named], dtype=np.int8)),
        price=frozen(np.array([_price(seat, series) for seat in seats], dtype=np.int64)),
        at_close=at_close,
        exit_index=_column([_exit_index(seat, series) for seat in seats]),
        quantities=_quantities(named),
        labels=labels if any(labels) else (),
    )


def place_of(at_ms: int, series: Bars | Trades | Quotes) -> int | None:
    """Index of the bar at whose close, or the tick after which, a position opens at this time.

    None where there are no prices then, or none after it.
    """
    times = times_of(series)
    if not isinstance(series, Bars):
        at = int(np.searchsorted(times, at_ms, side="right")) - 1
        return at if 0 <= at < len(times) - 1 else None
    at = int(np.searchsorted(times, at_ms)) - 1
    if not 0 <= at < len(times) - 1:
        return None
    return at if at_ms <= int(times[at]) + series.interval_ms else None


class _Seat(Struct, frozen=True):
    """An entry and its place in the series."""

    where: str
    entry: Entry
    index: int
    at_close: bool


def _open_of(at_ms: int, bars: Bars) -> int | None:
    """Index of the bar that begins at this time."""
    at = int(np.searchsorted(bars.open_ms, at_ms))
    return at if at < len(bars) and int(bars.open_ms[at]) == at_ms else None


def _nowhere(where: str, at_ms: int, series: Bars | Trades | Quotes) -> NoReturn:
    times = times_of(series)
    length_ms = series.interval_ms if isinstance(series, Bars) else 0
    first_ms, last_ms = int(times[0]) + length_ms, int(times[-1])
    if isinstance(series, Bars) and first_ms <= at_ms <= last_ms:
        after = int(np.searchsorted(times, at_ms))
        raise DataError(
            f"{where}: there are no prices at {moment(at_ms)}; the bars have a hole from "
            f"{moment(int(times[after - 1]) + length_ms)} to {moment(int(times[after]))}"
        )
    raise DataError(
        f"{where}: {moment(at_ms)} is outside the data; positions can open from "
        f"{moment(first_ms)} to {moment(last_ms)}"
    )


def _price(seat: _Seat, series: Bars | Trades | Quotes) -> int:
    entry = seat.entry
    low, market, high = _market(seat, series)
    if entry.price is None:
        return market
    units = int((entry.price / series.unit).to_integral_value(_AGAINST[entry.side]))
    if not low <= units * FAR_FACTOR or not units <= high * FAR_FACTOR:
        raise DataError(
            f"{seat.where}: the price {entry.price} is far from the market's "
            f"{market * series.unit} at {moment(entry.at_ms)}; is it the same symbol?"
        )
    return units


def _market(seat: _Seat, series: Bars | Trades | Quotes) -> tuple[int, int, int]:
    """Lowest price, price at which one gets in, and highest price, in units."""
    at = seat.index
    if isinstance(series, Bars):
        now = series.close if seat.at_close else series.open
        return int(series.low[at]), int(now[at]), int(series.high[at])
    if isinstance(series, Trades):
        price = int(series.price[at])
        return price, price, price
    bid, ask = int(series.bid[at]), int(series.ask[at])
    return bid, ask if seat.entry.side is Side.LONG else bid, ask


def _exit_index(seat: _Seat, series: Bars | Trades | Quotes) -> int:
    exit_ms = seat.entry.exit_ms
    if exit_ms is None:
        return NEVER
    times = times_of(series)
    if isinstance(series, Bars):
        found = int(np.searchsorted(times, exit_ms)) - 1
        end_ms = int(times[-1]) + series.interval_ms
    else:
        found = int(np.searchsorted(times, exit_ms, side="right")) - 1
        end_ms = int(times[-1])
    if exit_ms <= seat.entry.at_ms or found < seat.index + seat.at_close:
        raise DataError(
            f"{seat.where}: the exit at {moment(exit_ms)} is not after the entry, or in the same "
            "bar; correct it, or give finer data"
        )
    return found if exit_ms <= end_ms else NEVER


def _column(ends: list[int]) -> Int64 | None:
    return None if set(ends) == {NEVER} else frozen(np.array(ends, dtype=np.int64))


def _quantities(named: list[Named]) -> tuple[Decimal, ...]:
    given = [entry.quantity for _, entry in named if entry.quantity is not None]
    if given and len(given) < len(named):
        where = next(where for where, entry in named if entry.quantity is None)
        raise DataError(f"{where}: has no quantity while others have; give it to all or to none")
    return tuple(given)
