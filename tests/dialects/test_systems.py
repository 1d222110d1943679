"""Trailing orders of other trading systems, one rule a test."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop import TrailingStop
from trailstop.dialects import lean, nautilus
from trailstop.domain.price import Side
from trailstop.errors import ConfigError

D = Decimal


@pytest.mark.parametrize(
    ("offset_type", "offset", "stop"),
    [
        pytest.param("PRICE", "1.5", "98.5", id="a price"),
        pytest.param("BASIS_POINTS", "200", "98.0", id="basis points"),
        pytest.param("TICKS", "5", "99.5", id="ticks"),
    ],
)
def test_nautilus_offsets(offset_type: str, offset: str, stop: str) -> None:
    policy = nautilus.trailing_stop_market(
        trigger_type="LAST_PRICE",
        offset_type=offset_type,
        trailing_offset=D(offset),
        tick_size=D("0.1"),
    )
    trail = TrailingStop("X", 1, "long", policy, tick_size="0.1")
    assert trail.update_price(100).exact_stop == D(stop)


@pytest.mark.parametrize(
    ("price", "stop"),
    [
        pytest.param("100.25", "99.2", id="99.25 to the even neighbour below"),
        pytest.param("100.35", "99.4", id="99.35 to the even neighbour above"),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_nautilus_rounds_half_even_whatever_the_side(price: str, stop: str, side: Side) -> None:
    policy = nautilus.trailing_stop_market(
        trigger_type="LAST_PRICE",
        offset_type="PRICE",
        trailing_offset=D(1),
        tick_size=D("0.1"),
    )
    there = D(price) if side is Side.LONG else D(price) - 2
    trail = TrailingStop("X", 1, side, policy, tick_size="0.1")
    assert trail.update_price(there).exact_stop == D(stop)


@pytest.mark.parametrize(
    ("trigger_type", "offset_type"), [("NO_TRIGGER", "PRICE"), ("LAST_PRICE", "NO_TRAILING_OFFSET")]
)
def test_nautilus_types_that_cannot_be_trailed_are_refused(
    trigger_type: str, offset_type: str
) -> None:
    with pytest.raises(ConfigError, match="cannot be trailed: use one of"):
        nautilus.trailing_stop_market(
            trigger_type=trigger_type,
            offset_type=offset_type,
            trailing_offset=D(1),
            tick_size=D("0.1"),
        )


@pytest.mark.parametrize(
    ("tick", "grid"), [("0.25", "0.01"), ("0.001", "0.001"), ("5", "1"), ("10", "1")]
)
def test_nautilus_grid_is_the_decimals_of_the_tick(tick: str, grid: str) -> None:
    assert nautilus.price_increment(D(tick)) == D(grid)


def test_lean_trails_the_unrounded_price_from_the_orders_own_stop() -> None:
    policy = lean.trailing_stop_order(trailing_amount=D("0.1"), trailing_as_percentage=True)
    trail = TrailingStop("X", 1, "long", policy, resting_stop=95)
    assert trail.update_price("100.123").exact_stop == D(95)
    assert trail.update_price("110.123").exact_stop == D("99.1107")
    assert trail.update_price("99.1107").hit


def test_lean_rounds_the_order_but_no_fraction() -> None:
    def submitted(*, fraction: bool) -> tuple[Decimal, Decimal]:
        return lean.as_submitted(
            D("10.125"), D("0.1234"), trailing_as_percentage=fraction, tick_size=D("0.01")
        )

    assert submitted(fraction=True) == (D("10.12"), D("0.1234"))
    assert submitted(fraction=False) == (D("10.12"), D("0.12"))


def test_lean_risk_model_leaves_beyond_its_drawdown_and_not_at_it() -> None:
    for side, at, beyond in (("long", "95", "94.99"), ("short", "105", "105.01")):
        trail = TrailingStop("X", 100, Side(side), lean.trailing_risk_model(D("0.05")))
        trail.update_price(100)
        assert not trail.update_price(at).hit
        assert trail.update_price(beyond).hit
