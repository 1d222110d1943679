"""Momentum tightens the distance once, when the price runs."""

from __future__ import annotations

from tests.engine.story import D, check, policy
from trailstop.domain.policy import Absolute, Callback

BARE = {"breakeven_at_percent": None, "backstop_percent": None, "pacing": "none"}
MOMENTUM = policy(momentum_percent_per_minute="0.1", activation_percent="0", **BARE)


def test_a_fast_price_tightens_the_distance_to_seven_tenths_once() -> None:
    # 0.1 % of 100 in 60 s: 100.10. 0.5 % · 0.7 = 0.35 %: 100.1 − 0.35035 = 99.74965.
    trail = check(
        """
        open long 100
        0s price 100      place 99.5
        0s ack
        59s price 100
        60s price 100.1   move 99.75
        60s ack
        120s price 100.5  move 100.15      # 100.5 − 0.35 % = 100.14825: not tightened again
        """,
        MOMENTUM,
    )
    assert trail.momentum_used
    assert trail.samples == ()
    check(
        """
        open short 100
        0s price 100      place 100.5
        0s ack
        60s price 99.9    move 100.24      # 99.9 + 0.34965
        """,
        MOMENTUM,
    )


def test_just_under_the_speed_nothing_happens() -> None:
    check("open long 100\n price 100  place 99.5\n ack\n 60s price 100.09 move 99.59", MOMENTUM)


def test_a_fast_fall_is_no_momentum() -> None:
    check("open long 100\n price 100  place 99.5\n ack\n 60s price 99.6", MOMENTUM)


def test_the_first_price_is_the_last_one_that_is_old_enough() -> None:
    # At 70 s the price of 10 s counts, 100.2, not the one of 0 s: the rise since is 0.05 %.
    check(
        """
        open long 100
        0s price 100      place 99.5
        0s ack
        10s price 100.2   move 99.7
        10s ack
        70s price 100.25  move 99.75
        """,
        MOMENTUM,
    )


def test_one_sample_a_second() -> None:
    trail = check(
        """
        open long 100
        0s price 100      place 99.5
        0s ack
        0.5s price 100
        0.999s price 100
        1s price 100
        1.9s price 100
        """,
        MOMENTUM,
    )
    assert [sample.at_ms for sample in trail.samples] == [0, 1000]


def test_samples_are_bounded_by_the_window() -> None:
    story = "open long 100\n 0s price 100  place 99.5\n 0s ack\n"
    trail = check(story + "\n".join(f"{second}s price 100" for second in range(1, 200)), MOMENTUM)
    assert len(trail.samples) == 61


def test_only_while_active() -> None:
    waits = policy(momentum_percent_per_minute="0.1", **BARE)
    trail = check("open long 100\n price 100  place 98\n ack\n 60s price 100.5", waits)
    assert not trail.momentum_used


def test_never_nearer_than_the_least_distance() -> None:
    near = policy(
        momentum_percent_per_minute="0.1",
        activation_percent="0",
        distance=Callback(D("0.12")),
        **BARE,
    )
    # 0.12 % · 0.7 = 0.084 % is under 0.1 %: 100.2 − 0.1002 = 100.0998.
    check("open long 100\n price 100  place 99.88\n ack\n 60s price 100.2  move 100.1", near)
    ticks = policy(
        momentum_percent_per_minute="0.1", activation_percent="0", distance=Absolute(D("0.4")),
        min_distance_percent="0", **BARE,
    )  # fmt: skip
    # 0.4 · 0.7 = 0.28 is under three ticks of 0.1.
    check(
        "open long 100\n price 100  place 99.6\n ack\n 60s price 100.2  move 99.9",
        ticks,
        tick="0.1",
    )
