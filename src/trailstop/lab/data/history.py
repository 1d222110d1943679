"""All files of a symbol as one history: its prices, what accompanies them, and its grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct, field

from trailstop.domain.price import Instrument, Side
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.columns import frozen
from trailstop.lab.data.read import Read, bars_of, quotes_of, read_funding, trades_of
from trailstop.lab.data.resample import spans_inside
from trailstop.lab.data.shape import (
    between,
    common_unit,
    holes_in_words,
    in_unit,
    joined,
)
from trailstop.lab.data.table import kind_of, symbols_of, tells_symbol
from trailstop.lab.series import Bars, Funding, Quotes, Trades
from trailstop.recorded.formats import Kind, power_of_ten

OVERRIDES: Final = (
    "tick_size",
    "quantity_step",
    "min_quantity",
    "max_market_quantity",
    "min_notional",
)
"""What of an instrument a person may set in place of what the prices suggest."""
USUAL_VALUE: Final = Decimal(1_000)
"""A position of this value, quote currency, can be opened at each price of the data."""
USUAL_DIGITS: Final = 2
"""So many digits more than one has its quantity where the data does not tell the step."""
LEAST_DIGITS: Final = 1
"""So many where it tells one that is too coarse, as volumes without decimals do."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The recorded past of one symbol, all prices in the same unit.

    Either `bars` or `trades` or, where there is nothing else, `quotes` are what a backtest runs
    on; quotes beside others tell bid and ask. `finer` are shorter bars inside the bars. `notes`
    is what a reader of results must know of the data, refused rows among it.
    """

    symbol: str
    instrument: Instrument
    bars: Bars | None = None
    trades: Trades | None = None
    quotes: Quotes | None = None
    funding: Funding | None = None
    finer: Bars | None = None
    notes: tuple[str, ...] = ()

    @property
    def prices(self) -> Bars | Trades | Quotes:
        """What a backtest runs on."""
        prices = self.bars or self.trades or self.quotes
        assert prices is not None, "a history has prices"
        return prices


class _Parts(Struct):
    """The files of one symbol, by what they bring."""

    bars: list[Read[Bars]] = field(default_factory=list)
    trades: list[Read[Trades]] = field(default_factory=list)
    quotes: list[Read[Quotes]] = field(default_factory=list)
    funding: list[Funding] = field(default_factory=list)


def read_history(
    paths: Sequence[Path | str],
    *,
    symbol: str | None = None,
    instrument_overrides: Mapping[str, Decimal] | None = None,
    from_ms: int | None = None,
    until_ms: int | None = None,
    skip_bad: bool = False,
    quoted: Side | None = None,
) -> History:
    """The history of the one symbol in these files, or of the one that is named.

    Of bars of the best bid and ask those are taken at which positions of the side `quoted` leave.
    Raises DataError, one line, for a file that cannot be read, a bad row (unless `skip_bad`), or
    files that do not fit each other; ConfigError for an override that does not exist.
    """
    found = read_histories(
        paths,
        symbol=symbol,
        instrument_overrides=instrument_overrides,
        from_ms=from_ms,
        until_ms=until_ms,
        skip_bad=skip_bad,
        quoted=quoted,
    )
    if len(found) > 1:
        names = ", ".join(history.symbol for history in found)
        raise DataError(f"these files hold {names}; name one of them, or give its files alone")
    return found[0]


def read_histories(
    paths: Sequence[Path | str],
    *,
    symbol: str | None = None,
    instrument_overrides: Mapping[str, Decimal] | None = None,
    from_ms: int | None = None,
    until_ms: int | None = None,
    skip_bad: bool = False,
    quoted: Side | None = None,
) -> tuple[History, ...]:
    """One history a symbol, in the order of the files; see `read_history`.

    Several files of one kind follow each other in time. Bars of two lengths are bars and finer
    ones. With `symbol`, files of others are passed over. Rows before `from_ms` and from `until_ms` on are left out.
    """
    overrides = _checked(instrument_overrides or {})
    if not paths:
        raise DataError("no file of prices was given; name at least one")
    groups: dict[str, _Parts] = {}
    for path in map(Path, paths):
        for named in _wanted(path, symbol):
            parts = groups.setdefault(named, _Parts())
            _read_into(parts, path, named, skip_bad=skip_bad, quoted=quoted)
    if not groups:
        raise DataError(f"none of the files holds {symbol}; check their names")
    return tuple(
        _history(named, parts, overrides, from_ms, until_ms) for named, parts in groups.items()
    )


def _wanted(path: Path, symbol: str | None) -> tuple[str, ...]:
    """Which symbols of a file are asked for; a file that tells none holds the one asked for."""
    if symbol is None:
        return symbols_of(path)
    if not tells_symbol(path):
        return (symbol,)
    return tuple(found for found in symbols_of(path) if found == symbol)


def _read_into(
    parts: _Parts, path: Path, symbol: str, *, skip_bad: bool, quoted: Side | None
) -> None:
    match kind_of(path):
        case Kind.BARS | Kind.QUOTE_BARS:
            parts.bars.append(bars_of(path, symbol=symbol, skip_bad=skip_bad, quoted=quoted))
        case Kind.TRADES:
            parts.trades.append(trades_of(path, symbol=symbol, skip_bad=skip_bad))
        case Kind.QUOTES:
            parts.quotes.append(quotes_of(path, symbol=symbol, skip_bad=skip_bad))
        case Kind.FUNDING:
            parts.funding.append(read_funding(path, symbol=symbol))


def _history(
    symbol: str,
    parts: _Parts,
    overrides: Mapping[str, Decimal],
    from_ms: int | None,
    until_ms: int | None,
) -> History:
    coarse, fine = _bars_by_length(symbol, parts)
    trades = joined([read.series for read in parts.trades]) if parts.trades else None
    quotes = _quotes(parts)
    if coarse is not None and trades is not None:
        raise DataError(f"{symbol}: both bars and trades were given; give one of them")
    if coarse is None and trades is None and quotes is None:
        names = ", ".join(name for funding in parts.funding for name in funding.source)
        raise DataError(f"{names}: give a file of prices of {symbol} beside it")
    every = [one for one in (coarse, fine, trades, quotes) if one is not None]
    tick = overrides.get("tick_size", common_unit([one.unit for one in every]))
    unit = common_unit([tick, *(one.unit for one in every)])

    def ready(series: Any) -> Any:
        return None if series is None else between(in_unit(series, unit), from_ms, until_ms)

    coarse, fine, trades, quotes = ready(coarse), ready(fine), ready(trades), ready(quotes)
    if coarse is not None and fine is not None:
        first, after = spans_inside(coarse, fine)
        if not (after > first).any():
            raise DataError(f"{', '.join(fine.source)}: none of its bars lies in the longer ones")
    instrument = _instrument(symbol, coarse or trades or quotes, parts, tick, overrides)
    return History(
        symbol=symbol,
        instrument=instrument,
        bars=coarse,
        trades=trades,
        quotes=quotes,
        funding=_funding(parts),
        finer=fine,
        notes=_notes(coarse, fine, trades, quotes),
    )


def _bars_by_length(symbol: str, parts: _Parts) -> tuple[Bars | None, Bars | None]:
    """The bars, and the finer ones inside them."""
    lengths: dict[int, list[Bars]] = {}
    for read in parts.bars:
        lengths.setdefault(read.series.interval_ms, []).append(read.series)
    if len({bars.kind for same in lengths.values() for bars in same}) > 1:
        raise DataError(
            f"{symbol}: bars of different prices were given (last, mark, bid or ask); give those "
            "of one"
        )
    found = [joined(lengths[length]) for length in sorted(lengths, reverse=True)]
    match found:
        case []:
            return None, None
        case [bars]:
            return bars, None
        case [bars, finer]:
            return bars, finer
        case _:
            raise DataError(
                f"{symbol}: bars of {len(found)} lengths were given; give one, or a second one "
                "that is finer"
            )


def _quotes(parts: _Parts) -> Quotes | None:
    """All quotes; those of receipt are moved by what the recorder's clock was behind."""
    shift_ms = next((read.shift_ms for read in parts.trades if read.shift_ms is not None), None)
    moved = []
    for read in parts.quotes:
        quotes = read.series
        if read.received and shift_ms is not None:
            note = f"{quotes.notes[0]}, moved by {shift_ms} ms as the trades' clocks differ"
            quotes = replace(quotes, time_ms=frozen(quotes.time_ms + shift_ms), notes=(note,))
        moved.append(quotes)
    return joined(moved) if moved else None


def _funding(parts: _Parts) -> Funding | None:
    if not parts.funding:
        return None
    rates = {
        at_ms: rate
        for funding in parts.funding
        for at_ms, rate in zip(funding.time_ms.tolist(), funding.rates, strict=True)
    }
    times = sorted(rates)
    return Funding(
        symbol=parts.funding[0].symbol,
        time_ms=frozen(np.array(times, dtype=np.int64)),
        rates=tuple(rates[at_ms] for at_ms in times),
        source=tuple(name for funding in parts.funding for name in funding.source),
    )


def _instrument(
    symbol: str,
    prices: Bars | Trades | Quotes,
    parts: _Parts,
    tick: Decimal,
    overrides: Mapping[str, Decimal],
) -> Instrument:
    """The grid that fits the data, with what a person knows better.

    The step of quantities is that of the data, but never so coarse that a position of the usual
    value has none.
    """
    lowest, highest = _range(prices)
    if "tick_size" in overrides and tick > lowest:
        raise ConfigError(
            f"{symbol}: a tick of {tick} leaves no room for a stop, since the lowest price is "
            f"{lowest}; give the exchange's"
        )
    whole = -(USUAL_VALUE / highest).adjusted()
    told = [read.quantity_decimals for read in parts.bars]
    told += [read.quantity_decimals for read in parts.trades]
    known = [decimals for decimals in told if decimals is not None]
    decimals = max(known, default=whole + USUAL_DIGITS)
    if decimals < whole:
        decimals = whole + LEAST_DIGITS
    step = overrides.get("quantity_step", power_of_ten(-decimals))
    return Instrument(
        symbol,
        tick_size=tick,
        quantity_step=step,
        min_quantity=overrides.get("min_quantity", Decimal(0)),
        max_market_quantity=overrides.get("max_market_quantity"),
        min_notional=overrides.get("min_notional"),
    )


def _range(prices: Bars | Trades | Quotes) -> tuple[Decimal, Decimal]:
    """Lowest and highest price, quote currency."""
    match prices:
        case Bars():
            low, high = prices.low, prices.high
        case Trades():
            low = high = prices.price
        case _:
            low, high = prices.bid, prices.ask
    return int(low.min()) * prices.unit, int(high.max()) * prices.unit


def _checked(overrides: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    for name in overrides:
        if name not in OVERRIDES:
            near = get_close_matches(name, OVERRIDES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(OVERRIDES)}"
            raise ConfigError(f"{name} is nothing that an instrument has; {hint}")
    return overrides


def _notes(
    coarse: Bars | None, fine: Bars | None, trades: Trades | None, quotes: Quotes | None
) -> tuple[str, ...]:
    notes: list[str] = []
    for bars in (coarse, fine):
        words = holes_in_words(bars) if bars is not None else None
        if bars is not None and words is not None:
            notes.append(f"{', '.join(bars.source)}: {words}")
    for series in (coarse, fine, trades, quotes):
        if series is None:
            continue
        notes += series.notes
        if series.refused:
            were = "row was" if len(series.refused) == 1 else "rows were"
            notes.append(f"{len(series.refused)} {were} left out, first {series.refused[0]}")
    return tuple(notes)
