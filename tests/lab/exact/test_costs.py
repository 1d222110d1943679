"""Fees, funding, slippage, tick and lots: what a trade costs, and what that does to the stop."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from tests.lab.exact.worlds import BARE, MINUTE_MS, START_MS, bars, entry, of_side, one, price_for
from trailstop.domain.policy import Policy
from trailstop.domain.price import Instrument, Rounding, Side
from trailstop.errors import ConfigError
from trailstop.lab import Costs, ExitCause, FillRule, Funding
from trailstop.lab.terms import NO_COSTS

D = Decimal
FIRST = ("100", "100", "100", "100")
SIDES = pytest.mark.parametrize("side", list(Side))
FEES = replace(NO_COSTS, entry_fee=D("0.0005"), exit_fee=D("0.0004"))


@SIDES
def test_slippage_makes_the_fill_worse_and_puts_it_on_the_tick(side: Side) -> None:
    rows = of_side([FIRST, ("100", "100", "98.50", "98.50")], side)
    costs = replace(NO_COSTS, slippage_percent=D("0.03"))
    tick = Instrument("BTCUSDT", tick_size=D("0.05"), quantity_step=D(1))
    trade = one(bars(rows), entry(side), costs=costs, instrument=tick)
    # 0.03 % of 99 is 0.0297: a long's 98.9703 goes down to 98.95, a short's 101.0303 up to 101.05.
    assert trade.exit_price == price_for(side, "98.95")


@SIDES
def test_without_slippage_a_stop_that_is_on_no_grid_fills_there(side: Side) -> None:
    policy = replace(
        BARE, rounding=Rounding.NONE, distance=replace(BARE.distance, distance=D("0.123"))
    )
    rows = of_side([FIRST, ("100", "100", "98.50", "98.50")], side)
    assert one(bars(rows), entry(side), policy).exit_price == price_for(side, "99.877")


def test_a_stop_is_put_on_the_tick_towards_the_price() -> None:
    tick = Instrument("BTCUSDT", tick_size=D("0.5"), quantity_step=D(1))
    policy = replace(BARE, distance=replace(BARE.distance, distance=D("1.7")))
    rows = [FIRST, ("100", "100", "97", "97")]
    assert one(bars(rows), entry(Side.LONG), policy, instrument=tick).exit_price == D("98.5")
    rows = [FIRST, ("100", "103", "100", "103")]
    assert one(bars(rows), entry(Side.SHORT), policy, instrument=tick).exit_price == D("101.5")


@SIDES
def test_fees_are_taken_of_both_values_and_the_result_is_after_them(side: Side) -> None:
    rows = of_side([FIRST, ("100", "104", "100", "104"), ("104", "104", "102", "102")], side)
    trade = one(bars(rows), entry(side, quantity="3"), costs=FEES, rule=FillRule.STOP_THEN_PEAK)
    sold = price_for(side, "103") * 3
    assert trade.fees == 300 * D("0.0005") + sold * D("0.0004")
    assert trade.net == 9 - trade.fees
    assert trade.net_percent == trade.net * 100 / 300


@SIDES
def test_breakeven_pays_the_fees_of_the_backtest(side: Side) -> None:
    policy = Policy(backstop_percent=None, activation_percent=D(50))
    rows = of_side([FIRST, ("100", "101", "100", "101"), ("101", "101", "99", "99")], side)
    trade = one(bars(rows), entry(side), policy, costs=FEES)
    s = side.sign
    pays = 100 * (1 + s * D("0.0005")) / (1 - s * D("0.0004"))
    assert trade.cause is ExitCause.BREAKEVEN
    assert 0 <= (trade.exit_price - pays) * s < D("0.01")
    assert 0 <= trade.net < D("0.01")
    assert trade.safe_ms == START_MS + MINUTE_MS + 24_000


@SIDES
def test_funding_is_paid_while_the_position_is_open_and_moves_the_breakeven(side: Side) -> None:
    policy = Policy(backstop_percent=None, activation_percent=D(50))
    rows = of_side(
        [FIRST, FIRST, FIRST, ("100", "101", "100", "101"), ("101", "101", "99", "99")], side
    )
    minutes = [1, 2, 3]
    funding = Funding(
        "BTCUSDT",
        START_MS + MINUTE_MS * np.array(minutes, dtype=np.int64),
        (D("0.5"), D("0.001") * side.sign, D("0.0005") * side.sign),
    )
    trade = one(bars(rows), entry(side), policy, funding=funding)
    # The first is settled as the position opens: it is not charged. The value is 100 each time.
    assert trade.funding == D("0.15")
    assert trade.cause is ExitCause.BREAKEVEN
    assert (trade.exit_price - 100) * side.sign == D("0.15")
    assert trade.net == 0


def test_funding_that_is_received_counts_in_the_result() -> None:
    rows = [FIRST, FIRST, FIRST]
    times = np.array([START_MS + 90_000], dtype=np.int64)
    funding = Funding("BTCUSDT", times, (D("-0.001"),))
    trade = one(bars(rows), entry(Side.LONG, quantity="2"), funding=funding)
    assert (trade.funding, trade.net) == (D("-0.2"), D("0.2"))


def test_a_position_of_a_thousand_is_put_on_the_lot_grid() -> None:
    lots = Instrument("BTCUSDT", tick_size=D("0.01"), quantity_step=D("0.3"))
    assert one(bars([FIRST, FIRST]), entry(quantity=None), instrument=lots).quantity == D("9.9")


def test_a_position_that_is_below_the_least_lot_is_refused() -> None:
    lots = Instrument("BTCUSDT", tick_size=D("0.01"), quantity_step=D(20))
    with pytest.raises(ConfigError, match="too small at price 100"):
        one(bars([FIRST, FIRST]), entry(quantity=None), instrument=lots)


@SIDES
def test_a_stop_rests_only_after_the_latency(side: Side) -> None:
    costs = Costs(entry_fee=D(0), exit_fee=D(0), latency_ms=400)
    # Points of a second's bar are 200 ms apart: the new stop is under way when the price falls.
    rows = of_side([FIRST, ("100", "103", "100", "103"), ("103", "103", "101", "101")], side)
    slow = one(bars(rows, interval_ms=1_000), entry(side), costs=costs)
    assert (slow.exit_price, slow.crossed) == (price_for(side, "102"), True)
    moves = [(move.at_ms - START_MS, move.to_price) for move in slow.moves]
    assert moves == [(1_400, price_for(side, "99"))]
    quick = one(bars(rows, interval_ms=1_000), entry(side))
    assert (quick.exit_price, quick.crossed) == (price_for(side, "102"), False)


@SIDES
def test_a_first_stop_that_the_price_passes_on_its_way_is_refused_and_measured_anew(
    side: Side,
) -> None:
    costs = replace(NO_COSTS, latency_ms=250)
    policy = Policy(backstop_percent=None, breakeven_at_percent=None, activation_percent=D(50))
    rows = of_side([FIRST, ("97", "97.10", "97", "97"), ("97", "97", "90", "90")], side)
    trade = one(bars(rows), entry(side), policy, costs=costs)
    # 98 was passed by the open of 97: the next stop lies 2 % behind what was refused.
    assert trade.moves[0].to_price == {Side.LONG: D("96.04"), Side.SHORT: D("104.04")}[side]
    assert trade.alarms
    assert trade.cause is ExitCause.INITIAL_STOP


@SIDES
def test_a_close_at_market_arrives_after_the_latency(side: Side) -> None:
    costs = replace(NO_COSTS, latency_ms=250)
    policy = replace(BARE, pacing="fixed", initial_stop_percent=D(2))
    rows = of_side(
        [
            FIRST,
            ("104", "104", "104", "104"),
            ("104", "104.05", "104", "104"),
            ("104", "104", "103", "103"),
        ],
        side,
    )
    trade = one(bars(rows), entry(side), policy, costs=costs)
    # The second move of 0.05 is below the least one: the exact stop is crossed before it rests.
    assert [move.to_price for move in trade.moves] == [
        price_for(side, "99"),
        price_for(side, "103"),
    ]
    assert trade.crossed
    assert trade.exit_price == price_for(side, "103.05")
    assert trade.exit_ms == START_MS + 3 * MINUTE_MS + 12_000 + 250


def test_costs_that_have_no_meaning_are_refused() -> None:
    for costs, text in (
        (replace(NO_COSTS, latency_ms=-1), "latency_ms must not be negative"),
        (replace(NO_COSTS, slippage_percent=D(100)), "slippage_percent must be"),
    ):
        with pytest.raises(ConfigError, match=text):
            one(bars([FIRST, FIRST]), entry(Side.LONG), costs=costs)
