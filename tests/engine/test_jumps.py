"""Acceptance: jumps wait for a witness; zero, late and stray prints change nothing."""

from __future__ import annotations

from tests.engine.story import check, policy
from trailstop.domain.policy import Steps

BARE = policy(breakeven_at_percent=None, backstop_percent=None, activation_percent="0")

START = """
        open long 100
        0s price 100     place 99.5
        0s ack
"""


def test_exactly_two_percent_is_no_jump() -> None:
    check(START + "1s price 102  move 101.49", BARE)


def test_a_jump_waits_and_a_second_print_confirms_it() -> None:
    check(
        START
        + """
        1s price 102.1   hold unconfirmed_jump peak 100 wake 2s
        1.5s price 103   move 101.59 peak 103 exact 102.49
        """,
        BARE,
    )


def test_the_first_print_of_a_confirmed_jump_is_decided_first() -> None:
    check(
        START
        + """
        1s price 103     hold unconfirmed_jump
        1.5s price 102.5 move 102.49 peak 103 hold in_flight
        """,
        BARE,
    )


def test_the_book_confirms_a_jump_before_or_after() -> None:
    check(START + "1s quote 102.9 103\n 1s price 103  move 102.49", BARE)
    check(START + "1s price 103 hold unconfirmed_jump\n 1.2s quote 102.9 103  move 102.49", BARE)


def test_the_mark_confirms_a_jump_before_or_after() -> None:
    check(START + "1s mark 103.1\n 1s price 103  move 102.49", BARE)
    check(START + "1s price 103 hold unconfirmed_jump\n 1.2s mark 103  move 102.49", BARE)


def test_a_witness_elsewhere_confirms_nothing() -> None:
    check(
        START
        + """
        1s quote 99.9 100.1
        1s mark 100
        1s price 103     hold unconfirmed_jump
        1.1s quote 99.8 100
        1.1s mark 100    hold unconfirmed_jump
        """,
        BARE,
    )


def test_after_a_second_it_is_accepted_anyway() -> None:
    check(START + "1s price 103 wake 2s\n 1.999s time\n 2s time  move 102.49 peak 103", BARE)
    check(START + "1s price 103 wake 2s\n 2.5s price 103.2  move 102.49 peak 103.2", BARE)


def test_a_stray_print_is_forgotten() -> None:
    check(START + "1s price 120 hold unconfirmed_jump\n 1.2s price 99.9 peak 100 wake never", BARE)
    check(
        START + "1s price 80 hold unconfirmed_jump\n 1.2s price 100 phase active wake never", BARE
    )


def test_prints_that_run_on_wait_no_longer_than_the_first() -> None:
    check(
        START
        + """
        1s price 103     wake 2s
        1.4s price 106   hold unconfirmed_jump wake 2s
        1.8s price 109   hold unconfirmed_jump wake 2s
        2s time          move 108.46
        """,
        BARE,
    )


def test_prints_of_one_time_are_one_sweep_and_no_second_print() -> None:
    check(
        START
        + """
        1s price 120     hold unconfirmed_jump
        1s price 120     hold unconfirmed_jump peak 100
        1.1s price 100   peak 100
        """,
        BARE,
    )


def test_marks_and_bars_are_never_filtered() -> None:
    check(START + "1s mark_price 118  move 117.41", BARE)
    check(START + "1s bar 118  move 117.41", BARE)
    check(START + "1s price 120 wake 2s\n 1.1s bar 99.9 peak 100 wake never", BARE)


def test_zero_and_negative_prices_are_nothing() -> None:
    check(START + "1s price 0 phase active peak 100\n 2s price -5 phase active peak 100", BARE)


def test_a_late_price_changes_nothing() -> None:
    check(START + "5s price 99.9 peak 100\n 5s late 100.5 peak 100", BARE)
    check(START + "5s price 99.9\n 5s late 90 phase active hold not_better", BARE)


def test_a_jump_through_the_stop_closes_only_once_confirmed() -> None:
    held = START + "1s price 100.9 move 100.4\n 1s ack\n 2s price 101.2 hold interval exact 100.7\n"
    check(held + "3s price 98 hold unconfirmed_jump\n 3.1s price 97.9  close crossed", BARE)


def test_a_closed_position_forgets_its_jump() -> None:
    check(
        START + "1s price 103 wake 2s\n 1.1s triggered wake 6.1s\n 1.2s closed trail wake never",
        BARE,
    )


def test_bid_and_ask_are_prices_of_their_own_for_the_dialects() -> None:
    both = policy(
        basis="bid_ask", breakeven_at_percent=None, backstop_percent=None, activation_percent="0"
    )
    check("open long 100\n quote 100 100.2  place 99.5", both)
    check("open short 100\n quote 99.8 100  place 100.5", both)


def test_a_jump_right_after_a_settled_one_waits_for_a_witness_of_its_own() -> None:
    check(
        """
        open long 100
        0s price 94.9     place 94.43 alarm adopted_beyond_stop
        0s ack
        0s price 96.8     hold unconfirmed_jump
        2s price 93       move 96.32
        2s price 96.7     hold in_flight          # back at 96.8: the print at 93 was a stray
        3s price 93       hold unconfirmed_jump
        """,
        policy(
            activation_percent="0",
            distance=Steps(),
            breakeven_at_percent=None,
            backstop_percent=None,
        ),
    )


def test_an_answer_that_comes_while_a_jump_waits_does_not_let_it_be_forgotten() -> None:
    check(
        """
        open long 100
        0s price 102      place 101.49
        1s price 105      hold unconfirmed_jump
        1s ack            # the jump still waits
        1s price 101.9    # and was a stray
        2s price 105      hold unconfirmed_jump
        """,
        policy(activation_percent="0", breakeven_at_percent=None, backstop_percent=None),
    )
