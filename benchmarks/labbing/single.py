"""One backtest with its trade list: the C loop, the lab's public call, vectorbt's Rust engine.

The first call of a round comes after the others have worked, as in anybody's program; the median
of its calls has all prices in the cache. The trade list is the exits as columns, as in vectorbt.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.labbing.clang import PlainC
from benchmarks.labbing.job import BarJob, plain
from benchmarks.labbing.rivals import Rival
from trailstop.lab import NO_COSTS, FillRule, backtest

ROUNDS = 5
CALLS = 20
"""Calls of the quick ones in each round, of which the median counts; the first is told apart."""


def timed(call: Callable[[], Any], calls: int = CALLS) -> tuple[float, float]:
    """CPU seconds of the first call and the median of all."""
    seconds = []
    for _ in range(calls):
        began = time.process_time_ns()
        call()
        seconds.append((time.process_time_ns() - began) / 1e9)
    return seconds[0], statistics.median(seconds)


def single(job: BarJob, c: PlainC, vectorbt: Rival) -> dict[str, Any]:
    """Both jobs; the one with an activation is beyond vectorbt's fast engine."""
    return {
        "no activation": _one(job, c, vectorbt, "0", "1"),
        "activation 0.5 %": _one(job, c, None, "0.5", "1"),
    }


def _one(
    job: BarJob, c: PlainC, vectorbt: Rival | None, activation: str, distance: str
) -> dict[str, Any]:
    policy, prices = plain(activation, distance), job.floats()
    fractions = float(activation) / 100, float(distance) / 100

    def ours() -> Any:
        result = backtest(
            job.bars, job.entries, policy,
            rule=FillRule.STOP_THEN_PEAK, costs=NO_COSTS, engine="kernel", moves=False,
        )  # fmt: skip
        return result.trades

    def plain_c() -> Any:
        return c.bars(prices, job.entries.index, job.exits, *fractions)

    ours()
    rows: dict[str, list[float]] = {"c": [], "c_first": [], "lab": [], "lab_first": [], "rust": []}
    theirs: dict[str, Any] = {}
    for _ in range(ROUNDS):
        for name, call in (("c", plain_c), ("lab", ours)):
            first, median = timed(call)
            rows[f"{name}_first"].append(first)
            rows[name].append(median)
        if vectorbt is not None:
            theirs = vectorbt.run([fractions[1]])
            rows["rust"].append(theirs["cpu_s"])
    medians = {name: statistics.median(values) for name, values in rows.items() if values}
    index, price = plain_c()
    exits = ours().exits
    unit = float(job.bars.unit) / exits.scale
    answer = {
        "ms": {name: round(value * 1e3, 3) for name, value in medians.items()},
        "times C": round(medians["lab"] / medians["c"], 2),
        "times C, first call": round(medians["lab_first"] / medians["c_first"], 2),
        "entries": len(index),
        "other exits than C": int((exits.index != index).sum()),
        "other prices than C": int((np.abs(exits.price * unit - price) > 1e-6).sum()),
    }
    if theirs:
        answer["faster than vectorbt"] = round(medians["rust"] / medians["lab"], 1)
        answer["other exits than vectorbt"] = int(
            (np.asarray(theirs["exit_index"][: len(index)]) != index).sum()
        )
    return answer
