"""NautilusTrader's trailing orders in a simulated market, one behaviour a test."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from trailstop.dialects import nautilus
from trailstop.domain.price import Side
from trailstop.errors import ConfigError
from trailstop.lab.peers.nautilus import Order, Ticket

D = Decimal


def order(**changes: Any) -> Order:
    """A SELL that trails the bid by 5 with its limit 7 behind, unless something else is said."""
    ticket: dict[str, Any] = {
        "side": "SELL",
        "trigger_type": "BID_ASK",
        "offset_type": "PRICE",
        "trailing_offset": D(5),
        "limit_offset": D(7),
        "tick_size": D("0.1"),
        "quantity": D(10),
    }
    return Order(Ticket(**(ticket | changes)))


def quote(to: Order, bid: str, *, size: str | None = None) -> None:
    to.quote(D(bid), D(bid) + 1, bid_size=None if size is None else D(size))


def fired() -> Order:
    """A limit order at 93 whose trigger at 95 has just fired at 92."""
    sell = order()
    quote(sell, "100")
    sell.submit()
    quote(sell, "92")
    return sell


def test_the_limit_trails_at_an_offset_of_its_own() -> None:
    sell = order()
    quote(sell, "100")
    sell.submit()
    assert (sell.trigger, sell.limit, sell.status) == (D(95), D(93), "ACCEPTED")
    quote(sell, "103")
    quote(sell, "101")
    assert (sell.trigger, sell.limit) == (D(98), D(96))


def test_the_offset_types_hold_for_the_limit_too() -> None:
    limits = [
        nautilus.limit_price(D(200), side, offset_type=kind, limit_offset=D(50), tick_size=D("0.1"))
        for side in (Side.LONG, Side.SHORT)
        for kind in ("PRICE", "BASIS_POINTS", "TICKS")
    ]
    assert limits == [D(150), D(199), D(195), D(250), D(201), D(205)]


def test_a_limit_that_the_market_has_passed_waits_and_makes_the_price() -> None:
    sell = fired()
    assert (sell.status, sell.becomes, sell.filled) == ("TRIGGERED", "LIMIT", D(0))
    quote(sell, "92.9")
    assert sell.filled == 0
    quote(sell, "93")
    assert (sell.status, sell.fill_price, sell.liquidity) == ("FILLED", D(93), "MAKER")


def test_a_touched_limit_fills_with_what_is_there_and_a_passed_one_with_all() -> None:
    sell = fired()
    quote(sell, "93", size="4")
    assert (sell.status, sell.filled) == ("PARTIALLY_FILLED", D(4))
    quote(sell, "93.1", size="1")
    assert (sell.status, sell.filled) == ("FILLED", D(10))


def test_a_limit_within_the_market_takes_the_price_at_once() -> None:
    sell = order()
    quote(sell, "100")
    sell.submit()
    quote(sell, "94")
    assert (sell.status, sell.fill_price, sell.liquidity) == ("FILLED", D(95), "TAKER")


def test_a_triggered_limit_trails_no_more() -> None:
    sell = fired()
    limit = sell.limit
    quote(sell, "92.5")
    assert sell.limit == limit


def test_a_limit_waits_for_its_activation_with_its_trigger() -> None:
    sell = order(activation_price=D(110))
    quote(sell, "100")
    sell.submit()
    assert (sell.trigger, sell.limit, sell.activated) == (None, None, False)
    quote(sell, "112")
    assert (sell.trigger, sell.limit, sell.activated) == (D(107), D(105), True)


def test_prices_of_before_count_for_a_given_trigger_with_the_next_one() -> None:
    buy = order(side="BUY", trigger_type="LAST_PRICE", trigger_price=D(120), limit_price=D(121))
    quote(buy, "100")
    buy.trade(D(100))
    buy.submit()
    assert (buy.trigger, buy.limit) == (D(120), D(121))
    quote(buy, "99")
    assert (buy.trigger, buy.limit) == (D(105), D(107))


@pytest.mark.parametrize(
    ("adaptive", "trigger", "status"),
    [
        # Up to 106, back to 99: the trigger of 101 is hit.
        pytest.param(False, "101", "FILLED", id="open high low close"),
        # The low is nearer to the open: 99, then 106, and the close of 104 stays above.
        pytest.param(True, "101", "ACCEPTED", id="the nearer end first"),
    ],
)
def test_a_bar_is_a_row_of_prices(adaptive: bool, trigger: str, status: str) -> None:
    sell = order(limit_offset=None)
    quote(sell, "100")
    sell.submit()
    sell.bar(D(100), D(106), D(99), D(104), adaptive=adaptive)
    assert (sell.trigger, sell.status) == (D(trigger), status)


def test_without_prices_there_is_no_trigger_to_submit() -> None:
    with pytest.raises(ConfigError, match="watches bid"):
        order().submit()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"activation_price": D(99)}, id="activation"),
        pytest.param({"trigger_price": D(100), "limit_price": D(98)}, id="trigger"),
    ],
)
def test_an_exchange_refuses_what_the_market_has_reached(changes: dict[str, Any]) -> None:
    sell, kept = order(**changes), order(**changes, emulated=True)
    for one in (sell, kept):
        quote(one, "100")
        one.submit()
        quote(one, "110")
    assert (sell.status, sell.trigger) == ("REJECTED", None)
    assert (kept.status, kept.trigger) == ("ACCEPTED", D(105))
