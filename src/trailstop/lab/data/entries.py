"""Entries from files, from times, and from a person's own Python function."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import polars as pl

from trailstop.domain.price import Side
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.columns import US_PER_MS
from trailstop.lab.data.placing import Entry, Named, place_of, placed
from trailstop.lab.data.shape import times_of
from trailstop.lab.data.table import PARQUET
from trailstop.lab.entries import Entries
from trailstop.lab.series import Bars, Quotes, Trades
from trailstop.recorded.files import opened
from trailstop.recorded.formats import parse_time_us

DAY_MS: Final = 86_400_000
_NAMES: Final = {
    "time": (
        "time",
        "at",
        "at_ms",
        "timestamp",
        "entry_time",
        "entry_ms",
        "opened_at",
        "open_time",
        "open_date",
        "date",
    ),
    "side": ("side", "direction"),
    "price": ("price", "entry_price", "open_rate"),
    "quantity": ("quantity", "qty", "size", "amount"),
    "label": ("label", "tag", "enter_tag"),
    "exit": ("exit", "exit_ms", "exit_time", "exit_at", "closed_at", "close_time", "close_date"),
}
_SIDES: Final = {
    "long": Side.LONG,
    "buy": Side.LONG,
    "short": Side.SHORT,
    "sell": Side.SHORT,
}


def entries_from_file(
    path: Path, series: Bars | Trades | Quotes, *, side: Side | None = None
) -> Entries:
    """The positions of a CSV, JSON or Parquet file.

    A row has a time (Unix or ISO, UTC), a side (`long` or `short`, unless `side` says it for
    all), and may have price, quantity, label and the time of its exit. JSON is a list of objects,
    or one object a line. Raises DataError, one line that names the row.
    """
    named = list(_named_rows(path, side))
    if not named:
        raise DataError(f"{path}: the file has no entries; give at least one")
    return placed(named, series)


def entries_at(
    times: Sequence[str], series: Bars | Trades | Quotes, side: Side = Side.LONG
) -> Entries:
    """A position at each of these times, UTC: `14:30` is that time of every day, else ISO.

    A day without prices at that time has none. Raises ConfigError for a text that is no time,
    DataError for a date without prices.
    """
    named: list[Named] = []
    for text in times:
        clock = _time_of_day(text)
        if clock is None:
            at_us = parse_time_us(text)
            if at_us is None:
                raise ConfigError(
                    f"{text!r} is no time; write 14:30 for every day or 2026-01-31T14:30"
                )
            named.append((f"time {text}", Entry(at_us // US_PER_MS, side)))
        else:
            named += [(f"time {text}", Entry(at_ms, side)) for at_ms in _every_day(clock, series)]
    return placed(named, series)


def entries_from(
    given: Iterable[Entry], series: Bars | Trades | Quotes, *, source: str = "entry"
) -> Entries:
    """Entries that a program made. Raises ConfigError for what is none of them."""
    named: list[Named] = []
    for number, entry in enumerate(given, start=1):
        if not isinstance(entry, Entry):
            raise ConfigError(
                f"{source}: number {number} is {entry!r}, not an Entry; make it as "
                "Entry(at_ms, side) of trailstop.lab.data"
            )
        named.append((f"{source} {number}", entry))
    return placed(named, series)


def _named_rows(path: Path, side: Side | None) -> Iterator[Named]:
    for where, row in _rows(path):
        cells = {str(name).strip().lower(): cell for name, cell in row.items()}
        found = {
            field: next((cells[name] for name in names if _given(cells.get(name))), None)
            for field, names in _NAMES.items()
        }
        yield where, _entry(where, found, side)


def _entry(where: str, found: dict[str, Any], side: Side | None) -> Entry:
    at_ms = _moment(where, "time", found["time"])
    if at_ms is None:
        raise DataError(f"{where}: there is no time; name the column one of {_names('time')}")
    if found["side"] is not None:
        side = _SIDES.get(str(found["side"]).strip().lower())
        if side is None:
            raise DataError(f"{where}: the side is {found['side']!r}, not long or short")
    if side is None:
        raise DataError(
            f"{where}: there is no side; name the column one of {_names('side')}, or choose one "
            "side for all"
        )
    return Entry(
        at_ms=at_ms,
        side=side,
        price=_positive(where, "price", found["price"]),
        quantity=_positive(where, "quantity", found["quantity"]),
        label="" if found["label"] is None else str(found["label"]).strip(),
        exit_ms=_moment(where, "exit", found["exit"]),
    )


def _names(field: str) -> str:
    return ", ".join(_NAMES[field])


def _given(cell: object) -> bool:
    return cell is not None and str(cell).strip() != ""


def _moment(where: str, field: str, cell: Any) -> int | None:
    if cell is None:
        return None
    if isinstance(cell, datetime):
        cell = cell.isoformat()
    at_us = parse_time_us(str(cell).strip())
    if at_us is None:
        raise DataError(f"{where}: the {field} is {str(cell)!r}, which is no time")
    return at_us // US_PER_MS


def _positive(where: str, field: str, cell: Any) -> Decimal | None:
    if cell is None:
        return None
    try:
        number = Decimal(str(cell).strip())
    except InvalidOperation:
        raise DataError(f"{where}: the {field} is {str(cell)!r}, not a number") from None
    if not number.is_finite() or number <= 0:
        raise DataError(f"{where}: the {field} is {cell}; it must be above 0")
    return number


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix in PARQUET:
        yield from _parquet_rows(path)
        return
    with opened(path) as text:
        if ".json" in path.suffixes or ".jsonl" in path.suffixes:
            yield from _json_rows(path, text.read())
            return
        reader = csv.DictReader(text)
        for row in reader:
            yield f"{path}, line {reader.line_num}", row


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        frame = pl.read_parquet(path)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the path") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: cannot be read as Parquet; write it again") from error
    # Text has the shortest decimal of a float, and the digits of a decimal.
    floats = frame.with_columns(pl.col(pl.Float64, pl.Float32).cast(pl.String))
    for number, row in enumerate(floats.iter_rows(named=True), start=1):
        yield f"{path}, row {number}", row


def _json_rows(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = text.lstrip()
    try:
        if lines.startswith("["):
            rows = json.loads(lines, parse_float=Decimal)
        else:
            stream = io.StringIO(text)
            rows = [json.loads(line, parse_float=Decimal) for line in stream if line.strip()]
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); correct it") from None
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DataError(f'{path}, entry {number}: is no object; write {{"time": ...}}')
        yield f"{path}, entry {number}", row


def _time_of_day(text: str) -> time | None:
    if "-" in text or ":" not in text:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        return None


def _every_day(clock: time, series: Bars | Trades | Quotes) -> Iterator[int]:
    """The time of each day at which a position can open."""
    offset = timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second)
    offset_ms = offset // timedelta(milliseconds=1)
    times = times_of(series)
    for day in range(int(times[0]) // DAY_MS, int(times[-1]) // DAY_MS + 1):
        at_ms = day * DAY_MS + offset_ms
        if place_of(at_ms, series) is not None:
            yield at_ms
