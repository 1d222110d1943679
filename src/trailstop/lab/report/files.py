"""A backtest's trades as CSV and Parquet, for spreadsheets and notebooks.

Prices and money are text, exact to the last digit; `_ms` are Unix milliseconds or durations,
`_percent` percent.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final

from trailstop.errors import DataError
from trailstop.lab.report.document import derived, write
from trailstop.lab.trades import StopMove, Trade

TRADES_CSV: Final = "trades.csv"
MOVES_CSV: Final = "moves.csv"
MOVES: Final = "moves"
ALARM_SEPARATOR: Final = "; "
TRADE_NUMBER: Final = "number"


def trade_row(trade: Trade) -> dict[str, Any]:
    """One trade without its moves, flat, as JSON spells its values."""
    fields = {name: getattr(trade, name) for name in trade.__struct_fields__ if name != MOVES}
    fields["alarms"] = ALARM_SEPARATOR.join(trade.alarms)
    return {name: _plain(value) for name, value in (fields | derived(trade)).items()}


def move_rows(trade: Trade) -> list[dict[str, Any]]:
    """The moves of one trade, each with the number of its trade."""
    return [
        {TRADE_NUMBER: trade.number}
        | {name: _plain(getattr(move, name)) for name in StopMove.__struct_fields__}
        for move in trade.moves
    ]


def write_csv(trades: Sequence[Trade], folder: Path) -> tuple[Path, Path]:
    """Write `trades.csv` and `moves.csv` into a folder, which is made where it is missing.

    Raises: DataError where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made ({error.strerror})") from None
    files = folder / TRADES_CSV, folder / MOVES_CSV
    write(files[0], _csv(TRADE_COLUMNS, map(trade_row, trades)))
    write(files[1], _csv(MOVE_COLUMNS, (row for trade in trades for row in move_rows(trade))))
    return files


def write_parquet(trades: Sequence[Trade], file: Path) -> None:
    """Write the trades without their moves as Parquet. Raises: DataError."""
    import polars as pl  # noqa: PLC0415 - half a second to load, and only this asks for it

    kinds = {name: pl.Int64 for name in TRADE_COLUMNS if name.endswith("_ms")} | {
        TRADE_NUMBER: pl.Int64,
        "stop_moves": pl.Int64,
        "crossed": pl.Boolean,
        "net_percent": pl.Float64,
        "left_percent": pl.Float64,
    }
    schema = {name: kinds.get(name, pl.String) for name in TRADE_COLUMNS}
    rows = [trade_row(trade) for trade in trades]
    content = io.BytesIO()
    pl.DataFrame(rows, schema=schema).write_parquet(content)
    write(file, content.getvalue())


TRADE_COLUMNS: Final = (
    *(name for name in Trade.__struct_fields__ if name != MOVES),
    "net_percent",
    "left_percent",
    "at_risk_ms",
    "stop_moves",
)
MOVE_COLUMNS: Final = (TRADE_NUMBER, *StopMove.__struct_fields__)


def _plain(value: Any) -> Any:
    """A value as JSON and CSV spell it: enums by their value, decimals without exponent."""
    match value:
        case Enum():
            return value.value
        case Decimal():
            return f"{value:f}"
        case _:
            return value


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
