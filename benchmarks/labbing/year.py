"""A year of minutes of ten symbols, walked forward over a grid of 10 000 pairs each."""

from __future__ import annotations

import os
import resource
import sys
import time
from decimal import Decimal
from typing import Any

from rich.progress import Progress

from trailstop.domain.price import Instrument
from trailstop.lab.data.synthetic import synthetic_bars
from trailstop.lab.entries import every
from trailstop.lab.optimise import Market, Space, optimise, read_axis

MINUTES = 365 * 24 * 60
APART = 1_000
SYMBOLS = 10
PAIRS = 100
"""Values on each of the two axes."""


def year(symbols: int = SYMBOLS) -> dict[str, Any]:
    """Seconds of the wall and of the CPU, and the highest memory, data included."""
    began, used = time.monotonic(), _cpu_s()
    markets = []
    for number in range(symbols):
        bars = synthetic_bars(number + 1, MINUTES, symbol=f"S{number}USDT")
        instrument = Instrument(bars.symbol, bars.unit, Decimal("0.001"))
        markets.append(Market(bars, every(bars, APART), instrument))
    made_s = time.monotonic() - began
    space = Space(
        (
            read_axis("activation_percent", "0.04:4:0.04"),
            read_axis("callback_percent", "0.08:8:0.08"),
        )
    )
    with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("walking forward")
        told = [0]

        def progress(done: int, total: int) -> None:
            told[0] += 1
            bar.update(task, completed=done, total=total)

        study = optimise(markets, space, progress=progress)
    return {
        "symbols": symbols,
        "pairs": space.size,
        "positions": sum(len(market.entries) for market in markets),
        "folds": len(study.folds),
        "seconds": round(time.monotonic() - began, 1),
        "of which making the data": round(made_s, 1),
        "cpu seconds": round(_cpu_s() - used, 1),
        "progress told, times": told[0],
        "highest memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "verdict": study.verdict,
    }


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system
