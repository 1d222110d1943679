"""Each named order of the prices inside a bar, told by where a stop 1.00 behind the peak fires.

A position opens at 100 at the close of the first bar, so that its stop begins at 99.00 (a short's
at 101.00). Points of a bar come at equal parts of its minute.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.lab.exact.worlds import (
    BARE,
    MINUTE_MS,
    START_MS,
    bars,
    entry,
    mirrored,
    of_side,
    one,
    price_for,
)
from trailstop.domain.price import Side
from trailstop.errors import ConfigError, DataError
from trailstop.lab import ExitCause, FillRule, Trade

FIRST = ("100", "100", "100", "100")
CALM_DIP = ("100", "102", "99.50", "101.50")
"""Rises by 2.00; its low leaves the first stop alone, but not the one behind its own high."""
DEEP_DIP = ("100", "102", "98.90", "101.50")
"""The same, with a low beneath the first stop."""
SIDES = pytest.mark.parametrize("side", list(Side))


def end(trade: Trade) -> tuple[Decimal, int, ExitCause]:
    """Price, seconds after the begin of the second bar, cause."""
    return trade.exit_price, (trade.exit_ms - START_MS - MINUTE_MS) // 1_000, trade.cause


@SIDES
def test_worst_case_meets_the_adverse_extreme_after_the_favourable_one(side: Side) -> None:
    trade = one(bars(of_side([FIRST, CALM_DIP], side)), entry(side), rule=FillRule.WORST_CASE)
    assert end(trade) == (price_for(side, "101"), 36, ExitCause.TRAIL)


@SIDES
def test_worst_case_meets_the_adverse_extreme_before_the_favourable_one(side: Side) -> None:
    trade = one(bars(of_side([FIRST, DEEP_DIP], side)), entry(side), rule=FillRule.WORST_CASE)
    assert end(trade) == (price_for(side, "99"), 12, ExitCause.TRAIL)


@SIDES
def test_best_case_meets_the_adverse_extreme_first_where_the_stop_survives_it(side: Side) -> None:
    trade = one(bars(of_side([FIRST, CALM_DIP], side)), entry(side), rule=FillRule.BEST_CASE)
    assert end(trade) == (price_for(side, "101.50"), 60, ExitCause.END_OF_DATA)


@SIDES
def test_best_case_raises_the_stop_first_where_it_would_not_survive(side: Side) -> None:
    trade = one(bars(of_side([FIRST, DEEP_DIP], side)), entry(side), rule=FillRule.BEST_CASE)
    assert end(trade) == (price_for(side, "101"), 30, ExitCause.TRAIL)


def test_high_first_takes_a_long_out_behind_the_high() -> None:
    trade = one(bars([FIRST, CALM_DIP]), entry(Side.LONG), rule=FillRule.HIGH_FIRST)
    assert end(trade) == (Decimal(101), 30, ExitCause.TRAIL)


def test_high_first_meets_a_short_before_its_low() -> None:
    rows = mirrored([FIRST, CALM_DIP])
    trade = one(bars(rows), entry(Side.SHORT), rule=FillRule.HIGH_FIRST)
    assert end(trade) == (Decimal("98.50"), 60, ExitCause.END_OF_DATA)


def test_low_first_meets_a_long_before_its_high() -> None:
    trade = one(bars([FIRST, CALM_DIP]), entry(Side.LONG), rule=FillRule.LOW_FIRST)
    assert end(trade) == (Decimal("101.50"), 60, ExitCause.END_OF_DATA)


def test_low_first_takes_a_short_out_behind_the_low() -> None:
    rows = mirrored([FIRST, CALM_DIP])
    trade = one(bars(rows), entry(Side.SHORT), rule=FillRule.LOW_FIRST)
    assert end(trade) == (Decimal(99), 30, ExitCause.TRAIL)


@pytest.mark.parametrize(
    ("side", "row", "price", "seconds"),
    [
        # Rising bars go to their low first, falling ones to their high.
        (Side.LONG, ("100", "102", "99.50", "101.50"), "101.50", 60),
        (Side.LONG, ("100", "102", "99.50", "99.90"), "101.00", 30),
        (Side.LONG, ("100", "102", "99.50", "100"), "101.00", 45),
        (Side.SHORT, ("100", "100.50", "98", "98.50"), "98.50", 60),
        (Side.SHORT, ("100", "100.50", "98", "100.10"), "99.00", 30),
    ],
)
def test_paper_goes_the_way_of_the_paper_exchange(
    side: Side, row: tuple[str, str, str, str], price: str, seconds: int
) -> None:
    trade = one(bars([FIRST, row]), entry(side), rule=FillRule.PAPER)
    assert end(trade)[:2] == (Decimal(price), seconds)


@SIDES
def test_stop_then_peak_holds_a_bar_against_the_stop_of_before(side: Side) -> None:
    rows = of_side([FIRST, CALM_DIP, ("101.20", "103", "100.90", "101")], side)
    trade = one(bars(rows), entry(side), rule=FillRule.STOP_THEN_PEAK)
    assert end(trade) == (price_for(side, "101"), 60, ExitCause.TRAIL)


@SIDES
def test_stop_then_peak_fills_a_gap_at_the_open(side: Side) -> None:
    rows = of_side([FIRST, CALM_DIP, ("100.40", "103", "100.30", "101")], side)
    trade = one(bars(rows), entry(side), rule=FillRule.STOP_THEN_PEAK)
    assert end(trade) == (price_for(side, "100.40"), 60, ExitCause.TRAIL)


@SIDES
def test_stop_then_peak_raises_the_peak_by_no_open_and_no_close(side: Side) -> None:
    rows = of_side(
        [FIRST, ("100", "100.20", "99.50", "100.20"), ("101", "101", "99.10", "101")], side
    )
    trade = one(bars(rows), entry(side), rule=FillRule.STOP_THEN_PEAK)
    # Behind the open of 101 the stop would be at 100; it stands behind 100.20.
    assert end(trade) == (price_for(side, "99.20"), 60, ExitCause.TRAIL)


@SIDES
def test_freqtrade_holds_the_adverse_extreme_against_the_raised_stop(side: Side) -> None:
    rows = of_side([FIRST, FIRST, CALM_DIP], side)
    trade = one(bars(rows), entry(side), rule=FillRule.FREQTRADE)
    assert (trade.exit_price, trade.cause) == (price_for(side, "101"), ExitCause.TRAIL)


QUARTERS = [
    ("100", "100.30", "100", "100.20"),
    ("100.20", "102", "100.10", "101.90"),
    ("101.90", "101.95", "101.20", "101.30"),
    ("101.30", "101.60", "99.50", "101.50"),
]
"""What happened inside `CALM_DIP`, a quarter of a minute each."""


@SIDES
def test_finer_bars_tell_what_happened_inside(side: Side) -> None:
    fine = bars(of_side([FIRST] * 4 + QUARTERS, side), interval_ms=15_000)
    coarse = bars(of_side([FIRST, CALM_DIP], side))
    trade = one(coarse, entry(side), rule=FillRule.FINER, finer=fine)
    # The second quarter: 100.20, low, high 102, and its low again.
    assert end(trade) == (price_for(side, "101"), 15 + 9, ExitCause.TRAIL)


def test_finer_needs_finer_bars() -> None:
    with pytest.raises(ConfigError, match="needs bars of a finer timeframe"):
        one(bars([FIRST, CALM_DIP]), entry(Side.LONG), rule=FillRule.FINER)


def test_finer_bars_must_be_there_for_each_bar() -> None:
    fine = bars(QUARTERS, interval_ms=15_000, start_ms=START_MS + MINUTE_MS)
    with pytest.raises(DataError, match="1 of 2 bars have no finer ones"):
        one(bars([FIRST, CALM_DIP]), entry(Side.LONG), rule=FillRule.FINER, finer=fine)


POINTED = [rule for rule in FillRule if rule not in (FillRule.FREQTRADE, FillRule.FINER)]


@SIDES
@pytest.mark.parametrize("rule", POINTED)
def test_a_gap_through_the_stop_is_filled_at_the_open(side: Side, rule: FillRule) -> None:
    rows = of_side([FIRST, ("98", "103", "97", "102")], side)
    trade = one(bars(rows), entry(side), rule=rule)
    assert end(trade) == (price_for(side, "98"), 0, ExitCause.TRAIL)


@SIDES
@pytest.mark.parametrize("rule", POINTED)
def test_a_touch_fires(side: Side, rule: FillRule) -> None:
    rows = of_side([FIRST, ("100", "100", "99", "99.50")], side)
    trade = one(bars(rows), entry(side), rule=rule)
    assert end(trade)[::2] == (price_for(side, "99"), ExitCause.TRAIL)


@SIDES
@pytest.mark.parametrize("rule", POINTED)
def test_a_touch_does_not_fire_a_strict_stop_but_the_next_tick_does(
    side: Side, rule: FillRule
) -> None:
    strict = replace(BARE, strict=True)
    touching = of_side([FIRST, ("100", "100", "99", "99.50")], side)
    assert one(bars(touching), entry(side), strict, rule=rule).cause is ExitCause.END_OF_DATA
    beyond = of_side([FIRST, ("100", "100", "98.99", "99.50")], side)
    assert one(bars(beyond), entry(side), strict, rule=rule).exit_price == price_for(side, "99")


@SIDES
def test_an_entry_at_the_open_sees_its_own_bar(side: Side) -> None:
    prices = bars(of_side([FIRST, CALM_DIP], side))
    trade = one(prices, entry(side, index=1, at_close=False))
    assert trade.entry_ms == START_MS + MINUTE_MS
    assert end(trade) == (price_for(side, "101"), 36, ExitCause.TRAIL)


@SIDES
@pytest.mark.parametrize("rule", POINTED)
def test_the_position_is_closed_at_its_time_limit(side: Side, rule: FillRule) -> None:
    rows = of_side([FIRST, ("100", "100.40", "99.90", "100.30"), FIRST, FIRST], side)
    trade = one(bars(rows), entry(side, exit_index=1), rule=rule)
    assert end(trade) == (price_for(side, "100.30"), 60, ExitCause.TIME_LIMIT)


@SIDES
@pytest.mark.parametrize("rule", POINTED)
def test_a_position_that_is_open_at_the_end_of_the_data_is_valued_there(
    side: Side, rule: FillRule
) -> None:
    rows = of_side([FIRST, ("100", "100.40", "99.90", "100.30")], side)
    trade = one(bars(rows), entry(side), rule=rule)
    assert end(trade) == (price_for(side, "100.30"), 60, ExitCause.END_OF_DATA)
