"""Exits of the fast engine held against `step`, and those of sweeps against the fast engine."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Any

import numpy as np
from rich.progress import track

from tests.lab.kernel.equality import differences, grid_differences, random_case, random_ticks

PART = 500
"""Exits that a process compares before it comes back."""
TICK_SHARE = 0.2
SWEEPS_IN_PART = 4


def equality(cases: int, seed: int = 1, processes: int = 2) -> dict[str, Any]:
    """Compare at least so many random exits: bar, price and cause.

    Each position is one of up to four of a random backtest, with settings, side, fill rule, grid
    and prices drawn anew for each backtest.
    """
    parts = range(seed, seed + -(-cases // PART))
    with ProcessPoolExecutor(processes) as pool:
        done = pool.map(_part, repeat(PART), parts)
        found = list(track(done, "comparing", total=len(parts), transient=True))
    exits, others, sweeps, swept = (sum(column) for column in zip(*found, strict=True))
    return {
        "exits": exits,
        "other exits than step": others,
        "sweeps": sweeps,
        "exits of sweeps that are not the backtest's": swept,
    }


def _part(least: int, seed: int) -> tuple[int, int, int, int]:
    random = np.random.default_rng(seed)
    exits = others = 0
    while exits < least:
        on_ticks = random.random() < TICK_SHARE
        case = random_ticks(random) if on_ticks else random_case(random)
        exits += len(case.entries)
        others += len(differences(case))
    swept = sum(len(grid_differences(random)) for _ in range(SWEEPS_IN_PART))
    return exits, others, SWEEPS_IN_PART, swept
