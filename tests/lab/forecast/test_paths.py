"""Paths as a person draws them, and as chance does."""

from decimal import Decimal

import numpy as np
import pytest

from trailstop.errors import ConfigError, DataError
from trailstop.lab.forecast import Point, bootstrap, evenly, random_walk, through
from trailstop.lab.forecast.paths import between
from trailstop.lab.series import Bars

D = Decimal
HOUR_MS = 3_600_000
TICK = D("0.1")


def bars(count: int = 2_000, seed: int = 1, spread: float = 0.001) -> Bars:
    steps = np.random.default_rng(seed).standard_normal(count) * spread
    close = np.rint(100_000 * np.exp(np.cumsum(steps))).astype(np.int64)
    times = np.arange(count, dtype=np.int64) * 60_000
    return Bars("BTCUSDT", TICK, 60_000, times, close, close, close, close)


def test_a_path_keeps_one_speed_from_station_to_station() -> None:
    path = through([D(100), D(130), D(120)], 1_000, 40_000)
    assert path == (Point(1_000, D(100)), Point(31_000, D(130)), Point(41_000, D(120)))


def test_a_list_gives_each_price_the_same_time() -> None:
    path = evenly([D(100), D(130), D(120)], 0, 40_000)
    assert [point.at_ms for point in path] == [0, 20_000, 40_000]


def test_between_corners_the_price_goes_in_a_straight_line_on_the_grid() -> None:
    path = through([D(100), D(101)], 0, 4_000)
    assert list(between(path, TICK)) == [
        Point(1_000, D("100.2")), Point(2_000, D("100.5")), Point(3_000, D("100.8")),
        Point(4_000, D(101)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("prices", "over_ms", "says"),
    [
        ([D(100)], 1_000, "two prices"),
        ([D(100), D(100)], 1_000, "stays at 100"),
        ([D(100), D(0)], 1_000, "above 0"),
        ([D(100), D("NaN")], 1_000, "above 0"),
        ([D(100), D(101)], 0, "takes time"),
    ],
)
def test_what_is_no_path_is_refused(prices: list[Decimal], over_ms: int, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        through(prices, 0, over_ms)


@pytest.mark.parametrize("draw", [random_walk, bootstrap])
def test_the_same_seed_draws_the_same_paths(draw) -> None:  # type: ignore[no-untyped-def]
    def drawn(seed: int):  # type: ignore[no-untyped-def]
        return draw(bars(), D(10_000), 0, HOUR_MS, count=5, seed=seed, tick_size=TICK)

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    for path in drawn(7):
        assert path[0] == Point(0, D(10_000))
        assert path[-1].at_ms == HOUR_MS
        assert all(point.price % TICK == 0 for point in path)


@pytest.mark.parametrize("draw", [random_walk, bootstrap])
def test_drawn_paths_are_as_restless_as_the_recorded_time(draw) -> None:  # type: ignore[no-untyped-def]
    """0.1 % a minute is 0.1 % × √60 an hour; 4 000 paths tell it within a tenth."""
    paths = draw(bars(), D(10_000), 0, HOUR_MS, count=4_000, seed=3, tick_size=TICK)
    returns = [float((path[-1].price / path[0].price).ln()) for path in paths]
    assert np.std(returns) == pytest.approx(0.001 * 60**0.5, rel=0.1)


def test_returns_over_a_hole_in_the_data_are_left_out() -> None:
    whole = bars(60, spread=0.0)
    close, times = whole.close.copy(), whole.open_ms.copy()
    close[30:] *= 2
    times[30:] += HOUR_MS
    holed = Bars("BTCUSDT", TICK, 60_000, times, close, close, close, close)
    (path,) = bootstrap(holed, D(10_000), 0, HOUR_MS, count=1, tick_size=TICK)
    assert {point.price for point in path} == {D(10_000)}


def test_too_few_bars_and_too_short_a_time_are_told() -> None:
    with pytest.raises(DataError, match="too few to simulate"):
        random_walk(bars(10), D(100), 0, HOUR_MS, count=1, tick_size=TICK)
    with pytest.raises(ConfigError, match="less than one bar"):
        random_walk(bars(), D(100), 0, 1_000, count=1, tick_size=TICK)
