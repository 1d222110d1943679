"""A walk-forward: choose settings in a window, judge them in the one after it, and go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from msgspec.structs import replace

from trailstop.domain.policy import Policy
from trailstop.errors import DataError
from trailstop.lab.data.shape import moment
from trailstop.lab.optimise.folds import Fold, Market, span_of, walk, window
from trailstop.lab.optimise.grid import best_of_grid
from trailstop.lab.optimise.judge import Terms, outcomes
from trailstop.lab.optimise.score import (
    Outcomes,
    best_by_luck,
    bootstrap_mean,
    score,
    stretch,
    together,
)
from trailstop.lab.optimise.search import open_storage, search, study_name
from trailstop.lab.optimise.space import Choice, Space, apply
from trailstop.lab.optimise.study import Chosen, EquityPoint, FoldResult, Study
from trailstop.lab.optimise.verdict import verdict, warnings
from trailstop.lab.terms import Costs, FillRule

Progress = Callable[[int, int], None]
"""Told how much of how much is done."""

FOLDS: Final = 4
DEFAULT_SEED: Final = 1
DEFAULT_POLICY: Final = Policy()
AT_ONCE: Final = Costs(latency_ms=0)
"""The kernel knows no delays; what a delay costs is told by a backtest of the settings chosen."""


@dataclass
class _Work:
    """One study while it is made."""

    markets: Sequence[Market]
    space: Space
    policy: Policy
    terms: Terms
    trials: int | None
    study_file: Path | None
    seed: int
    progress: Progress
    windows: int
    done: int = 0

    def train(self, from_ms: int, until_ms: int) -> tuple[Chosen, Outcomes]:
        """The best settings of one train window, and what they did there."""
        # Any choice will do: whether there is an average to settle is the same for all of them.
        tried = apply(self.policy, self.space.choice([0] * len(self.space.axes)))
        markets = [window(market, from_ms, until_ms, tried) for market in self.markets]
        markets = [market for market in markets if len(market.entries)]
        if not markets:
            raise DataError(
                f"no position opens from {moment(from_ms)} to {moment(until_ms)}: "
                "give more entries, or fewer and longer windows"
            )
        if self.trials is None:
            chosen = best_of_grid(markets, self.space, self.policy, self.terms, self._step)
        else:
            chosen = search(
                self.space,
                lambda choice: float(self._tried(markets, choice).net_percent.mean()),
                trials=self.trials,
                seed=self.seed,
                storage=open_storage(self.study_file),
                name=self._name(from_ms, until_ms),
                progress=lambda _: self._step(),
            )
        found = self._tried(markets, chosen.choice)
        by_luck = best_by_luck(found.net_percent, chosen.trials)
        return replace(chosen, by_luck_percent=by_luck), found

    def judged(self, from_ms: int, until_ms: int, policy: Policy) -> Outcomes:
        """Every position of a window under one policy."""
        markets = [window(market, from_ms, until_ms, policy) for market in self.markets]
        return together([outcomes(m, policy, self.terms) for m in markets if len(m.entries)])

    def _tried(self, markets: Sequence[Market], choice: Choice) -> Outcomes:
        policy = apply(self.policy, choice)
        return together([outcomes(market, policy, self.terms) for market in markets])

    def _name(self, from_ms: int, until_ms: int) -> str:
        data = [
            (market.bars.symbol, market.bars.close.sum(), len(market.bars), market.entry_ms.sum())
            for market in self.markets
        ]
        terms = (self.terms.rule.value, self.terms.costs, self.policy, self.space, self.seed)
        return study_name(data, terms, from_ms, until_ms)

    def _step(self) -> None:
        self.done += 1
        a_window = len(self.markets) if self.trials is None else self.trials
        self.progress(self.done, self.windows * a_window)


def optimise(
    markets: Sequence[Market],
    space: Space,
    policy: Policy = DEFAULT_POLICY,
    *,
    folds: int = FOLDS,
    train_ms: int | None = None,
    test_ms: int | None = None,
    trials: int | None = None,
    study_file: Path | None = None,
    rule: FillRule = FillRule.WORST_CASE,
    costs: Costs = AT_ONCE,
    seed: int = DEFAULT_SEED,
    progress: Progress = lambda _done, _total: None,
) -> Study:
    """Choose settings by their mean result after costs, and judge them where they were not chosen.

    Without `trials` every combination of the space is tried in each train window; else Optuna
    makes so many trials, and with a `study_file` goes on where it was stopped. What is not in the
    space stays as `policy` has it, which is also the default that is judged beside.

    Raises ConfigError where space, policy and windows do not fit each other, and DataError where
    a window has no positions.
    """
    first_ms, until_ms = span_of(markets)
    steps = walk(first_ms, until_ms, count=folds, train_ms=train_ms, test_ms=test_ms)
    terms = Terms(rule, costs)
    work = _Work(
        markets, space, policy, terms, trials, study_file, seed, progress, windows=len(steps) + 1
    )
    results: list[FoldResult] = []
    ins: list[Outcomes] = []
    outs: list[Outcomes] = []
    default_ins: list[Outcomes] = []
    default_outs: list[Outcomes] = []
    for fold in steps:
        chosen, trained = work.train(fold.train_from_ms, fold.test_from_ms)
        best = apply(policy, chosen.choice)
        ins.append(trained)
        for kept, from_ms, end_ms, tried in (
            (outs, fold.test_from_ms, fold.until_ms, best),
            (default_ins, fold.train_from_ms, fold.test_from_ms, policy),
            (default_outs, fold.test_from_ms, fold.until_ms, policy),
        ):
            kept.append(work.judged(from_ms, end_ms, tried))
        results.append(
            FoldResult(
                fold,
                chosen,
                in_sample=score(ins[-1]),
                out_of_sample=score(outs[-1]),
                default_in=score(default_ins[-1]),
                default_out=score(default_outs[-1]),
            )
        )
    out, default = together(outs), together(default_outs)
    if not len(out.net_percent):
        raise DataError(
            f"no position opens from {moment(steps[0].test_from_ms)} on, where the settings are "
            "judged: give more entries"
        )
    latest, _ = work.train(until_ms - _train_ms(steps), until_ms)
    in_sample, default_in = score(together(ins)), score(together(default_ins))
    out_of_sample, default_out = score(out), score(default)
    block = max(stretch(out), stretch(default))
    difference = bootstrap_mean(out.net_percent - default.net_percent, seed, block)
    return Study(
        symbols=tuple(market.bars.symbol for market in markets),
        policy=policy,
        space=space,
        rule=rule,
        costs=costs,
        method="grid" if trials is None else "search",
        seed=seed,
        folds=tuple(results),
        in_sample=in_sample,
        out_of_sample=out_of_sample,
        default_in=default_in,
        default_out=default_out,
        difference=difference,
        latest=latest,
        equity=_equity(out, default),
        verdict=verdict(
            results,
            in_sample=in_sample,
            out_of_sample=out_of_sample,
            default_in=default_in,
            default_out=default_out,
            difference=difference,
            latest=latest,
        ),
        warnings=warnings(
            results,
            latest,
            in_sample=in_sample,
            out_of_sample=out_of_sample,
            stretches=len(out.net_percent) // block,
        ),
    )


def _train_ms(folds: Sequence[Fold]) -> int:
    return folds[0].test_from_ms - folds[0].train_from_ms


def _equity(chosen: Outcomes, default: Outcomes) -> tuple[EquityPoint, ...]:
    """Both sums at each time at which a position of either ended."""
    times = np.union1d(chosen.exit_ms, default.exit_ms)
    sums = [_sums(found, times) for found in (chosen, default)]
    return tuple(
        EquityPoint(int(at_ms), float(one), float(other))
        for at_ms, one, other in zip(times, *sums, strict=True)
    )


def _sums(found: Outcomes, times: np.ndarray) -> np.ndarray:
    order = np.argsort(found.exit_ms, kind="stable")
    running = np.concatenate(([0.0], np.cumsum(found.net_percent[order])))
    return running[np.searchsorted(found.exit_ms[order], times, side="right")]
