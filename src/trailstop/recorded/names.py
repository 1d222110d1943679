"""What the name of a file of prices says: the market, and how long its bars are."""

from __future__ import annotations

import re

QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "BTC", "ETH", "BNB", "EUR")
"""Assets in which the markets are quoted, a longer name before the shorter one within it."""
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
INTERVALS_US = {
    "1m": MINUTE_US,
    "3m": 3 * MINUTE_US,
    "5m": 5 * MINUTE_US,
    "15m": 15 * MINUTE_US,
    "30m": 30 * MINUTE_US,
    "1h": HOUR_US,
    "2h": 2 * HOUR_US,
    "4h": 4 * HOUR_US,
    "6h": 6 * HOUR_US,
    "8h": 8 * HOUR_US,
    "12h": 12 * HOUR_US,
    "1d": DAY_US,
    "3d": 3 * DAY_US,
    "1w": 7 * DAY_US,
}
"""Lengths of bars by the names that both exchanges and their archives use, microseconds."""
MARK = "-mark"
"""In the name of a file whose bars are of the mark price."""

_SYMBOL = re.compile(
    rf"(?<![A-Z0-9])([A-Z0-9]*[A-Z0-9](?:{'|'.join(QUOTES)}))(?=\d{{4}}-|[^A-Z0-9]|$)"
)
_INTERVAL = re.compile(r"[_-](\d{1,2}[mhdw])(?=[_.-])")


def symbol_in(name: str) -> str | None:
    """The first market symbol in a file's name, None where there is none."""
    found = _SYMBOL.search(name)
    return found.group(1) if found else None


def interval_in(name: str) -> int | None:
    """The length of the bars, microseconds, None where the name does not tell it."""
    found = _INTERVAL.search(name)
    return INTERVALS_US.get(found.group(1)) if found else None
