"""Bars out of arrays and out of chance."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.data.files import decimals, rows_of
from trailstop.errors import ConfigError
from trailstop.lab.data.arrays import from_arrays
from trailstop.lab.data.shape import holes
from trailstop.lab.data.synthetic import MINUTE_MS, synthetic_bars

TIMES = [60_000, 120_000]
TENTH = Decimal("0.1")


def made(prices, *, unit=TENTH, times=TIMES, **columns):
    four = dict.fromkeys(("open", "high", "low", "close"), prices) | columns
    return from_arrays("BTCUSDT", times, **four, unit=unit, interval_ms=MINUTE_MS)


@pytest.mark.parametrize(
    "prices",
    [
        pytest.param(np.array([60_000.1, 59_999.9]), id="floats"),
        pytest.param([Decimal("60000.1"), Decimal("59999.90")], id="decimals"),
        pytest.param(["60000.1", "59999.9"], id="text"),
        pytest.param(np.array([0.1 * 600_001, 59_999.9 + 1e-9]), id="floats of arithmetic"),
    ],
)
def test_prices_of_any_type_are_the_same(prices):
    bars = made(prices)
    assert decimals(bars.close, bars.unit) == [Decimal("60000.1"), Decimal("59999.9")]
    with pytest.raises(ValueError, match="read-only"):
        bars.close[0] = 1


def test_times_may_be_instants_of_any_unit():
    for unit in ("s", "ms", "ns"):
        times = np.array(TIMES, dtype="datetime64[ms]").astype(f"datetime64[{unit}]")
        assert made([1.0, 2.0], times=times).open_ms.tolist() == TIMES


def test_whole_numbers_are_prices_and_no_units():
    assert made(np.array([60_000, 59_999])).close.tolist() == [600_000, 599_990]
    assert made(np.array([60_000, 59_999]), unit=Decimal(1)).close.tolist() == [60_000, 59_999]
    assert made([60_000.25, 60_000.5], unit=Decimal("0.25")).close.tolist() == [240_001, 240_002]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    whole=st.lists(st.integers(1, 10**9), min_size=2, max_size=2),
    unit=st.sampled_from(["0.1", "0.01", "0.00001", "1E-8", "0.05", "0.25", "1", "5"]),
)
def test_a_float_of_a_price_on_the_grid_is_that_price(whole, unit):
    bars = made([float(units * Decimal(unit)) for units in whole], unit=Decimal(unit))
    assert bars.close.tolist() == whole


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"prices": [60_000.1, 60_000.15]}, r"open\[1\] is 60000.15, which is no multiple"),
        ({"prices": ["60000.1", "60000.15"]}, r"open\[1\] is 60000.15, which is no multiple"),
        ({"prices": [60_000.1, float("nan")]}, r"open\[1\] is nan"),
        ({"prices": [1e20, 1.0]}, r"open\[0\] is 1e\+20"),
        ({"prices": ["60000.1", "x"]}, r"open\[1\] is 'x', not a number"),
        ({"prices": [1.0]}, "2 times but 1 of open"),
        ({"prices": [1.0, 0.0]}, "bar 1: the lowest price is not above 0"),
        ({"prices": [1.0, 2.0], "high": [1.0, 1.9]}, "bar 1: open and close must lie between"),
        ({"prices": [1.0, 2.0], "times": [60_000, 60_000]}, "bar 1: the bar begins before"),
        ({"prices": [], "times": []}, "no bars"),
        ({"prices": [1.0, 2.0], "unit": Decimal(0)}, "above 0"),
    ],
)
def test_what_is_no_bar_is_named_by_its_index(columns, words):
    with pytest.raises(ConfigError, match=words):
        made(**columns)


def test_a_seed_gives_the_same_bars_and_another_seed_others():
    first, again, other = synthetic_bars(7, 500), synthetic_bars(7, 500), synthetic_bars(8, 500)
    assert rows_of(first) == rows_of(again)
    assert rows_of(first) != rows_of(other)
    assert (first.unit, first.interval_ms, len(first)) == (TENTH, 60_000, 500)
    assert decimals(first.open, first.unit)[0] == 60_000
    with pytest.raises(ConfigError, match="at least one"):
        synthetic_bars(7, 0)


def test_made_up_bars_hold_together_and_look_like_a_market():
    bars = synthetic_bars(1, 200_000)
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low > 0).all()
    assert holes(bars) == ()
    moves = np.diff(np.log(bars.close))
    calm = moves[np.abs(moves) < 0.005]
    year = np.sqrt(365 * 24 * 60)
    assert calm.std() * year == pytest.approx(0.8, rel=0.02)
    assert 20 < np.count_nonzero(np.abs(moves) >= 0.005) < 200, "jumps, about one a day"
    gaps = np.abs(bars.open[1:] - bars.close[:-1])
    assert 0 < np.count_nonzero(gaps) < 200, "some jumps come between two bars"
