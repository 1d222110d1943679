"""Many positions on many symbols in one guard's process: what it needs, and whether limits keep.

    python -m benchmarks.load [--positions 500] [--symbols 100] [--minutes 10] [--late 20] [--speed 0] [--seed N]
        [--json] [--keep]

The paper exchange runs in a process of its own and keeps the time for both: as fast as they go, so
that a busy machine changes no figure, or with `--speed 1` in real time. Half of the positions are
on each venue, one a symbol and account (one-way mode), at most 90 an account, all accounts of a
venue behind one address. They are open when the guard starts, but for some that are opened one
after the other while it runs. Every market prints once a second and goes the way of its positions, so
that each stop is due whenever its interval is over. Exit status 1 when a limit was used beyond its
share, a position was unprotected, or a stop came late.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.loading.legs import Wish
from benchmarks.loading.scene import play
from benchmarks.outside.processes import SceneError

LATE_MS = 2_000
"""D: a stop that is due rests this soon; so does the first one of a position."""


def main(arguments: list[str] | None = None) -> int:
    """Run, print the table and one JSON object; 1 when something does not hold."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__.splitlines()[0])
    parser.add_argument("--positions", type=int, default=500)
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10, help="after the last opening")
    parser.add_argument("--late", type=int, default=20, help="opened while the guard runs")
    parser.add_argument("--speed", type=float, default=0, help="0 unbounded, 1 real time")
    parser.add_argument("--seed", type=int, default=1, help="of the prices")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--keep", action="store_true", help="keep logs and database")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="load-"))
    wish = Wish(
        positions=options.positions,
        symbols=options.symbols,
        late=min(options.late, options.positions),
        minutes=options.minutes,
        seed=options.seed,
        speed=options.speed,
    )
    try:
        result = _judged(options.positions, play(wish, folder))
    except SceneError as error:
        result = {"stuck": str(error), "holds": False}
    if not options.json:
        _print_table(result)
    print(json.dumps(result))
    if options.keep or not result["holds"]:
        print(f"logs and database: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return 0 if result["holds"] else 1


def _judged(positions: int, result: dict[str, Any]) -> dict[str, Any]:
    exchange, guard = result["exchange"], result["guard"]
    clocks = exchange["clocks"]
    judged = {
        "every position has a stop": not exchange["without_stop_yet"]
        and exchange["open"] == positions,
        "first stops in time": exchange["first_stop_ms"].get("max", 0) <= LATE_MS,
        "never unprotected": not exchange["unprotected_after_start_ms"],
        "never loosened": not clocks["loosened_ms"] and not clocks["loosened"],
        "nothing twice": not clocks["duplicates"],
        "limits kept": exchange["limits_kept"],
        "stops within their pacing": exchange["pacing_delay_ms"].get("max", 0) <= LATE_MS
        and exchange["pacing_delay_ms"].get("min", 0) >= 0,
        "no unhandled exception": not guard["unforeseen"],
    }
    return result | {"judged": judged, "holds": all(judged.values())}


def _print_table(result: dict[str, Any]) -> None:
    if "stuck" in result:
        print(result["stuck"])
        return
    exchange, guard = result["exchange"], result["guard"]
    print(f"{'accounts':<26}{', '.join(result['accounts'])}")
    for name in (
        "open",
        "clocks",
        "stop_after_start_ms",
        "first_stop_ms",
        "moves",
        "pacing_delay_ms",
    ):
        print(f"{name:<26}{exchange[name]}")
    for name, row in exchange["requests"]["limits"].items():
        print(f"{row['highest_percent']:>6} %  {name}  (writes {row['of_which_writes']})")
    for name in (
        "cpu_percent_of_a_core",
        "rss_mib",
        "work_us_in_50_ms",
        "wall_lag_us",
        "log_errors",
    ):
        print(f"{name:<26}{guard[name]}")
    for name, held in result["judged"].items():
        print(f"{'holds ' if held else 'FAILED'}  {name}")


if __name__ == "__main__":
    sys.exit(main())
