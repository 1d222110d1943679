"""The stop moves to the price that pays the fees both ways, and funding."""

from __future__ import annotations

import pytest

from tests.engine.story import TAKER, check, policy

NO_BACKSTOP = policy(backstop_percent=None)


def test_with_fees_the_move_waits_until_the_distance_fits_in_between() -> None:
    # X = 100 · 1.0005 / 0.9995 = 100.10005; price · 0.995 reaches it at 100.60307.
    check(
        """
        open long 100
        price 100     place 98
        ack
        price 100.5   hold not_activated     # the gain is there, the distance is not
        price 100.60  hold not_activated
        price 100.61  move 100.11 breakeven phase waiting
        """,
        NO_BACKSTOP,
        fees=TAKER,
    )
    # X = 100 · 0.9995 / 1.0005 = 99.90005; price · 1.005 reaches it at 99.40303.
    check(
        """
        open short 100
        price 100     place 102
        ack
        price 99.41   hold not_activated
        price 99.40   move 99.9 breakeven phase waiting
        """,
        NO_BACKSTOP,
        fees=TAKER,
    )


def test_without_fees_it_is_the_entry_at_the_gain_that_is_set() -> None:
    check(
        "open long 100\n price 100.4  place 98\n ack\n price 100.50  hold not_activated",
        NO_BACKSTOP,
    )
    check(
        "open long 100\n price 100.4  place 98\n ack\n price 100.51  move 100 breakeven",
        NO_BACKSTOP,
    )


def test_the_gain_must_be_reached_even_where_the_distance_fits() -> None:
    late = policy(breakeven_at_percent="1.0", backstop_percent=None)
    check("open long 100\n price 100.99  place 98\n ack\n price 101  move 100 breakeven", late)
    check("open short 100\n price 99.01  place 102\n ack\n price 99  move 100 breakeven", late)


def test_funding_paid_is_part_of_it_and_funding_received_is_not() -> None:
    # F/q = 0.4 / 2 = 0.2: X = 100.25 / 0.9995 = 100.30015.
    check(
        """
        open long 100 size 2 funding 0.4
        price 100.80  place 98
        ack
        price 100.81  move 100.31 breakeven
        """,
        NO_BACKSTOP,
        fees=TAKER,
    )
    check(
        "open long 100 size 2 funding -0.4\n price 100.60  place 98\n ack\n price 100.61  move 100.11",
        NO_BACKSTOP,
        fees=TAKER,
    )
    # F/q = 0.2: X = (99.95 − 0.2) / 1.0005 = 99.70014.
    check(
        "open short 100 size 2 funding 0.4\n price 100  place 102\n ack\n price 99.2  move 99.7",
        NO_BACKSTOP,
        fees=TAKER,
    )


def test_later_funding_never_pushes_the_stop_nearer_than_the_distance() -> None:
    check(
        """
        open long 100
        price 100     place 98
        ack
        price 100.61  move 100.11 breakeven
        1s ack
        position funding 0.4      # X is now 100.50025, above what the price allows
        2s price 100.62 hold not_activated
        70s price 101.01 move 100.51 breakeven
        """,
        NO_BACKSTOP,
        fees=TAKER,
    )


def test_funding_above_the_price_waits_for_the_price() -> None:
    check(
        """
        open long 100 funding 3
        price 101.6   place 101.1 trail     # X is 103.1: trailing is there first
        ack
        """,
        NO_BACKSTOP,
        fees=TAKER,
    )


@pytest.mark.parametrize(
    ("offset", "stop"),
    [("0.2", "100.31"), ("-0.05", "100.05")],
)
def test_the_offset_is_percent_of_the_breakeven_price(offset: str, stop: str) -> None:
    check(
        f"open long 100\n price 100  place 98\n ack\n price 101  move {stop} breakeven",
        policy(breakeven_offset_percent=offset, backstop_percent=None),
        fees=TAKER,
    )


def test_it_can_be_switched_off() -> None:
    check(
        "open long 100\n price 100  place 98\n ack\n price 101.4  hold not_activated",
        policy(breakeven_at_percent=None, backstop_percent=None),
    )


def test_the_breakeven_move_is_not_paced_and_spends_only_itself() -> None:
    check(
        """
        open long 100
        price 99      place 98
        ack
        position entry 99.3                 # the average fell: the initial stop stays
        position entry 100.8                # it rose: 98.784
        price 99.5    move 98.79 initial_stop
        1s ack        moves 1
        2s price 101.45 move 100.91 breakeven
        3s ack        moves 2
        4s price 101.7 hold not_activated
        """,
        NO_BACKSTOP,
        fees=TAKER,
    )


def test_known_fees_move_it() -> None:
    check(
        """
        open long 100
        price 100    place 98
        ack
        fees 0.001 0.001              # X = 100.1 / 0.999 = 100.2002
        price 100.61 hold not_activated
        price 100.71 move 100.21 breakeven
        """,
        NO_BACKSTOP,
        fees=TAKER,
    )
