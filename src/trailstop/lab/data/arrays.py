"""Bars out of what a Python program has: arrays of numbers or lists of decimals."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trailstop.errors import ConfigError
from trailstop.lab.data.columns import UNITS_MAX, Mask, frozen
from trailstop.lab.series import Bars, Int64, PriceKind

OFF_GRID_MAX: Final = 1e-6
"""How far from the grid a float may be, in units: what arithmetic leaves, and no price's digit."""
ROUNDINGS: Final = 4
"""A float of many units cannot be nearer to the grid than a few of its own steps."""


def from_arrays(  # noqa: PLR0917 (in the order in which everybody gives them)
    symbol: str,
    open_ms: ArrayLike,
    open: ArrayLike,  # noqa: A002 (the name that everybody gives it)
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    *,
    unit: Decimal,
    interval_ms: int,
    volume: ArrayLike | None = None,
    kind: PriceKind = "last",
) -> Bars:
    """Bars of prices in quote currency: floats, whole numbers, decimals or text.

    `unit` is the step of the prices, usually the tick. Floats are put on it exactly where they
    are nearer than `OFF_GRID_MAX` of a unit. Times are Unix milliseconds or instants of numpy, in UTC. Raises ConfigError that
    names the index of the first price that is not on the grid, of the first bar that contradicts
    itself, or of the first time that does not rise.
    """
    if unit <= 0 or interval_ms <= 0:
        raise ConfigError(f"{symbol}: unit and interval must be above 0, not {unit}, {interval_ms}")
    times = _milliseconds(open_ms)
    given = {"open": open, "high": high, "low": low, "close": close}
    columns = {name: _in_units(symbol, name, values, unit) for name, values in given.items()}
    for name, column in columns.items():
        if len(column) != len(times):
            raise ConfigError(
                f"{symbol}: {len(times)} times but {len(column)} of {name}; give as many of each"
            )
    if not len(times):
        raise ConfigError(f"{symbol}: there are no bars; give at least one")
    lows, highs = columns["low"], columns["high"]
    _refuse(symbol, lows <= 0, "the lowest price is not above 0")
    inside = np.ones(len(times), dtype=np.bool_)
    for name in ("open", "close"):
        inside &= (lows <= columns[name]) & (columns[name] <= highs)
    _refuse(symbol, ~inside, "open and close must lie between low and high")
    _refuse(
        symbol,
        np.diff(times, prepend=times[:1] - interval_ms) < interval_ms,
        "the bar begins before the one before it ends",
    )
    return Bars(
        symbol=symbol,
        unit=unit,
        interval_ms=interval_ms,
        open_ms=frozen(times),
        open=frozen(columns["open"]),
        high=frozen(columns["high"]),
        low=frozen(columns["low"]),
        close=frozen(columns["close"]),
        volume=None if volume is None else frozen(np.asarray(volume, dtype=np.float64)),
        kind=kind,
    )


def _milliseconds(times: ArrayLike) -> Int64:
    array = np.asarray(times)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[ms]")
    return array.astype(np.int64)


def _in_units(symbol: str, name: str, values: ArrayLike, unit: Decimal) -> Int64:
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return _rounded(symbol, name, array.astype(np.float64), unit)
    if array.dtype.kind in "iu" and unit == 1:
        return array.astype(np.int64)
    return np.fromiter(
        (_exact(symbol, name, at, value, unit) for at, value in enumerate(array.tolist())),
        dtype=np.int64,
        count=len(array),
    )


def _rounded(symbol: str, name: str, values: NDArray[np.float64], unit: Decimal) -> Int64:
    scale = 1 / unit
    # Times a whole number is nearer than divided by a float that is itself rounded.
    exactly = values * float(scale) if scale == int(scale) else values / float(unit)
    whole = np.rint(exactly)
    allowed = np.maximum(OFF_GRID_MAX, np.spacing(np.abs(exactly)) * ROUNDINGS)
    fits = (np.abs(exactly - whole) <= allowed) & (np.abs(whole) <= UNITS_MAX)
    if not fits.all():
        at = int((~fits).argmax())
        raise _off_grid(symbol, name, at, values[at], unit)
    return whole.astype(np.int64)


def _exact(symbol: str, name: str, at: int, value: Any, unit: Decimal) -> int:
    try:
        whole = Decimal(str(value)) / unit
    except InvalidOperation:
        raise ConfigError(f"{symbol}: {name}[{at}] is {value!r}, not a number") from None
    if not whole.is_finite() or whole != int(whole) or abs(whole) > UNITS_MAX:
        raise _off_grid(symbol, name, at, value, unit)
    return int(whole)


def _off_grid(symbol: str, name: str, at: int, value: object, unit: Decimal) -> ConfigError:
    return ConfigError(
        f"{symbol}: {name}[{at}] is {value}, which is no multiple of the unit {unit}; "
        "give the unit that the prices have"
    )


def _refuse(symbol: str, rows: Mask, why: str) -> None:
    if rows.any():
        raise ConfigError(f"{symbol}: bar {int(rows.argmax())}: {why}; correct or remove it")
