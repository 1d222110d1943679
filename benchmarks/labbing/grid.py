"""A sweep of activations and distances: the lab, C by brute force, vectorbt's Rust engine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labbing.clang import PlainC
from benchmarks.labbing.job import BarJob, bar_job, plain, with_entries
from benchmarks.labbing.rivals import Rival
from benchmarks.labbing.single import ROUNDS, timed
from trailstop.lab import NO_COSTS, FillRule
from trailstop.lab.series import Bars
from trailstop.lab.sweep import sweep

CALLS = 3
COLUMNS = 5
"""Distances that vectorbt is given at once; a thousand would need 30 GB."""
KIB_PER_MIB = 1024
SERIES = ("open_ms", "open", "high", "low", "close")

Axes = tuple[list[Decimal], list[Decimal]]


def axes(rows: int, columns: int) -> Axes:
    """Activations 0 to 4.8 % and distances 0.2 to 8 %, evenly."""
    activations = [Decimal(k) * Decimal("4.8") / (rows - 1) for k in range(rows)]
    distances = [
        Decimal("0.2") + Decimal(k) * Decimal("7.8") / (columns - 1) for k in range(columns)
    ]
    exact = Decimal("0.0001")
    return [a.quantize(exact) for a in activations], [d.quantize(exact) for d in distances]


def lab_grid(job: BarJob, cells: Axes, threads: int = 1, keep_exits: bool = False) -> Any:
    return sweep(
        job.bars, job.entries, plain("0", "1"), activation=cells[0], distance=cells[1],
        rule=FillRule.STOP_THEN_PEAK, costs=NO_COSTS, threads=threads, keep_exits=keep_exits,
    )  # fmt: skip


def grid(job: BarJob, c: PlainC, vectorbt: Rival) -> dict[str, Any]:
    """Both sizes of grid; equality of every exit with C by its sums."""
    small, large = axes(25, 40), axes(100, 400)
    prices = job.floats()
    rows, columns = (np.array([float(x) / 100 for x in axis]) for axis in small)
    lab_grid(job, small)
    seconds: dict[str, list[float]] = {name: [] for name in ("lab", "c", "rust", "lab_large")}
    sums: Any = None
    for _ in range(ROUNDS):
        for name, cells in (("lab", small), ("lab_large", large)):
            seconds[name].append(timed(partial(lab_grid, job, cells), CALLS)[1])
        began = time.process_time()
        sums = c.grid(prices, job.entries.index, job.exits, rows, columns)
        seconds["c"].append(time.process_time() - began)
        theirs = vectorbt.run([float(x) / 100 for x in small[1][:COLUMNS]])
        seconds["rust"].append(theirs["cpu_s"] * len(rows) * len(columns) / COLUMNS)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    kept = lab_grid(job, small, keep_exits=True)
    indexes = kept.kept[..., 0].sum(axis=-1).reshape(len(rows), len(columns))
    returns = kept.sum_percent.reshape(len(rows), len(columns)) / 100
    return {
        "ms of 1 000 pairs": round(medians["lab"] * 1e3, 2),
        "ms of 40 000 pairs": round(medians["lab_large"] * 1e3, 1),
        "C by brute force, ms": round(medians["c"] * 1e3, 1),
        "faster than C by brute force": round(medians["c"] / medians["lab"], 1),
        "faster than vectorbt (its columns times as many)": round(medians["rust"] / medians["lab"]),
        "cells whose exits are not C's": int((indexes != sums[1]).sum()),
        "largest difference of a cell's summed return": float(np.abs(returns - sums[0]).max()),
        "MiB over import": memory(job),
    }


def memory(job: BarJob) -> float:
    """Highest memory of a sweep of 1 000 pairs, data included, over that after the imports."""
    with tempfile.TemporaryDirectory() as folder:
        for name in SERIES:
            np.save(Path(folder) / f"{name}.npy", getattr(job.bars, name))
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.labbing.grid", folder],
            capture_output=True, text=True, check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
    return float(json.loads(answer.stdout))


def _highest_kib() -> int:
    """VmHWM, which counts this process alone, as getrusage does not after a fork."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def _measure(folder: Path) -> float:
    # A short sweep compiles or loads the loops, which belong to the import.
    few = bar_job(10_000)
    lab_grid(few, axes(3, 3))
    before = _highest_kib()
    columns = {name: np.load(folder / f"{name}.npy") for name in SERIES}
    bars = Bars(few.bars.symbol, few.bars.unit, few.bars.interval_ms, **columns)
    lab_grid(with_entries(bars), axes(25, 40))
    return round((_highest_kib() - before) / KIB_PER_MIB, 1)


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]))))
