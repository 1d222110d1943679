"""How much sooner stops follow with `pacing = budget` than with `fixed`, and within which limits.

    python -m benchmarks.pacing --data FILE [--every N] [--venue bybit] [--from T] [--for D]
        [--set SETTING] [--json]

The same recorded prices are played twice in virtual time against the paper exchange, once with each
pacing. Measured is the time from each raise of the exact stop until a stop at least as good is
live (`paced/delays.py` says how), and what was used of the exchange's limits by its own counts.
Exit status 1 when the mean delay of all raises is not at least ten times shorter, those that no stop
reached counted as long as they lasted, or when the exchange refused anything for a limit.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from benchmarks.paced.scene import Plan, play
from trailstop.commands.times import duration_us, moment_us

PACINGS = ("fixed", "budget")
LEAST_RATIO = 10
FULL_PERCENT = 100
MS_PER_SECOND = 1_000
COLUMNS = ("count", "mean", "p50", "p99", "max")
READINGS = {"all_ms": "all raises", "reached_ms": "without censored"}
JUDGED = "all_ms"


def main(arguments: list[str] | None = None) -> int:
    """Play both, print the table and one JSON object; 1 when the promise does not hold."""
    parser = argparse.ArgumentParser(prog="pacing", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, action="append", required=True, help="recorded prices")
    parser.add_argument("--every", type=int, help="open anew every so many bars; once without")
    parser.add_argument("--venue", choices=("binance", "bybit"), default="binance")
    parser.add_argument("--from", dest="start", help="where the recording begins")
    parser.add_argument("--for", dest="duration", help="how much is played: 12h, 3d")
    parser.add_argument("--seed", type=int, default=0, help="of latencies and depth")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a setting")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    options = parser.parse_args(arguments)
    plan = Plan(
        data=tuple(options.data),
        venue=options.venue,
        every=options.every,
        from_us=None if options.start is None else moment_us(options.start),
        for_us=None if options.duration is None else duration_us(options.duration),
        seed=options.seed,
        settings=tuple(options.settings),
    )
    result = measure(plan)
    if not options.json:
        _print_table(result)
    print(json.dumps(result, default=str))
    return 0 if result["holds"] else 1


def measure(plan: Plan) -> dict[str, Any]:
    """Play the plan with each pacing and judge the two."""
    began_s = time.monotonic()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rows: dict[str, Any] = {}
    for pacing in PACINGS:
        folder = Path(tempfile.mkdtemp(prefix="pacing-"))
        try:
            rows[pacing] = play(plan, pacing, folder)
        finally:
            shutil.rmtree(folder)
    ratios = {name: _ratio(rows, name) for name in READINGS}
    budget = rows["budget"]
    used = max((row["highest_percent"] for row in budget["limits"].values()), default=0)
    holds = (
        (ratios[JUDGED] or 0) >= LEAST_RATIO
        and not budget["refused_for_limits"]
        and not budget["inside_silence"]
        and used <= FULL_PERCENT
        and not any(row["replays_differing"] for row in rows.values())
    )
    return {
        "benchmark": "pacing",
        "data": [path.name for path in plan.data],
        "venue": plan.venue,
        "every": plan.every,
        "settings": plan.settings,
        **rows,
        "times_shorter": ratios,
        "elapsed_s": round(time.monotonic() - began_s, 1),
        "holds": holds,
    }


def _ratio(rows: dict[str, Any], reading: str) -> float | None:
    fixed, budget = (rows[pacing][reading].get("mean") for pacing in PACINGS)
    return round(fixed / budget, 1) if fixed is not None and budget else None


def _print_table(result: dict[str, Any]) -> None:
    print(f"{', '.join(result['data'])} on {result['venue']}")
    print(f"{'delay of a raise, ms':<28}" + "".join(f"{name:>12}" for name in COLUMNS))
    for reading, words in READINGS.items():
        for pacing in PACINGS:
            row = result[pacing][reading]
            cells = "".join(f"{row.get(name, 'none')!s:>12}" for name in COLUMNS)
            print(f"{f'{pacing}, {words}':<28}{cells}")
        print(f"{'times shorter':<28}{result['times_shorter'][reading]!s:>24}")
    for pacing in PACINGS:
        row = result[pacing]
        print(
            f"{pacing}: {row['epochs']} positions, {row['moves']} moves, {row['censored']} raises not "
            f"reached, {row['behind_ms'] / MS_PER_SECOND:.1f} s behind in all; {row['requests']} "
            f"requests, refused for limits: {row['refused_for_limits'] or 'none'}"
        )
        for name, limit in row["limits"].items():
            print(
                f"    {name:<48}{limit['highest']:>6} of {limit['limit']:>5} "
                f"= {limit['highest_percent']:>5} %"
            )


if __name__ == "__main__":
    sys.exit(main())
