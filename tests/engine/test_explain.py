"""Every hold and every move in one line with its numbers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.engine.story import LEG, TAKER, D, Story, policy
from trailstop.domain.policy import Absolute, Atr, Policy, ProfitShare, Rung, Steps
from trailstop.domain.position import Leg, Role, StopKind
from trailstop.engine.commands import ClosePosition, CloseReason, MoveStop, PlaceStop
from trailstop.engine.explain import hold_text, move_text, price_text
from trailstop.engine.trail import HoldReason, Trail

TRAILING = """
    open long 100000
    price 100000     place 98000 initial_stop backstop 95000
    0s ack
    1s price 101500  move 100992.5 trail
    1s ack
"""


def told(lines: str, settings: Policy | None = None) -> Story:
    story = Story(settings or policy(breakeven_at_percent=None), TAKER, "0.1")
    for line in lines.strip().splitlines():
        story.tell(line)
    return story


@pytest.mark.parametrize(
    ("line", "reason", "text"),
    [
        ("2s price 101500", "not_better", "the stop at 100 992.5 is already the best; peak 101 500"),
        ("20s price 102000", "interval", "waits 41 s of the 60 s between two moves"),
        ("2s price 101545", "min_improvement", "0.04 % better, 0.1 % is the least"),
        ("61s price 101800 move 101291.0", "in_flight", "waits for the exchange's answer to the last request"),
        ("2s price 110000", "unconfirmed_jump", "a print at 110 000 is more than 2 % from 101 500; waits up to 1 s for a second one"),
        ("2s pause", "paused", "paused by you; the stop at 100 992.5 rests"),
        ("2s price 100992.5", "crossed", "the price 100 992.5 is beyond the exact stop 100 992.5; left to the exchange's stop at 100 992.5"),
    ],
)  # fmt: skip
def test_a_hold_is_told_with_its_numbers(line: str, reason: str, text: str) -> None:
    trail = told(TRAILING + line.replace("move 101291.0", "move 101291")).trail
    assert trail is not None
    assert trail.hold is HoldReason(reason)
    assert hold_text(trail) == text


def held(lines: str, settings: Policy | None = None) -> str:
    trail = told(lines, settings).trail
    assert trail is not None
    return hold_text(trail)


def test_holds_before_trailing() -> None:
    start = "open long 100\n price 100  place 98\n ack\n"
    bare = {"backstop_percent": None, "breakeven_at_percent": None}
    assert held("open long 100") == "waits for the first price"
    assert held(start, policy(**bare)) == "trailing begins at 101.5"
    assert (
        held(start, policy(activation_after_minutes="10", **bare))
        == "trailing begins at 101.5, or 10 min after the opening"
    )
    tight = policy(distance=Absolute(D("0.2")), **bare)
    refused = "open long 100\n price 100  place 98 alarm distance_refused\n ack\n"
    assert held(refused, tight) == "not trailed: the distance is under 3 ticks of 0.1 or the spread"
    at_once = policy(activation_percent="0", initial_stop_percent=None, **bare)
    story = told("open long 100", at_once)
    assert story.trail is not None
    assert hold_text(replace(story.trail, hold=HoldReason.NOT_ACTIVATED)) == (
        "trailing begins with the first price"
    )


def test_holds_after_an_answer() -> None:
    moved = TRAILING + "61s price 101800 move 101291\n"
    assert held(moved + "62s unknown") == (
        "it is not known whether the exchange took the last stop; looking it up"
    )
    assert held(moved + "62s refused limit alarm stop_refused") == (
        "the exchange did not take the stop; it is asked for again"
    )
    trail = told(moved + "62s refused limit alarm stop_refused").trail
    assert trail is not None
    decided = replace(trail, retry_at_ms=1 << 62)
    assert hold_text(decided) == "the exchange did not take the stop; decided anew"
    assert held(TRAILING + "2s gap 102000\n 62s time") == "waits for a live price after the gap"
    assert held(TRAILING + "2s triggered") == ""
    assert held(moved + "62s refused budget") == (
        "waits until the exchange's limits have room for it"
    )
    budget = policy(pacing="budget", backstop_percent=None, breakeven_at_percent=None)
    waiting = "open long 100000\n price 100000  place 98000\n ack\n 1s price 101500"
    assert held(waiting, budget) == (
        "3.05 % better, waits its turn: the exchange's limits go to the stops with most money at "
        "risk first"
    )


def moved(lines: str, settings: Policy | None = None, command: int = 0) -> str:
    story = told(lines, settings)
    asked = story.commands[command]
    assert story.trail is not None
    assert isinstance(asked, PlaceStop | MoveStop | ClosePosition)
    return move_text(story.trail, asked)


def test_placements() -> None:
    first = "open long 100000\n price 100000  place 98000 backstop 95000"
    assert moved(first) == "initial stop: 2 % from entry 100 000; stop at 98 000.0"
    assert moved(first, command=1) == "backstop for the whole position at 95 000.0"
    assert moved(
        "open long 100\n price 97  place 95.1 backstop 92.2 alarm adopted_beyond_stop"
    ) == ("initial stop: 2 % from the price 97; stop at 95.1")
    assert moved("open long 100 liq 99\n price 100  place 99.1 alarm no_backstop") == (
        "kept clear of the liquidation price 99; stop at 99.1"
    )
    assert moved("open long 100 foreign 97\n price 100 backstop 94\n foreign none place 97") == (
        "stop found on the exchange; stop at 97"
    )


BARE = {"backstop_percent": None, "activation_percent": "0", "breakeven_at_percent": None}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (policy(**BARE), "trailing: 0.5 % behind the peak 110; stop at 109.5"),
        (
            policy(distance=Steps((Rung(D(1), D("0.4")),)), **BARE),
            "trailing: 0.4 % (ladder) behind the peak 110; stop at 109.6",
        ),
        (
            policy(distance=Absolute(D("1.5")), **BARE),
            "trailing: 1.5 behind the peak 110; stop at 108.5",
        ),
        (
            policy(distance=ProfitShare(D("0.5")), **BARE),
            "trailing: 50 % of the best gain kept, behind the peak 110; stop at 105.0",
        ),
        (
            policy(distance=Atr(), **BARE),
            "trailing: 0.5 % (ATR has 1 of 14 candles) behind the peak 110; stop at 109.5",
        ),
        (
            policy(distance=Atr(length=1), **BARE),
            "trailing: 2 × ATR 2 behind the peak 110; stop at 106.0",
        ),
    ],
)
def test_a_trailing_stop_names_its_distance(settings: Policy, text: str) -> None:
    story = told("open long 100\n candle 101 99 100", settings)
    place = text.rsplit(" ", 1)[1].removesuffix(".0")
    story.tell(f"bar 110  place {place}")
    asked = story.commands[0]
    assert story.trail is not None
    assert isinstance(asked, PlaceStop)
    assert move_text(story.trail, asked) == text


def test_moves() -> None:
    settings = policy(backstop_percent=None)
    start = "open long 100000\n price 100000  place 98000\n ack\n"
    assert moved(start + "price 100610  move 100100.1", settings) == (
        "breakeven: 0.61 % gain pays the fees both ways; stop to 100 100.1 from 98 000.0"
    )
    assert moved(start + "position size 2  move 98000", settings) == (
        "size put right: the stop at 98 000.0 now covers 2"
    )
    assert moved(start + "tighten 99000  move 99000", settings) == (
        "tightened by you; stop to 99 000.0 from 98 000.0"
    )
    running = policy(momentum_percent_per_minute="0.1", **BARE)
    assert moved(
        "open long 100\n price 100  place 99.5\n ack\n 60s price 100.5 move 100.2", running
    ) == (
        "trailing: 0.5 %, tightened once to 0.7 of it by momentum, behind the peak 100.5; "
        "stop to 100.2 from 99.5"
    )


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (CloseReason.CROSSED, "crossed: the exact stop 101 490.0 was reached before the exchange's stop had been moved there: closing 1 at market"),
        (CloseReason.BEYOND_AT_ADOPTION, "adopted beyond its initial stop: closing 1 at market"),
        (CloseReason.TRIGGERED_STILL_OPEN, "the position is still open 5 s after its stop fired or its close was sent: closing 1 at market"),
        (CloseReason.TRIGGER_REJECTED, "the stop fired and the exchange refused its order: closing 1 at market"),
        (CloseReason.BEYOND_WITHOUT_TRIGGER, "the price has been beyond the stop 100 992.5 for 5 s and the exchange did not fire: closing 1 at market"),
        (CloseReason.USER, "asked for by you: closing 1 at market"),
    ],
)  # fmt: skip
def test_closes(reason: CloseReason, text: str) -> None:
    trail = told(TRAILING + "2s price 102000").trail
    assert trail is not None
    assert move_text(trail, ClosePosition(LEG, D(1), reason)) == text


def test_a_move_can_be_told_before_any_price() -> None:
    trail = told("open long 100").trail
    assert trail is not None
    asked = MoveStop(Leg("a", "b", "c"), D(99), D(98), D(1), StopKind.BREAKEVEN)
    assert (
        move_text(trail, asked) == "breakeven: the gain pays the fees both ways; stop to 99 from 98"
    )
    placed = PlaceStop(LEG, Role.WORKING, D(98), D(1), StopKind.INITIAL)
    assert "initial stop" in move_text(trail, placed)


def test_prices_keep_their_digits() -> None:
    assert price_text(D("0.0001230")) == "0.0001230"
    assert price_text(D("1234567.80")) == "1 234 567.80"
    assert price_text(D("1E+3")) == "1 000"


def test_every_reason_has_a_text() -> None:
    trail: Trail | None = told(TRAILING + "2s price 102000").trail
    assert trail is not None
    for reason in HoldReason:
        assert hold_text(replace(trail, hold=reason)), reason
