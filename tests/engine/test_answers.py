"""What the exchange answers, what stands beside ours, and what a person asks for."""

from __future__ import annotations

import pytest

from tests.engine.story import TAKER, D, Story, check, policy
from trailstop.domain.policy import Absolute, Callback

BARE = {"breakeven_at_percent": None, "backstop_percent": None}
SETTINGS = policy(**BARE)

START = """
        open long 100
        price 100        place 98
        0s ack
"""
TRAILING = START + "1s price 101.5  move 101\n 1s ack\n"


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "due", "alarm"),
    [
        ("transient", "6s", "alarm stop_refused"),
        ("limit", "10s", "alarm stop_refused"),
        ("other", "10s", "alarm stop_refused"),
        ("position_gone", "10s", ""),
    ],
)
def test_a_refused_move_leaves_the_live_stop_and_is_asked_for_again(
    reason: str, due: str, alarm: str
) -> None:
    check(
        START
        + f"""
        4s price 101.5    move 101
        5s refused {reason} {alarm} live 98 target 98 hold refused wake {due}
        5.5s price 101.6  hold refused
        {due} time        move 101.1
        """,
        SETTINGS,
    )


def test_a_first_stop_that_waits_for_the_limits_is_held_and_goes_out_when_they_allow() -> None:
    check(
        """
        open long 100
        price 100           place 98
        1s refused full 700 phase inactive hold budget wake 1.7s
        1.2s price 100.1    hold budget wake 1.7s
        1.7s time           place 98
        1.8s refused full   hold budget wake 2.8s
        2.8s time           place 98
        3s ack              live 98
        """,
        SETTINGS,
    )


def test_a_stop_that_must_not_wait_and_has_to_is_told() -> None:
    check(
        START
        + """
        4s price 101.5      move 101
        5s refused full 700 alarm stop_refused live 98 hold refused wake 5.7s
        5.7s time           move 101
        """,
        SETTINGS,
    )


def test_a_repeated_refusal_is_told_once() -> None:
    check(
        START
        + """
        1s price 101.5    move 101
        2s refused other  alarm stop_refused
        7s time           move 101
        8s refused other  hold refused
        13s time          move 101
        14s ack           live 101
        80s price 102     move 101.49
        81s refused other alarm stop_refused
        """,
        SETTINGS,
    )


def test_a_move_that_would_trigger_is_a_cross() -> None:
    check(START + "1s price 101.5  move 101\n 2s refused would_trigger  close crossed", SETTINGS)


def test_a_move_that_would_trigger_waits_where_crosses_are_held() -> None:
    check(
        START
        + """
        1s price 101.5     move 101
        2s refused would_trigger  hold crossed phase active wake 3s
        3s time            move 101
        """,
        policy(on_cross="hold", **BARE),
    )


def test_the_first_stop_that_would_trigger_is_measured_from_that_price_at_best() -> None:
    check(
        """
        open long 100
        price 98.1       place 98
        1s refused would_trigger  place 96.04 alarm adopted_beyond_stop alarm first_stop_refused
        2s ack           live 96.04
        """,
        SETTINGS,
    )
    check(
        """
        open short 100
        price 101.9      place 102
        1s refused would_trigger  place 104.04 alarm adopted_beyond_stop alarm first_stop_refused
        2s refused would_trigger  place 106.12 alarm adopted_beyond_stop
        """,
        SETTINGS,
    )


def test_a_first_stop_from_a_profit_that_would_trigger_starts_lower() -> None:
    check(
        """
        open long 100
        price 110        place 109.45 backstop 95
        1s refused would_trigger  place 108.91 alarm first_stop_refused
        """,
        policy(breakeven_at_percent=None),
    )


def test_a_backstop_that_is_too_near_to_a_new_first_stop_is_asked_for_anew() -> None:
    check(
        """
        open long 100
        price 98.1       place 98 backstop 97
        1s refused would_trigger  place 96.04 backstop 95.06 alarm adopted_beyond_stop alarm first_stop_refused
        """,
        policy(breakeven_at_percent=None, backstop_percent="3"),
    )


def test_the_first_stop_that_would_trigger_closes_where_that_is_wished() -> None:
    check(
        """
        open long 100
        price 98.1       place 98
        1s refused would_trigger  close beyond_at_adoption alarm first_stop_refused
        """,
        policy(on_adopt_beyond="close", **BARE),
    )


def test_without_an_initial_stop_a_refused_trail_is_asked_for_again() -> None:
    check(
        """
        open long 100
        price 102        place 101.49
        1s refused would_trigger  alarm stop_refused wake 2s
        1.5s price 102.1 hold refused
        2s time          place 101.59
        """,
        policy(initial_stop_percent=None, **BARE),
    )


def test_a_price_that_passed_a_refused_first_stop_measures_it_anew() -> None:
    check(
        """
        open long 100
        price 98.1       place 98
        1s refused transient  alarm stop_refused
        1.5s price 97    hold refused exact 95.06 alarm adopted_beyond_stop
        2s time          place 95.06
        """,
        SETTINGS,
    )


def test_a_stop_that_was_never_sent_is_asked_for_again_at_once_and_alarms_nobody() -> None:
    check(
        """
        open long 100
        price 100        place 98
        1s refused not_sent  hold refused wake 1s
        1s time          place 98
        """,
        SETTINGS,
    )


def test_the_third_in_a_row_that_was_never_sent_is_told_once() -> None:
    check(
        """
        open long 100
        price 100        place 98
        1s refused not_sent
        1s time          place 98
        2s refused not_sent
        2s time          place 98
        3s refused not_sent  alarm stop_refused
        3s time          place 98
        4s refused not_sent
        """,
        SETTINGS,
    )


def test_a_refusal_of_nothing_is_told() -> None:
    check(START + "1s refused other  alarm stop_refused live 98", SETTINGS)


# --- acknowledgements -------------------------------------------------------------------------------


def test_an_older_answer_changes_nothing() -> None:
    check(TRAILING + "2s ack 98  live 101 own 101 moves 1", SETTINGS)


def test_a_stop_that_nobody_asked_for_but_rests_as_ours_counts() -> None:
    check(TRAILING + "2s ack 101.2  live 101.2 exact 101.2 moves 2", SETTINGS)


def test_an_answer_to_another_price_leaves_the_request_open() -> None:
    check(
        START
        + "1s price 101.5  move 101\n 2s ack 98.5  live 98.5 hold in_flight\n 3s ack live 101",
        SETTINGS,
    )


def test_an_acknowledged_stop_through_the_price_goes_on_being_watched() -> None:
    check(
        START
        + """
        1s price 101.5   move 101
        1.1s price 100.9 close crossed
        1.2s ack         live 101 phase triggered
        """,
        SETTINGS,
    )


# --- stops of others --------------------------------------------------------------------------------


def test_a_tighter_foreign_stop_is_the_floor() -> None:
    check(
        TRAILING
        + """
        2s foreign 101.2  live 101.2 exact 101.2 own 101 hold not_better
        70s price 101.9   move 101.4 live 101.2      # ours is moved from 101 to above theirs
        """,
        SETTINGS,
    )


def test_a_looser_foreign_stop_changes_nothing() -> None:
    check(
        TRAILING + "2s foreign 95  live 101 exact 101\n 3s foreign none  live 101 own 101", SETTINGS
    )


def test_when_the_floor_goes_ours_takes_its_place_at_once() -> None:
    check(
        TRAILING
        + """
        2s foreign 101.2  live 101.2
        3s foreign none   move 101.2 live 101
        """,
        SETTINGS,
    )
    check(TRAILING + "2s foreign 101.2  live 101.2\n 3s foreign 100  move 101.2 live 101", SETTINGS)


def test_when_the_kept_initial_stop_goes_ours_is_placed_where_it_was() -> None:
    check(
        """
        open long 100 foreign 97
        price 100        phase waiting live 97
        1s foreign none  place 97 foreign_stop live none
        1s ack           live 97 moves 0
        """,
        SETTINGS,
    )


def test_when_the_kept_initial_stop_is_loosened_ours_keeps_its_place() -> None:
    check("open short 100 foreign 103\n price 100\n 1s foreign 106  place 103", SETTINGS)


def test_when_the_only_stop_goes_while_the_price_is_beyond_it_the_cross_decides() -> None:
    check(
        """
        open long 100 foreign 97
        price 100
        1s bar 97        hold crossed wake 6s
        2s foreign none  hold crossed phase waiting
        3s bar 96.9      close crossed
        """,
        SETTINGS,
    )
    check(
        """
        open long 100 foreign 97
        price 100
        1s bar 97        hold crossed wake 6s
        2s foreign none  hold crossed
        3s bar 96.9      hold crossed
        4s bar 97.1      place 97
        """,
        policy(on_cross="hold", **BARE),
    )


def test_a_foreign_stop_before_ours_protects_from_then_on() -> None:
    check(
        """
        open long 100
        price 100        place 98
        1s foreign 98.5  phase waiting live 98.5 exact 98.5
        2s ack           live 98.5 own 98 moves 0
        """,
        SETTINGS,
    )
    check(
        "open long 100\n bar 110  place 109.45\n foreign 109.6  phase active live 109.6", SETTINGS
    )


def test_a_foreign_stop_seen_before_the_first_price() -> None:
    check("open long 100\n foreign 99  live 99 phase inactive\n price 100  phase waiting", SETTINGS)


# --- what a person asks for -------------------------------------------------------------------------


def test_pause_leaves_the_live_stop_resting_and_decides_nothing() -> None:
    check(
        TRAILING
        + """
        2s price 102      hold interval exact 101.49
        3s pause          hold paused wake never live 101
        70s time          hold paused
        71s price 103     hold paused peak 102
        72s gap 104       peak 102
        73s price 101.4   hold crossed phase active wake never   # beyond the exact stop: not closed
        74s price 101     hold crossed wake 79s
        79s time          close beyond_without_trigger alarm chased
        """,
        SETTINGS,
    )


def test_resume_trails_on_from_the_live_stop_with_a_new_peak() -> None:
    check(
        TRAILING
        + """
        2s price 102      hold interval
        3s pause
        4s price 101.3
        90s resume        exact 101 peak none hold not_better
        91s price 101.4   peak 101.4 hold not_better
        92s price 102     move 101.49
        """,
        SETTINGS,
    )


def test_resume_of_what_was_not_paused_is_nothing() -> None:
    check(TRAILING + "2s price 102 hold interval\n 3s resume  peak 102 hold interval", SETTINGS)


def test_the_first_stop_is_placed_even_when_paused() -> None:
    check(
        "open long 100\n pause\n price 100  place 98\n 1s ack hold paused\n 2s price 103 hold unconfirmed_jump",
        SETTINGS,
    )


def test_a_move_in_flight_when_paused_still_counts() -> None:
    check(START + "1s price 101.5  move 101\n 2s pause\n 3s ack  live 101 hold paused", SETTINGS)


def test_a_refused_move_when_paused_closes_nothing() -> None:
    check(
        START + "1s price 101.5  move 101\n 2s pause\n 3s refused would_trigger hold crossed",
        SETTINGS,
    )


def test_size_is_put_right_even_when_paused() -> None:
    check(START + "1s pause\n 2s position size 2  move 98 covers 2", SETTINGS)


def test_tighten_moves_at_once_and_only_to_the_better_side() -> None:
    check(
        TRAILING
        + """
        2s tighten 100.5   exact 101 hold not_better      # looser: no
        2s tighten 101.5   exact 101                      # through the price: no
        2s tighten 101.203 move 101.21 user_stop
        2.1s ack           live 101.21 moves 2
        3s price 102       hold interval exact 101.49
        """,
        SETTINGS,
    )
    check("open short 100\n price 100  place 102\n ack\n tighten 101.009  move 101", SETTINGS)


def test_tighten_works_while_paused_and_before_any_stop() -> None:
    check(TRAILING + "2s pause\n 3s tighten 101.2  move 101.2 user_stop", SETTINGS)
    check("open long 100\n tighten 99 exact none", SETTINGS)
    check(
        "open long 100\n price 100\n tighten 99  place 99 user_stop",
        policy(initial_stop_percent=None, **BARE),
    )


def test_close_closes() -> None:
    check(TRAILING + "2s please_close  close user phase triggered wake 7s", SETTINGS)


def told(lines: str) -> Story:
    story = Story(SETTINGS, TAKER, "0.01")
    for line in lines.strip().splitlines():
        story.tell(line)
    return story


def test_a_wider_distance_never_loosens() -> None:
    story = told(TRAILING)
    story.change(distance=Callback(D(2)))
    story.tell("80s price 101.6  exact 101 hold not_better")
    story.change(initial_stop_percent=D(4), breakeven_at_percent=D(5))
    story.tell("81s price 101.6  exact 101 live 101")


def test_a_tighter_distance_counts_from_the_next_price() -> None:
    story = told(TRAILING)
    story.change(distance=Callback(D("0.2")))
    story.tell("80s price 101.5  move 101.3")


def test_a_tighter_distance_that_would_be_through_the_price_restarts_the_peak() -> None:
    story = told(TRAILING + "2s price 101.2")
    story.change(distance=Callback(D("0.1")))
    story.tell("80s price 101.25  move 101.15 peak 101.25")


def test_a_share_that_pays_no_fees_yet_restarts_nothing() -> None:
    story = told("open long 100\n price 100.1  place 98\n 0s ack")
    story.change(distance=Absolute(D("0.2")), activation_percent=D(0))
    story.tell("1s price 100.2  move 100 trail")


def test_a_distance_that_is_too_small_is_not_trailed() -> None:
    story = told(TRAILING)
    story.change(distance=Absolute(D("0.01")))
    story.tell("80s price 102  hold distance_refused exact 101")


def test_settings_may_change_before_the_first_price() -> None:
    story = told("open long 100")
    story.change(initial_stop_percent=D(1))
    story.tell("price 100  place 99")
