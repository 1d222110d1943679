"""Series put together, cut and told about: spans of time, one unit for several, holes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.columns import UNITS_MAX, frozen
from trailstop.lab.series import Bars, Funding, Int64, Quotes, Trades

MISSING_SHARE_MAX: Final = Decimal("0.2")
"""From this share of missing bars on, results say more of the recording than of the market."""
UNCHANGED_HAVE_NONE: Final = frozenset({"bid", "ask"})
"""Bars of these prices are missing where the price did not change."""
_PRICES: Final = {
    Bars: ("open", "high", "low", "close"),
    Trades: ("price",),
    Quotes: ("bid", "ask"),
}
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Series = TypeVar("Series", Bars, Trades, Quotes)


class Hole(Struct, frozen=True):
    """Bars that are not there: `start_ms` is when the first of `missing` would have begun."""

    start_ms: int
    missing: int


def holes(bars: Bars) -> tuple[Hole, ...]:
    """All holes between the first bar and the last one."""
    missing = np.diff(bars.open_ms) // bars.interval_ms - 1
    return tuple(
        Hole(int(bars.open_ms[at]) + bars.interval_ms, int(missing[at]))
        for at in np.flatnonzero(missing)
    )


def holes_in_words(bars: Bars) -> str | None:
    """What a reader of results must know of the holes; None where there are none."""
    found = holes(bars)
    if not found:
        return None
    missing = sum(hole.missing for hole in found)
    longest = max(found, key=lambda hole: hole.missing)
    share = Decimal(missing) / (missing + len(bars))
    text = (
        f"{len(found)} {'hole' if len(found) == 1 else 'holes'}, "
        f"{missing} of {missing + len(bars)} bars are missing "
        f"({share * 100:.1f} %), {longest.missing} in a row from {moment(longest.start_ms)}"
    )
    # A quote that does not change has no bar, and touches no stop.
    if share > MISSING_SHARE_MAX and bars.kind not in UNCHANGED_HAVE_NONE:
        text += ": too many for statistics, since stops act only where there are prices"
    return text


def moment(at_ms: int) -> str:
    """A time for a person, UTC."""
    text = (_UNIX_EPOCH + timedelta(milliseconds=at_ms)).isoformat(" ", "auto")
    return text.removesuffix("+00:00")


def times_of(series: Bars | Trades | Quotes | Funding) -> Int64:
    """When each row happened or began, Unix milliseconds."""
    return series.open_ms if isinstance(series, Bars) else series.time_ms


def in_unit(series: Series, unit: Decimal) -> Series:
    """The same prices in a finer unit. Raises ConfigError where it does not divide them."""
    if unit == series.unit:
        return series
    factor = series.unit / unit
    if unit <= 0 or factor != int(factor):
        raise ConfigError(
            f"{series.symbol}: a unit of {unit} does not divide the {series.unit} of the prices"
        )
    columns = {name: getattr(series, name) for name in _PRICES[type(series)]}
    if any(len(column) and column.max() > UNITS_MAX // int(factor) for column in columns.values()):
        raise ConfigError(f"{series.symbol}: a unit of {unit} is too fine for prices of this size")
    finer: dict[str, Any] = {name: frozen(column * int(factor)) for name, column in columns.items()}
    return replace(series, unit=unit, **finer)


def common_unit(units: Sequence[Decimal]) -> Decimal:
    """The coarsest unit that divides all of them."""
    exponents = [unit.normalize().as_tuple().exponent for unit in units]
    places = max(0, *(-exponent for exponent in exponents if isinstance(exponent, int)))
    scale = 10**places
    whole = np.gcd.reduce([int(unit * scale) for unit in units])
    return Decimal(int(whole)) / Decimal(scale)


def between(series: Series, from_ms: int | None, until_ms: int | None) -> Series:
    """The rows from the first time on and before the second. Raises DataError for none."""
    times = times_of(series)
    first = 0 if from_ms is None else int(np.searchsorted(times, from_ms))
    last = len(times) if until_ms is None else int(np.searchsorted(times, until_ms))
    if first >= last:
        raise DataError(
            f"{', '.join(series.source) or series.symbol}: no row lies in the time asked for; "
            f"there are prices from {moment(int(times[0]))} to {moment(int(times[-1]))}"
        )
    if first == 0 and last == len(times):
        return series
    cut: dict[str, Any] = {name: column[first:last] for name, column in _columns(series)}
    return replace(series, **cut)


def joined(parts: Sequence[Series]) -> Series:
    """Series of one symbol, one after the other in time, as one.

    Raises DataError where they overlap, or bars have different lengths or kinds of price.
    """
    if len(parts) == 1:
        return parts[0]
    unit = common_unit([part.unit for part in parts])
    ordered = sorted((in_unit(part, unit) for part in parts), key=lambda part: times_of(part)[0])
    for earlier, later in pairwise(ordered):
        _check_order(earlier, later)
    first = ordered[0]
    columns: dict[str, Any] = {
        name: frozen(np.concatenate([getattr(part, name) for part in ordered]))
        for name, _ in _columns(first)
        if all(getattr(part, name) is not None for part in ordered)
    }
    if isinstance(first, Bars):
        columns.setdefault("volume", None)
    return replace(
        first,
        **columns,
        source=tuple(name for part in ordered for name in part.source),
        refused=tuple(line for part in ordered for line in part.refused),
        notes=tuple(dict.fromkeys(note for part in ordered for note in part.notes)),
    )


def _check_order(earlier: Bars | Trades | Quotes, later: Bars | Trades | Quotes) -> None:
    end_ms = int(times_of(earlier)[-1])
    if isinstance(earlier, Bars) and isinstance(later, Bars):
        end_ms += earlier.interval_ms
        if (earlier.interval_ms, earlier.kind) != (later.interval_ms, later.kind):
            raise DataError(
                f"{', '.join(later.source)}: its bars are of another length or price than those "
                f"of {', '.join(earlier.source)}; give one of them"
            )
    if times_of(later)[0] < end_ms:
        raise DataError(
            f"{', '.join(later.source)}: overlaps with {', '.join(earlier.source)}; "
            "give one of them"
        )


def _columns(series: Bars | Trades | Quotes) -> list[tuple[str, NDArray[Any]]]:
    names = ["open_ms" if isinstance(series, Bars) else "time_ms", *_PRICES[type(series)]]
    if isinstance(series, Bars) and series.volume is not None:
        names.append("volume")
    return [(name, getattr(series, name)) for name in names]
