"""An entry price that the exchange does not state: stops are measured, gains are not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.engine.story import LEG, TAKER, D, policy
from trailstop.domain.policy import Policy, ProfitShare, Steps
from trailstop.domain.position import Position
from trailstop.domain.price import Instrument, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.outlook import outlook_text
from trailstop.engine.step import step
from trailstop.engine.trail import Trail

BARE = {"backstop_percent": None}


def _trail(side: Side, settings: Policy, *, known: bool = False) -> Trail:
    return begin(
        leg=LEG,
        epoch=1,
        position=Position(side, D(100), D(1), opened_at_ms=0, entry_known=known),
        instrument=Instrument(LEG.symbol, D("0.01"), D("0.001")),
        policy=settings,
        fees=TAKER,
        at_ms=0,
    )


def _price(trail: Trail, gain: str, at_ms: int) -> Trail:
    """A price at this gain, and every stop that is asked for rests at once."""
    price = D(100) + Decimal(gain) * trail.position.side.sign
    trail, _ = step(trail, ev.PriceSeen(price, at_ms, "bar"))
    if trail.sent is not None:
        sent = trail.sent
        trail, _ = step(trail, ev.StopAcknowledged(sent.price, sent.quantity, at_ms))
    return trail


@pytest.mark.parametrize("side", list(Side))
def test_the_initial_stop_rests_and_no_gain_activates_or_moves_it(side: Side) -> None:
    trail = _trail(side, policy(activation_after_minutes="1", **BARE))
    for at_ms, gain in ((0, "0"), (120_000, "3"), (240_000, "9")):
        trail = _price(trail, gain, at_ms)
    assert trail.live_stop == D(100) - 2 * side.sign
    assert not trail.activated
    assert not trail.breakeven_moved


@pytest.mark.parametrize("side", list(Side))
def test_a_price_that_was_set_activates_and_the_ladder_keeps_its_first_rung(side: Side) -> None:
    price = D(100) + 2 * side.sign
    settings = policy(activation_price=price, distance=Steps(), **BARE)
    trail = _price(_price(_trail(side, settings), "0", 0), "5", 1_000)
    peak = D(100) + 5 * side.sign
    assert trail.live_stop == trail.instrument.snap_stop(peak * (1 - side.sign / D(200)), side)


def test_there_is_no_share_of_a_profit_that_is_not_known() -> None:
    settings = policy(activation_percent="0", distance=ProfitShare(), **BARE)
    trail = _price(_price(_trail(Side.LONG, settings), "0", 0), "5", 1_000)
    assert trail.activated
    assert trail.live_stop == D(98)


def test_an_entry_that_becomes_known_is_no_redenomination() -> None:
    trail = _price(_trail(Side.LONG, policy(**BARE)), "0", 0)
    stated = replace(trail.position, entry_price=D(1), quantity=D(100), entry_known=True)
    trail, _ = step(trail, ev.PositionChanged(stated, 1_000))
    assert not trail.paused


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (policy(**BARE), "trails from 101.5, then with the stop at 101"),
        (policy(activation_percent="0", **BARE), "trails from 100, then with the stop at 99.5"),
        (policy(activation_percent="0", distance=ProfitShare(), **BARE), "trails from 100"),
    ],
)
def test_what_the_settings_come_to_is_told_in_prices(settings: Policy, text: str) -> None:
    assert outlook_text(_trail(Side.LONG, settings, known=True)) == text
