"""Whole walk-forwards: by the grid, by a search, stopped and taken up again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import optuna
import pytest

from trailstop.domain.policy import Policy
from trailstop.domain.price import Instrument, Side
from trailstop.errors import DataError
from trailstop.lab.backtest import backtest
from trailstop.lab.data.synthetic import synthetic_bars
from trailstop.lab.entries import every
from trailstop.lab.optimise import Market, Space, Study, optimise, read_axis
from trailstop.lab.optimise.folds import window
from trailstop.lab.optimise.grid import cell_by_cell, sums_of, swept
from trailstop.lab.optimise.judge import Terms, outcomes
from trailstop.lab.optimise.space import apply
from trailstop.lab.terms import Costs, FillRule

D = Decimal
AT_ONCE = Costs(latency_ms=0)
TERMS = Terms(FillRule.WORST_CASE, AT_ONCE)


def market(seed: int, count: int = 6_000, side: Side = Side.LONG) -> Market:
    bars = synthetic_bars(seed, count)
    return Market(bars, every(bars, 60, side), Instrument("BTCUSDT", D("0.1"), D("0.001")))


MARKETS = [market(1), market(2, side=Side.SHORT)]
SPACE = Space(
    (
        read_axis("activation_percent", "0.4:1.6:0.4"),
        read_axis("callback_percent", "0.2:0.8:0.2"),
    )
)


@pytest.fixture(scope="module")
def by_grid() -> Study:
    return optimise(MARKETS, SPACE, folds=2)


def test_every_test_position_is_judged_once_and_beside_the_default(by_grid: Study) -> None:
    first, second = by_grid.folds
    assert first.fold.until_ms == second.fold.test_from_ms
    tested = sum(fold.out_of_sample.trades for fold in by_grid.folds)
    assert by_grid.out_of_sample.trades == by_grid.default_out.trades == tested
    assert tested == pytest.approx(2 * 2 * 6_000 / 6 / 60, abs=4)
    ends = by_grid.equity[-1]
    assert ends.chosen == pytest.approx(by_grid.out_of_sample.sum_net_percent)
    assert ends.default == pytest.approx(by_grid.default_out.sum_net_percent)
    gap = by_grid.out_of_sample.mean_net_percent - by_grid.default_out.mean_net_percent
    assert by_grid.difference.mean == pytest.approx(gap)
    assert len(by_grid.verdict) >= 4


def test_the_chosen_cell_is_the_best_of_a_plain_loop_over_all(by_grid: Study) -> None:
    fold = by_grid.folds[0]
    parts = [
        window(one, fold.fold.train_from_ms, fold.fold.test_from_ms, Policy()) for one in MARKETS
    ]
    means = {}
    for place in SPACE.places():
        policy = apply(Policy(), SPACE.choice(place))
        nets = [
            float(trade.net_percent)
            for part in parts
            for trade in backtest(
                part.bars, part.entries, policy, instrument=part.instrument, costs=AT_ONCE
            ).trades
        ]
        means[place] = np.mean(nets)
    best = max(means, key=lambda place: means[place])
    assert fold.chosen.choice == SPACE.choice(best)
    assert fold.in_sample.mean_net_percent == pytest.approx(means[best])
    assert fold.chosen.surroundings.best == pytest.approx(means[best])


@pytest.mark.parametrize("slippage", ["0", "0.05"])
def test_the_kernel_s_results_are_those_of_the_exact_engine(slippage: str) -> None:
    costs = Costs(slippage_percent=D(slippage), latency_ms=0)
    for one in MARKETS:
        fast = outcomes(one, Policy(), Terms(FillRule.WORST_CASE, costs))
        exact = backtest(
            one.bars, one.entries, instrument=one.instrument, costs=costs, engine="step"
        ).trades
        slow = np.array([float(trade.net_percent) for trade in exact])
        assert fast.net_percent == pytest.approx(slow, abs=1e-9)


def test_progress_reaches_its_end() -> None:
    seen: list[tuple[int, int]] = []
    optimise(MARKETS, SPACE, folds=1, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))


def trials_of(file: Path) -> list[list[tuple[dict[str, int], float | None]]]:
    """The finished trials of every study in a file, in their order."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
    names = sorted(found.study_name for found in optuna.get_all_study_summaries(storage))
    done = (optuna.trial.TrialState.COMPLETE,)
    return [
        [
            (trial.params, trial.value)
            for trial in optuna.load_study(study_name=name, storage=storage).get_trials(states=done)
        ]
        for name in names
    ]


class Stopped(Exception):
    pass


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.db", tmp_path / "parts.db"

    def stop(done: int, _: int) -> None:
        if done == 17:
            raise Stopped

    uninterrupted = optimise(MARKETS, SPACE, folds=1, trials=14, study_file=whole)
    with pytest.raises(Stopped):
        optimise(MARKETS, SPACE, folds=1, trials=14, study_file=parts, progress=stop)
    # A trial that was begun and never finished lies in the file as well.
    storage = optuna.storages.RDBStorage(f"sqlite:///{parts}")
    for found in optuna.get_all_study_summaries(storage):
        optuna.load_study(study_name=found.study_name, storage=storage).ask()
    resumed = optimise(MARKETS, SPACE, folds=1, trials=14, study_file=parts)
    assert trials_of(parts) == trials_of(whole)
    assert [len(trials) for trials in trials_of(whole)] == [14, 14]
    assert msgspec.json.encode(resumed) == msgspec.json.encode(uninterrupted)


def test_other_data_in_the_same_file_is_another_search(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    optimise(MARKETS, SPACE, folds=1, trials=2, study_file=file)
    optimise(MARKETS[:1], SPACE, folds=1, trials=2, study_file=file)
    optimise(MARKETS[:1], SPACE, folds=1, trials=3, study_file=file)
    assert sorted(len(trials) for trials in trials_of(file)) == [2, 2, 3, 3]


def test_a_search_of_all_cells_finds_the_best_of_the_grid(by_grid: Study) -> None:
    found = optimise(MARKETS[:1], SPACE, folds=1, trials=60)
    grid = optimise(MARKETS[:1], SPACE, folds=1)
    assert found.method == "search"
    assert found.folds[0].chosen.surroundings.best == pytest.approx(
        grid.folds[0].chosen.surroundings.best, abs=0.02
    )


def test_a_file_that_is_no_study_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database " * 100)
    with pytest.raises(DataError, match="cannot be used as a study") as told:
        optimise(MARKETS, SPACE, folds=1, trials=1, study_file=file)
    assert "\n" not in str(told.value)


def test_a_window_without_positions_says_which() -> None:
    one = MARKETS[0]
    late = every(one.bars, 60, first=5_000)
    with pytest.raises(DataError, match="no position opens from"):
        optimise([Market(one.bars, late, one.instrument)], SPACE, folds=4)


@pytest.mark.parametrize(
    "ranges",
    [
        {"activation_percent": "0.4:1.2:0.4", "callback_percent": "0.2:0.8:0.3"},
        {
            "callback_percent": "0.3,0.6",
            "initial_stop_percent": "1,2,6",
            "activation_percent": "0,1",
        },
        {"breakeven_at_percent": "none,0.5", "atr_multiplier": "2,4"},
        {"profit_share": "0.3,0.7"},
    ],
)
def test_sweeps_sum_up_to_what_every_cell_alone_comes_to(ranges: dict[str, str]) -> None:
    space = Space(tuple(read_axis(name, text) for name, text in ranges.items()))
    for one in MARKETS:
        alone = cell_by_cell(one, space, Policy(), TERMS)
        assert alone.shape == space.shape
        assert swept(one, space, Policy(), TERMS) == pytest.approx(alone, abs=1e-6)


def test_what_no_sweep_knows_is_tried_one_by_one() -> None:
    """A touch that does not fire is left to the exact engine; a few positions show it."""
    bars = synthetic_bars(1, 600)
    few = Market(bars, every(bars, 200), MARKETS[0].instrument)
    policy = Policy(strict=True)
    assert sums_of(few, SPACE, policy, TERMS) == pytest.approx(
        cell_by_cell(few, SPACE, policy, TERMS)
    )
