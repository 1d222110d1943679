"""The short path of one price answers like the general path, and is taken."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.engine.story import TAKER, Story, policy
from tests.engine.worlds import (
    ANSWERS,
    OTHERS,
    POLICIES,
    PRICES,
    Told,
    decimals,
    event_of,
    tales,
    trails,
)
from trailstop.domain.policy import Callback, Policy
from trailstop.domain.position import Fees, Leg, Phase, Position
from trailstop.domain.price import Instrument, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.quiet import step_quietly
from trailstop.engine.step import step
from trailstop.engine.trail import Trail

CALLBACKS = st.builds(
    Policy,
    distance=decimals("0.05", "1").map(Callback),
    activation_percent=st.just(Decimal(0)),
    breakeven_at_percent=st.sampled_from([None, Decimal("0.5")]),
    min_improvement_percent=st.sampled_from([Decimal("0.1"), Decimal("0.5"), Decimal("1.5")]),
    emergency_percent=st.sampled_from([None, Decimal("0.3"), Decimal("1.0")]),
    update_interval_seconds=st.sampled_from([Decimal(1), Decimal(60)]),
    min_distance_ticks=st.sampled_from([0, 3]),
)
DENSE = tales(
    "trade", "trade", "trade", "trade", "ack", "ack", "time", "quote", "stale",
    low=9_950, high=10_150, pauses=(0, 100, 1_000, 20_000),
)  # fmt: skip
"""Prices within 2 % of each other, so that most of them may take the short path."""


def visible(trail: Trail) -> Trail:
    """The trail without the notes that only the short path keeps for itself."""
    notes = {"quiet_low": Decimal(0), "quiet_high": Decimal(0)}
    return replace(trail, quiet=False, quiet_factor=None, quiet_limit=None, **notes)


def compare(trail: Trail, tale: list[Told]) -> int:
    """Run a tale on both paths; how many prices took the short one."""
    short = general = trail
    at_ms = taken = 0
    for kind, cents, pause_ms in tale:
        at_ms += pause_ms
        event = event_of(short, kind, cents, at_ms)
        if event is None:
            continue
        if short.quiet and isinstance(event, ev.PriceSeen):
            taken += step_quietly(short, event.price, at_ms) is not None
        short, ours = step(short, event)
        general, theirs = step(replace(general, quiet=False), event)
        assert ours == theirs
        assert visible(short) == visible(general)
    return taken


@settings(max_examples=150, deadline=None)
@given(trails(CALLBACKS), DENSE)
def test_the_short_path_answers_like_the_general_one(trail: Trail, tale: list[Told]) -> None:
    compare(trail, tale)


@settings(max_examples=150, deadline=None)
@given(
    trails(CALLBACKS),
    st.lists(st.tuples(st.integers(-5, 25), st.sampled_from([10, 500, 30_000])), max_size=40),
    st.sets(st.integers(0, 40), max_size=6),
)
def test_it_does_so_while_the_price_runs(
    trail: Trail, ticks: list[tuple[int, int]], unanswered: set[int]
) -> None:
    cents, tale = 10_000, [("trade", 10_000, 0), ("ack", 0, 10)]
    for number, (rise, pause_ms) in enumerate(ticks):
        cents += rise * trail.position.side.sign
        tale.append(("trade", cents, pause_ms))
        if number not in unanswered:
            tale.append(("ack", 0, 10))
    compare(trail, tale)


@settings(max_examples=150, deadline=None)
@given(trails(POLICIES), tales(*PRICES, *PRICES, *ANSWERS, *OTHERS, low=9_800, high=10_300))
def test_it_does_so_for_every_policy_and_event(trail: Trail, tale: list[Told]) -> None:
    compare(trail, tale)


@pytest.mark.parametrize("side", list(Side))
def test_it_is_taken_for_most_prices_of_an_active_trail(side: Side) -> None:
    trail = begin(
        leg=Leg("main", "binance", "BTCUSDT"),
        epoch=1,
        position=Position(side, Decimal(100), Decimal(1)),
        instrument=Instrument("BTCUSDT", Decimal("0.01"), Decimal(1)),
        policy=Policy(),
        fees=Fees(),
        at_ms=0,
    )
    steps = [0, 70, 160, 165, 170, 168, 172, 180, 190, 185, 200, 199, 198, 240, 239, 270, 260]
    tale: list[Told] = []
    for hundredths in steps:
        tale += [("trade", 10_000 + hundredths * side.sign, 1_000), ("ack", 0, 20)]
    assert compare(trail, tale) >= len(steps) // 2


def quiet_story(*lines: str, **settings_: object) -> Trail:
    story = Story(policy(backstop_percent=None, **settings_), TAKER, "0.01")
    for line in ("open long 100", "price 100 place 98", "ack", *lines):
        story.tell(line)
    assert story.trail is not None
    return story.trail


def test_it_is_closed_while_something_else_could_matter() -> None:
    assert quiet_story("price 101.6 move 101.1").quiet
    waiting = quiet_story("price 100.2")
    assert waiting.phase is Phase.WAITING
    assert not waiting.quiet
    assert not quiet_story("price 101.6 move 101.1", "1s price 103.7").quiet, "a jump waits"
    assert not quiet_story("price 101.6 move 101.1", "ack", "pause").quiet
    running = quiet_story("price 101.6 move 101.1", momentum_percent_per_minute="0.5")
    assert not running.quiet


def test_a_book_that_moves_leaves_it_open() -> None:
    trail = quiet_story("price 101.6 move 101.1", "ack", "quote 101.5 101.6", "mark 101.5")
    assert trail.quiet
    assert (trail.bid, trail.ask, trail.mark) == (
        Decimal("101.5"), Decimal("101.6"), Decimal("101.5"),
    )  # fmt: skip


def test_a_stop_that_would_touch_the_price_is_left_to_the_general_path() -> None:
    settings_ = policy(
        backstop_percent=None, breakeven_at_percent=None, activation_percent="0",
        distance=Callback(Decimal("0.05")), min_distance_ticks=0,
    )  # fmt: skip
    story = Story(settings_, TAKER, "0.5")
    for line in ("open long 100", "price 100.03 place 100", "ack"):
        story.tell(line)
    # 99.98 went up to 100.0; 100.05 goes up to 100.5, through the price, and one tick back.
    story.tell("1s price 100.04")
    assert story.trail is not None
    assert story.trail.quiet
    story.tell("2s price 100.1 exact 100 peak 100.1")
    assert not story.trail.quiet


def test_a_stop_acknowledged_through_the_price_closes_it() -> None:
    trail = quiet_story(
        "price 101.6 move 101.1", "ack", "price 101.61", "ack 101.7 hold crossed wake 5s"
    )
    assert not trail.quiet
