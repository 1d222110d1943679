"""Generated prices: a function of the seed, lively, without end, and on their tick."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from trailstop.paper.prices.generator import GeneratorSettings, generate_tapes
from trailstop.paper.prices.tape import Point, Print
from trailstop.paper.settings import MINUTE_US, WorldSettings

HALF_HOUR_POINTS = 120


def points(seed: int, count: int, symbols: tuple[str, ...] = ("BTCUSDT",), form: str = "bars"):
    settings = GeneratorSettings(seed=seed, symbols=symbols, form=form)  # type: ignore[arg-type]
    tapes = generate_tapes(settings, WorldSettings())
    return [list(islice(tape.points, count)) for tape in tapes]


@pytest.mark.parametrize("form", ["bars", "ticks"])
def test_a_seed_gives_the_same_prices_and_another_seed_others(form):
    assert points(7, 500, form=form) == points(7, 500, form=form)
    assert points(7, 500, form=form) != points(8, 500, form=form)


def test_a_market_does_not_depend_on_its_company():
    alone = points(3, 200, ("ETHUSDT",))[0]
    assert points(3, 200, ("BTCUSDT", "ETHUSDT", "XYZUSDT"))[1] == alone


@pytest.mark.parametrize("form", ["bars", "ticks"])
@pytest.mark.parametrize("seed", [-1, 0, 1, 2**70])
def test_any_seed_runs_for_long_on_its_tick_in_time_order(seed, form):
    settings = GeneratorSettings(seed=seed, symbols=("BTCUSDT", "XYZUSDT"), form=form)
    for tape in generate_tapes(settings, WorldSettings()):
        before = -1
        for point in islice(tape.points, 5_000):
            assert isinstance(point, Print)
            assert point.time_us > before
            assert point.price > 0
            assert not point.price % tape.market.tick_size
            assert not point.quantity % tape.market.step_size
            before = point.time_us


def test_half_an_hour_usually_moves_by_a_few_percent():
    ranges = []
    for seed in range(40):
        prices = [price_of(point) for point in points(seed, HALF_HOUR_POINTS)[0]]
        ranges.append(100 * (max(prices) - min(prices)) / prices[0])
    ranges.sort()
    assert 1.5 < ranges[20] < 6, "median range in percent"
    assert ranges[35] < 15


def test_there_are_gaps_between_bars():
    prices = points(1, 4_000)[0]
    bars = [prices[index : index + 4] for index in range(0, len(prices), 4)]
    gaps = sum(
        abs(price_of(later[0]) - price_of(earlier[3])) * 10_000 > 4 * price_of(later[0])
        for earlier, later in pairwise(bars)
    )
    assert 15 < gaps < 80
    assert bars[1][0].time_us - bars[0][0].time_us == MINUTE_US


def price_of(point: Point):
    assert isinstance(point, Print)
    return point.price
