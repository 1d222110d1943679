from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Leg, Position
from trailstop.domain.price import Side
from trailstop.guard.snapshot import within

HELD = Position(side=Side.LONG, entry_price=Decimal(100), quantity=Decimal(1))
EVERYWHERE = {Leg("main", "binance", symbol): HELD for symbol in ("BTCUSDT", "ETHUSDT")}


@pytest.mark.parametrize(
    ("symbols", "names"),
    [
        (None, {"BTCUSDT", "ETHUSDT"}),
        (frozenset({"ETHUSDT", "XRPUSDT"}), {"ETHUSDT"}),
        (frozenset(), set()),
    ],
)
def test_a_read_of_some_symbols_has_their_positions_alone(symbols, names):
    assert {leg.symbol for leg in within(EVERYWHERE, symbols)} == names
