"""The guard's process is killed with -9 again and again; nothing may be lost by it.

    python -m benchmarks.kills [--kills 200] [--second-stop allow|refuse] [--seed N] [--json]

The paper exchange lives on: after each kill its clock runs a seeded 1 to 180 s, then waits. At
least half of the kills lie between a write's arrival at the exchange and its answer. After each
restart the exchange's true state and a twin that is never killed are compared; at the end the
journal is held against everything that the exchange ever had of us.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.crash.drill import Drill
from benchmarks.crash.processes import DrillError
from benchmarks.crash.report import judge, result_of

KILLS = 200
SEED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run, print the table and one JSON object; 1 when something is not 0."""
    parser = argparse.ArgumentParser(prog="kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--second-stop", choices=("allow", "refuse"), default="allow")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--keep", action="store_true", help="keep logs and databases")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    began_s = time.monotonic()
    drill = Drill(folder, options.seed, options.kills, options.second_stop)
    try:
        for kill in drill.run():
            if sys.stderr.isatty() and not options.json:
                sys.stderr.write(f"\r{len(drill.done):>4} of {options.kills}  {kill.stage:<40}")
        judge(drill)
    except DrillError as error:
        drill.verdict.fail("stuck", str(error))
    finally:
        drill.stop()
    result = result_of(drill, time.monotonic() - began_s)
    if not options.json:
        _print_table(drill)
    print(json.dumps(result))
    if options.keep or not drill.verdict.clean:
        print(f"logs and databases: {folder}", file=sys.stderr)
    else:
        drill.discard()
    return 0 if drill.verdict.clean and len(drill.done) == options.kills else 1


def _print_table(drill: Drill) -> None:
    stages = sorted({kill.stage for kill in drill.done})
    for stage in stages:
        print(f"{sum(kill.stage == stage for kill in drill.done):>5}  {stage}")
    for what, count in sorted(drill.compared.items()):
        print(f"{count:>5}  comparisons with the twin: {what}")
    for line in drill.verdict.lines:
        print(f"       {line}")


if __name__ == "__main__":
    sys.exit(main())
