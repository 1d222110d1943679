"""Every distance and option of a policy through a backtest, with the moves that it makes."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from msgspec.structs import replace

from tests.lab.exact.worlds import (
    BARE,
    MINUTE_MS,
    START_MS,
    Row,
    bars,
    entry,
    of_side,
    one,
    price_for,
)
from trailstop.domain.policy import Absolute, Atr, Callback, Policy, ProfitShare, Steps
from trailstop.domain.price import Side
from trailstop.lab import ExitCause, FillRule, Trade
from trailstop.lab.terms import NO_COSTS

D = Decimal
FIRST = ("100", "100", "100", "100")
SIDES = pytest.mark.parametrize("side", list(Side))
S1 = FillRule.STOP_THEN_PEAK


def flat(price: str) -> Row:
    return price, price, price, price


def up_and_down(side: Side, peak: str, policy: Policy) -> Trade:
    """Rises to a peak and falls to 90."""
    rows = of_side([FIRST, ("100", peak, "100", peak), (peak, peak, "90", "90")], side)
    return one(bars(rows), entry(side), policy, rule=S1)


@SIDES
@pytest.mark.parametrize(
    ("distance", "stop"),
    [
        (Absolute(D("1.25")), "102.75"),
        (ProfitShare(D("0.5")), "102"),
        (ProfitShare(D("0.8")), "103.20"),
    ],
)
def test_where_a_distance_leaves_behind_a_peak_of_104(
    side: Side, distance: Absolute | ProfitShare, stop: str
) -> None:
    trade = up_and_down(side, "104", replace(BARE, distance=distance))
    assert (trade.exit_price, trade.cause) == (price_for(side, stop), ExitCause.TRAIL)


@pytest.mark.parametrize(
    ("side", "peak", "stop"),
    # 0.2 percent from 3 percent of gain on, 0.3 from 2, 0.5 below.
    [
        (Side.LONG, "104", "103.80"),
        (Side.LONG, "102.50", "102.20"),
        (Side.LONG, "101.50", "101"),
        (Side.SHORT, "104", "96.19"),
    ],
)
def test_the_ladder_tightens_with_the_gain(side: Side, peak: str, stop: str) -> None:
    assert up_and_down(side, peak, replace(BARE, distance=Steps())).exit_price == D(stop)


@SIDES
def test_the_initial_stop_ends_what_never_gains(side: Side) -> None:
    trade = up_and_down(side, "100", Policy(backstop_percent=None))
    assert (trade.exit_price, trade.cause) == (price_for(side, "98"), ExitCause.INITIAL_STOP)
    assert (trade.activated_ms, trade.safe_ms) == (None, None)
    assert trade.at_risk_ms == trade.exit_ms - trade.entry_ms


@SIDES
def test_a_backstop_alone_ends_what_has_no_other_stop(side: Side) -> None:
    policy = replace(BARE, activation_percent=D(9), backstop_percent=D(5))
    trade = up_and_down(side, "100", policy)
    assert (trade.exit_price, trade.cause) == (price_for(side, "95"), ExitCause.INITIAL_STOP)


ATR = Atr(length=2, timeframe_minutes=2, multiplier=D(2), callback_percent=D(5))
CANDLES = [
    # Two bars a candle; the data begins in the midst of one, of which nothing is known.
    ("100", "100.50", "100", "100"),
    ("100", "101", "100", "100"), ("100", "100", "100", "100"),
    ("100", "100", "100", "100"), ("100", "100", "99", "100"),
]  # fmt: skip


@SIDES
def test_the_atr_knows_the_candles_of_before_the_entry(side: Side) -> None:
    rows = [*CANDLES, flat("100"), ("100", "100", "90", "90")]
    prices = bars(of_side(rows, side), start_ms=START_MS + MINUTE_MS)
    trade = one(prices, entry(side, index=4), replace(BARE, distance=ATR), rule=S1)
    # Both candles have a range of 1.00, so that the stop lies 2.00 away.
    assert trade.exit_price == price_for(side, "98")


@SIDES
def test_the_callback_holds_until_the_atr_has_its_candles(side: Side) -> None:
    rows = [*CANDLES[:3], ("100", "100", "90", "90")]
    prices = bars(of_side(rows, side), start_ms=START_MS + MINUTE_MS)
    trade = one(prices, entry(side, index=2), replace(BARE, distance=ATR), rule=S1)
    assert trade.exit_price == price_for(side, "95")


@SIDES
def test_a_candle_that_closes_while_the_position_is_open_changes_the_distance(side: Side) -> None:
    rows = [*CANDLES, flat("100"), ("100", "100", "97", "100")]
    prices = bars(of_side(rows, side), start_ms=START_MS + MINUTE_MS)
    trade = one(prices, entry(side, index=2), replace(BARE, distance=ATR), rule=S1)
    assert [move.to_price for move in trade.moves] == [
        price_for(side, "95"),
        price_for(side, "98"),
    ]
    assert trade.exit_price == price_for(side, "98")


@SIDES
def test_momentum_tightens_once(side: Side) -> None:
    policy = replace(
        BARE,
        distance=Absolute(D(2)),
        momentum_percent_per_minute=D(1),
        momentum_factor=D("0.5"),
    )
    trade = up_and_down(side, "104", policy)
    assert trade.exit_price == price_for(side, "102")
    rows = of_side([FIRST, FIRST, flat("104"), flat("104"), ("104", "104", "90", "90")], side)
    trade = one(bars(rows), entry(side), policy, rule=S1)
    assert trade.exit_price == price_for(side, "103")


@SIDES
def test_age_activates(side: Side) -> None:
    policy = replace(BARE, activation_percent=D(50), activation_after_minutes=D("1.5"))
    rows = of_side([FIRST, flat("100.50"), flat("100.50"), ("100.50", "100.50", "90", "90")], side)
    trade = one(bars(rows), entry(side), policy)
    assert trade.activated_ms == START_MS + MINUTE_MS + 90_000
    assert trade.exit_price == price_for(side, "99.50")


CLIMB = [FIRST, *[flat(f"{100 + 0.05 * minute:.2f}") for minute in range(1, 41)]]
"""Rises by 0.05 a minute, so that the least move of 0.1 percent takes more than two."""


@SIDES
def test_moves_are_paced_and_say_why(side: Side) -> None:
    policy = Policy(
        activation_percent=D(0), breakeven_at_percent=None, update_interval_seconds=D(300)
    )
    trade = one(bars(of_side(CLIMB, side)), entry(side), policy)
    times = [move.at_ms for move in trade.moves]
    assert trade.cause is ExitCause.END_OF_DATA
    # The initial stop and the first trailing one, then one each five minutes.
    assert len(times) == 10
    assert all(later - before >= 300_000 for before, later in pairwise(times[1:]))
    assert [move.from_price for move in trade.moves] == [
        None, *[move.to_price for move in trade.moves[:-1]]
    ]  # fmt: skip
    assert trade.moves[1].reason.startswith("trailing: 0.5 % behind the peak")


@SIDES
def test_without_pacing_every_price_moves_the_stop(side: Side) -> None:
    trade = one(bars(of_side(CLIMB, side)), entry(side), replace(BARE, distance=Callback()))
    assert len(trade.moves) == 41


@SIDES
def test_a_held_move_goes_out_when_its_interval_ends(side: Side) -> None:
    policy = Policy(
        activation_percent=D(0), breakeven_at_percent=None, update_interval_seconds=D(90)
    )
    rows = of_side([FIRST, flat("101"), flat("101.50"), flat("101.50"), flat("101.50")], side)
    trade = one(bars(rows), entry(side), policy)
    first, second = trade.moves[1].at_ms, trade.moves[2].at_ms
    assert second - first == 90_000


@SIDES
@pytest.mark.parametrize("on_cross", ["close", "hold"])
def test_pacing_moves_no_exit_but_where_a_cross_is_held(side: Side, on_cross: str) -> None:
    policy = Policy(
        activation_percent=D(0),
        breakeven_at_percent=None,
        distance=Absolute(D(1)),
        min_improvement_percent=D(10),
        emergency_percent=None,
        on_cross=on_cross,  # type: ignore[arg-type]
    )
    rows = of_side([FIRST, flat("101"), flat("102"), ("102", "102", "95", "95")], side)
    trade = one(bars(rows), entry(side), policy)
    assert trade.crossed is (on_cross == "close")
    assert trade.exit_price == price_for(side, "101" if on_cross == "close" else "100")


@SIDES
def test_a_budget_has_no_limits_in_a_backtest(side: Side) -> None:
    policy = replace(BARE, pacing="budget")
    trade = one(bars(of_side(CLIMB, side)), entry(side), policy)
    assert len(trade.moves) == 41


@SIDES
def test_a_stop_that_a_candle_brings_through_the_price_is_left_at_the_price(side: Side) -> None:
    range_of_one = Atr(length=1, timeframe_minutes=1, multiplier=D(1), callback_percent=D(5))
    rows = [
        ("100", "102", "100", "100"),
        ("103", "104", "103", "103"),
        ("103", "103.10", "102.90", "103"),
        ("103", "103", "102.95", "102.95"),
    ]
    policy = replace(BARE, distance=range_of_one)
    trade = one(bars(of_side(rows, side)), entry(side), policy)
    # Its range of 0.20 puts the stop to 103.80 behind the peak of 104; nobody can sell there.
    assert trade.exit_price == price_for(side, "103")
    assert trade.exit_ms == START_MS + 3 * MINUTE_MS + 12_000


@SIDES
def test_a_timer_that_stays_due_waits_for_the_next_price(side: Side) -> None:
    # The breakeven stop is passed while it is under way, and age activates nothing beyond it.
    policy = Policy(
        activation_percent=D(50),
        activation_after_minutes=D(2),
        backstop_percent=None,
        on_cross="hold",
    )
    costs = replace(NO_COSTS, latency_ms=40_000)
    rows = of_side([FIRST, FIRST, ("101", "101", "99", "99"), flat("99"), flat("99")], side)
    trade = one(bars(rows), entry(side), policy, costs=costs)
    assert [move.to_price for move in trade.moves] == [price_for(side, "98")]
    assert trade.activated_ms is None
    assert trade.cause is ExitCause.END_OF_DATA
