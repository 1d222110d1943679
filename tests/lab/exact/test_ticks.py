"""Trades and quotes: what a stray print does and does not do, latency among ticks, bid and ask."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.lab.exact.worlds import BARE, START_MS, bars, book, entry, one, prints
from trailstop.domain.policy import Callback, Policy
from trailstop.domain.price import Side
from trailstop.errors import ConfigError
from trailstop.lab import ExitCause
from trailstop.lab.terms import NO_COSTS

D = Decimal
WIDE = replace(BARE, activation_percent=D(3), distance=Callback(D(1)))
"""Begins to trail at 103 and has no stop before, so that only the rule itself can close."""
QUOTED = replace(BARE, basis="bid_ask")


def test_each_trade_is_reached_by_a_jump() -> None:
    trade = one(prints([(0, "100"), (10, "101"), (20, "99.70")]), entry())
    assert (trade.exit_price, trade.exit_ms) == (D("99.70"), START_MS + 20)
    assert trade.cause is ExitCause.TRAIL
    assert (trade.best, trade.worst) == (D(101), D("99.70"))


def test_a_stray_print_raises_no_peak() -> None:
    rows = [(0, "100"), (10, "104"), (20, "100"), (30, "100"), (2_000, "99.50")]
    trade = one(prints(rows), entry(), WIDE)
    assert trade.activated_ms is None
    assert trade.cause is ExitCause.END_OF_DATA


def test_a_second_print_confirms_a_jump() -> None:
    rows = [(0, "100"), (10, "104"), (20, "104.10"), (2_000, "103")]
    trade = one(prints(rows), entry(), WIDE)
    assert trade.activated_ms == START_MS + 20
    assert (trade.exit_price, trade.cause) == (D(103), ExitCause.TRAIL)


def test_a_jump_that_nothing_contradicts_counts_after_a_second() -> None:
    rows = [(0, "100"), (10, "104"), (5_000, "104")]
    trade = one(prints(rows), entry(), WIDE)
    assert trade.activated_ms == START_MS + 1_010


def test_trades_far_from_each_other_count_as_jumps_where_nothing_else_depends_on_them() -> None:
    rows = [(0, "100"), (10, "97"), (1_500, "97.10"), (1_600, "97.20")]
    trade = one(prints([*rows, (1_700, "103.20"), (5_000, "103.20")]), entry(), WIDE)
    # The price has long been 97: the jump back up waits for its own second.
    assert trade.activated_ms == START_MS + 2_700


@pytest.mark.parametrize("quote_ms", [5, 15])
def test_the_book_confirms_a_jump(quote_ms: int) -> None:
    quotes = book([(quote_ms, "104", "104.10")])
    trade = one(prints([(0, "100"), (10, "104"), (20, "100")]), entry(), WIDE, quotes=quotes)
    assert trade.activated_ms == START_MS + max(10, quote_ms)


HELD = Policy(
    initial_stop_percent=D(5),
    backstop_percent=None,
    breakeven_at_percent=None,
    activation_percent=D(0),
    distance=Callback(D("0.5")),
    min_improvement_percent=D(10),
    emergency_percent=None,
)
"""Moves once, and then only by ten percent: the exact stop leaves the resting one behind."""
RISE = [(0, "100"), (200, "100.20"), (400, "101"), (600, "102.90"), (800, "104.80")]
"""The stop rests behind 100.20, at 99.70; the exact stop ends behind 104.80, at 104.28."""


def test_a_stray_print_does_not_cross_the_exact_stop_but_two_do() -> None:
    stray = [*RISE, (850, "102.60"), (860, "104.60")]
    trade = one(prints(stray), entry(), HELD)
    assert [move.to_price for move in trade.moves] == [D("99.50"), D("99.70")]
    assert trade.cause is ExitCause.END_OF_DATA
    twice = [*RISE, (850, "102.60"), (860, "102.50"), (870, "104.60")]
    trade = one(prints(twice), entry(), HELD)
    assert (trade.exit_price, trade.exit_ms, trade.crossed) == (D("102.50"), START_MS + 860, True)


def test_what_rests_on_the_exchange_fires_at_a_stray_print_too() -> None:
    stray = [*RISE, (850, "99.60"), (860, "104.60")]
    trade = one(prints(stray), entry(), HELD)
    assert (trade.exit_price, trade.crossed) == (D("99.60"), False)


def test_a_close_fills_at_the_last_price_of_when_it_arrives() -> None:
    costs = replace(NO_COSTS, latency_ms=100)
    rows = [*RISE, (1_000, "104.20"), (1_090, "104.10"), (1_100, "103"), (1_200, "102")]
    trade = one(prints(rows), entry(), HELD, costs=costs)
    assert (trade.exit_price, trade.exit_ms) == (D("104.10"), START_MS + 1_100)


def test_the_resting_stop_may_fire_before_a_close_arrives() -> None:
    costs = replace(NO_COSTS, latency_ms=100)
    rows = [*RISE, (1_000, "104.20"), (1_050, "99"), (1_060, "104")]
    trade = one(prints(rows), entry(), HELD, costs=costs)
    assert (trade.exit_price, trade.exit_ms) == (D(99), START_MS + 1_050)
    assert not trade.crossed


def test_a_close_that_the_data_does_not_outlive_fills_at_its_end() -> None:
    costs = replace(NO_COSTS, latency_ms=100)
    trade = one(prints([*RISE, (1_000, "104.20"), (1_050, "104")]), entry(), HELD, costs=costs)
    assert (trade.exit_price, trade.exit_ms) == (D(104), START_MS + 1_050)
    assert trade.crossed


@pytest.mark.parametrize(
    ("side", "price", "level"), [(Side.LONG, "100.10", "99.40"), (Side.SHORT, "100", "100.70")]
)
def test_a_long_is_judged_and_left_at_the_bid_a_short_at_the_ask(
    side: Side, price: str, level: str
) -> None:
    rows = [(0, "100", "100.10"), (10, "100.40", "99.70"), (20, "99.41", "100.69")]
    quotes = book([*rows, (30, "99.39", "100.71")])
    trade = one(quotes, entry(side, price), QUOTED)
    assert (trade.exit_price, trade.exit_ms) == (
        D("99.39") if side is Side.LONG else D("100.71"),
        START_MS + 30,
    )
    assert trade.moves[-1].to_price == D(level)


def test_the_better_of_trades_and_book_is_the_peak() -> None:
    policy = replace(BARE, basis="last_or_bid_ask")
    quotes = book([(5, "100.50", "100.60"), (15, "99.40", "99.50")])
    trade = one(prints([(0, "100"), (10, "100.10"), (20, "100")]), entry(), policy, quotes=quotes)
    assert (trade.exit_price, trade.exit_ms) == (D("99.40"), START_MS + 15)


def test_an_entry_before_its_own_trade_sees_it() -> None:
    rows = [(0, "100"), (10, "98.90")]
    trade = one(prints(rows), entry(price="100", index=1, at_close=False))
    assert (trade.exit_price, trade.exit_ms) == (D("98.90"), START_MS + 10)


@pytest.mark.parametrize(
    ("prices", "policy", "more", "text"),
    [
        (prints([(0, "100")]), QUOTED, {}, "give quotes as prices"),
        (book([(0, "100", "101")]), BARE, {}, "give bars or trades"),
        (prints([(0, "100")]), replace(BARE, basis="last_or_bid_ask"), {}, "trades and quotes"),
        (bars([("1", "1", "1", "1")]), BARE, {"quotes": book([(0, "1", "1")])}, "beside trades"),
    ],
)
def test_prices_that_the_policy_does_not_watch_are_refused(
    prices: object, policy: Policy, more: dict[str, object], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        one(prices, entry(), policy, **more)
