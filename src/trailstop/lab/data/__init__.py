"""Recorded prices and entries, from files, arrays and rules, as the columns of a backtest."""

from trailstop.lab.data.arrays import from_arrays
from trailstop.lab.data.entries import entries_at, entries_from, entries_from_file
from trailstop.lab.data.function import entries_from_function
from trailstop.lab.data.history import History, read_histories, read_history
from trailstop.lab.data.placing import Entry
from trailstop.lab.data.read import read_bars, read_funding, read_quotes, read_trades
from trailstop.lab.data.resample import resample
from trailstop.lab.data.shape import Hole, holes, holes_in_words
from trailstop.lab.data.synthetic import synthetic_bars
from trailstop.lab.data.write import write_parquet

__all__ = [
    "Entry",
    "History",
    "Hole",
    "entries_at",
    "entries_from",
    "entries_from_file",
    "entries_from_function",
    "from_arrays",
    "holes",
    "holes_in_words",
    "read_bars",
    "read_funding",
    "read_histories",
    "read_history",
    "read_quotes",
    "read_trades",
    "resample",
    "synthetic_bars",
    "write_parquet",
]
