"""Gaps: back-filled prices raise, never close; one live price decides."""

from __future__ import annotations

from tests.engine.story import check, policy

BARE = policy(breakeven_at_percent=None, backstop_percent=None)

START = """
        open long 100
        price 100        place 98
        0s ack
"""
TRAILING = START + "1s price 101.5  move 101\n 1s ack\n"


def test_a_gap_raises_activation_peak_and_exact_stop_and_sends_nothing() -> None:
    check(
        START
        + """
        10s gap 101      phase waiting
        20s gap 103      phase active peak 103 exact 102.49 live 98
        30s gap 102.8    peak 103 gap_crossed no
        40s bar 102.9    move 102.49
        """,
        BARE,
    )


def test_a_gap_does_not_activate_with_prices_of_before_the_activation() -> None:
    check(START + "10s gap 101.4\n 20s gap 99  phase waiting peak none exact 98", BARE)


def test_crossed_during_the_gap_is_noted_and_the_live_price_decides_to_go_on() -> None:
    check(
        TRAILING
        + """
        10s gap 101.8    exact 101.3 gap_crossed no
        20s gap 101.2    exact 101.3 gap_crossed yes phase active
        30s gap 101.6    gap_crossed yes
        100s price 101.6 move 101.3 gap_crossed no
        """,
        BARE,
    )


def test_crossed_during_the_gap_and_still_beyond_closes_on_the_live_price() -> None:
    check(
        TRAILING
        + """
        10s gap 101.8    exact 101.3
        20s gap 101.2    gap_crossed yes
        100s price 101.2 close crossed
        """,
        BARE,
    )


def test_a_gap_below_every_stop_closes_nothing() -> None:
    check(START + "10s gap 50  phase waiting gap_crossed yes\n 20s gap 100\n 30s price 100", BARE)


def test_nothing_goes_out_on_time_before_a_live_price() -> None:
    check(
        TRAILING
        + """
        10s gap 102      exact 101.49
        90s time         hold no_price
        91s price 101.7  move 101.49
        """,
        BARE,
    )


def test_a_gap_activates_by_time_with_the_time_of_its_price() -> None:
    timed = policy(activation_after_minutes="10", breakeven_at_percent=None, backstop_percent=None)
    check(
        """
        open long 100 opened 0
        price 100        place 98
        0s ack
        599s gap 101     phase waiting
        601s gap 100.5   phase active peak 100.5
        """,
        timed,
    )


def test_a_gap_before_the_first_live_price_is_nothing() -> None:
    check("open long 100\n gap 105 phase inactive peak none exact none", BARE)


def test_a_jump_after_a_gap_waits_for_its_witness() -> None:
    check(
        TRAILING
        + "10s gap 105\n 20s price 105 hold unconfirmed_jump\n 20.3s price 105 move 104.48",
        BARE,
    )


def test_an_unproven_continuation_keeps_the_live_stop_but_not_the_peak() -> None:
    check(
        TRAILING
        + """
        10s price 102    hold interval exact 101.49
        20s forgotten    live 101 exact 101 peak none phase active
        21s price 101.3  peak 101.3 hold not_better
        """,
        BARE,
    )
    check("open long 100\n forgotten  exact none live none\n price 100  place 98", BARE)
