"""Recorded prices as columns: bars, trades, best bid and ask, funding rates.

A price is a whole number of `unit`s, so that nothing is rounded and compiled code compares whole
numbers. Times are Unix milliseconds, rising; columns are read-only.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
PriceKind = Literal["last", "mark", "bid", "ask"]
"""Whose prices bars are of: trades, the mark price, the best bid, the best ask."""
KIND_WORDS: Final[dict[PriceKind, str]] = {
    "last": "last price",
    "mark": "mark price",
    "bid": "best bid",
    "ask": "best ask",
}


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Candles of one symbol; bar `i` spans `open_ms[i]` to `open_ms[i] + interval_ms`.

    Bars may be missing. `unit` is quote currency a step of the four prices. `kind` says whose
    prices these are. `source` names the files, `refused` the rows that were left out of them, a
    line each, and `notes` is what else a reader of results should know of the data.
    """

    symbol: str
    unit: Decimal
    interval_ms: int
    open_ms: Int64
    open: Int64
    high: Int64
    low: Int64
    close: Int64
    volume: Float64 | None = None
    kind: PriceKind = "last"
    source: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.open_ms)


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Single trades of one symbol, in the order in which they were made."""

    symbol: str
    unit: Decimal
    time_ms: Int64
    price: Int64
    source: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.time_ms)


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """Changes of the best bid and ask of one symbol."""

    symbol: str
    unit: Decimal
    time_ms: Int64
    bid: Int64
    ask: Int64
    source: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.time_ms)


@dataclass(frozen=True, slots=True, eq=False)
class Funding:
    """Settlements of one symbol: a long pays `rates[i]` of its value at `time_ms[i]`."""

    symbol: str
    time_ms: Int64
    rates: tuple[Decimal, ...]
    source: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.time_ms)
