"""Adoption: with and without a stop, beyond the stop, far in profit, near the liquidation."""

from __future__ import annotations

import pytest

from tests.engine.story import TAKER, check, policy


def test_a_bare_long_gets_its_initial_stop_and_its_backstop_at_once() -> None:
    check("""
        open long 100
        price 100    place 98 initial_stop backstop 95  phase inactive hold in_flight
        ack          phase waiting live 98 moves 0 hold not_activated
    """)


def test_a_bare_short_gets_its_initial_stop_and_its_backstop_at_once() -> None:
    check("""
        open short 100
        price 100    place 102 initial_stop backstop 105 phase inactive
        ack          phase waiting live 102 moves 0 hold not_activated
    """)


def test_initial_stops_are_snapped_towards_the_market() -> None:
    check("open long 100.33\n price 100   place 98.33 backstop 95.32")
    check("open short 100.33\n price 100  place 102.33 backstop 105.34")


def test_no_initial_stop_leaves_the_backstop_alone_until_trailing_places_one() -> None:
    check(
        """
        open long 100
        price 100    backstop 95       phase inactive hold not_activated
        price 102    place 101.49 trail phase inactive
        ack          phase active live 101.49
        """,
        policy(initial_stop_percent=None, breakeven_at_percent=None),
    )


def test_without_a_backstop_only_the_working_stop_is_placed() -> None:
    check("open long 100\n price 100  place 98", policy(backstop_percent=None))


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(
            """
            open long 100 foreign 97
            price 100    backstop 94  phase waiting live 97 hold not_activated
            price 102    place 101.49 trail
            ack          phase active moves 1
            """,
            id="long, wider: kept, ours beside it as soon as it is better",
        ),
        pytest.param(
            """
            open long 100 foreign 99
            price 100    backstop 95     phase waiting live 99
            """,
            id="long, tighter: kept",
        ),
        pytest.param(
            """
            open short 100 foreign 103
            price 100    backstop 106 phase waiting live 103
            price 98     place 98.49 trail
            """,
            id="short, wider: kept",
        ),
    ],
)
def test_a_foreign_stop_is_kept_as_the_initial_one(story: str) -> None:
    check(story)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(
            """
            open long 100 foreign 97
            price 100    place 98 initial_stop backstop 94  phase waiting live 97
            ack          live 98 own 98
            """,
            id="long, wider: ours is placed beside it at once",
        ),
        pytest.param(
            "open long 100 foreign 99\n price 100  backstop 95 phase waiting live 99",
            id="long, tighter: theirs serves",
        ),
        pytest.param(
            "open short 100 foreign 103\n price 100  place 102 backstop 106",
            id="short, wider: ours is placed beside it at once",
        ),
    ],
)
def test_a_foreign_stop_is_tightened_where_that_is_wished(story: str) -> None:
    check(story, policy(existing_stop="tighten"))


def test_beyond_the_initial_stop_it_is_measured_from_the_present_price() -> None:
    check("""
        open long 100
        price 97     place 95.06 backstop 92.15 alarm adopted_beyond_stop  phase inactive
        ack          phase waiting live 95.06
    """)
    check("""
        open short 100
        price 103    place 105.06 backstop 108.15 alarm adopted_beyond_stop
    """)


def test_a_touch_of_the_initial_stop_is_beyond_it() -> None:
    check("open long 100\n price 98  place 96.04 backstop 93.1 alarm adopted_beyond_stop")


def test_beyond_the_initial_stop_it_is_closed_where_that_is_wished() -> None:
    check(
        """
        open long 100
        price 97     close beyond_at_adoption alarm adopted_beyond_stop phase triggered wake 5s
        """,
        policy(on_adopt_beyond="close"),
    )


def test_a_stale_price_closes_nothing_at_adoption_either() -> None:
    check(
        """
        open long 100
        stale 97     place 95.06 backstop 92.15 alarm adopted_beyond_stop
        """,
        policy(on_adopt_beyond="close"),
    )


def test_far_in_profit_the_first_stop_is_the_best_of_all_in_one_order() -> None:
    check("""
        open long 100
        price 110    place 109.45 trail backstop 95  phase inactive peak 110
        ack          phase active live 109.45
    """)
    check("""
        open short 100
        price 90     place 90.45 trail backstop 105  phase inactive peak 90
        ack          phase active live 90.45
    """)


def test_in_a_small_profit_the_first_stop_is_breakeven() -> None:
    check("open long 100\n price 101  place 100.11 breakeven backstop 95", fees=TAKER)
    check("open short 100\n price 99  place 99.9 breakeven backstop 105", fees=TAKER)


def test_the_last_price_before_the_acknowledgement_is_decided_again_on_it() -> None:
    check("""
        open long 100
        price 100    place 98 backstop 95
        bar 103      hold in_flight exact 102.49 phase inactive
        ack          move 102.49 trail phase active
    """)


def test_a_cross_counts_only_once_a_stop_was_acknowledged() -> None:
    check("""
        open long 100
        price 110    place 109.45 backstop 95
        price 109    hold in_flight phase inactive    # beyond the exact stop, nothing promised yet
        1s ack       hold crossed phase active wake 5s
    """)


def test_stops_stay_a_tenth_of_the_way_before_the_liquidation_price() -> None:
    # 96 + a tenth of 4 = 96.4: the backstop is drawn in to it.
    check("open long 100 liq 96\n price 100  place 98 backstop 96.4")
    check("open short 100 liq 104\n price 100  place 102 backstop 103.6")


def test_where_both_do_not_fit_only_the_working_stop_is_placed() -> None:
    # 99 + a tenth of 1 = 99.1 is tighter than 98.
    check("open long 100 liq 99\n price 100  place 99.1 initial_stop alarm no_backstop")
    check("open short 100 liq 101\n price 100  place 100.9 initial_stop alarm no_backstop")


def test_a_foreign_stop_behind_the_liquidation_margin_gets_ours_beside_it() -> None:
    check("open long 100 foreign 99.05 liq 99\n price 100  place 99.1 alarm no_backstop")


def test_adopted_within_the_liquidation_margin_the_margin_is_taken_from_the_price() -> None:
    # Limit 99.1 is beyond 99.05; a tenth of the way from 99 to 99.05 remains.
    check("""
        open long 100 liq 99
        price 99.05  place 99.01 alarm no_backstop alarm adopted_beyond_stop
    """)


def test_a_price_beyond_the_liquidation_leaves_no_limit() -> None:
    check("""
        open long 100 liq 99
        price 98     place 96.04 backstop 93.1 alarm adopted_beyond_stop
    """)


def test_a_liquidation_price_on_the_winning_side_is_no_limit() -> None:
    check("open long 100 liq 120\n price 100  place 98 backstop 95")


def test_a_backstop_keeps_its_distance_from_the_loosest_stop() -> None:
    # Theirs at 90 is the loosest: 90 − 3 % of the entry.
    check("open long 100 foreign 90\n price 100  backstop 87")


def test_a_distance_under_three_ticks_is_refused_with_the_price_shown() -> None:
    trail = check(
        """
        open long 10
        price 10     place 9.8 backstop 9.5 alarm distance_refused
        ack          hold distance_refused
        bar 11       hold distance_refused phase waiting
        """,
        policy(breakeven_at_percent=None),
        tick="0.1",
    )
    assert trail.distance_ok is False


def test_a_distance_under_the_spread_is_refused() -> None:
    check("""
        open long 100
        quote 99.5 100.5
        price 100    place 98 backstop 95 alarm distance_refused
    """)


def test_a_spread_inside_the_distance_is_fine() -> None:
    check("""
        open long 100
        quote 99.9 100.1
        price 100    place 98 backstop 95
    """)


def test_where_the_grid_leaves_no_stop_it_is_said() -> None:
    # One tick is the whole price: a stop would be at the price or at zero.
    check(
        """
        open long 1
        price 1      alarm no_backstop alarm adopted_beyond_stop alarm distance_refused alarm no_stop
        """,
        tick="1",
    )


def test_a_kept_stop_that_the_first_price_has_reached_is_watched() -> None:
    check(
        """
        open long 100 foreign 101
        price 100.5  hold crossed phase waiting wake 5s
        5s time      close beyond_without_trigger alarm chased
        """,
        policy(backstop_percent=None),
    )
