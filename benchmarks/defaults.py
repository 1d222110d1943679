"""What each default of the rule costs or earns against its neighbours, on recorded months.

    ./trailstop bench defaults --data FILE ... [--every 60] [--step] [--json]

Every file of bars gets a long and a short at the close of each `--every`-th bar, first under the
default policy and then with one setting changed at a time. Results are percent of a position's
value after taker fees of 0.05 % each way, in the order `worst_case` inside a bar, and the error is
that of the mean difference of the same positions (they overlap, so that it is rather larger). With
`--step` the settings of pacing are tried as well, which only the exact engine shows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from rich.progress import Progress

from trailstop.domain.policy import Callback, Policy
from trailstop.domain.price import Side
from trailstop.lab import Costs, ExitCause, FillRule, backtest, every
from trailstop.lab.data import read_history
from trailstop.lab.kernel.cells import net_percent

AT_ONCE = Costs(latency_ms=0)
CAUSES = tuple(ExitCause)
EVEN_PERCENT = 0.05
"""A result below this is none: breakeven pays the fees, to a tick."""
Settings = dict[str, Any]


def neighbours() -> dict[str, Settings]:
    """One setting changed at a time; these change exits."""
    changed: dict[str, Settings] = {"default": {}}
    for value in ("1", "1.5", "3", "4"):
        behind = Decimal(value) + 3
        changed[f"initial_stop_percent {value}"] = {
            "initial_stop_percent": Decimal(value), "backstop_percent": behind,
        }  # fmt: skip
    for value in ("0.3", "0.8", "1.0", None):
        percent = None if value is None else Decimal(value)
        changed[f"breakeven_at_percent {value or 'none'}"] = {"breakeven_at_percent": percent}
    for value in ("0.5", "1.0", "2.0", "3.0"):
        changed[f"activation_percent {value}"] = {"activation_percent": Decimal(value)}
    for value in ("0.2", "0.3", "0.8", "1.0", "1.5"):
        changed[f"callback_percent {value}"] = {"distance": Callback(Decimal(value))}
    return changed


def pacings() -> dict[str, Settings]:
    """Settings of pacing; without delays they change only how often a stop moves."""
    return {
        "default, 250 ms": {},
        "update_interval_seconds 10": {"update_interval_seconds": Decimal(10)},
        "update_interval_seconds 300": {"update_interval_seconds": Decimal(300)},
        "min_improvement_percent 0.02": {"min_improvement_percent": Decimal("0.02")},
        "min_improvement_percent 0.5": {"min_improvement_percent": Decimal("0.5")},
        "emergency_percent none": {"emergency_percent": None},
        "on_cross hold": {"on_cross": "hold"},
    }


def orders() -> dict[str, Settings]:
    """The default policy under every order of the prices inside a bar."""
    rules = (rule for rule in FillRule if rule not in (FillRule.FREQTRADE, FillRule.FINER))
    return {f"--rule {rule.value}": {"rule": rule} for rule in rules}


class Tally:
    """Results and causes under one set of settings."""

    def __init__(self) -> None:
        self.results: list[np.ndarray] = []
        self.causes: Counter[str] = Counter()
        self.moves = 0

    @property
    def found(self) -> np.ndarray:
        """Results of all positions, in the order in which they were opened."""
        return np.concatenate(self.results)

    def row(self, default: np.ndarray) -> dict[str, Any]:
        """Figures of one set of settings; the difference is that of the same positions."""
        found = self.found
        better = found - default
        total = sum(self.causes.values())
        return {
            "positions": len(found),
            "mean_percent": round(float(found.mean()), 4),
            "better_percent": round(float(better.mean()), 4),
            "error_percent": round(float(better.std() / len(found) ** 0.5), 4),
            "won_percent": round(float((found > EVEN_PERCENT).mean() * 100), 1),
            "share_percent": {
                cause: round(100 * count / total, 1) for cause, count in self.causes.most_common()
            },
            "moves": self.moves,
        }


def fast(history: Any, entries: Any, settings: Settings, tally: Tally) -> None:
    changed = dict(settings)
    rule = changed.pop("rule", FillRule.WORST_CASE)
    policy = replace(Policy(), **changed)
    result = backtest(
        history, entries, policy, rule=rule, costs=AT_ONCE, engine="kernel", moves=False
    )
    exits = result.trades.exits
    tally.results.append(
        net_percent(exits, entries, AT_ONCE, result.instrument, result.prices.unit)
    )
    tally.causes.update(CAUSES[cause].value for cause in exits.cause)


def exact(history: Any, entries: Any, settings: Settings, tally: Tally) -> None:
    policy = replace(Policy(), **settings)
    trades = backtest(history, entries, policy, rule=FillRule.WORST_CASE, engine="step").trades
    tally.results.append(np.array([float(trade.net_percent) for trade in trades]))
    tally.causes.update(trade.cause.value for trade in trades)
    tally.moves += sum(max(0, len(trade.moves) - 1) for trade in trades)


def run(files: Sequence[Path], apart: int, *, step: bool) -> dict[str, Any]:
    """Rows by the name of what was changed."""
    plans = [(neighbours(), fast), (orders(), fast)] + ([(pacings(), exact)] if step else [])
    tallies = {name: Tally() for changed, _ in plans for name in changed}
    with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("files", total=len(files))
        for path in files:
            history = read_history([path])
            for side in (Side.LONG, Side.SHORT):
                entries = every(history.bars, apart, side)
                for changed, engine in plans:
                    for name, settings in changed.items():
                        engine(history, entries, settings, tallies[name])
            bar.advance(task)
    return {
        name: tallies[name].row(tallies[next(iter(changed))].found)
        for changed, _ in plans
        for name in changed
    }


def main(arguments: list[str] | None = None) -> int:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(prog="defaults", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="files of bars")
    parser.add_argument("--every", type=int, default=60, help="bars from entry to entry")
    parser.add_argument("--step", action="store_true", help="try the settings of pacing too")
    parser.add_argument("--json", action="store_true", help="print one JSON object alone")
    options = parser.parse_args(arguments)
    rows = run(options.data, options.every, step=options.step)
    if options.json:
        print(json.dumps(rows))
        return 0
    for name, row in rows.items():
        shares = ", ".join(f"{cause} {share} %" for cause, share in row["share_percent"].items())
        print(
            f"{name:<32}{row['mean_percent']:>+9.4f} %   "
            f"{row['better_percent']:>+7.4f} ± {row['error_percent']:.4f} against the default"
            f"{row['won_percent']:>7} % won{row['moves']:>9} moves   {shares}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
