"""The exact stop is reached; a stop fires or does not; a position that will not close."""

from __future__ import annotations

from tests.engine.story import check, policy

BARE = {"breakeven_at_percent": None, "backstop_percent": None}
CLOSE = policy(**BARE)
HOLD = policy(on_cross="hold", **BARE)

HELD_LONG = """
        open long 100
        price 100        place 98
        0s ack
        1s price 101.5   move 101
        1s ack
        2s price 102.2   hold interval exact 101.69 live 101
"""
HELD_SHORT = """
        open short 100
        price 100        place 102
        0s ack
        1s price 98.5    move 98.99
        1s ack
        2s price 97.8    hold interval exact 98.28 live 98.99
"""


def test_a_cross_of_the_exact_stop_closes_where_the_live_stop_is_looser() -> None:
    check(
        HELD_LONG
        + "3s price 101.70 hold interval\n 4s price 101.69  close crossed phase triggered",
        CLOSE,
    )
    check(
        HELD_SHORT + "3s price 98.27 hold interval\n 4s price 98.28  close crossed phase triggered",
        CLOSE,
    )


def test_a_strict_policy_closes_beyond_the_stop_only() -> None:
    strict = policy(strict=True, **BARE)
    check(HELD_LONG + "4s price 101.69 hold crossed\n 5s price 101.68  close crossed", strict)


def test_with_hold_nothing_is_sent_while_the_price_is_beyond_the_exact_stop() -> None:
    check(
        HELD_LONG
        + """
        3s price 101.5   hold crossed phase active wake never
        70s time         hold crossed           # the interval is over: still nothing
        71s price 101.6  hold crossed
        72s price 101.8  move 101.69            # back above it: the held move goes out
        """,
        HOLD,
    )
    check(
        HELD_SHORT
        + """
        3s price 98.5    hold crossed phase active wake never
        70s time         hold crossed
        72s price 98.2   move 98.28
        """,
        HOLD,
    )


def test_with_hold_a_price_beyond_the_live_stop_too_is_chased() -> None:
    check(
        HELD_LONG
        + """
        3s price 101.5   hold crossed wake never
        4s price 100.9   hold crossed wake 9s
        9s time          close beyond_without_trigger alarm chased phase triggered
        """,
        HOLD,
    )


def test_a_stop_at_its_exact_place_is_left_to_the_exchange() -> None:
    check(
        """
        open long 100
        price 100        place 98
        0s ack
        10s price 98     hold crossed phase waiting wake 15s
        11s triggered    phase triggered hold none wake 16s
        12s price 97     phase triggered
        13s closed initial_stop  phase closed wake never
        14s price 99     phase closed
        """,
        CLOSE,
    )


def test_it_is_chased_when_the_trigger_left_it_open_for_five_seconds() -> None:
    check(
        """
        open long 100
        price 100        place 98
        0s ack
        10s triggered    wake 15s
        14.999s time
        15s time         close triggered_still_open alarm chased wake 20s
        20s time         close triggered_still_open    # again, and told once
        """,
        CLOSE,
    )


def test_it_is_chased_when_the_price_stays_beyond_for_five_seconds_without_a_trigger() -> None:
    check(
        """
        open short 100
        price 100        place 102
        0s ack
        10s price 102    hold crossed wake 15s
        12s price 102.5  hold crossed wake 15s
        14.9s price 102.1 hold crossed
        15s price 102.2  close beyond_without_trigger alarm chased
        """,
        CLOSE,
    )


def test_a_price_that_came_back_starts_the_five_seconds_anew() -> None:
    check(
        """
        open long 100
        price 100        place 98
        0s ack
        10s price 98     wake 15s
        14s price 98.01  hold not_activated wake never
        16s price 97.9   wake 21s
        """,
        CLOSE,
    )


def test_a_stale_price_never_closes_and_starts_no_watch() -> None:
    check(
        HELD_LONG
        + """
        3s stale 101     hold crossed phase active wake never
        4s stale 100     hold crossed wake never
        5s price 101     close crossed
        """,
        CLOSE,
    )


def test_a_stale_price_does_not_end_a_watch_either() -> None:
    check(
        """
        open long 100
        price 100        place 98
        0s ack
        10s price 98     wake 15s
        11s stale 98.5   wake 15s
        """,
        CLOSE,
    )


def test_a_stale_price_still_raises_the_peak() -> None:
    check(HELD_LONG + "3s stale 102.5  peak 102.5 exact 101.99 hold interval", CLOSE)


def test_a_close_that_does_not_happen_is_repeated() -> None:
    check(
        HELD_LONG
        + """
        4s price 101.6   close crossed wake 9s
        5s triggered     wake 9s
        9s time          close triggered_still_open alarm chased
        """,
        CLOSE,
    )


def test_a_refused_order_of_a_fired_stop_is_answered_with_a_close_at_once() -> None:
    check(
        HELD_LONG + "4s triggered\n 4s rejected  close trigger_rejected alarm trigger_rejected",
        CLOSE,
    )


def test_what_closed_hears_nothing_more() -> None:
    check(
        HELD_LONG
        + """
        4s triggered
        5s closed trail   phase closed wake never
        6s quote 90 91    phase closed
        7s rejected       phase closed
        8s please_close   phase closed
        9s time           phase closed
        """,
        policy(basis="bid_ask", **BARE),
    )


def test_what_fired_takes_no_more_orders_about_its_stop() -> None:
    check(
        HELD_LONG
        + """
        4s triggered       phase triggered
        5s ack 101         phase triggered
        5s refused other   phase triggered
        5s unknown         phase triggered
        6s tighten 101.9   phase triggered
        6s foreign 101.9   phase triggered
        6s gap 103         phase triggered
        6s pause           phase triggered
        6s resume          phase triggered
        6s position size 0.5 phase triggered
        9s time            close triggered_still_open alarm chased
        """,
        CLOSE,
    )
