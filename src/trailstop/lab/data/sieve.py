"""Which rows of a file are used; every other row is named with its line and the reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trailstop.errors import DataError
from trailstop.lab.data.columns import Mask
from trailstop.lab.data.table import Table
from trailstop.lab.series import Int64

Reason = Callable[[int], str]
"""Tells why the row at an index is left out."""


class Sieve:
    """Collects the rows that are left out, and ends with what remains.

    What an exchange is known to send and what means nothing (`leave_out`) never stops a reading.
    What contradicts itself (`reject`) does, unless `skip_bad`.
    """

    def __init__(self, table: Table, *, skip_bad: bool) -> None:
        self._table = table
        self._skip_bad = skip_bad
        self._kept: Mask = np.ones(len(table), dtype=np.bool_)
        self._reasons: dict[int, str] = {}
        self._fatal: dict[int, str] = {}

    def leave_out(self, rows: Mask, reason: Reason) -> None:
        """Do without these rows."""
        self._mark(rows, reason, self._reasons)

    def reject(self, rows: Mask, reason: Reason) -> None:
        """Refuse these rows, and with them the file unless bad rows are skipped."""
        if self._skip_bad:
            self._mark(rows, reason, self._reasons)
        elif (rows & self._kept).any():
            first = int((rows & self._kept).argmax())
            self._fatal.setdefault(first, reason(first))

    def settled(self) -> Int64:
        """Indices of the rows that remain so far.

        Raises DataError for the first row of the file that was rejected, or where none remains.
        """
        if self._fatal:
            first = min(self._fatal)
            raise DataError(
                f"{self._table.path}, {self._table.where(first)}: {self._fatal[first]}; "
                "correct or remove the row"
            )
        if not len(self._table):
            raise DataError(f"{self._table.path}: the file has a header but no rows")
        kept = np.flatnonzero(self._kept)
        if not len(kept):
            first = min(self._reasons)
            raise DataError(
                f"{self._table.path}: no row of the file can be used; "
                f"{self._table.where(first)}: {self._reasons[first]}"
            )
        return kept

    def refused(self) -> tuple[str, ...]:
        """A line for each row that was left out, in the order of the file."""
        name = self._table.path.name
        return tuple(
            f"{name}, {self._table.where(at)}: {self._reasons[at]}" for at in sorted(self._reasons)
        )

    def _mark(self, rows: Mask, reason: Reason, reasons: dict[int, str]) -> None:
        for at in np.flatnonzero(rows & self._kept).tolist():
            reasons[at] = reason(at)
        self._kept &= ~rows
