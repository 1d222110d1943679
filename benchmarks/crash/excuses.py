"""Times in which nobody can be blamed: a position had to wait for a guard that was dead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from benchmarks.crash.history import History
from benchmarks.crash.moments import REACTION_MS, US_PER_MS, Counted, Kill, Span, dead_times
from benchmarks.crash.others import Act
from benchmarks.crash.truth import OWN_PREFIX, STOP_LOSS

RESTORE_US = 7_000_000
"""What a guard that works may take to put right what others did: a pass every 5 s, and 2 s."""
PAUSE_US = 67_000_000
"""The same where it has put the leg right within the last minute."""
GAP_MAX_US = 250_000_000
"""The longest time between two lives, and a little more."""
MOST_STOPS = 2


def is_excused(incident: dict[str, Any], acts: Iterable[Act], kills: list[Kill]) -> bool:
    """Whether somebody made it worse, and a dead guard is why it lasted so long."""
    windows = _windows(acts, _leg_of(incident), kills)
    return any(
        begin_us <= incident["from_us"] and incident["to_us"] <= end_us
        for begin_us, end_us in windows
    )


def may_be_excused(counted: Counted, acts: Iterable[Act], kills: list[Kill]) -> bool:
    """Whether what was counted at some time between two looks may be of such a time."""
    leg = counted.account, counted.symbol, counted.position_side
    return any(
        begin_us <= counted.to_us and counted.from_us <= end_us
        for begin_us, end_us in _windows(acts, leg, kills)
    )


def is_of_two_lives(counted: Counted, history: History, kills: list[Kill]) -> bool:
    """Whether a second stop stood too long only because a life too short to remove it counts too.

    The exchange counts its age in all time in which a guard is linked. A third one is no matter
    of age.
    """
    lives = [(kill.to_us, later.from_us) for kill, later in pairwise(kills)]
    short = any(
        until_us - since_us < REACTION_MS * US_PER_MS and until_us <= counted.to_us
        for since_us, until_us in lives
        if counted.from_us - until_us < GAP_MAX_US
    )
    return short and not _had_a_third(counted, history)


def _had_a_third(counted: Counted, history: History) -> bool:
    stops = [
        order
        for order in history.conditionals[counted.account]
        if (order.symbol, order.position_side) == (counted.symbol, counted.position_side)
        and order.client_id.startswith(OWN_PREFIX)
        and order.quantity is not None
    ]
    return any(
        sum(
            other.side == order.side and other.created_us <= order.created_us < other.updated_us
            for other in stops
        )
        > MOST_STOPS
        for order in stops
        if counted.from_us <= order.created_us <= counted.to_us
    )


def nobody_could(history: History, incident: dict[str, Any], kills: list[Kill]) -> bool:
    """Whether the position never had a stop before, and no guard ran that could have placed one."""
    reaction_us = REACTION_MS * US_PER_MS
    dead = any(
        from_us <= incident["from_us"] and incident["to_us"] <= to_us + reaction_us
        for from_us, to_us in dead_times(kills)
    )
    account, symbol, position_side = _leg_of(incident)
    stops = (
        order
        for order in history.conditionals[account]
        if (order.symbol, order.position_side) == (symbol, position_side)
        and (order.slot == STOP_LOSS or order.client_id.startswith(OWN_PREFIX))
        and incident["from_us"] - reaction_us <= order.created_us < incident["to_us"]
    )
    return dead and not any(stops)


def _windows(acts: Iterable[Act], leg: tuple[str, str, str], kills: list[Kill]) -> Iterator[Span]:
    """From an act to when a guard must have answered it, for each time that it was dead."""
    spans = dead_times(kills, RESTORE_US // US_PER_MS)
    for act in acts:
        if act.worsens and _leg(act) == leg:
            for from_us, to_us in spans:
                if from_us <= act.at_us + PAUSE_US and act.at_us <= to_us:
                    yield act.at_us, to_us + RESTORE_US


def _leg(act: Act) -> tuple[str, str, str]:
    return act.account, act.symbol, act.position_side


def _leg_of(incident: dict[str, Any]) -> tuple[str, str, str]:
    return incident["account"], incident["symbol"], incident["position_side"]
