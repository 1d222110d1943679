"""The best cell of a whole grid: every combination on every symbol of a train window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import product
from typing import Final

import numpy as np

from trailstop.domain.policy import Policy
from trailstop.lab.kernel import why_not
from trailstop.lab.optimise.folds import Market
from trailstop.lab.optimise.island import surroundings
from trailstop.lab.optimise.judge import Terms, outcomes
from trailstop.lab.optimise.space import DISTANCES, Space, apply, distance_of
from trailstop.lab.optimise.study import Chosen
from trailstop.lab.series import Float64
from trailstop.lab.sweep import sweep

SWEPT: Final = ("activation_percent", *DISTANCES, "breakeven_at_percent")
"""Settings that one sweep tries together, in the order of its axes."""


def best_of_grid(
    markets: Sequence[Market],
    space: Space,
    policy: Policy,
    terms: Terms,
    step: Callable[[], None],
) -> Chosen:
    """The cell with the best mean result over all positions; of equals the first.

    `step` is called as each symbol is done.
    """
    sums, count = np.zeros(space.shape), 0
    for market in markets:
        sums += sums_of(market, space, policy, terms)
        count += len(market.entries)
        step()
    means: Float64 = sums / count
    place = np.unravel_index(int(means.argmax()), means.shape)
    best = tuple(int(at) for at in place)
    return Chosen(
        choice=space.choice(best),
        trials=space.size,
        surroundings=surroundings(means, best, [axis.name for axis in space.axes]),
    )


def sums_of(market: Market, space: Space, policy: Policy, terms: Terms) -> Float64:
    """Sums of the results of every cell: in sweeps where the kernel can, else one by one."""
    ends = product(*({0, size - 1} for size in space.shape))
    policies = (apply(policy, space.choice(place)) for place in ends)
    if any(
        why_not(tried, terms.rule, terms.costs, market.instrument, market.bars) is not None
        for tried in policies
    ):
        return cell_by_cell(market, space, policy, terms)
    return swept(market, space, policy, terms)


def swept(market: Market, space: Space, policy: Policy, terms: Terms) -> Float64:
    """The same by one sweep for each value of what a sweep does not know."""
    names = [axis.name for axis in space.axes]
    within = [name for name in SWEPT if name in names]
    outer = [name for name in names if name not in SWEPT]
    sizes = dict(zip(names, space.shape, strict=True))
    sums = np.empty([sizes[name] for name in (*outer, *within)])
    values = {axis.name: axis.values for axis in space.axes}
    for place in product(*(range(sizes[name]) for name in outer)):
        fixed = {name: values[name][at] for name, at in zip(outer, place, strict=True)}
        found = sweep(
            market.bars,
            market.entries,
            apply(policy, fixed),
            activation=_given(values.get("activation_percent")),
            distance=[
                distance_of(policy, name, value)
                for name in within
                if name in DISTANCES
                for value in _given(values[name]) or ()
            ]
            or None,
            breakeven=values.get("breakeven_at_percent"),
            rule=terms.rule,
            costs=terms.costs,
            instrument=market.instrument,
        ).sum_percent
        sums[place] = found.reshape([sizes[name] for name in within])
    return np.transpose(sums, [(*outer, *within).index(name) for name in names])


def _given(values: Sequence[Decimal | None] | None) -> list[Decimal] | None:
    """Values of a setting that cannot be switched off."""
    return None if values is None else [value for value in values if value is not None]


def cell_by_cell(market: Market, space: Space, policy: Policy, terms: Terms) -> Float64:
    """Sums of the results of every cell, one backtest each: for what the sweep does not know."""
    sums = np.empty(space.shape)
    for place in space.places():
        tried = apply(policy, space.choice(place))
        sums[place] = outcomes(market, tried, terms).net_percent.sum()
    return sums
