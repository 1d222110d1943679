"""The fields of a table as whole numbers; rows whose cells cannot be read go to the sieve."""

from __future__ import annotations

from typing import Final

from trailstop.lab.data.columns import (
    decimals_that_fit,
    exact,
    fault,
    finer_than,
    finest,
    floats,
    nulls,
    times_us,
    units,
)
from trailstop.lab.data.sieve import Reason, Sieve
from trailstop.lab.data.table import Table
from trailstop.lab.series import Float64, Int64

QUANTITY_DECIMALS_MAX: Final = 8
"""No exchange counts finer; more digits are noise of whoever wrote the file."""
QUANTITIES_LOOKED_AT: Final = 10_000
"""So many rows tell the step of the quantities."""


def times(table: Table, sieve: Sieve) -> Int64:
    """Microseconds of each row, 0 where it has no time and is refused for that."""
    found = times_us(table.column("time"))

    def why(at: int) -> str:
        cell = table.cell(at, "time")
        return "the time is missing" if cell is None else f"{str(cell)!r} is no time"

    sieve.reject(nulls(found), why)
    return found.fill_null(0).to_numpy()


def prices(table: Table, fields: tuple[str, ...], sieve: Sieve) -> tuple[int, tuple[Int64, ...]]:
    """Decimals of the finest price, and the columns in units of it; 0 where a row is refused."""
    columns = [exact(table.column(field)) for field in fields]
    for field, column in zip(fields, columns, strict=True):
        sieve.reject(nulls(column), faulty(table, field))
    decimals, most = finest(columns), decimals_that_fit(columns)
    if decimals > most:
        for field, column in zip(fields, columns, strict=True):
            sieve.reject(finer_than(column, most).to_numpy(), _too_fine(table, field, most))
        decimals = most
    return decimals, tuple(units(column, decimals) for column in columns)


def volumes(table: Table, sieve: Sieve) -> Float64 | None:
    """What was traded in each bar; None where the file does not tell."""
    if "volume" not in table.frame.columns:
        return None
    cells = table.column("volume")
    if cells.null_count() == len(cells):
        return None
    found = floats(cells)
    sieve.reject(nulls(found), faulty(table, "volume"))
    negative = (found.fill_null(0) < 0).to_numpy()
    sieve.reject(negative, lambda at: f"the volume is {table.cell(at, 'volume')}")
    return found.fill_null(0).to_numpy()


def quantity_decimals(table: Table, field: str) -> int | None:
    """Decimals of the finest quantity; None where the file tells none."""
    if field not in table.frame.columns:
        return None
    column = exact(table.column(field).head(QUANTITIES_LOOKED_AT))
    if column.null_count() == len(column):
        return None
    return min(finest([column]), QUANTITY_DECIMALS_MAX)


def faulty(table: Table, field: str) -> Reason:
    """Tells why a cell of this field is no number."""
    return lambda at: f"{field} {fault(table.cell(at, field))}"


def _too_fine(table: Table, field: str, most: int) -> Reason:
    return lambda at: (
        f"{field} is {table.cell(at, field)}, and beside the largest price of the file only "
        f"{most} decimals can be counted; round the prices to the tick"
    )
