"""One file as a table whose columns are named by what they hold, CSV or Parquet."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import polars as pl

from trailstop.errors import DataError
from trailstop.lab.series import PriceKind
from trailstop.recorded.files import opened_bytes
from trailstop.recorded.formats import Format, Kind, format_of
from trailstop.recorded.names import MARK, symbol_in

LINE: Final = "line"
PARQUET: Final = (".parquet", ".pq")
KIND_OF_PRICE: Final = "trailstop.kind"
"""Under this name a Parquet file of ours says whose prices its bars are."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TIMES: Final = ("time", "received")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of a file. `frame` has a column a field, and `LINE`, where each row stands.

    Cells are text, or what a Parquet file has. `word` is what rows are counted in.
    """

    path: Path
    format: Format
    frame: pl.DataFrame
    word: Literal["line", "row"]
    kind_of_price: PriceKind

    def __len__(self) -> int:
        return len(self.frame)

    def column(self, field: str) -> pl.Series:
        """The cells of one field."""
        return self.frame[field]

    def cell(self, index: int, field: str) -> Any:
        """One cell as the file has it; None where it is empty."""
        return self.frame[field][index]

    def where(self, index: int) -> str:
        """The place of a row for a person, as in `line 12`."""
        return f"{self.word} {self.frame[LINE][index]}"


def load(path: Path, kind: Kind, fields: tuple[str, ...], symbol: str | None = None) -> Table:
    """The table of a file with these of its fields, where it has them.

    Of a file with several symbols the rows of `symbol` are taken. Raises DataError, one line,
    where the file cannot be read, has another kind of rows, or several symbols and none is asked
    for.
    """
    fields = (*_TIMES, "symbol", *fields)
    table = _parquet(path, fields) if path.suffix in PARQUET else _text(path, fields)
    if table.format.kind is not kind:
        raise DataError(f"{path}: this is a file of {table.format.kind.value}, not {kind.value}")
    return _of_symbol(table, symbol)


def kind_of(path: Path) -> Kind:
    """What the rows of a file are. Raises DataError where it cannot be read."""
    return _format(path).kind


def symbols_of(path: Path) -> tuple[str, ...]:
    """The symbols in a file: those of its column, else the one in its name.

    Raises DataError where neither tells it.
    """
    if "symbol" not in _format(path).columns:
        return (_named(path),)
    fields = ("symbol",)
    table = _parquet(path, fields) if path.suffix in PARQUET else _text(path, fields)
    return tuple(_symbols(table))


def tells_symbol(path: Path) -> bool:
    """Whether a column or the name of a file says which market it is."""
    return "symbol" in _format(path).columns or symbol_in(path.name) is not None


def symbol_of(table: Table, symbol: str | None) -> str:
    """The symbol of a loaded table: the one asked for, else that of its column or its name."""
    if symbol is not None:
        return symbol
    if "symbol" in table.frame.columns and len(table):
        return _symbols(table)[0]
    return _named(table.path)


def _symbols(table: Table) -> list[str]:
    found = table.frame["symbol"].drop_nulls().cast(pl.String).str.strip_chars()
    return list(found.unique(maintain_order=True))


def _named(path: Path) -> str:
    symbol = symbol_in(path.name)
    if symbol is None:
        raise DataError(
            f"{path}: the name does not say which market it is; rename the file so that it has "
            "the symbol in it, as in BTCUSDT-1m.csv"
        )
    return symbol


def _of_symbol(table: Table, symbol: str | None) -> Table:
    if "symbol" not in table.frame.columns:
        return table
    found = _symbols(table)
    if symbol is None and len(found) <= 1:
        return table
    if symbol not in found:
        raise DataError(f"{table.path}: the file holds {', '.join(found)}; name one of them")
    wanted = pl.col("symbol").cast(pl.String).str.strip_chars() == symbol
    frame = table.frame.filter(wanted)
    return Table(table.path, table.format, frame, table.word, table.kind_of_price)


def _format(path: Path) -> Format:
    if path.suffix in PARQUET:
        return _parquet_format(path)
    with opened_bytes(path) as raw:
        return format_of(path, _first_row(path, raw.readline()))


def _text(path: Path, fields: tuple[str, ...]) -> Table:
    with opened_bytes(path) as raw:
        data = raw.read().removeprefix(_BYTE_ORDER_MARK)
    found = format_of(path, _first_row(path, data[: data.find(b"\n") + 1 or len(data)]))
    columns = {field: at for field, at in found.columns.items() if field in fields}
    places = sorted(set(columns.values()))
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            infer_schema=False,
            columns=places,
            quote_char='"' if b'"' in data else None,
            truncate_ragged_lines=True,
            row_index_name=LINE,
            row_index_offset=1,
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: not a table of text ({_brief(error)}); fetch it again") from error
    names = dict(zip(places, frame.columns[1:], strict=True))
    frame = frame.select(LINE, **{field: names[at] for field, at in columns.items()})
    if found.has_header:
        frame = frame.slice(1)
    # Lines without a cell are no rows, as at the end of a file.
    frame = frame.filter(~pl.all_horizontal(pl.exclude(LINE).is_null()))
    return Table(path, found, frame, "line", "mark" if MARK in path.name else "last")


def _first_row(path: Path, line: bytes) -> list[str]:
    try:
        text = line.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file; give CSV, as it is or in .gz or .zip") from None
    return next(csv.reader(io.StringIO(text)), [])


def _parquet(path: Path, fields: tuple[str, ...]) -> Table:
    found = _parquet_format(path)
    names = list(pl.read_parquet_schema(path))
    columns = {field: names[at] for field, at in found.columns.items() if field in fields}
    try:
        frame = pl.read_parquet(path, columns=list(columns.values()))
        told = pl.read_parquet_metadata(path).get(KIND_OF_PRICE)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _broken(path, error) from error
    frame = frame.select(**columns)
    kind: PriceKind = "mark" if MARK in path.name else "last"
    kind = next((known for known in get_args(PriceKind) if known == told), kind)
    return Table(path, found, frame.with_row_index(LINE, offset=1), "row", kind)


def _parquet_format(path: Path) -> Format:
    try:
        names = list(pl.read_parquet_schema(path))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the path") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _broken(path, error) from error
    return format_of(path, names)


def _broken(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: cannot be read as Parquet ({_brief(error)}); fetch it again")


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0]
