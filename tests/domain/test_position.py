"""Legs and positions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Leg, Position
from trailstop.domain.price import Side
from trailstop.errors import ConfigError

D = Decimal


def test_a_leg_is_spelled_for_people() -> None:
    assert str(Leg("main", "binance", "BTCUSDT")) == "main/binance/BTCUSDT"
    assert str(Leg("main", "binance", "BTCUSDT", "short")) == "main/binance/BTCUSDT:short"


@pytest.mark.parametrize("bad", ["0", "-1", "NaN", "Infinity"])
def test_what_is_no_open_position_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="entry price must be above 0"):
        Position(Side.LONG, D(bad), D(1))
    with pytest.raises(ConfigError, match="quantity must be above 0"):
        Position(Side.LONG, D(100), D(bad))
