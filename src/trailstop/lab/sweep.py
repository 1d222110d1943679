"""All combinations of settings over one history, each cell equal to a backtest of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from msgspec import json
from msgspec.structs import replace

from trailstop.domain.policy import Absolute, Atr, Callback, Distance, Policy, Steps
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError
from trailstop.lab.entries import Entries
from trailstop.lab.kernel.able import why_not
from trailstop.lab.kernel.averages import NO_AVERAGES, Averages, averages_of
from trailstop.lab.kernel.cells import can_share, figures_of, net_percent, run_block
from trailstop.lab.kernel.integers import translate
from trailstop.lab.kernel.scan import Job, prepare, run
from trailstop.lab.kernel.tally import CAUSES, DRAWDOWN, FIGURES, SUM, WINS, WORST_ONE
from trailstop.lab.series import Bars, Float64, Int64, Quotes, Trades
from trailstop.lab.terms import Costs, ExitCause, FillRule
from trailstop.lab.trades import Exits

Place = tuple[int, int, int, int]
"""A cell: positions on the axes activation, distance, breakeven and momentum."""
Progress = Callable[[int, int], None]
"""Told how much of how much is done."""
HUNDRED = 100
_COUNTED = (*tuple(ExitCause)[:CAUSES], ExitCause.END_OF_DATA)
_FIELDS = 3
_DEFAULT_COSTS = Costs(latency_ms=0)

Axes = tuple[
    tuple[Decimal | None, ...],
    tuple[Distance, ...],
    tuple[Decimal | None, ...],
    tuple[Decimal | None, ...],
]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Every cell's results, in arrays with an axis for each of the four settings.

    Results are percent of the value at entry after all costs, in floating point; `drawdown_percent`
    is the deepest fall of their sum in the order of the entries, and `causes` has a last axis in
    the order of `cause_names`. Cells of one breakeven or momentum have an axis of length 1, whose
    value is the policy's own; so has an activation by price.
    """

    symbol: str
    policy: Policy
    instrument: Instrument
    rule: FillRule
    costs: Costs
    activation: tuple[Decimal | None, ...]
    distance: tuple[Distance, ...]
    breakeven: tuple[Decimal | None, ...]
    momentum: tuple[Decimal | None, ...]
    trades: int
    sum_percent: Float64
    win_percent: Float64
    worst_percent: Float64
    drawdown_percent: Float64
    causes: Int64
    kept: Int64 | None = None
    scales: Int64 | None = None

    @property
    def cause_names(self) -> tuple[str, ...]:
        """What the last axis of `causes` counts."""
        return tuple(cause.value for cause in _COUNTED)

    @property
    def mean_percent(self) -> Float64:
        """Mean result of a trade."""
        mean: Float64 = self.sum_percent / max(1, self.trades)
        return mean

    @property
    def best(self) -> Place:
        """The cell with the greatest sum; of equals the first."""
        found = np.unravel_index(int(self.sum_percent.argmax()), self.sum_percent.shape)
        activation, distance, breakeven, momentum = (int(at) for at in found)
        return activation, distance, breakeven, momentum

    def policy_at(self, place: Place) -> Policy:
        """The settings of one cell."""
        activation, distance, breakeven, momentum = place
        return _policy(
            self.policy, self.activation[activation], self.distance[distance],
            self.breakeven[breakeven], self.momentum[momentum],
        )  # fmt: skip

    def exits_at(self, place: Place) -> Exits:
        """Every exit of one cell. Raises ConfigError for a sweep that did not keep them."""
        if self.kept is None or self.scales is None:
            raise ConfigError("this sweep kept no exits: sweep with keep_exits=True")
        index, price, cause = self.kept[place].T
        return Exits(index, price, int(self.scales[place]), cause.astype(np.int8))

    def rows(self) -> list[dict[str, object]]:
        """One row a cell: the exact settings as text, then the figures."""
        found = []
        for place in product(*(range(size) for size in self.sum_percent.shape)):
            activation, distance, breakeven, momentum = place
            row: dict[str, object] = {
                "activation_percent": _text(self.activation[activation]),
                "distance": distance_text(self.distance[distance]),
                "breakeven_at_percent": _text(self.breakeven[breakeven]),
                "momentum_percent_per_minute": _text(self.momentum[momentum]),
                "trades": self.trades,
                "sum_percent": float(self.sum_percent[place]),
                "mean_percent": float(self.sum_percent[place]) / max(1, self.trades),
                "win_percent": float(self.win_percent[place]),
                "worst_percent": float(self.worst_percent[place]),
                "drawdown_percent": float(self.drawdown_percent[place]),
            }
            counted = self.causes[place].tolist()
            row |= dict(zip(self.cause_names, counted, strict=True))
            found.append(row)
        return found

    def write_parquet(self, path: Path) -> None:
        """Write `rows` as Parquet; what all cells share is in the file's metadata."""
        import polars  # noqa: PLC0415 - who writes no file need not wait for it

        shared = {
            "symbol": self.symbol,
            "policy": json.encode(self.policy).decode(),
            "instrument": json.encode(self.instrument).decode(),
            "fill_rule": self.rule.value,
            "costs": json.encode(self.costs).decode(),
        }
        polars.DataFrame(self.rows()).write_parquet(path, metadata=shared)


def sweep(
    prices: Bars | Trades | Quotes,
    entries: Entries,
    policy: Policy,
    *,
    activation: Sequence[Decimal] | None = None,
    distance: Sequence[Decimal | Distance] | None = None,
    steps: Sequence[Steps] = (),
    breakeven: Sequence[Decimal | None] | None = None,
    momentum: Sequence[Decimal | None] | None = None,
    rule: FillRule = FillRule.WORST_CASE,
    costs: Costs = _DEFAULT_COSTS,
    instrument: Instrument | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    keep_exits: bool = False,
) -> Grid:
    """Backtest every combination of the settings given; the others are those of `policy`.

    A plain number as `distance` is a callback in percent. Callbacks and absolute distances of all
    activations share one pass over the bars; ladders, averages, profit shares, momentum and
    activation by time take one backtest a cell. Raises ConfigError where only the exact engine can
    decide: it takes one backtest at a time.
    """
    instrument = instrument or Instrument(prices.symbol, prices.unit, Decimal("1E-8"))
    threads = threads or os.cpu_count() or 1
    axes = _axes(policy, activation, distance, steps, breakeven, momentum)
    for place in _extremes(*axes):
        reason = why_not(_policy(policy, *place), rule, costs, instrument, prices)
        if reason is not None:
            raise ConfigError(reason)
    job = prepare(prices, entries)
    shape = tuple(len(axis) for axis in axes)
    found = _Found(
        figures=np.zeros((*shape, FIGURES)),
        causes=np.zeros((*shape, len(_COUNTED)), dtype=np.int64),
        kept=np.zeros((*shape, len(entries), _FIELDS), dtype=np.int64) if keep_exits else None,
        scales=np.zeros(shape, dtype=np.int64),
    )
    _Sweep(prices, job, policy, axes, instrument, rule, costs, threads, progress, found).run()
    figures, count = found.figures, len(entries)
    return Grid(
        symbol=prices.symbol,
        policy=policy,
        instrument=instrument,
        rule=rule,
        costs=costs,
        activation=axes[0],
        distance=axes[1],
        breakeven=axes[2],
        momentum=axes[3],
        trades=count,
        sum_percent=figures[..., SUM],
        win_percent=figures[..., WINS] * HUNDRED / max(1, count),
        worst_percent=figures[..., WORST_ONE],
        drawdown_percent=figures[..., DRAWDOWN],
        causes=found.causes,
        kept=found.kept,
        scales=found.scales if keep_exits else None,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Where the results of every cell go; the last axis of each is a cell's own."""

    figures: Float64
    causes: Int64
    kept: Int64 | None
    scales: Int64


@dataclass(slots=True, eq=False)
class _Sweep:
    """One sweep under way."""

    prices: Bars | Trades | Quotes
    job: Job
    policy: Policy
    axes: Axes
    instrument: Instrument
    rule: FillRule
    costs: Costs
    threads: int
    progress: Progress | None
    found: _Found
    done: int = 0
    lock: Lock = field(default_factory=Lock)

    def run(self) -> None:
        """Fill the grid: what can share a pass does, the rest cell by cell."""
        _, distances, breakevens, momenta = self.axes
        for secured, running in product(range(len(breakevens)), range(len(momenta))):
            kinds: dict[type, list[int]] = {}
            for number, distance in enumerate(distances):
                tried = _policy(
                    self.policy, self.axes[0][0], distance, breakevens[secured], momenta[running]
                )
                shares = can_share(tried) and isinstance(self.prices, Bars)
                kinds.setdefault(type(distance) if shares else type(None), []).append(number)
            alone = kinds.pop(type(None), [])
            for columns in kinds.values():
                self._together(columns, secured, running)
            self._alone(alone, secured, running)

    def _together(self, columns: list[int], secured: int, running: int) -> None:
        activations, distances, breakevens, momenta = self.axes
        assert isinstance(self.prices, Bars), "ticks go cell by cell"
        rows = sorted(range(len(activations)), key=lambda row: activations[row] or 0)
        columns = sorted(columns, key=lambda column: _width(distances[column]))

        def told(entries: int) -> None:
            self._tell(entries * len(rows) * len(columns))

        block = run_block(
            self.prices,
            self.job,
            [
                _policy(
                    self.policy, activations[row], distances[columns[0]], breakevens[secured],
                    momenta[running],
                )
                for row in rows
            ],
            [distances[column] for column in columns],
            self.instrument,
            self.rule,
            self.costs,
            threads=self.threads,
            keeps=self.found.kept is not None,
            told=told if self.progress is not None else None,
        )  # fmt: skip
        place: Any = (*np.ix_(rows, columns), secured, running)
        self.found.figures[place] = np.moveaxis(block.figures, 1, -1)
        self.found.causes[(*place, slice(None, CAUSES))] = np.moveaxis(block.counts, 0, -1)
        self.found.causes[(*place, CAUSES)] = len(self.job.entries) - block.counts.sum(axis=0)
        self.found.scales[place] = block.scale
        if self.found.kept is not None:
            self.found.kept[place] = block.kept

    def _alone(self, columns: list[int], secured: int, running: int) -> None:
        activations, distances, breakevens, momenta = self.axes
        known: dict[tuple[int, int], Averages] = {}
        for column in columns:
            atr = distances[column]
            if isinstance(atr, Atr) and (atr.length, atr.timeframe_minutes) not in known:
                assert not isinstance(self.prices, Quotes), "refused before"
                known[atr.length, atr.timeframe_minutes] = averages_of(self.prices, atr)

        def judge(cell: tuple[int, int]) -> None:
            row, column = cell
            distance = distances[column]
            averages = NO_AVERAGES
            if isinstance(distance, Atr):
                averages = known[distance.length, distance.timeframe_minutes]
            self._cell(
                (row, column, secured, running),
                _policy(
                    self.policy, activations[row], distance, breakevens[secured], momenta[running]
                ),
                averages,
            )

        cells = list(product(range(len(activations)), columns))
        if self.threads == 1 or len(cells) == 1:
            for cell in cells:
                judge(cell)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(judge, cells):
                pass

    def _cell(self, place: Place, policy: Policy, averages: Averages) -> None:
        whole = translate(policy, self.instrument, self.prices.unit)
        exits = run(
            self.prices,
            self.job,
            policy,
            self.instrument,
            whole,
            self.rule,
            self.costs,
            averages,
            1,
        )
        results = net_percent(
            exits, self.job.entries, self.costs, self.instrument, self.prices.unit
        )
        self.found.figures[place] = figures_of(results)
        counted = np.bincount(exits.cause, minlength=len(ExitCause))
        self.found.causes[place] = [counted[tuple(ExitCause).index(cause)] for cause in _COUNTED]
        self.found.scales[place] = exits.scale
        if self.found.kept is not None:
            self.found.kept[place] = np.stack((exits.index, exits.price, exits.cause), axis=-1)
        self._tell(len(self.job.entries))

    def _tell(self, exits: int) -> None:
        """Progress counts exits: positions times cells."""
        with self.lock:
            self.done += exits
            if self.progress is not None:
                self.progress(self.done, self.found.scales.size * len(self.job.entries))


def distance_text(distance: Distance) -> str:
    """A distance with its exact settings, as one word or two."""
    match distance:
        case Callback(percent):
            return f"callback {percent}"
        case Absolute(amount):
            return f"absolute {amount}"
    return json.encode(distance).decode()


def _axes(  # noqa: PLR0917 - the axes in their order
    policy: Policy,
    activation: Sequence[Decimal] | None,
    distance: Sequence[Decimal | Distance] | None,
    steps: Sequence[Steps],
    breakeven: Sequence[Decimal | None] | None,
    momentum: Sequence[Decimal | None] | None,
) -> Axes:
    """The values of every axis; what is not asked for is the policy's own."""
    tried = [item if not isinstance(item, Decimal) else Callback(item) for item in distance or ()]
    tried += steps
    axes = (
        (policy.activation_percent,) if activation is None else tuple(activation),
        tuple(tried) or (policy.distance,),
        (policy.breakeven_at_percent,) if breakeven is None else tuple(breakeven),
        (policy.momentum_percent_per_minute,) if momentum is None else tuple(momentum),
    )
    for name, axis in zip(("activation", "distance", "breakeven", "momentum"), axes, strict=True):
        if not axis:
            raise ConfigError(f"the sweep's {name} has no values: give one at least")
    return axes


def _extremes(
    activations: Sequence[Decimal | None],
    distances: Sequence[Distance],
    breakevens: Sequence[Decimal | None],
    momenta: Sequence[Decimal | None],
) -> list[tuple[Decimal | None, Distance, Decimal | None, Decimal | None]]:
    """Settings that tell whether the fast engine takes all: numbers make no difference to it."""
    kinds = {type(distance): distance for distance in distances}
    return list(product(activations[:1], kinds.values(), breakevens, momenta))


def _policy(
    policy: Policy,
    activation: Decimal | None,
    distance: Distance,
    breakeven: Decimal | None,
    momentum: Decimal | None,
) -> Policy:
    return replace(
        policy,
        activation_percent=activation,
        activation_price=policy.activation_price if activation is None else None,
        distance=distance,
        breakeven_at_percent=breakeven,
        momentum_percent_per_minute=momentum,
    )


def _width(distance: Distance) -> Decimal:
    """What distances of one kind are sorted by."""
    assert isinstance(distance, Absolute | Callback), "others do not share a pass"
    return distance.distance if isinstance(distance, Absolute) else distance.callback_percent


def _text(value: Decimal | None) -> str:
    return "none" if value is None else str(value)
