"""How soon a position that somebody else opened has its stop, by the exchange's own clock.

    python -m benchmarks.adoption [--positions 500] [--seed N] [--limit SECONDS] [--json]

ccxt and pybit, unmodified and in processes of their own, open positions on the paper exchange
over its real sockets and close them again, one at a time: both venues, both sides, one-way and
hedge mode. A guard in its own process finds and protects them. Everything runs in real time with
the exchange's default latency: nothing is sped up. Exit status 1 when any first stop took more
than 2 s, anything was unprotected, or the limit came before the last position.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.outside.processes import SceneError
from benchmarks.outside.report import Row, exchange_clocks, groups, holds
from benchmarks.outside.scene import Adoption, Scene, cases

POSITIONS = 500
SEED = 1
LIMIT_S = 480
CLIENTS = (
    "ccxt binance",
    "ccxt bybit",
    "ccxt binance",
    "pybit",
    "ccxt binance",
    "pybit trade socket",
)
"""In turn; each venue has half of the positions."""
COLUMNS = ("positions", "min", "median", "p90", "p99", "max", "within_2000_ms")


def main(arguments: list[str] | None = None) -> int:
    """Run, print the table and one JSON object; 1 when the promise does not hold."""
    parser = argparse.ArgumentParser(prog="adoption", description=__doc__.splitlines()[0])
    parser.add_argument("--positions", type=int, default=POSITIONS)
    parser.add_argument("--seed", type=int, default=SEED, help="of the generated prices")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds of the whole run")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--keep", action="store_true", help="keep logs and database")
    options = parser.parse_args(arguments)
    if options.positions < 1:
        parser.error("--positions must be 1 or more")
    folder = Path(tempfile.mkdtemp(prefix="adoption-"))
    result = _run(options, folder)
    if not options.json:
        _print_table(result)
    print(json.dumps(result))
    if options.keep or not result["holds"]:
        print(f"logs and database: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return 0 if result["holds"] else 1


def _run(options: argparse.Namespace, folder: Path) -> Row:
    began_s = time.monotonic()
    done: list[Adoption] = []
    clocks: Row = {}
    stuck = ""
    show = sys.stderr.isatty() and not options.json
    try:
        with Scene(folder, CLIENTS, options.seed) as scene:
            try:
                for case in cases(CLIENTS, options.positions):
                    if time.monotonic() - began_s > options.limit:
                        stuck = f"the limit of {options.limit:.0f} s came first"
                        break
                    done.append(scene.adopt(case))
                    if show:
                        sys.stderr.write(f"\r{len(done):>5} of {options.positions}")
            finally:
                clocks = exchange_clocks(scene.exchange.state())
    except SceneError as error:
        stuck = str(error)
    result: Row = {
        "positions": options.positions,
        "done": len(done),
        "first_stop_ms": groups(done),
        "exchange": clocks,
        "elapsed_s": round(time.monotonic() - began_s, 1),
        "stuck": stuck,
    }
    return result | {"holds": not stuck and holds(result)}


def _print_table(result: Row) -> None:
    print(f"{'first_stop_ms':<24}" + "".join(f"{name:>15}" for name in COLUMNS))
    for name, row in result["first_stop_ms"].items():
        cells = ("none" if row[column] is None else row[column] for column in COLUMNS)
        print(f"{name:<24}" + "".join(f"{cell:>15}" for cell in cells))
    for name, count in result["exchange"].items():
        print(f"{name:<24}{count!s:>15}")
    if result["stuck"]:
        print(f"stopped after {result['done']}: {result['stuck']}")


if __name__ == "__main__":
    sys.exit(main())
