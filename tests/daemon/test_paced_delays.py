"""What `bench pacing` counts as the delay from exact to live stop."""

from __future__ import annotations

from decimal import Decimal

import pytest

from benchmarks.paced.delays import Delays, replay
from trailstop.domain.policy import Policy
from trailstop.domain.position import Cause, Fees, Leg, Position
from trailstop.domain.price import Instrument, Side
from trailstop.engine.events import (
    Event,
    PositionClosed,
    PriceSeen,
    StopAcknowledged,
    StopTriggered,
)
from trailstop.storage.records import Adopted

ONE = Decimal(1)


def _delays(side: Side, events: list[Event]) -> Delays:
    policy = Policy(breakeven_at_percent=None, backstop_percent=None)
    adopted = Adopted(
        Leg("main", "binance", "BTCUSDT"),
        1,
        Position(side, Decimal(100), ONE),
        Instrument("BTCUSDT", Decimal("0.01"), Decimal("0.001")),
        policy,
        Fees(),
        0,
    )
    found = Delays()
    replay(adopted, events, found)
    return found


def _price(side: Side, gain: str, at_ms: int) -> PriceSeen:
    return PriceSeen(Decimal(100) + Decimal(gain) * side.sign, at_ms, "bar")


def _stop(side: Side, price: str, at_ms: int) -> StopAcknowledged:
    distance = Decimal(price) - 100
    return StopAcknowledged(Decimal(100) + distance * side.sign, ONE, at_ms)


@pytest.mark.parametrize("side", list(Side))
def test_a_raise_lasts_from_its_price_to_the_acknowledgement_of_a_stop_as_good(side: Side) -> None:
    found = _delays(
        side,
        [
            _price(side, "0", 0),
            _stop(side, "98", 100),
            _price(side, "2", 1_000),
            _price(side, "3", 1_200),
            _stop(side, "102.6", 1_300),
            _price(side, "2.8", 2_000),
        ],
    )
    assert (found.reached, found.censored, found.behind_ms) == ([300, 100], [], 300)
    assert (found.epochs, found.moves) == (1, 1)


@pytest.mark.parametrize("side", list(Side))
def test_a_raise_that_no_stop_reached_is_counted_apart_until_the_stop_fires(side: Side) -> None:
    found = _delays(
        side,
        [
            _price(side, "0", 0),
            _stop(side, "98", 100),
            _price(side, "2", 1_000),
            _stop(side, "101.6", 1_100),
            _price(side, "2.9", 4_000),
            _price(side, "3.4", 5_000),
            StopTriggered(9_000),
            _price(side, "5", 9_500),
            PositionClosed(Cause.TRAIL, 10_000),
        ],
    )
    assert (found.reached, found.censored, found.behind_ms) == ([100], [5_000, 4_000], 5_100)


def test_a_first_stop_and_a_stop_that_waits_for_activation_are_no_raises() -> None:
    side = Side.LONG
    found = _delays(side, [_price(side, "0", 0), _price(side, "1", 50), _stop(side, "98", 100)])
    assert (found.reached, found.censored) == ([], [])
