"""The outcome of a walk-forward in words that a trader can act on, or decide not to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from trailstop.lab.optimise.score import LEVEL_PERCENT, Interval, Score
from trailstop.lab.optimise.space import choice_words
from trailstop.lab.optimise.study import Chosen, FoldResult

FEW_TRADES: Final = 100
"""Below so many positions out of sample an interval says next to nothing."""
FEW_STRETCHES: Final = 10
LOST_SHARE: Final = 0.5
"""Keeping less than this of the result in sample is called an over-fit."""


def verdict(
    folds: Sequence[FoldResult],
    *,
    in_sample: Score,
    out_of_sample: Score,
    default_in: Score,
    default_out: Score,
    difference: Interval,
    latest: Chosen,
) -> tuple[str, ...]:
    """What was chosen, what it did in and out of sample, and whether that is more than chance."""
    chosen = (
        f"the chosen settings did {_percent(in_sample.mean_net_percent)} a position in sample and "
        f"{_percent(out_of_sample.mean_net_percent)} out of sample "
        f"({out_of_sample.trades} positions, {_percent(out_of_sample.sum_net_percent)} in all)"
    )
    default = (
        f"the default did {_percent(default_in.mean_net_percent)} in sample and "
        f"{_percent(default_out.mean_net_percent)} out of sample"
    )
    newest = f"best in the newest train window: {choice_words(latest.choice)}"
    told = [_best(folds), chosen, default, _judged(difference, default_out)]
    if (
        out_of_sample.trades
        and max(out_of_sample.mean_net_percent, default_out.mean_net_percent) < 0
    ):
        told.append("out of sample these entries lost with either: no stop makes them earn")
    return *told, newest


def _best(folds: Sequence[FoldResult]) -> str:
    counts = Counter(choice_words(fold.chosen.choice) for fold in folds)
    words, times = counts.most_common(1)[0]
    trials = folds[0].chosen.trials
    if times == len(folds):
        return f"{words} was best of {trials} in every train window"
    if times > 1:
        return f"{words} was best of {trials} in {times} of {len(folds)} train windows"
    return f"another setting was best of {trials} in each of the {len(folds)} train windows"


def _judged(difference: Interval, default_out: Score) -> str:
    span = (
        f"{_percent(difference.mean)} a position out of sample "
        f"({LEVEL_PERCENT} % interval {_percent(difference.low)} to {_percent(difference.high)})"
    )
    if not default_out.trades:
        return "no position was opened out of sample: there is nothing to judge by"
    if not difference.is_more_than_chance:
        return f"the difference of {span} is not larger than chance: keep the default"
    if difference.mean > 0:
        return f"the chosen settings were better by {span}: that is larger than chance"
    return f"the chosen settings were worse by {span}: that is larger than chance; do not use them"


def warnings(
    folds: Sequence[FoldResult],
    latest: Chosen,
    *,
    in_sample: Score,
    out_of_sample: Score,
    stretches: int,
) -> tuple[str, ...]:
    """What speaks against trusting the result, the gravest first.

    `stretches` is how many independent stretches of time the tests hold.
    """
    told: list[str] = []
    edges: Counter[str] = Counter()
    windows = [(f"fold {fold.fold.number}", fold.chosen) for fold in folds]
    for name, chosen in (*windows, ("latest", latest)):
        around = chosen.surroundings
        if around.is_island:
            told.append(
                f"{name}: the best cell is an island: it did {_percent(around.best)}, its "
                f"{around.neighbours} neighbours {_percent(around.neighbours_mean)} on average"
            )
        edges.update(around.at_edge)
        if 0 < around.best <= chosen.by_luck_percent:
            told.append(
                f"{name}: the best of {chosen.trials} trials did {_percent(around.best)} in "
                f"sample; were all worth nothing, the best would show about as much "
                f"({_percent(chosen.by_luck_percent)})"
            )
    told += [
        f"{setting}: the best value lies at the edge of its range in {times} of "
        f"{len(windows) + 1} train windows: widen the range"
        for setting, times in edges.items()
    ]
    kept = out_of_sample.mean_net_percent
    if in_sample.mean_net_percent > 0 and kept < in_sample.mean_net_percent * LOST_SHARE:
        told.append(
            f"over-fitted: {_percent(in_sample.mean_net_percent)} a position in sample became "
            f"{_percent(kept)} out of sample"
        )
    if stretches < FEW_STRETCHES:
        told.append(
            f"the positions out of sample overlap so much that they are worth only {stretches} "
            f"independent ones: too few to tell skill from luck"
        )
    elif out_of_sample.trades < FEW_TRADES:
        told.append(
            f"only {out_of_sample.trades} positions out of sample: too few to tell skill from luck"
        )
    return tuple(told)


def _percent(value: float) -> str:
    return f"{value:+.3f} %"
