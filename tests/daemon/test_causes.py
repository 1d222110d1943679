from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.daemon.reading.causes import turned_round
from trailstop.domain.position import Position
from trailstop.domain.price import Side
from trailstop.ports import Execution, Origin

LONG = Position(side=Side.LONG, entry_price=Decimal(100), quantity=Decimal(1), opened_at_ms=1)


def fill(direction, quantity, origin=Origin.ORDER):
    price, none = Decimal(100), Decimal(0)
    size = Decimal(quantity)
    return Execution("e", "o", "c", "S", "both", direction, price, size, none, "U", none, 1, origin)


def test_an_order_of_twice_the_size_turns_a_position_round():
    assert turned_round([fill("buy", "1"), fill("sell", "2")], LONG)


@pytest.mark.parametrize(
    "origin", [Origin.LIQUIDATION, Origin.ADL, Origin.SETTLEMENT, Origin.POSITION_STOP]
)
def test_what_only_closes_turns_nothing_round_although_the_last_increase_was_not_told(origin):
    assert not turned_round([fill("buy", "1"), fill("sell", "2", origin)], LONG)
