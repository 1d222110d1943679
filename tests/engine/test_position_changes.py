"""Averaging in, partial close, a moving liquidation price: epoch, phase and target continue."""

from __future__ import annotations

from tests.engine.story import D, check, policy
from trailstop.domain.policy import ProfitShare

BARE = {"breakeven_at_percent": None, "backstop_percent": None}
SETTINGS = policy(**BARE)
SHARE = policy(distance=ProfitShare(D("0.5")), activation_percent="0", **BARE)

START = """
        open long 100 size 2
        price 100        place 98 covers 2
        0s ack
"""


def test_a_partial_close_puts_the_size_right_at_the_same_price() -> None:
    check(
        START
        + """
        10s position size 1   move 98 covers 1 target 98
        10s ack               live 98 moves 0
        11s price 100
        """,
        SETTINGS,
    )


def test_an_added_size_is_covered_at_once() -> None:
    check(
        START + "10s position size 3 entry 99  move 98 covers 3\n 11s ack live 98 moves 0", SETTINGS
    )


def test_size_put_right_does_not_count_for_pacing() -> None:
    check(
        START
        + """
        1s price 101.5        move 101
        1s ack                moves 1
        50s position size 1   move 101
        50s ack               moves 1
        60s price 102         hold interval wake 61s
        """,
        SETTINGS,
    )


def test_size_waits_for_a_write_in_flight_and_goes_before_a_better_price() -> None:
    check(
        START
        + """
        1s price 101.5        move 101 covers 2
        1.01s position size 1 hold in_flight
        1.05s ack             move 101 covers 1
        1.06s price 102.8     hold in_flight
        1.1s ack              move 102.29 covers 1
        """,
        SETTINGS,
    )


def test_size_waits_for_an_unknown_outcome() -> None:
    check(
        START
        + """
        1s price 101.5        move 101 covers 2
        2s unknown
        3s position size 1    hold unknown_outcome
        4s refused transient  alarm stop_refused
        5s time               move 98 covers 1
        5.1s ack              move 101 covers 1
        """,
        SETTINGS,
    )


def test_a_refused_size_is_asked_for_again() -> None:
    check(
        START
        + """
        1s position size 1    move 98
        2s refused transient  alarm stop_refused
        3s time               move 98 covers 1
        """,
        SETTINGS,
    )


def test_size_is_not_sent_while_the_price_is_through_the_stop() -> None:
    check(
        START
        + """
        1s price 98           hold crossed
        2s position size 1    hold crossed
        3s price 99           move 98 covers 1
        """,
        SETTINGS,
    )


def test_size_before_any_stop_of_ours_is_simply_the_size() -> None:
    check("open long 100 size 2\n position size 1\n price 100  place 98 covers 1", SETTINGS)


def test_averaging_down_never_loosens() -> None:
    check(
        START
        + """
        10s position entry 98.5    # 2 % below it is 96.53
        11s price 99               exact 98
        """,
        SETTINGS,
    )
    check(
        """
        open short 100
        price 100        place 102
        0s ack
        10s position entry 101.5   # 2 % above it is 103.53
        11s price 101              exact 102
        """,
        SETTINGS,
    )


def test_averaging_up_tightens_the_initial_stop_with_the_next_price() -> None:
    check(
        START + "10s position entry 101 live 98\n 11s price 100.5  move 98.98 initial_stop",
        SETTINGS,
    )


def test_averaging_up_puts_no_stop_through_the_price() -> None:
    check(
        START + "10s position entry 101.5\n 11s price 99.4  exact 98\n 12s price 99.5  move 99.47",
        SETTINGS,
    )


def test_a_base_at_the_present_price_stays_when_the_average_moves() -> None:
    check(
        """
        open long 100
        price 97         place 95.06 alarm adopted_beyond_stop
        0s ack
        1s position entry 98.5
        2s price 97      exact 95.06
        """,
        SETTINGS,
    )


def test_a_distance_from_the_entry_starts_again_at_the_price_of_that_moment() -> None:
    check(
        """
        open long 100
        bar 110               place 105
        0s ack
        1s price 108          exact 105 peak 110
        2s position entry 104 peak 108 exact 105
        3s price 108.1        move 106.05 peak 108.1
        """,
        SHARE,
    )


def test_a_callback_keeps_its_peak_when_the_average_moves() -> None:
    check(
        START
        + """
        1s price 101.5        move 101
        1s ack
        2s position entry 101 peak 101.5
        """,
        SETTINGS,
    )


def test_a_liquidation_price_that_comes_nearer_tightens_the_stop() -> None:
    check(START + "1s position liq 98\n 2s price 100  move 98.2 initial_stop", SETTINGS)


def test_a_liquidation_price_that_comes_nearer_draws_the_backstop_in() -> None:
    long = "open long 100\n 0s price 100  place 98 backstop 95\n 0s ack\n"
    check(long + "1s position liq 95 backstop_target 95.5")
    check(long + "1s position liq 90 backstop_target 95    # far enough as it is")
    check(long + "1s position liq 98 backstop_target none  # no room behind the stop at 98")
    short = "open short 100\n 0s price 100  place 102 backstop 105\n 0s ack\n"
    check(short + "1s position liq 105 backstop_target 104.5")
    check(short + "1s position liq 102 backstop_target none")


def test_an_average_that_moves_the_activation_does_not_take_it_back() -> None:
    check(
        START
        + "1s price 101.5  move 101\n 1s ack\n 2s position entry 101.4\n 3s price 101.4 phase active",
        SETTINGS,
    )
