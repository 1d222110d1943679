"""The exchange changes its rules: another grid, a band for stops, a redenominated contract."""

from __future__ import annotations

import pytest

from tests.engine.story import NO_FEES, D, Story, check, policy
from trailstop.domain.position import Position
from trailstop.domain.price import Side
from trailstop.engine.contracts import factor

BARE = {"breakeven_at_percent": None, "backstop_percent": None}
SETTINGS = policy(**BARE)
WIDE = policy(initial_stop_percent="10", **BARE)

START = """
        open long 100 size 2
        price 100        place 98 covers 2
        0s ack
"""


def test_a_first_stop_outside_the_band_goes_to_its_edge_and_is_told() -> None:
    check(
        """
        open long 100
        price 100                 place 90
        0.1s refused band 95.003  place 95.01 alarm degraded_by_band
        0.2s ack                  live 95.01
        """,
        WIDE,
    )


@pytest.mark.parametrize(
    "nearest", ["none", "89", "101"], ids=["unknown", "looser", "through the price"]
)
def test_a_band_whose_edge_is_of_no_use_is_a_refusal(nearest: str) -> None:
    check(
        f"""
        open long 100
        price 100                     place 90
        0.1s refused band {nearest}   {"alarm stop_refused" if nearest == "none" else ""}
        """,
        WIDE,
    )


def test_a_move_refused_on_the_old_grid_goes_out_on_the_new_one() -> None:
    check(
        START
        + """
        1s price 101.51          move 101.01
        1.1s refused other       alarm stop_refused hold refused
        1.2s grid 0.1            move 101.1
        """,
        SETTINGS,
    )


def test_a_new_grid_leaves_the_live_stop_where_it_is() -> None:
    check(START + "1s grid 0.5  live 98 exact 98", SETTINGS)


def test_a_new_grid_before_any_price_is_harmless() -> None:
    check("open long 100\n grid 0.1 \n price 100 place 98", SETTINGS)


def test_on_a_grid_so_coarse_that_it_would_touch_the_price_it_goes_one_tick_back() -> None:
    check(
        START
        + """
        1s price 101.51          move 101.01
        1.1s refused other       alarm stop_refused
        1.2s grid 2              move 100
        """,
        SETTINGS,
    )


def test_a_new_grid_does_not_wake_a_trail_that_has_fired() -> None:
    check(
        START
        + """
        1s price 101.51          move 101.01
        1.1s triggered
        1.2s grid 0.1            phase triggered
        """,
        SETTINGS,
    )


def test_a_redenominated_contract_pauses_the_trail_at_its_converted_stop() -> None:
    story = Story(SETTINGS, fees=NO_FEES, tick="0.001")
    for line in (START + "1s price 102 move 101.49\n 1.1s ack").strip().splitlines():
        story.tell(line)
    story.tell("2s position entry 1 size 200  alarm contract_changed hold paused")
    story.tell("3s price 1.02                 live 1.0149 exact 1.0149 peak 1.02 hold paused")
    story.tell("4s resume                     live 1.0149")


def test_fewer_and_dearer_contracts_keep_the_grid() -> None:
    story = Story(SETTINGS, fees=NO_FEES, tick="0.01")
    for line in (START + "1s price 102 move 101.49\n 1.1s ack").strip().splitlines():
        story.tell(line)
    story.tell("2s position entry 200 size 1  alarm contract_changed hold paused")
    story.tell("3s price 204                  live 202.98 exact 202.98 peak 204 hold paused")


def test_a_trail_without_stops_is_redenominated_too() -> None:
    check(
        """
        open long 100 size 2
        1s position entry 1 size 200  alarm contract_changed
        2s resume
        3s price 1.00                 place 0.98 alarm distance_refused
        """,
        SETTINGS,
    )


@pytest.mark.parametrize(
    ("entry", "quantity", "expected"),
    [
        (D(1), D(200), D("0.01")),
        (D(200), D(1), D(2)),
        (D(120), D("1.6667"), None),
        (D(50), D(2), None),
        (D(100), D(2), None),
    ],
)
def test_only_one_factor_both_ways_is_a_redenomination(
    entry: D, quantity: D, expected: D | None
) -> None:
    before = Position(Side.LONG, D(100), D(2))
    assert factor(before, Position(Side.LONG, entry, quantity)) == expected


def test_a_first_stop_that_does_not_rest_yet_goes_to_the_new_grid() -> None:
    check(
        """
        open long 100.33
        price 100.33             place 98.33
        0.1s refused other       alarm stop_refused
        0.2s grid 0.1            place 98.4
        """,
        SETTINGS,
    )


def test_size_is_put_right_on_the_new_grid() -> None:
    check(
        """
        open long 100.33 size 2
        price 100.33             place 98.33
        0.1s ack
        0.2s grid 0.1            live 98.33
        0.3s position size 3     move 98.4 covers 3
        """,
        SETTINGS,
    )
