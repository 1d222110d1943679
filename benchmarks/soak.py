"""A day and a night with fifty positions, in virtual time: something goes wrong every few minutes.

    python -m benchmarks.soak [--hours 24] [--positions 50] [--seed N] [--limit SECONDS] [--json]

One guard with an account on each exchange guards positions that a trader keeps open. Faults of
the network, the limits, the streams and the exchange, and the hands of people, come every few
minutes, drawn from the seed. The exchange's own truth judges: how long anything was without its
stop, what the requests used of the limits, and whether memory and descriptors stay level.
Exit status 1 when anything does not hold.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.soaking.scene import Plan, Soak

MOST_POSITIONS = 196


def main(arguments: list[str] | None = None) -> int:
    """Run, print the table and one JSON object; 1 when something does not hold."""
    options = _parser().parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    plan = Plan(
        hours=options.hours,
        positions=min(options.positions, MOST_POSITIONS),
        seed=options.seed,
        hedge=options.mode == "hedge",
        limit_s=options.limit,
        only=tuple(options.only or ()),
        folder=folder,
        progress=not options.json,
    )
    result = Soak(plan).run()
    if not options.json:
        _print_table(result)
    print(json.dumps(result, default=str))
    if options.keep or not result["holds"]:
        print(f"journal and log: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return 0 if result["holds"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24, help="virtual time of the run")
    parser.add_argument("--positions", type=int, default=50, help="half of them on each exchange")
    parser.add_argument("--seed", type=int, default=1, help="of prices, troubles and people")
    parser.add_argument(
        "--mode",
        choices=("hedge", "one-way"),
        default="hedge",
        help="a long and a short on each of half as many symbols, or one position on each",
    )
    parser.add_argument("--limit", type=float, default=4 * 3_600, help="seconds of real time")
    parser.add_argument("--only", action="append", help="draw this trouble; may be repeated")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--keep", action="store_true", help="keep journal and log")
    return parser


def _print_table(result: dict[str, Any]) -> None:
    for name in ("virtual_hours", "elapsed_s", "positions", "clocks", "first_stop_ms"):
        print(f"{name:<24}{result[name]}")
    for kind, row in result["gaps"].items():
        print(f"{kind:<24}{row}")
    for name, row in result["requests"]["limits"].items():
        print(f"{row['highest_percent']:>6} %  {name}  (writes {row['of_which_writes']})")
    print(f"{'troubles':<24}{result['troubles']}")
    for name, count in result["log_errors"].items():
        print(f"{count:>6}  {name}")
    for line in result["unforeseen_first"]:
        print(f"        {line}")
    print(f"{'slopes':<24}{result['slopes_percent_an_hour']}")
    for name, held in result["judged"].items():
        print(f"{'holds ' if held else 'FAILED'}  {name}")


if __name__ == "__main__":
    sys.exit(main())
