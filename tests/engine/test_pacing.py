"""Pacing: what is not paced, what is held and why, and when it goes out."""

from __future__ import annotations

import pytest

from tests.engine.story import TAKER, Story, check, policy

BARE = {"breakeven_at_percent": None, "backstop_percent": None}
SETTINGS = policy(**BARE)

TRAILING_LONG = """
        open long 100
        price 100        place 98
        0s ack           moves 0
        10s price 101.5  move 101        # the first after activation: not paced
        10s ack          moves 1 live 101 hold not_better
"""
TRAILING_SHORT = """
        open short 100
        price 100        place 102
        0s ack           moves 0
        10s price 98.5   move 98.99
        10s ack          moves 1 live 98.99 hold not_better
"""


def test_an_improvement_under_the_minimum_is_held() -> None:
    check(
        TRAILING_LONG
        + """
        80s price 101.6  hold min_improvement exact 101.1 wake never   # 101.092; 0.099 % of 101
        """,
        SETTINGS,
    )
    check(TRAILING_SHORT + "80s price 98.41 hold min_improvement exact 98.9 wake never", SETTINGS)


def test_the_least_improvement_is_enough() -> None:
    # 0.1 % of 100 is exactly one tick of 0.1.
    settings = policy(distance=policy().distance, **BARE)
    check(
        """
        open long 98.5
        price 98.5       place 96.6
        0s ack
        1s bar 100.5     move 100       # 99.9975
        1s ack
        61s price 100.5
        62s price 100.6  move 100.1     # 100.097
        """,
        settings,
        tick="0.1",
    )


def test_a_held_move_goes_out_when_the_interval_ends_without_another_price() -> None:
    check(
        TRAILING_LONG
        + """
        20s price 102    hold interval exact 101.49 wake 70s
        69.999s time     hold interval wake 70s
        70s time         move 101.49
        """,
        SETTINGS,
    )
    check(
        TRAILING_SHORT
        + """
        20s price 98     hold interval exact 98.49 wake 70s
        70s time         move 98.49
        """,
        SETTINGS,
    )


def test_a_held_move_goes_out_with_the_first_price_after_the_interval() -> None:
    check(TRAILING_LONG + "20s price 102  hold interval\n 70s price 101.9  move 101.49", SETTINGS)


def test_the_interval_counts_from_the_acknowledgement_that_the_exchange_states() -> None:
    check(
        """
        open long 100
        price 100        place 98
        0s ack
        10s price 101.5  move 101
        13s ack          moves 1
        20s price 102    hold interval wake 73s
        """,
        SETTINGS,
    )


def test_the_first_placement_is_no_move_and_the_first_replacement_is_not_paced() -> None:
    check(
        """
        open long 100
        price 100         place 98
        0s ack            moves 0
        1s position entry 100.01
        1s price 100.01   move 98.01 initial_stop   # 0.01 %, a second later
        """,
        SETTINGS,
    )


def test_the_first_stop_after_activation_is_not_paced_the_second_is() -> None:
    check(
        """
        open long 100
        price 100        place 98
        0s ack
        1s price 100.61  move 100
        2s ack           moves 1
        3s price 101.5   move 101 trail
        4s ack           moves 2
        5s price 102     hold interval
        """,
        policy(backstop_percent=None),
    )


def test_what_is_not_paced_stays_so_until_it_was_acknowledged() -> None:
    check(
        """
        open long 100
        price 100        place 98
        0s ack
        1s price 100.61  move 100
        2s ack
        3s price 101.5   move 101
        4s refused transient  alarm stop_refused hold refused wake 5s
        5s time          move 101
        """,
        policy(backstop_percent=None),
    )


@pytest.mark.parametrize(
    ("price", "outcome"),
    [
        # The live stop is 100.00: 1 % of it is 1.00, so the exact stop 101.00 is an emergency.
        ("101.49", "hold interval exact 100.99"),
        ("101.50", "move 101"),
    ],
)
def test_an_emergency_begins_at_exactly_one_percent(price: str, outcome: str) -> None:
    check(
        f"""
        open long 99
        price 99         place 97.02
        0s ack
        10s price 100.5  move 100
        10s ack
        11s price {price} {outcome}
        """,
        SETTINGS,
    )


@pytest.mark.parametrize(
    ("price", "outcome"),
    [("98.52", "hold interval exact 99.01"), ("98.51", "move 99")],
)
def test_an_emergency_of_a_short_begins_at_exactly_one_percent(price: str, outcome: str) -> None:
    check(
        f"""
        open short 101.1
        price 101.1      place 103.12
        0s ack
        10s price 99.51  move 100       # 100.00755
        10s ack
        11s price {price} {outcome}
        """,
        SETTINGS,
    )


def test_an_emergency_ignores_the_minimum_too() -> None:
    odd = policy(min_improvement_percent="2", emergency_percent="1", **BARE)
    check(TRAILING_LONG + "11s price 102.6  move 102.09", odd)


def test_a_held_move_grows_into_an_emergency() -> None:
    # The live stop is 101, so 1 % is 1.01: the exact stop 102.01.
    check(
        TRAILING_LONG
        + """
        11s price 102    hold interval exact 101.49
        12s price 102.51 hold interval exact 102
        13s price 102.52 move 102.01
        """,
        SETTINGS,
    )
    check(
        TRAILING_SHORT
        + """
        11s price 98     hold interval exact 98.49
        12s price 97.53  hold interval exact 98.01
        13s price 97.52  move 98
        """,
        SETTINGS,
    )


def test_a_held_move_grows_over_the_minimum_and_goes_out() -> None:
    check(
        TRAILING_LONG
        + """
        80s price 101.55 hold min_improvement exact 101.05
        81s price 101.6  hold min_improvement exact 101.1
        82s price 101.61 move 101.11
        """,
        SETTINGS,
    )


def test_an_emergency_under_the_minimum_still_is_one() -> None:
    odd = policy(min_improvement_percent="2", emergency_percent="1", **BARE)
    story = """
        11s price 102    hold min_improvement
        12s price 102.51 hold min_improvement
        13s price 102.52 move 102.01
    """
    check(TRAILING_LONG + story, odd)


def test_without_an_emergency_everything_waits() -> None:
    check(
        TRAILING_LONG + "11s price 103.5  hold interval\n 12s price 103.6 hold interval",
        policy(emergency_percent=None, **BARE),
    )
    check(
        TRAILING_LONG
        + "11s price 101.52  hold min_improvement\n 12s price 101.53 hold min_improvement",
        policy(emergency_percent=None, **BARE),
    )


def test_no_pacing_lets_everything_go() -> None:
    check(TRAILING_LONG + "10s price 101.52  move 101.02", policy(pacing="none", **BARE))


BUDGET = policy(pacing="budget", **BARE)
BUDGETED_LONG = """
        open long 100
        price 100        place 98        # a first placement is no move
        0s ack           moves 0
        10s price 101.5  hold budget exact 101 wake never
        10s permit       move 101
        11s ack          moves 1 live 101 hold not_better
"""
BUDGETED_SHORT = """
        open short 100
        price 100        place 102
        0s ack           moves 0
        10s price 98.5   hold budget exact 98.99 wake never
        10s permit       move 98.99
        11s ack          moves 1 live 98.99 hold not_better
"""


def test_with_a_budget_a_move_waits_for_its_permission_and_for_nothing_else() -> None:
    check(
        BUDGETED_LONG
        + """
        12s price 101.51 hold budget exact 101.01   # no interval, no minimum
        12s permit       move 101.01
        12s ack
        13s price 103.4  hold budget                # no emergency
        80s time         hold budget
        """,
        BUDGET,
    )
    check(
        BUDGETED_SHORT
        + """
        12s price 98.49  hold budget exact 98.98
        12s permit       move 98.98
        12s ack
        13s price 96.6   hold budget
        80s time         hold budget
        """,
        BUDGET,
    )


def test_with_a_budget_breakeven_and_activation_wait_for_their_turn_as_well() -> None:
    check(
        """
        open long 100
        price 100        place 98
        0s ack
        1s price 100.61  hold budget
        1s permit        move 100 breakeven
        2s ack
        3s price 101.5   hold budget
        3s permit        move 101 trail
        """,
        policy(pacing="budget", backstop_percent=None),
    )


def test_a_permission_sends_the_exact_stop_of_its_moment() -> None:
    check(
        BUDGETED_LONG
        + """
        12s price 101.6  hold budget exact 101.1
        13s price 101.8  hold budget exact 101.3
        14s price 101.7  hold budget exact 101.3
        15s permit       move 101.3
        """,
        BUDGET,
    )


@pytest.mark.parametrize(
    ("moment", "hold"),
    [
        ("", "not_better"),
        ("12s price 101.8  hold budget\n 12s permit  move 101.3\n", "in_flight"),
        (
            "12s price 101.8  hold budget\n 12s permit  move 101.3\n 12s unknown\n",
            "unknown_outcome",
        ),
        ("12s price 101.8  hold budget\n 12s pause\n", "paused"),
        ("12s gap 102\n", "no_price"),
        ("12s price 101.8  hold budget\n 12s triggered\n", "none"),
    ],
)
def test_a_permission_that_comes_at_the_wrong_moment_is_spent(moment: str, hold: str) -> None:
    check(BUDGETED_LONG + moment + f"13s permit hold {hold}", BUDGET)


def test_a_permission_counts_once() -> None:
    check(BUDGETED_LONG + "12s permit\n 13s price 101.8  hold budget", BUDGET)


def test_with_a_budget_what_a_person_asks_for_goes_at_once() -> None:
    check(BUDGETED_LONG + "12s price 101.8  hold budget\n 13s tighten 101.5  move 101.5", BUDGET)


def test_with_a_budget_a_stop_that_went_is_made_up_for_at_once() -> None:
    check(
        BUDGETED_LONG
        + """
        12s foreign 101.2  live 101.2 hold not_better
        13s foreign none   move 101.2
        """,
        BUDGET,
    )


def test_with_a_budget_our_first_stop_beside_a_foreign_one_goes_at_once() -> None:
    check(
        """
        open long 100 foreign 99
        price 100        hold not_activated live 99
        1s price 101.5   place 101
        """,
        BUDGET,
    )


def test_with_a_budget_a_refused_move_asks_for_another_permission() -> None:
    check(
        BUDGETED_LONG
        + """
        12s price 101.8  hold budget
        12s permit       move 101.3
        12s refused limit  alarm stop_refused hold refused wake 17s
        17s time         hold budget
        18s permit       move 101.3
        """,
        BUDGET,
    )


def test_a_move_that_would_have_taken_the_reserve_is_asked_for_again_by_itself() -> None:
    check(
        BUDGETED_LONG
        + """
        12s price 101.8  hold budget
        12s permit       move 101.3
        13s refused budget  hold budget wake 13.5s
        13.2s permit     hold budget wake 13.5s
        13.5s time       hold budget wake never
        14s permit       move 101.3
        """,
        BUDGET,
    )
    check(
        TRAILING_LONG
        + """
        70s price 102    move 101.49
        70s refused budget  hold budget wake 70.5s
        70.5s time       move 101.49
        """,
        SETTINGS,
    )


@pytest.mark.parametrize("pacing", ["fixed", "none"])
def test_without_a_budget_a_permission_changes_nothing(pacing: str) -> None:
    story = """
        20s price 102    hold interval exact 101.49
        21s permit       hold interval wake 70s
    """
    if pacing == "none":
        story = "20s price 102  move 101.49\n 20s ack\n 21s permit  hold not_better"
    check(TRAILING_LONG + story, policy(pacing=pacing, **BARE))


def test_one_write_at_a_time() -> None:
    check(
        """
        open long 100
        price 100        place 98
        1s price 101.5   hold in_flight exact 101
        2s ack           move 101
        3s price 102.5   hold in_flight target 101
        4s ack           hold interval wake 64s live 101
        """,
        SETTINGS,
    )


def test_an_unknown_outcome_holds_everything_until_the_look_up() -> None:
    check(
        TRAILING_LONG
        + """
        11s price 102.6  move 102.09
        12s unknown      hold unknown_outcome
        80s price 104    hold unknown_outcome wake never
        90s time         hold unknown_outcome
        91s ack          live 102.09 move 103.48
        """,
        SETTINGS,
    )


def test_an_unknown_outcome_that_was_a_refusal_is_asked_for_again() -> None:
    check(
        TRAILING_LONG
        + """
        11s price 102.6  move 102.09
        12s unknown      hold unknown_outcome
        13s refused transient alarm stop_refused live 101 target 101 wake 14s
        14s time         move 102.09
        """,
        SETTINGS,
    )


def test_an_unknown_outcome_of_nothing_is_nothing() -> None:
    check(TRAILING_LONG + "11s unknown hold not_better", SETTINGS)


def test_a_falling_price_moves_nothing() -> None:
    check(TRAILING_LONG + "80s price 101.2  hold not_better exact 101 peak 101.5", SETTINGS)
    check(TRAILING_SHORT + "80s price 98.7  hold not_better exact 98.99 peak 98.5", SETTINGS)


def test_a_shorter_interval_counts_from_the_next_price_or_time() -> None:
    story = Story(SETTINGS, TAKER, "0.01")
    for line in (TRAILING_LONG + "20s price 102  hold interval").strip().splitlines():
        story.tell(line)
    story.change(update_interval_seconds=SETTINGS.update_interval_seconds / 4)
    story.tell("25s time  move 101.49")
