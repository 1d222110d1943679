"""Which columns a file of prices has, recognised from its header or its first row.

Known are the tables of bars, trades, aggregate trades, best bid and ask, and funding rates as
Binance and Bybit publish them, with and without header, plain
`timestamp,open,high,low,close,volume`, and bars of the best bid and ask (`bid_open` to
`ask_close`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path

from msgspec import Struct

from trailstop.errors import DataError

SECONDS_BELOW = 10**11
MILLISECONDS_BELOW = 10**14
MICROSECONDS_BELOW = 10**17
NANOSECONDS_BELOW = 10**20
"""A Unix time's unit follows from its size: 10^11 seconds are in the year 5138, and so on."""
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(Enum):
    """What the rows of a file are."""

    BARS = "bars"
    QUOTE_BARS = "bars of the best bid and ask"
    TRADES = "trades"
    QUOTES = "best bid and ask"
    FUNDING = "funding rates"


class Format(Struct, frozen=True):
    """A recognised table: its kind and where each known field stands."""

    kind: Kind
    columns: dict[str, int]
    has_header: bool


_QUOTE_BARS = tuple(
    f"{quote}_{price}" for quote in ("bid", "ask") for price in ("open", "high", "low", "close")
)
_ALIASES: dict[str, tuple[str, ...]] = {
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume",),
    "price": ("price",),
    "quantity": ("qty", "quantity", "size"),
    "buyer_maker": ("buyer_is_maker", "is_buyer_maker"),
    "taker_side": ("taker_side", "side"),
    "symbol": ("symbol",),
    "bid": ("bid_px", "best_bid_price"),
    "bid_quantity": ("bid_qty", "best_bid_qty"),
    "ask": ("ask_px", "best_ask_price"),
    "ask_quantity": ("ask_qty", "best_ask_qty"),
    **{name: (name,) for name in _QUOTE_BARS},
    "rate": ("funding_rate", "last_funding_rate"),
    "received": ("recv_ns",),
}
_BAR_TIMES = ("open_time_ms", "open_time", "opentime", "timestamp", "start", "time", "date")
_TIMES: dict[Kind, tuple[str, ...]] = {
    Kind.BARS: _BAR_TIMES,
    Kind.QUOTE_BARS: _BAR_TIMES,
    Kind.TRADES: (
        "trade_time_us",
        "trade_time_ms",
        "transact_time",
        "timestamp",
        "time",
    ),
    Kind.QUOTES: ("transact_time_ms", "transaction_time", "event_time_ms", "event_time"),
    Kind.FUNDING: ("funding_time_ms", "calc_time", "timestamp", "time"),
}
_NEEDED: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (Kind.BARS, ("open", "high", "low", "close")),
    (Kind.QUOTE_BARS, _QUOTE_BARS),
    (Kind.QUOTES, ("bid", "ask", "bid_quantity", "ask_quantity")),
    (Kind.TRADES, ("price", "quantity")),
    (Kind.FUNDING, ("rate",)),
)
_HEADERLESS_BARS = {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}
_HEADERLESS_TRADES = {"price": 1, "quantity": 2, "time": 4, "buyer_maker": 5}
_HEADERLESS_AGGREGATES = {"price": 1, "quantity": 2, "time": 5, "buyer_maker": 6}
_BOOLEANS = ("true", "false")


def format_of(path: Path, first_row: Sequence[str]) -> Format:
    """The format of a file by its first row or its columns' names.

    Raises DataError, one line that says what can be read, where it is none that is known.
    """
    if not first_row:
        raise DataError(f"{path}: the file is empty")
    found = recognise(first_row)
    if found is None:
        raise DataError(
            f"{path}, line 1: these columns are unknown; give klines, trades, aggregate "
            "trades or bookTicker of Binance or Bybit, or timestamp,open,high,low,close,volume"
        )
    return found


def recognise(first_row: Sequence[str]) -> Format | None:
    """The format of a table by its first row; None when it is none that is known."""
    if first_row and _number(first_row[0]) is not None:
        return _headerless(first_row)
    names = [name.strip().lower() for name in first_row]
    columns: dict[str, int] = {}
    for field, aliases in _ALIASES.items():
        for alias in aliases:
            if alias in names:
                columns[field] = names.index(alias)
                break
    for kind, needed in _NEEDED:
        if all(field in columns for field in needed):
            for name in _TIMES[kind]:
                if name in names:
                    columns["time"] = names.index(name)
                    break
            else:
                return None
            return Format(kind, columns, has_header=True)
    return None


def parse_time_us(text: str) -> int | None:
    """Microseconds since the Unix epoch, from a Unix time of any unit or an ISO time in UTC."""
    if text.isdigit():
        return _scaled(Decimal(text))
    number = _number(text)
    if number is not None:
        return _scaled(number)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _UNIX_EPOCH) // timedelta(microseconds=1)


def exponent_of(text: str) -> int:
    """Power of ten of the last digit that is not zero: -2 for "1.230", 1 for "120"."""
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if not whole.isdigit() or (fraction and not fraction.isdigit()):
        exponent = Decimal(text).normalize().as_tuple().exponent
        assert isinstance(exponent, int), "parsed as a finite number before"
        return exponent
    if fraction:
        return -len(fraction)
    return len(whole) - len(whole.rstrip("0"))


def power_of_ten(exponent: int) -> Decimal:
    """Ten to a whole power, without trailing zeros."""
    return Decimal((0, (1,), exponent)) if exponent <= 0 else Decimal(10**exponent)


def _headerless(row: Sequence[str]) -> Format | None:
    flags = [index for index, cell in enumerate(row) if cell.strip().lower() in _BOOLEANS]
    if flags and flags[0] == _HEADERLESS_TRADES["buyer_maker"]:
        return Format(Kind.TRADES, _HEADERLESS_TRADES, has_header=False)
    if flags and flags[0] == _HEADERLESS_AGGREGATES["buyer_maker"]:
        return Format(Kind.TRADES, _HEADERLESS_AGGREGATES, has_header=False)
    if not flags and len(row) >= len(_HEADERLESS_BARS):
        return Format(Kind.BARS, _HEADERLESS_BARS, has_header=False)
    return None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _scaled(number: Decimal) -> int | None:
    if number <= 0 or number >= NANOSECONDS_BELOW:
        return None
    if number < SECONDS_BELOW:
        return int(number * 1_000_000)
    if number < MILLISECONDS_BELOW:
        return int(number * 1_000)
    if number < MICROSECONDS_BELOW:
        return int(number)
    return int(number / 1_000)
