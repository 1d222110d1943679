"""Ticks: a trailing stop behind the best bid, by the lab's two engines, hftbacktest, NautilusTrader.

The fast engine fills stops and nothing else: it has no queue and no latency of orders, which
hftbacktest has. NautilusTrader's engine holds one trailing stop at a time, and so does `step`.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from benchmarks.labbing.clang import PlainC
from benchmarks.labbing.job import TickJob, plain
from benchmarks.labbing.rivals import Rival
from benchmarks.labbing.single import ROUNDS, timed
from trailstop.lab import NO_COSTS, backtest

DISTANCE = "0.2"
CALLS = 3


def ticks(job: TickJob, few: int, c: PlainC, hftbacktest: Rival, nautilus: Rival) -> dict[str, Any]:
    """Million ticks a second of each, and whether they leave at the same ticks."""
    policy, fraction = plain("0", DISTANCE, "bid_ask"), float(DISTANCE) / 100
    short = job.first(few)
    bid = job.quotes.bid * float(job.quotes.unit)

    def fast() -> Any:
        return backtest(
            job.quotes, job.entries, policy, costs=NO_COSTS, engine="kernel", moves=False
        ).trades

    def exact() -> Any:
        return backtest(short.quotes, short.entries, policy, costs=NO_COSTS, engine="step").trades

    def plain_c() -> Any:
        return c.bids(bid, job.entries.index, job.exits, fraction)

    fast()
    seconds: dict[str, list[float]] = {
        name: [] for name in ("c", "fast", "step", "hftbacktest", "nautilus")
    }
    theirs: dict[str, Any] = {}
    stepped: Any = ()
    for _ in range(ROUNDS):
        seconds["c"].append(timed(plain_c, CALLS)[1])
        seconds["fast"].append(timed(fast, CALLS)[1])
        theirs["hftbacktest"] = hftbacktest.run([fraction])
        seconds["hftbacktest"].append(theirs["hftbacktest"]["cpu_s"])
        began = time.process_time()
        stepped = exact()
        seconds["step"].append(time.process_time() - began)
        theirs["nautilus"] = nautilus.run([fraction])
        seconds["nautilus"].append(theirs["nautilus"]["cpu_s"])
    counts = dict.fromkeys(seconds, len(job.quotes)) | {"step": few, "nautilus": few}
    speed = {
        name: counts[name] / statistics.median(values) / 1e6 for name, values in seconds.items()
    }
    index = plain_c()
    exits = fast().exits.index
    held = len(short.entries)
    times = short.quotes.time_ms
    return {
        "million ticks a second": {name: round(value, 3) for name, value in speed.items()},
        "fast ÷ hftbacktest": round(speed["fast"] / speed["hftbacktest"], 1),
        "fast ÷ nautilus": round(speed["fast"] / speed["nautilus"], 1),
        "step ÷ nautilus": round(speed["step"] / speed["nautilus"], 2),
        "other exits than C": int((exits != index).sum()),
        "hftbacktest leaves elsewhere": _differ(theirs["hftbacktest"]["exit_index"], index),
        "nautilus leaves elsewhere": _differ(theirs["nautilus"]["exit_index"], index[:held]),
        "step leaves elsewhere": int(
            sum(times[index[k]] != stepped[k].exit_ms for k in range(held))
        ),
        "exits": [len(index), held],
    }


def _differ(theirs: list[int], ours: np.ndarray) -> int:
    both = min(len(theirs), len(ours))
    return int((np.asarray(theirs[:both]) != ours[:both]).sum())
