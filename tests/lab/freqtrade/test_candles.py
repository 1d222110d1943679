"""freqtrade's candle rules, one a test; prices begin at 1 000 and the long opens in row 1."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.lab.freqtrade.tables import D, Row, deal, hour, only
from trailstop.dialects.freqtrade import Stops
from trailstop.domain.price import Side
from trailstop.lab.terms import ExitCause

FLAT: Row = (1_000, 1_000, 1_000, 1_000)
FIXED = Stops(stoploss=D("-0.1"))
TRAILING = Stops(stoploss=D("-0.1"), trailing_stop=True)
OFFSET = Stops(
    stoploss=D("-0.1"),
    trailing_stop=True,
    trailing_stop_positive=D("0.01"),
    trailing_stop_positive_offset=D("0.05"),
)
WAITING = Stops(
    stoploss=D("-0.1"),
    trailing_stop=True,
    trailing_stop_positive=D("0.01"),
    trailing_stop_positive_offset=D("0.05"),
    trailing_only_offset_is_reached=True,
)


def stops_of(rows: list[Row], stops: Stops) -> list[Decimal]:
    return [point.stop for point in deal([FLAT, *rows, FLAT], stops).path]


@pytest.mark.parametrize(
    ("stops", "high", "stop"),
    [
        pytest.param(FIXED, 1_200, "900", id="a fixed stop stays"),
        pytest.param(TRAILING, 1_200, "1080", id="trailing follows the high"),
        pytest.param(OFFSET, 1_040, "936", id="below the offset by stoploss"),
        pytest.param(OFFSET, 1_050, "945", id="at the offset by stoploss still"),
        pytest.param(OFFSET, 1_051, "1040.49", id="above the offset by positive"),
        pytest.param(WAITING, 1_049, "900", id="waiting below the offset"),
        pytest.param(WAITING, 1_050, "945", id="at the offset by stoploss"),
        pytest.param(WAITING, 1_051, "1040.49", id="above the offset by positive again"),
    ],
)
def test_where_the_stop_stands_after_a_candle(stops: Stops, high: int, stop: str) -> None:
    assert stops_of([FLAT, (1_000, high, high - 5, high)], stops)[1] == D(stop)


def test_leverage_divides_distances_and_offsets() -> None:
    stops = Stops(
        stoploss=D("-0.1"),
        trailing_stop=True,
        trailing_stop_positive=D("0.02"),
        trailing_stop_positive_offset=D("0.05"),
        leverage=D(5),
    )
    assert stops_of([FLAT, (1_000, 1_010, 1_005, 1_010)], stops) == [D(980), D("989.8"), D("989.8")]
    assert stops_of([FLAT, (1_000, 1_011, 1_008, 1_010)], stops)[1] == D("1006.956")


def test_the_strategys_own_method_trails_by_stoploss() -> None:
    own = Stops(stoploss=D("-0.1"), use_custom_stoploss=True)
    assert stops_of([FLAT, (1_000, 1_200, 1_195, 1_200)], own)[1] == D(1080)


def test_a_candle_that_reaches_the_stop_of_before_does_not_raise_it() -> None:
    run = deal([FLAT, FLAT, (1_000, 1_300, 890, 1_000), FLAT], TRAILING)
    assert run.path[-1].stop == only(run).exit_price == D(900)
    assert only(run).cause is ExitCause.INITIAL_STOP


def test_a_stop_raised_within_a_candle_is_hit_in_it() -> None:
    trade = only(deal([FLAT, FLAT, (1_000, 1_300, 910, 1_000), FLAT], TRAILING))
    assert (trade.exit_price, trade.cause) == (D(1170), ExitCause.TRAIL)
    assert [move.to_price for move in trade.moves] == [D(900), D(1170)]


def test_a_candle_beyond_the_stop_fills_at_its_open() -> None:
    trade = only(deal([FLAT, FLAT, (880, 890, 870, 880), FLAT], FIXED))
    assert trade.exit_price == D(880)


@pytest.mark.parametrize(
    ("stops", "low", "price"),
    [
        pytest.param(WAITING, 1_000, "1040", id="just armed, then back by the nearer distance"),
        pytest.param(OFFSET, 950, "990", id="just above the open, then back"),
        pytest.param(OFFSET, 995, "995", id="never below the candle"),
    ],
)
def test_a_trailing_stop_in_the_candle_of_the_entry_fills_at_its_worst(
    stops: Stops, low: int, price: str
) -> None:
    trade = only(deal([FLAT, (1_000, 1_100, low, 1_050), FLAT], stops))
    assert (trade.exit_price, hour(trade.exit_ms)) == (D(price), 1)


def test_a_short_is_the_mirror_image() -> None:
    rows = [FLAT, FLAT, (1_000, 1_090, 700, 1_000), FLAT]
    trade = only(deal(rows, TRAILING, told={"enter_short": [0]}))
    assert (trade.side, trade.exit_price) == (Side.SHORT, D(770))
    assert trade.moves[0].to_price == D(1100)


class TestOrderOfExits:
    """On one candle: exit signal, first stop, target, trailed stop."""

    ROI = ((0, D("0.05")),)

    def test_a_signal_comes_before_the_stop(self) -> None:
        rows = [FLAT, FLAT, (990, 1_000, 800, 1_000), FLAT]
        run = deal(rows, FIXED, told={"enter_long": [0], "exit_long": [1]})
        assert (only(run).cause, only(run).exit_price) == (ExitCause.SIGNAL, D(990))
        assert run.path[-1].hit

    def test_the_first_stop_comes_before_the_target(self) -> None:
        rows = [FLAT, FLAT, (1_000, 1_100, 800, 1_000), FLAT]
        assert only(deal(rows, FIXED, minimal_roi=self.ROI)).cause is ExitCause.INITIAL_STOP

    def test_the_target_comes_before_a_trailed_stop(self) -> None:
        rows = [FLAT, FLAT, (1_000, 1_300, 910, 1_000), FLAT]
        trade = only(deal(rows, TRAILING, minimal_roi=self.ROI))
        assert (trade.cause, trade.exit_price) == (ExitCause.TARGET, D(1050))

    def test_signals_count_only_where_they_are_used(self) -> None:
        told = {"enter_long": [0], "exit_long": [1]}
        trade = only(deal([FLAT] * 4, FIXED, told=told, use_exit_signal=False))
        assert trade.cause is ExitCause.END_OF_DATA

    def test_to_enter_again_outranks_to_leave(self) -> None:
        told = {"enter_long": [0, 1], "exit_long": [1]}
        assert only(deal([FLAT] * 4, FIXED, told=told)).cause is ExitCause.END_OF_DATA


class TestTarget:
    def test_the_oldest_row_that_applies_counts(self) -> None:
        table = ((0, D("0.5")), (120, D("0.02")))
        rows = [FLAT, FLAT, (1_000, 1_100, 990, 1_000), (1_000, 1_100, 990, 1_000), FLAT]
        trade = only(deal(rows, FIXED, minimal_roi=table))
        assert (hour(trade.exit_ms), trade.exit_price) == (3, D(1020))

    def test_a_row_that_begins_with_the_candle_is_taken_at_a_better_open(self) -> None:
        rows = [FLAT, FLAT, (1_060, 1_100, 1_050, 1_060), FLAT]
        table = ((0, D("0.5")), (60, D("0.02")))
        assert only(deal(rows, FIXED, minimal_roi=table)).exit_price == D(1060)

    def test_a_row_of_before_is_taken_inside_the_candle(self) -> None:
        rows = [FLAT, FLAT, (1_060, 1_100, 1_050, 1_060), FLAT]
        table = ((0, D("0.06")),)
        assert only(deal(rows, FIXED, minimal_roi=table)).exit_price == D(1060)

    def test_exactly_the_ratio_is_not_enough(self) -> None:
        rows = [FLAT, FLAT, (1_000, 1_050, 990, 1_000), FLAT]
        trade = only(deal(rows, FIXED, minimal_roi=((0, D("0.05")),)))
        assert trade.cause is ExitCause.END_OF_DATA

    def test_minus_one_leaves_at_the_open(self) -> None:
        rows = [FLAT, FLAT, (980, 1_000, 970, 990), FLAT]
        table = ((0, D(1)), (60, D(-1)))
        assert only(deal(rows, FIXED, minimal_roi=table)).exit_price == D(980)

    def test_an_entry_in_the_wick_of_a_falling_candle_takes_no_target_above_its_close(self) -> None:
        rows = [FLAT, (1_000, 1_010, 900, 950), FLAT, FLAT]
        table = ((0, D("0.04")),)
        trade = only(deal(rows, FIXED, custom_entry_price=D(950), minimal_roi=table))
        assert (hour(trade.entry_ms), hour(trade.exit_ms)) == (1, 2)


class TestOrders:
    LOW: Row = (1_000, 1_000, 900, 950)

    def test_an_entry_below_the_market_is_withdrawn_after_a_while(self) -> None:
        run = deal([FLAT, FLAT, self.LOW, FLAT], FIXED, custom_entry_price=D(950))
        assert run.result.trades == ()

    def test_an_entry_that_may_wait_fills_where_the_market_comes_to_it(self) -> None:
        rows = [FLAT, FLAT, self.LOW, FLAT]
        trade = only(deal(rows, FIXED, custom_entry_price=D(950), entry_timeout_minutes=D(1_000)))
        assert (trade.entry_price, hour(trade.entry_ms)) == (D(950), 1)

    def test_an_entry_above_the_market_is_taken_at_the_high(self) -> None:
        rows = [FLAT, (1_000, 1_020, 990, 1_000), FLAT, FLAT]
        assert only(deal(rows, FIXED, custom_entry_price=D(2_000))).entry_price == D(1_020)

    @pytest.mark.parametrize("other", [None, "990"])
    def test_an_entry_is_withdrawn_or_replaced_where_the_strategy_says(
        self, other: str | None
    ) -> None:
        run = deal(
            [FLAT, FLAT, (1_000, 1_000, 960, 1_000), FLAT, FLAT],
            FIXED,
            custom_entry_price=D(950),
            adjusts_entry=True,
            adjust_entry_price=None if other is None else D(other),
            entry_timeout_minutes=D(1_000),
        )
        assert [trade.entry_price for trade in run.result.trades] == (
            [] if other is None else [990]
        )

    def test_an_exit_price_out_of_reach_leaves_at_the_end(self) -> None:
        told = {"enter_long": [0], "exit_long": [1]}
        trade = only(deal([FLAT] * 5, FIXED, told=told, custom_exit_price=D(2_000)))
        assert (trade.cause, hour(trade.exit_ms)) == (ExitCause.END_OF_DATA, 4)

    def test_an_exit_price_below_the_market_is_taken_at_the_low(self) -> None:
        told = {"enter_long": [0], "exit_long": [1]}
        rows = [FLAT, FLAT, (1_000, 1_010, 995, 1_000), FLAT]
        assert only(deal(rows, FIXED, told=told, custom_exit_price=D(1))).exit_price == D(995)

    def test_nothing_is_entered_on_the_last_candle(self) -> None:
        assert deal([FLAT] * 3, FIXED, told={"enter_long": [1]}).result.trades == ()

    def test_contradicting_signals_enter_nothing(self) -> None:
        told = {"enter_long": [0], "enter_short": [0]}
        assert deal([FLAT] * 4, FIXED, told=told).result.trades == ()

    def test_a_position_that_is_left_turns_with_a_signal_for_the_other_side(self) -> None:
        told = {"enter_long": [0], "exit_long": [2], "enter_short": [2]}
        first, second = deal([FLAT] * 6, FIXED, told=told).result.trades
        assert (first.side, second.side) == (Side.LONG, Side.SHORT)
        assert hour(first.exit_ms) == hour(second.entry_ms) == 3
