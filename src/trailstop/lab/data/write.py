"""Series as Parquet: every digit kept, and read back by the readers of this package."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl

from trailstop.errors import ConfigError
from trailstop.lab.data.columns import DECIMALS_MAX
from trailstop.lab.data.table import KIND_OF_PRICE, PARQUET
from trailstop.lab.series import Bars, Funding, Int64, Quotes, Trades

_PRECISION = 38


def write_parquet(series: Bars | Trades | Quotes | Funding, path: Path) -> None:
    """Write a series with its symbol; prices as decimals, times as Unix milliseconds.

    Trades get a quantity of 1 and quotes sizes of 1, which a series does not keep. Raises
    ConfigError where the name does not end in `.parquet` or the folder is not there.
    """
    if path.suffix not in PARQUET:
        raise ConfigError(f"{path}: a Parquet file is told by its name; end it in .parquet")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent}: there is no such folder; make it first")
    columns: dict[str, pl.Series]
    kind = "last"
    match series:
        case Bars():
            columns = {"open_time_ms": pl.Series(series.open_ms)}
            for name in ("open", "high", "low", "close"):
                columns[name] = _prices(getattr(series, name), series.unit)
            if series.volume is not None:
                columns["volume"] = pl.Series(series.volume)
            kind = series.kind
        case Trades():
            columns = {
                "trade_time_ms": pl.Series(series.time_ms),
                "price": _prices(series.price, series.unit),
                "qty": _ones(len(series)),
            }
        case Quotes():
            columns = {
                "event_time_ms": pl.Series(series.time_ms),
                "bid_px": _prices(series.bid, series.unit),
                "bid_qty": _ones(len(series)),
                "ask_px": _prices(series.ask, series.unit),
                "ask_qty": _ones(len(series)),
            }
        case Funding():
            rates = pl.Series(series.rates, dtype=pl.Decimal(_PRECISION, DECIMALS_MAX))
            columns = {"funding_time_ms": pl.Series(series.time_ms), "funding_rate": rates}
    frame = pl.DataFrame({"symbol": [series.symbol] * len(series), **columns})
    frame.write_parquet(path, metadata={KIND_OF_PRICE: kind})


def _prices(column: Int64, unit: Decimal) -> pl.Series:
    """Units as decimals, without a float between them."""
    exponent = unit.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a unit is finite"
    numbers = pl.Decimal(_PRECISION, max(0, -exponent))
    return pl.select(pl.lit(pl.Series(column)).cast(numbers) * pl.lit(unit, numbers)).to_series()


def _ones(count: int) -> pl.Series:
    return pl.repeat(1, count, dtype=pl.Int64, eager=True)
