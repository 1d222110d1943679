"""Sides and the price grid."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailstop.domain.price import Instrument, Rounding, Side
from trailstop.errors import ConfigError

D = Decimal


def market(tick: str, step: str = "0.001") -> Instrument:
    return Instrument("BTCUSDT", D(tick), D(step))


def test_better_is_up_for_a_long_and_down_for_a_short() -> None:
    assert Side.LONG.better(D(2), D(1))
    assert Side.SHORT.better(D(1), D(2))
    assert Side.LONG.best(D(1), D(2)) == Side.LONG.best(D(2), D(1)) == 2
    assert Side.SHORT.best(D(1), D(2)) == Side.SHORT.best(D(2), D(1)) == 1


def test_a_touch_reaches_a_stop_and_beyond_is_strict() -> None:
    assert Side.LONG.touches(D(1), D(1))
    assert not Side.LONG.beyond(D(1), D(1))
    assert Side.SHORT.touches(D(1), D(1))
    assert not Side.SHORT.beyond(D(1), D(1))
    assert Side.LONG.beyond(D("0.9"), D(1))
    assert Side.SHORT.beyond(D("1.1"), D(1))


@pytest.mark.parametrize(
    ("tick", "price", "long", "short"),
    [
        ("0.1", "100.98", "101.0", "100.9"),
        ("0.10", "100.98", "101.0", "100.9"),
        ("0.1", "100.9", "100.9", "100.9"),
        ("0.05", "100.98", "101.00", "100.95"),
        ("0.5", "100.98", "101", "100.5"),
        ("1", "100.98", "101", "100"),
        ("10", "101", "110", "100"),
        ("2.5", "101", "102.5", "100"),
        ("0.00000001", "0.000000015", "0.00000002", "0.00000001"),
    ],
)
def test_stops_are_snapped_towards_the_market(tick: str, price: str, long: str, short: str) -> None:
    assert market(tick).snap_stop(D(price), Side.LONG) == D(long)
    assert market(tick).snap_stop(D(price), Side.SHORT) == D(short)


@pytest.mark.parametrize(
    ("rounding", "price", "snapped"),
    [
        (Rounding.HALF_EVEN, "100.25", "100.2"),
        (Rounding.HALF_EVEN, "100.35", "100.4"),
        (Rounding.NEAREST, "100.25", "100.3"),
        (Rounding.NEAREST, "100.24", "100.2"),
        (Rounding.NONE, "100.2468", "100.2468"),
    ],
)
def test_roundings_of_the_dialects(rounding: Rounding, price: str, snapped: str) -> None:
    for side in Side:
        assert market("0.1").snap_stop(D(price), side, rounding) == D(snapped)


@given(
    st.decimals("0.001", "100000", places=6),
    st.sampled_from(["0.01", "0.10", "0.05", "0.5", "1", "2.5", "10"]),
    st.sampled_from(Side),
)
def test_a_snapped_stop_is_on_the_grid_and_never_looser(price: D, tick: str, side: Side) -> None:
    snapped = market(tick).snap_stop(price, side)
    assert snapped % D(tick) == 0
    assert not side.better(price, snapped)
    assert abs(snapped - price) < D(tick)


def test_quantities_are_snapped_downwards() -> None:
    assert market("0.1", "0.001").snap_quantity(D("1.2349")) == D("1.234")
    assert market("0.1", "5").snap_quantity(D(14)) == D(10)


@pytest.mark.parametrize(("tick", "step"), [("0", "1"), ("1", "0"), ("-1", "1")])
def test_a_grid_without_steps_is_refused(tick: str, step: str) -> None:
    with pytest.raises(ConfigError, match="tick size and quantity step must be above 0"):
        market(tick, step)
