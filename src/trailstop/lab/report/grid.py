"""A sweep as one document: every cell's figures, the best of them, and what to beware of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from trailstop.domain.policy import Atr, Callback, Distance, Policy, Steps
from trailstop.domain.price import Instrument
from trailstop.engine.explain import price_text
from trailstop.lab.optimise.island import surroundings
from trailstop.lab.report.document import SCHEMA_VERSION, Data, data_of
from trailstop.lab.report.words import plain, rule_words
from trailstop.lab.resolution import coarseness
from trailstop.lab.series import Bars, Quotes
from trailstop.lab.series import Trades as Prints
from trailstop.lab.sweep import Grid, Place
from trailstop.lab.terms import Costs, FillRule

HUNDRED: Final = 100
BEST_TOLD: Final = 10
AXES: Final = ("activation", "distance", "breakeven", "momentum")
DRAWN: Final = AXES[:2]
"""Those with a range; of the others a few are tried, and none may be the first of them."""
NO_DELAY: Final = (
    "a sweep decides without delay: no latency, and a stop is where the rule wants it; "
    "try the settings that you choose with trailstop backtest"
)
CHANCE: Final = (
    "combinations tried on the same prices: the best of so many looks better than it is; "
    "trailstop optimise judges it where it was not chosen"
)
NO_FUNDING: Final = "funding is not counted in a sweep"


class Cell(Struct, frozen=True, kw_only=True):
    """One combination, with the mean of those around it.

    `place` are its places on the axes activation, distance, breakeven, momentum. `is_island`
    where its neighbours are far worse: that is mostly chance.
    """

    place: Place
    activation: str
    distance: str
    other: str
    mean_percent: float
    sum_percent: float
    win_percent: float
    worst_percent: float
    drawdown_percent: float
    neighbours_percent: float
    is_island: bool


class GridDocument(Struct, frozen=True, kw_only=True):
    """One sweep. `notes` hold for every sweep, `warnings` for this one. `cells` has a row a combination; `best` the best, greatest mean first.

    `in_force` is the cell of the settings in force, None where it is not among those tried.
    """

    schema_version: int
    data: Data
    instrument: Instrument
    policy: Policy
    rule: FillRule
    rule_text: str
    costs: Costs
    trades: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    best: tuple[Cell, ...]
    in_force: Cell | None
    cells: tuple[dict[str, object], ...]


def grid_document(
    grid: Grid,
    prices: Bars | Prints | Quotes,
    *,
    warnings: Sequence[str] = (),
    funding_left_out: bool = False,
) -> GridDocument:
    """Everything there is to say about a sweep over these prices, `warnings` first."""
    best = tuple(_cell(grid, place) for place in _best(grid))
    now = place_now(grid)
    return GridDocument(
        schema_version=SCHEMA_VERSION,
        data=data_of(prices),
        instrument=grid.instrument,
        policy=grid.policy,
        rule=grid.rule,
        rule_text=rule_words(prices, grid.rule),
        costs=grid.costs,
        trades=grid.trades,
        notes=(NO_DELAY, f"{grid.sum_percent.size} {CHANCE}"),
        warnings=(*warnings, *_warnings(grid, prices, best, funding_left_out=funding_left_out)),
        best=best,
        in_force=None if now is None else _cell(grid, now),
        cells=tuple(grid.rows()),
    )


def as_json(report: GridDocument) -> bytes:
    """The document as one JSON object."""
    return msgspec.json.encode(report)


def place_now(grid: Grid) -> Place | None:
    """Where the settings of the policy itself stand in the grid."""
    policy = grid.policy
    try:
        return (
            grid.activation.index(policy.activation_percent),
            grid.distance.index(policy.distance),
            grid.breakeven.index(policy.breakeven_at_percent),
            grid.momentum.index(policy.momentum_percent_per_minute),
        )
    except ValueError:
        return None


def distance_name(distance: Distance) -> str:
    """A distance as short as an axis wants it."""
    match distance:
        case Callback(percent):
            return f"{plain(percent)} %"
        case Atr(_, _, multiplier, _):
            return f"{plain(multiplier)} × ATR"
        case Steps(rungs):
            return "ladder " + ", ".join(
                f"{plain(rung.gain_percent)}:{plain(rung.callback_percent)}" for rung in rungs
            )
        case share if hasattr(share, "share"):
            return f"{plain(share.share * HUNDRED)} % kept"
        case fixed:
            return price_text(fixed.distance)


def other_name(grid: Grid, breakeven: int, momentum: int) -> str:
    """The settings besides activation and distance that a sweep varies; "" for none."""
    words = []
    if len(grid.breakeven) > 1:
        gain = grid.breakeven[breakeven]
        words.append("no breakeven" if gain is None else f"breakeven at {plain(gain)} %")
    if len(grid.momentum) > 1:
        speed = grid.momentum[momentum]
        words.append("no momentum" if speed is None else f"momentum from {plain(speed)} %/min")
    return ", ".join(words)


def activation_name(grid: Grid, place: int) -> str:
    """The gain, or the price where the policy has that instead."""
    gain = grid.activation[place]
    if gain is not None:
        return f"{plain(gain)} %"
    price = grid.policy.activation_price
    return "by time" if price is None else price_text(price)


def _best(grid: Grid) -> list[Place]:
    """The cells with the greatest mean result, best first; of equals the first."""
    means = grid.mean_percent
    order = np.argsort(-means, axis=None, kind="stable")[:BEST_TOLD]
    places = []
    for flat in order:
        activation, distance, breakeven, momentum = np.unravel_index(int(flat), means.shape)
        places.append((int(activation), int(distance), int(breakeven), int(momentum)))
    return places


def _cell(grid: Grid, place: Place) -> Cell:
    activation, distance, breakeven, momentum = place
    around = surroundings(grid.mean_percent, place, AXES)
    return Cell(
        place=place,
        activation=activation_name(grid, activation),
        distance=distance_name(grid.distance[distance]),
        other=other_name(grid, breakeven, momentum),
        mean_percent=float(grid.mean_percent[place]),
        sum_percent=float(grid.sum_percent[place]),
        win_percent=float(grid.win_percent[place]),
        worst_percent=float(grid.worst_percent[place]),
        drawdown_percent=float(grid.drawdown_percent[place]),
        neighbours_percent=around.neighbours_mean,
        is_island=around.is_island,
    )


def _warnings(
    grid: Grid, prices: Bars | Prints | Quotes, best: tuple[Cell, ...], *, funding_left_out: bool
) -> list[str]:
    told = [NO_FUNDING] if funding_left_out else []
    if isinstance(prices, Bars):
        coarse = coarseness(prices, grid.distance)
        told += [] if coarse is None else [coarse]
    if best[0].is_island:
        told.append(
            f"the best cell is an island: {best[0].mean_percent:+.2f} % a position, its "
            f"neighbours {best[0].neighbours_percent:+.2f} %; that is mostly chance"
        )
    found = surroundings(grid.mean_percent, best[0].place, AXES)
    edges = [name for name in found.at_edge if name in DRAWN]
    if edges:
        told.append(f"the best cell lies at the end of {' and '.join(edges)}: try a wider range")
    return told


def layers_of(grid: Grid) -> list[tuple[int, int]]:
    """Every pair of breakeven and momentum, as places: one heat map each."""
    return list(product(range(len(grid.breakeven)), range(len(grid.momentum))))
