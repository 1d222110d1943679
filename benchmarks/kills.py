"""The guard's process is killed with -9 again and again; nothing may be lost by it.

    python -m benchmarks.kills [--kills 200] [--venue binance|bybit] [--mode one-way|hedge]
        [--second-stop allow|refuse] [--others] [--seed N] [--json] [--keep]

The paper exchange lives on: after each kill its clock runs a seeded 1 to 180 s, then waits. At
least half of the kills lie between a write's arrival at the exchange and its answer. After each
restart the exchange's true state is held against what was promised and against a twin that is
never killed; at the end the journal is held against everything that the exchange ever had of us.
With `--others` people and a second bot act on the same positions, and there is no twin.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from benchmarks.crash.drill import Drill
from benchmarks.crash.processes import DrillError
from benchmarks.crash.report import judge, result_of
from benchmarks.crash.scenario import Mode, Scenario, VenueName
from benchmarks.crash.verdict import KINDS

KILLS = 200
SEED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run, print the table and one JSON object; 1 when something is not 0."""
    options = _parser().parse_args(arguments)
    scenario = Scenario(
        seed=options.seed,
        venue=options.venue,
        mode=options.mode,
        second_stop=options.second_stop,
        others=options.others,
    )
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    began_s = time.monotonic()
    drill = Drill(folder, scenario, options.kills)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--venue", choices=get_args(VenueName), default="binance")
    parser.add_argument("--mode", choices=get_args(Mode), default="one-way")
    parser.add_argument("--second-stop", choices=("allow", "refuse"), default="allow")
    parser.add_argument("--others", action="store_true", help="people and a second bot act too")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--keep", action="store_true", help="keep logs and databases")
    return parser


def _print_table(drill: Drill) -> None:
    print(drill.scenario.title)
    for stage in sorted({kill.stage for kill in drill.done}):
        print(f"{sum(kill.stage == stage for kill in drill.done):>5}  {stage}")
    if drill.others is not None:
        for what, count in sorted(drill.others.done.items()):
            print(f"{count:>5}  others: {what}")
    for what, count in sorted(drill.compared.items()):
        print(f"{count:>5}  comparisons with the twin: {what}")
    for kind in KINDS:
        print(f"{drill.verdict.failures[kind]:>5}  {kind}")
    for line in drill.verdict.lines:
        print(f"       {line}")


if __name__ == "__main__":
    sys.exit(main())
