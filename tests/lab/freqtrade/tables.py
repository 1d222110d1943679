"""Small tables of candles and what a freqtrade strategy makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from trailstop.dialects.freqtrade import Stops
from trailstop.lab.peers.freqtrade.run import Run, run_strategy
from trailstop.lab.peers.freqtrade.settings import Strategy
from trailstop.lab.peers.freqtrade.signals import Signals
from trailstop.lab.series import Bars
from trailstop.lab.trades import Trade

D = Decimal
HOUR_MS = 3_600_000
Row = tuple[int, int, int, int]
"""Open, high, low, close."""


def bars(rows: Sequence[Row]) -> Bars:
    columns = np.array(rows, dtype=np.int64).T
    return Bars(
        symbol="TESTUSDT",
        unit=D(1),
        interval_ms=HOUR_MS,
        open_ms=np.arange(len(rows), dtype=np.int64) * HOUR_MS,
        open=columns[0],
        high=columns[1],
        low=columns[2],
        close=columns[3],
    )


def signals(count: int, **rows: Sequence[int]) -> Signals:
    """Signals of these kinds in these rows."""

    def column(name: str) -> list[bool]:
        return [index in rows.get(name, ()) for index in range(count)]

    return Signals(
        enter_long=column("enter_long"),
        exit_long=column("exit_long"),
        enter_short=column("enter_short"),
        exit_short=column("exit_short"),
    )


def deal(
    rows: Sequence[Row],
    stops: Stops,
    *,
    told: Mapping[str, Sequence[int]] | None = None,
    **strategy: Any,
) -> Run:
    """A long that is wanted in row 0, unless other signals are told; quantity 1, no costs."""
    given = {"enter_long": [0]} if told is None else told
    return run_strategy(
        bars(rows), signals(len(rows), **given), Strategy(stops, **strategy), quantity=D(1)
    )


def only(run: Run) -> Trade:
    (trade,) = run.result.trades
    return trade


def hour(at_ms: int) -> int:
    return at_ms // HOUR_MS
