"""Scores, islands, chance and the words that follow from them."""

from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from trailstop.domain.policy import Atr, Callback, Policy
from trailstop.errors import ConfigError
from trailstop.lab.optimise.folds import Fold
from trailstop.lab.optimise.island import surroundings
from trailstop.lab.optimise.score import (
    Interval,
    Outcomes,
    Score,
    best_by_luck,
    bootstrap_mean,
    score,
    stretch,
    together,
)
from trailstop.lab.optimise.space import Axis, Choice, Space, apply, choice_words, read_axis
from trailstop.lab.optimise.study import Chosen, FoldResult
from trailstop.lab.optimise.verdict import verdict, warnings

D = Decimal


def of(*net: float, exits: tuple[int, ...] = ()) -> Outcomes:
    times = np.arange(len(net), dtype=np.int64)
    ends = np.array(exits, dtype=np.int64) if exits else times
    return Outcomes(np.array(net, dtype=np.float64), times, ends)


def test_a_score_follows_the_order_of_the_exits() -> None:
    found = score(of(2.0, -1.0, -3.0, 1.0, exits=(9, 1, 2, 3)))
    assert found == Score(4, -0.25, -1.0, 50.0, -3.0, 4.0)
    assert score(of()).trades == 0


def test_outcomes_together_are_in_the_order_of_their_entries() -> None:
    later = Outcomes(np.array([1.0]), np.array([5]), np.array([6]))
    earlier = Outcomes(np.array([2.0]), np.array([3]), np.array([9]))
    assert together([later, earlier]).net_percent.tolist() == [2.0, 1.0]


HILL = [[0, 1, 1, 0], [1, 4, 3, 1], [1, 3, 3, 1], [0, 1, 1, 0]]


@pytest.mark.parametrize(
    ("means", "place", "neighbours", "mean", "alone", "edge"),
    [
        pytest.param(HILL, (1, 1), 8, 13 / 8, True, (), id="a steep peak"),
        pytest.param([[3, 3, 3], [3, 4, 3], [3, 3, 3]], (1, 1), 8, 3, False, (), id="a plateau"),
        pytest.param([[2, 2, 2], [2, 4, 2], [2, 2, 2]], (1, 1), 8, 2, False, (), id="just half"),
        pytest.param(
            [[-1, -1, -1], [-1, 1, -1], [-1, -1, -1]], (1, 1), 8, -1, True, (), id="another sign"
        ),
        pytest.param([[4, 3], [3, 3]], (0, 0), 3, 3, False, ("a", "b"), id="a corner"),
        pytest.param([[1, 4, 1]], (0, 1), 2, 1, True, (), id="one axis alone"),
        pytest.param([[4]], (0, 0), 0, 4, False, (), id="nothing around"),
        pytest.param(
            [[-5, -5, -5], [-5, -1, -5], [-5, -5, -5]], (1, 1), 8, -5, False, (), id="a loss"
        ),
    ],
)
def test_an_island_is_a_best_cell_whose_neighbours_are_far_worse(  # noqa: PLR0917 - a table
    means: list[list[float]],
    place: tuple[int, int],
    neighbours: int,
    mean: float,
    alone: bool,
    edge: tuple[str, ...],
) -> None:
    found = surroundings(np.array(means, dtype=np.float64), place, ("a", "b"))
    assert found.neighbours == neighbours
    assert found.neighbours_mean == pytest.approx(mean)
    assert (found.is_island, found.at_edge) == (alone, edge)


def test_an_interval_holds_the_mean_and_narrows_with_more_positions() -> None:
    draws = np.random.default_rng(1).normal(0.1, 1.0, 4_000)
    few, many = bootstrap_mean(draws[:100], 1, 5), bootstrap_mean(draws, 1, 16)
    for found in (few, many):
        assert found.low < found.mean < found.high
    assert (many.high - many.low) == pytest.approx(4 / 4_000**0.5, rel=0.2)
    assert (few.high - few.low) > 3 * (many.high - many.low)
    assert not few.is_more_than_chance
    assert many.is_more_than_chance
    assert bootstrap_mean(draws, 1, 16) == many


def test_an_interval_is_as_wide_as_positions_that_share_their_market_make_it() -> None:
    """Ten positions at a time with one result are one observation, not ten."""
    alone = np.random.default_rng(3).normal(0.0, 1.0, 300)
    shared = np.repeat(alone, 10)
    one, ten = bootstrap_mean(alone, 1, 7), bootstrap_mean(shared, 1, 70)
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.15)
    careless = bootstrap_mean(shared, 1, 1)
    assert careless.high - careless.low < (ten.high - ten.low) / 2


def test_a_stretch_is_what_opens_while_a_position_is_open() -> None:
    times = np.arange(1_000, dtype=np.int64) * 60
    lasting = Outcomes(np.zeros(1_000), times, times + 60 * 40)
    assert stretch(lasting) == pytest.approx(40, abs=1)
    assert stretch(Outcomes(np.zeros(1_000), times, times)) == 10


def test_the_best_of_many_worthless_trials_is_as_good_as_luck_says() -> None:
    chance = np.random.default_rng(2)
    best = [chance.normal(0, 1, (50, 400)).mean(axis=1).max() for _ in range(200)]
    assert best_by_luck(chance.normal(0, 1, 400), 50) == pytest.approx(np.mean(best), rel=0.1)
    assert best_by_luck(np.array([1.0, 2.0]), 1) == 0.0


def score_of(mean: float, trades: int = 400) -> Score:
    return Score(trades, mean, mean * trades, 50.0, -2.0, 5.0)


GOOD: Choice = {"activation_percent": D("1.5"), "callback_percent": D("0.4")}
OTHER: Choice = {"activation_percent": D("2.0"), "callback_percent": D("0.4")}


def chosen_of(choice: dict[str, Decimal | None], **more: object) -> Chosen:
    around = surroundings(np.full((3, 3), 0.3), (1, 1), ("activation_percent", "callback_percent"))
    return replace(Chosen(choice=choice, trials=40, surroundings=around), **more)


def folds_of(*choices: dict[str, Decimal | None]) -> list[FoldResult]:
    none = score_of(0.0)
    return [
        FoldResult(Fold(number, 0, 1, 2), chosen_of(choice), none, none, none, none)
        for number, choice in enumerate(choices, start=1)
    ]


@pytest.mark.parametrize(
    ("interval", "says"),
    [
        (Interval(0.1, -0.02, 0.22), "is not larger than chance: keep the default"),
        (Interval(0.1, 0.02, 0.18), "were better by +0.100 % a position out of sample"),
        (Interval(-0.1, -0.18, -0.02), "do not use them"),
    ],
)
def test_the_verdict_says_what_was_chosen_and_whether_it_is_more_than_chance(
    interval: Interval, says: str
) -> None:
    told = verdict(
        folds_of(GOOD, GOOD, OTHER),
        in_sample=score_of(0.31),
        out_of_sample=score_of(0.12),
        default_in=score_of(0.05),
        default_out=score_of(0.02),
        difference=interval,
        latest=chosen_of(OTHER),
    )
    assert told[0] == ("activation 1.5 %, callback 0.4 % was best of 40 in 2 of 3 train windows")
    assert told[1] == (
        "the chosen settings did +0.310 % a position in sample and +0.120 % out of sample "
        "(400 positions, +48.000 % in all)"
    )
    assert told[2] == "the default did +0.050 % in sample and +0.020 % out of sample"
    assert says in told[3]
    assert told[-1].endswith("activation 2 %, callback 0.4 %")


def test_entries_that_lose_either_way_are_called_so() -> None:
    told = verdict(
        folds_of(GOOD, OTHER),
        in_sample=score_of(-0.1),
        out_of_sample=score_of(-0.2),
        default_in=score_of(-0.3),
        default_out=score_of(-0.4),
        difference=Interval(0.2, 0.1, 0.3),
        latest=chosen_of(GOOD),
    )
    assert told[0] == "another setting was best of 40 in each of the 2 train windows"
    assert "no stop makes them earn" in told[4]


def test_the_warnings_name_the_fold_and_the_reason() -> None:
    steep = surroundings(
        np.array(HILL, dtype=np.float64), (1, 1), ("activation_percent", "callback_percent")
    )
    edge = surroundings(np.full((2, 3), 1.0), (0, 1), ("activation_percent", "callback_percent"))
    folds = folds_of(GOOD, GOOD, GOOD)
    folds[0] = replace(folds[0], chosen=chosen_of(GOOD, surroundings=steep))
    folds[1] = replace(folds[1], chosen=chosen_of(GOOD, surroundings=edge))
    folds[2] = replace(folds[2], chosen=chosen_of(GOOD, by_luck_percent=0.5))
    told = warnings(
        folds,
        chosen_of(GOOD),
        in_sample=score_of(0.4),
        out_of_sample=score_of(0.1, trades=60),
        stretches=12,
    )
    assert told == (
        "fold 1: the best cell is an island: it did +4.000 %, its 8 neighbours +1.625 % on average",
        (
            "fold 3: the best of 40 trials did +0.300 % in sample; were all worth nothing, "
            "the best would show about as much (+0.500 %)"
        ),
        (
            "activation_percent: the best value lies at the edge of its range in 1 of 4 train "
            "windows: widen the range"
        ),
        "over-fitted: +0.400 % a position in sample became +0.100 % out of sample",
        "only 60 positions out of sample: too few to tell skill from luck",
    )


# --- the space -----------------------------------------------------------------------------
def test_ranges_are_exact_and_include_their_end() -> None:
    axis = read_axis("activation_percent", "0.5:1.1:0.2")
    assert axis.values == (D("0.5"), D("0.7"), D("0.9"), D("1.1"))
    assert read_axis("breakeven_at_percent", "none, 0.5").values == (None, D("0.5"))
    assert len(read_axis("callback_percent", "0.1:0.2", stepless=True).values) == 101


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.5:1.1", "needs --trials"),
        ("1:0.5:0.1", "low:high:step"),
        ("0.5:1:0", "low:high:step"),
        ("a:b:c", "low:high:step"),
        ("1:2:3:4", "low:high:step"),
        ("nan", "low:high:step"),
        ("0:1000:0.0001", "too many"),
    ],
)
def test_what_is_no_range_is_told_with_the_form(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_axis("activation_percent", text)


def test_a_choice_changes_what_it_names_and_nothing_else() -> None:
    base = Policy(distance=Atr(length=7))
    policy = apply(
        base,
        {"activation_percent": D(2), "atr_multiplier": D(3), "breakeven_at_percent": None},
    )
    assert policy == replace(
        base,
        activation_percent=D(2),
        distance=Atr(length=7, multiplier=D(3)),
        breakeven_at_percent=None,
    )
    wide = apply(Policy(), {"initial_stop_percent": D(6), "callback_percent": D(1)})
    assert (wide.initial_stop_percent, wide.backstop_percent) == (D(6), D(9))
    assert wide.distance == Callback(D(1))
    assert choice_words({"initial_stop_percent": None}) == "initial stop none %"


def test_axes_that_contradict_each_other_are_refused() -> None:
    one = Axis("callback_percent", (D(1),))
    for axes, says in (
        ((), "nothing is left"),
        ((Axis("pacing", (D(1),)),), "cannot be optimised"),
        ((one, Axis("atr_multiplier", (D(1),))), "one distance"),
        ((one, one), "one range a setting"),
        ((Axis("activation_percent", (D(1), None)),), "cannot be none"),
    ):
        with pytest.raises(ConfigError, match=says):
            Space(axes)
