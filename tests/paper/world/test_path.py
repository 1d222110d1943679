"""How prices meet what rests: along a bar's path, over a gap, from trade to trade."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.paper.world.scene import START_US, SYMBOL, D, Scene, bars, plain, ticks
from trailstop.paper.facts import BookMoved, KlineMoved, TradePrinted
from trailstop.paper.settings import SECOND_US


def test_a_bar_is_four_prices_fifteen_seconds_apart():
    scene = Scene(bars((100, 105, 98, 103), (103, 104, 95, 96)))
    scene.run_out()
    prints = scene.world.trades(SYMBOL)
    assert [(p.time_us - START_US) // SECOND_US for p in prints] == [0, 15, 30, 45, 60, 75, 90, 105]
    rising, falling = prints[:4], prints[4:]
    assert [p.price for p in rising] == [100, 98, 105, 103], "against the direction first"
    assert [p.price for p in falling] == [103, 104, 95, 96]
    assert sum(p.quantity for p in rising) == 40


@pytest.mark.parametrize(
    ("side", "trigger", "exit_price"),
    [
        pytest.param("long", 99, 99, id="a long's stop is met on the way down"),
        pytest.param("short", 101.9, 102, id="a short's stop buys at the ask above it"),
    ],
)
def test_between_two_points_of_a_bar_a_stop_fills_at_its_own_price(side, trigger, exit_price):
    scene = Scene(bars((100, 105, 95, 104)))
    scene.world.open_position(scene.key, SYMBOL, side, D(1))
    stop = scene.stop(trigger, side="SELL" if side == "long" else "BUY")
    scene.run_out()
    assert scene.status(stop) == "FINISHED"
    assert [epoch.exit_price for epoch in scene.epochs] == [D(exit_price)]


def test_between_two_bars_there_is_a_gap():
    scene = Scene(bars((100, 100, 100, 100), (95, 96, 94, 95)))
    scene.long()
    scene.stop(99)
    scene.run_out()
    assert scene.epochs[0].exit_price == 95


def test_slippage_and_thin_depth_make_a_fill_worse():
    settings = plain(slippage_percent=Decimal("0.1"), depth=Decimal(1_000))
    scene = Scene(ticks(100, 100), settings)
    small = scene.order("BUY", 9)
    large = scene.order("BUY", 25)
    assert small.average_price == D("100.3"), "ask 100.1 and 0.1 %, rounded against the taker"
    assert large.average_price == D("100.5"), "three depths started: 0.3 %"


def test_stops_are_met_in_the_order_of_the_path_and_the_second_finds_nothing_left():
    scene = Scene(bars((100, 101, 90, 91)))
    scene.long()
    lower, upper = scene.stop(95), scene.stop(98)
    scene.run_out()
    assert scene.status(upper) == "FINISHED"
    assert scene.status(lower) == "REJECTED"
    assert scene.epochs[0].exit_price == 98
    assert not scene.position.amount


def test_a_limit_order_fills_only_when_the_price_goes_through_it():
    scene = Scene(ticks(100, 99, 98.9))
    order = scene.order("BUY", 1, 99)
    scene.after(1)
    assert order.status == "NEW", "touched, not passed"
    scene.after(2)
    assert (order.status, order.average_price) == ("FILLED", 99)
    assert scene.world.fills(scene.key)[-1].maker


def test_the_book_moves_before_the_trade_and_a_stray_print_leaves_it():
    scene = Scene(ticks(100, 102))
    scene.world.facts.clear()
    scene.after(1)
    kinds = [type(fact) for fact in scene.world.facts]
    assert kinds.index(BookMoved) < kinds.index(TradePrinted)
    assert scene.world.book(SYMBOL).bid == 102
    scene.world.print_price(SYMBOL, D(50), book=False)
    assert scene.world.last(SYMBOL) == 50
    assert scene.world.book(SYMBOL).bid == 102


def test_a_stray_print_fires_a_stop_that_then_fills_at_the_untouched_book():
    scene = Scene(ticks(100, 100))
    scene.long()
    scene.stop(90)
    scene.world.print_price(SYMBOL, D(80), book=False)
    assert scene.epochs[0].exit_price == 100


def test_a_stray_print_moves_no_mark_and_is_no_part_of_a_path():
    scene = Scene(bars((100, 100, 97, 98)))
    scene.long()
    working = scene.stop(99)
    backstop = scene.stop(90, None, working_type="mark")
    scene.after(5)
    scene.world.print_price(SYMBOL, D(99.5), book=False)
    scene.world.print_price(SYMBOL, D(200), book=False)
    scene.after(14)
    assert scene.world.mark(SYMBOL) == 100
    scene.after(15)
    assert scene.world.last(SYMBOL) == 100
    scene.run_out()
    assert (working.status, scene.epochs[0].exit_price) == ("FINISHED", 99)
    assert backstop.status == "EXPIRED"


def test_candles_are_the_bars_and_are_told_closed_at_the_end_of_their_minute():
    rows = [(100, 105, 98, 103), (103, 104, 95, 96), (97, 99, 96, 98)]
    scene = Scene(bars(*rows))
    scene.run_out()
    minutes = scene.world.klines(SYMBOL, "1m")
    assert [(k.open, k.high, k.low, k.close) for k in minutes] == [
        tuple(map(D, row)) for row in rows
    ]
    closed = [f for f in scene.world.facts if isinstance(f, KlineMoved) and f.closed]
    assert [f.time_us for f in closed] == [k.close_us + 1 for k in minutes]
    (five,) = scene.world.klines(SYMBOL, "5m", limit=1)
    assert (five.open, five.high, five.low, five.close, five.volume) == (100, 105, 95, 98, 120)


def test_candles_from_a_start_are_the_first_and_without_one_the_last():
    scene = Scene(bars(*[(100, 100, 100, 100)] * 9))
    scene.run_out()
    opens = [k.open_us for k in scene.world.klines(SYMBOL, "1m")]
    assert [k.open_us for k in scene.world.klines(SYMBOL, "1m", limit=2)] == opens[-2:]
    first = scene.world.klines(SYMBOL, "1m", opens[3], limit=2)
    assert [k.open_us for k in first] == opens[3:5]
    assert [k.open_us for k in scene.world.klines(SYMBOL, "1m", opens[3], opens[4])] == opens[3:5]
