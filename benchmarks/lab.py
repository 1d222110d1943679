"""The lab beside other backtesters and plain C, on the same made-up data, in one run.

    ./trailstop bench lab [--part single|sweep|ticks|equality|year ...] [--cases 100000] [--json]

Every figure is the median of five rounds in which all take their turns; CPU time of the process
that works. Others run in environments of their own. Exit status 1 where an aim is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Idle worker threads of the linear algebra would count as work; this stands before numpy comes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.labbing.clang import PlainC
from benchmarks.labbing.equality import equality
from benchmarks.labbing.grid import grid
from benchmarks.labbing.job import bar_job, tick_job
from benchmarks.labbing.rivals import Rival
from benchmarks.labbing.single import single
from benchmarks.labbing.ticks import ticks
from benchmarks.labbing.year import year

BARS = 1_000_000
TICKS = 1_000_000
FEW_TICKS = 200_000
"""As many as the slowest takes in two seconds."""
PARTS = ("single", "sweep", "ticks", "equality", "year")

Found = dict[str, Any]
Aim = tuple[str, str, Callable[[Found], bool]]
AIMS: tuple[Aim, ...] = (
    ("single", "at least 12 x vectorbt's Rust engine",
     lambda x: x["no activation"]["faster than vectorbt"] >= 12),
    ("single", "within 2.5 x of C, side by side",
     lambda x: all(one["times C, first call"] <= 2.5 for one in x.values())),
    ("single", "identical exits",
     lambda x: all(one["other exits than C"] == one["other prices than C"] == 0
                   for one in x.values()) and x["no activation"]["other exits than vectorbt"] == 0),
    ("sweep", "1 000 pairs within 12 ms or 1/40 of brute force",
     lambda x: x["ms of 1 000 pairs"] <= 12 or x["faster than C by brute force"] >= 40),
    ("sweep", "at least 5 000 x vectorbt's Rust engine",
     lambda x: x["faster than vectorbt (its columns times as many)"] >= 5_000),
    ("sweep", "40 000 pairs within 120 ms", lambda x: x["ms of 40 000 pairs"] <= 120),
    ("sweep", "at most 64 MiB over import", lambda x: x["MiB over import"] <= 64),
    ("sweep", "identical exits", lambda x: x["cells whose exits are not C's"] == 0),
    ("ticks", "at least 30 x hftbacktest", lambda x: x["fast ÷ hftbacktest"] >= 30),
    ("ticks", "at least 600 x NautilusTrader", lambda x: x["fast ÷ nautilus"] >= 600),
    ("ticks", "step at least as fast as NautilusTrader", lambda x: x["step ÷ nautilus"] >= 1),
    ("ticks", "identical exits",
     lambda x: x["other exits than C"] == x["step leaves elsewhere"] == 0),
    ("equality", "no exit other than step's", lambda x: x["other exits than step"] == 0
     and x["exits of sweeps that are not the backtest's"] == 0),
    ("year", "under 60 s", lambda x: x["seconds"] < 60),
    ("year", "under 2 GB", lambda x: x["highest memory, MiB"] < 2_048),
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the parts, print their figures and the aims; 1 when one is missed."""
    parser = argparse.ArgumentParser(prog="lab", description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=PARTS, help="this part; may be repeated")
    parser.add_argument("--cases", type=int, default=100_000, help="random exits of equality")
    parser.add_argument("--json", action="store_true", help="print one JSON object alone")
    options = parser.parse_args(arguments)
    parts = options.part or PARTS
    found: dict[str, Found] = {}
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        for part in parts:
            found[part] = _run(part, Path(folder), options.cases)
            if not options.json:
                print(f"{part}\n{json.dumps(found[part], indent=2, ensure_ascii=False)}")
    judged = {f"{part}: {name}": holds(found[part]) for part, name, holds in AIMS if part in found}
    if options.json:
        print(json.dumps({"found": found, "judged": judged}, ensure_ascii=False))
    else:
        for name, kept in judged.items():
            print(f"{'held  ' if kept else 'MISSED'}  {name}")
    return 0 if all(judged.values()) else 1


def _run(part: str, folder: Path, cases: int) -> Found:
    if part == "equality":
        return equality(cases)
    if part == "year":
        return year()
    c = PlainC(folder)
    if part == "ticks":
        job = tick_job(TICKS)
        job.write(folder / "ticks", FEW_TICKS)
        others = [Rival(name, folder / "ticks") for name in ("hftbacktest", "nautilus")]
        found = ticks(job, FEW_TICKS, c, *others)
    else:
        bars = bar_job(BARS)
        bars.write(folder / "bars")
        others = [Rival("vectorbt", folder / "bars")]
        found = (single if part == "single" else grid)(bars, c, *others)
    for other in others:
        other.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
