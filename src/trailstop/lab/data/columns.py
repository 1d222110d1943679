"""Columns of text or numbers as whole numbers, exactly: prices in units, times in microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trailstop.lab.series import Int64
from trailstop.recorded.formats import (
    MICROSECONDS_BELOW,
    MILLISECONDS_BELOW,
    NANOSECONDS_BELOW,
    SECONDS_BELOW,
    parse_time_us,
)

DECIMALS_MAX: Final = 18
"""Decimals that a cell may have; the smallest prices quoted anywhere have 12."""
UNITS_MAX: Final = 2**53
"""Largest price in units, so that a float holds each exactly too."""
US_PER_MS: Final = 1_000
_PRECISION: Final = 38
_SHORT_CELL: Final = DECIMALS_MAX + 1
"""With its point, a cell of so many characters cannot have more decimals than it may."""
_TIME_DECIMALS: Final = 9
_US_PER_S: Final = 10**6
_SECONDS_OF_ISO: Final = len("2026-01-31 23:59:59")
_UTC_ENDINGS: Final = ("", "Z", "+00:00")

Mask = NDArray[np.bool_]
_Cell = TypeVar("_Cell", bound=np.generic)


def frozen(column: NDArray[_Cell]) -> NDArray[_Cell]:
    """The column, contiguous, and closed against writing."""
    column = np.ascontiguousarray(column)
    column.setflags(write=False)
    return column


def exact(cells: pl.Series) -> pl.Series:
    """Each cell times 10^`DECIMALS_MAX` as a whole number; null where it is no such number.

    Binary floats count as the shortest decimal that reads back to them.
    """
    if not (cells.dtype.is_integer() or cells.dtype.is_decimal()):
        cells = _without_long_cells(_texts(cells))
    return cells.cast(pl.Decimal(_PRECISION, DECIMALS_MAX), strict=False).to_physical()


def finest(columns: Sequence[pl.Series]) -> int:
    """Decimals that hold every cell of the exact columns, 0 where all are whole."""
    for decimals in range(DECIMALS_MAX):
        if not any(finer_than(column, decimals).any() for column in columns):
            return decimals
    return DECIMALS_MAX


def finer_than(column: pl.Series, decimals: int) -> pl.Series:
    """Which cells of an exact column have more decimals than these."""
    return _computed((pl.lit(column) % _power(DECIMALS_MAX - decimals) != 0).fill_null(value=False))


def decimals_that_fit(columns: Sequence[pl.Series]) -> int:
    """The most decimals with which the largest cell stays within `UNITS_MAX`."""
    tops = [top for column in columns if isinstance(top := column.max(), int)]
    largest = max(tops, default=0)
    decimals = DECIMALS_MAX
    while decimals and largest > UNITS_MAX * 10 ** (DECIMALS_MAX - decimals):
        decimals -= 1
    return decimals


def units(column: pl.Series, decimals: int) -> Int64:
    """An exact column in units of 10^-`decimals`, 0 where a cell is null or does not fit."""
    whole = pl.lit(column) // _power(DECIMALS_MAX - decimals)
    return _computed(whole.cast(pl.Int64, strict=False).fill_null(0)).to_numpy()


def times_us(cells: pl.Series) -> pl.Series:
    """Microseconds since the Unix epoch; null where a cell is no time.

    As `parse_time_us` reads each: Unix times of any unit, told by their size, or ISO times.
    """
    if cells.dtype.is_temporal():
        return cells.cast(pl.Datetime("us")).to_physical()
    if cells.dtype.is_integer():
        number = pl.lit(cells.cast(pl.Int64))
        return _computed(_scaled(number, 1))
    texts = _texts(cells)
    number = pl.lit(texts.cast(pl.Decimal(_PRECISION, _TIME_DECIMALS), strict=False).to_physical())
    found = _computed(_scaled(number, 10**_TIME_DECIMALS))
    if found.null_count() > texts.null_count():
        found = _computed(pl.coalesce(pl.lit(found), _iso_times(texts)))
    missing = _computed(pl.lit(found).is_null() & pl.lit(texts).is_not_null()).arg_true()
    if len(missing):
        found = found.scatter(missing, [parse_time_us(text) for text in texts.gather(missing)])
    return found


def floats(cells: pl.Series) -> pl.Series:
    """Numbers that decide nothing, such as volumes; null where a cell is no finite number."""
    found = _texts(cells).cast(pl.Float64, strict=False)
    return _computed(pl.when(pl.lit(found).is_finite()).then(pl.lit(found)))


def fault(cell: Any) -> str:
    """Why a cell is no number, for a person."""
    if cell is None:
        return "is missing"
    try:
        number = Decimal(str(cell))
    except InvalidOperation:
        return f"is {str(cell)!r}, not a number"
    if not number.is_finite():
        return f"is {str(cell)!r}, not a number"
    return f"is {cell}, which has more digits than a price"


def nulls(column: pl.Series) -> Mask:
    """Which cells are null."""
    return column.is_null().to_numpy()


def _texts(cells: pl.Series) -> pl.Series:
    if cells.dtype != pl.String:
        return cells.cast(pl.String)
    return cells.str.strip_chars()


def _without_long_cells(texts: pl.Series) -> pl.Series:
    """Null instead of what would lose digits, which a cast to decimals drops in silence."""
    cell = pl.lit(texts)
    suspect = (cell.str.len_bytes() > _SHORT_CELL) | cell.str.contains("[eE]")
    where = _computed(suspect.fill_null(value=False)).arg_true()
    lossy = [at for at in where if not _fits(texts[at])]
    return texts.scatter(lossy, None) if lossy else texts


def _fits(text: str) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    _, digits, exponent = number.as_tuple()
    zeros = len(digits) - len(bytes(digits).rstrip(b"\0"))
    return isinstance(exponent, int) and (not number or exponent + zeros >= -DECIMALS_MAX)


def _scaled(number: pl.Expr, scale: int) -> pl.Expr:
    """Unix times, each `scale` times too large and in the unit that its size tells, as µs."""
    return (
        pl.when((number <= 0) | (number >= NANOSECONDS_BELOW * scale))
        .then(None)
        .when(number < SECONDS_BELOW * scale)
        .then(number * _US_PER_S // scale)
        .when(number < MILLISECONDS_BELOW * scale)
        .then(number * US_PER_MS // scale)
        .when(number < MICROSECONDS_BELOW * scale)
        .then(number // scale)
        .otherwise(number // (scale * US_PER_MS))
        .cast(pl.Int64)
    )


def _iso_times(texts: pl.Series) -> pl.Expr:
    cell = pl.lit(texts)
    seconds = cell.str.slice(0, _SECONDS_OF_ISO).str.replace("T", " ", literal=True)
    moment = seconds.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    in_utc = cell.str.slice(_SECONDS_OF_ISO).is_in(_UTC_ENDINGS)
    return pl.when(in_utc).then(moment.to_physical())


def _power(exponent: int) -> pl.Expr:
    return pl.lit(10**exponent, dtype=pl.Int128)


def _computed(expression: pl.Expr) -> pl.Series:
    return pl.select(expression).to_series()
