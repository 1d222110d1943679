"""What a reader of a result must know before trusting it, a line each."""

from __future__ import annotations

from collections.abc import Sequence

from trailstop.lab.exact.task import Task
from trailstop.lab.resolution import coarseness
from trailstop.lab.series import KIND_WORDS, Bars
from trailstop.lab.terms import FillRule
from trailstop.lab.trades import Trade


def cautions(task: Task) -> tuple[str, ...]:
    """What is known from the prices and the policy alone."""
    told: list[str] = []
    bars = task.finer if task.rule is FillRule.FINER else task.prices
    if isinstance(bars, Bars):
        coarse = coarseness(bars, [task.policy.distance])
        told += [] if coarse is None else [coarse]
    told += _other_price(task)
    return tuple(told)


def cautions_of(trades: Sequence[Trade]) -> tuple[str, ...]:
    """What the rule itself warned of, with how many positions it was."""
    alarmed = [trade for trade in trades if trade.alarms]
    if not alarmed:
        return ()
    first = alarmed[0].alarms[0]
    return (f"{len(alarmed)} of {len(trades)} positions raised an alarm, the first: {first}",)


def _other_price(task: Task) -> list[str]:
    wanted = "mark" if task.policy.basis == "mark" else task.policy.trigger_price
    if not isinstance(task.prices, Bars) or wanted == task.prices.kind:
        return []
    found = KIND_WORDS[task.prices.kind]
    return [f"the policy watches the {wanted} price, and these bars are of the {found}"]
