"""LEAN's trailing stop order on bars: the fill against the stop of before, then the raise."""

from __future__ import annotations

from decimal import Decimal

from trailstop.lab.peers.lean import Order

D = Decimal


def sell(stop: int | None = 90) -> Order:
    return Order(
        "SELL",
        trailing_amount=D(10),
        trailing_as_percentage=False,
        stop_price=None if stop is None else D(stop),
    )


def test_a_bar_that_reaches_the_stop_does_not_raise_it() -> None:
    order = sell()
    assert order.bar(D(200), D(90), D(150))
    assert (order.stop, order.fill_price) == (D(90), D(90))


def test_a_bar_that_closes_beyond_the_stop_fills_at_its_close() -> None:
    order = sell()
    assert order.bar(D(95), D(80), D(85))
    assert order.fill_price == D(85)


def test_a_bar_above_the_stop_raises_it_by_its_high_even_through_its_low() -> None:
    order = sell()
    assert not order.bar(D(120), D(91), D(100))
    assert (order.stop, order.filled) == (D(110), False)
    assert order.bar(D(111), D(109), D(110))


def test_a_short_is_the_mirror_image() -> None:
    order = Order("BUY", trailing_amount=D("0.1"), trailing_as_percentage=True, stop_price=D(110))
    assert not order.bar(D(109), D(80), D(90))
    assert order.stop == D(88)
    assert order.bar(D(89), D(85), D(87))
    assert order.fill_price == D(88)


def test_the_first_bar_sets_a_stop_that_was_not_given() -> None:
    order = sell(stop=None)
    assert not order.bar(D(120), D(50), D(60))
    assert order.stop == D(110)
