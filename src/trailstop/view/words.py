"""Numbers, times and states in the words of a trader."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final

from trailstop.daemon.talk.status import Fact, LegStatus
from trailstop.domain.position import Cause, Phase

MS_PER_SECOND: Final = 1_000
SECONDS_PER_MINUTE: Final = 60
MINUTES_PER_HOUR: Final = 60
HOURS_PER_DAY: Final = 24
DAYS_FROM_HOURS: Final = 48
"""From so many hours on a duration is told in days."""
NOTHING: Final = "–"
GROUP: Final = " "
AVERAGE_DIGITS: Final = 7
"""Digits of an average that a trader reads; an exchange's own has up to 28."""
LEAST_PLACES: Final = 0
TWO_PLACES: Final = Decimal("0.01")

PHASES: Final = {
    Phase.INACTIVE: "no stop yet",
    Phase.WAITING: "waiting",
    Phase.ACTIVE: "TRAILING",
    Phase.TRIGGERED: "CLOSING",
    Phase.CLOSED: "closed",
}
CAUSES: Final = {
    Cause.INITIAL_STOP: "initial stop",
    Cause.BREAKEVEN: "breakeven stop",
    Cause.TRAIL: "trailing stop",
    Cause.CROSSED: "crossed, closed at market",
    Cause.BACKSTOP: "backstop",
    Cause.FOREIGN_STOP: "another's stop",
    Cause.USER_STOP: "stop set by hand",
    Cause.USER_CLOSE: "closed on your word",
    Cause.CLOSED_ELSEWHERE: "closed elsewhere",
    Cause.LIQUIDATED: "LIQUIDATED",
    Cause.ADL: "auto-deleveraged",
    Cause.SETTLED: "settled by the exchange",
    Cause.FLIPPED: "flipped",
    Cause.RELEASED: "released, still open",
    Cause.UNKNOWN: "unknown",
}
PROTECTION: Final = {
    "none": "NO STOP",
    "placing": "placing stop",
    "held": "protected",
    "moving": "protected, moving",
    "unknown": "STOP UNKNOWN",
}


def price(value: Decimal | None) -> str:
    """A price with its own digits, thousands set off: 61 234.5."""
    return NOTHING if value is None else f"{value:,f}".replace(",", GROUP)


EXACT_BELOW_MS: Final = 10_000
"""Shorter durations are told to the millisecond: they are what the clocks are about."""


def percent(value: Decimal | None, *, signed: bool = False) -> str:
    """A percentage with two places: +1.25 %."""
    if value is None:
        return NOTHING
    rounded = value.quantize(TWO_PLACES)
    return f"{rounded:+f}{GROUP}%" if signed else f"{rounded:f}{GROUP}%"


def clock(at_ms: int) -> str:
    """Time of day in UTC, 16:02:15."""
    return f"{dt.datetime.fromtimestamp(at_ms // MS_PER_SECOND, dt.UTC):%H:%M:%S}"


def span(duration_ms: int) -> str:
    """A duration: 1 850 ms, 12 s, 4 min 5 s, 3 h 10 min, 2 d 7 h."""
    if duration_ms < EXACT_BELOW_MS:
        return f"{duration_ms:,} ms".replace(",", GROUP)
    seconds = duration_ms // MS_PER_SECOND
    minutes, seconds = divmod(seconds, SECONDS_PER_MINUTE)
    if minutes == 0:
        return f"{seconds} s"
    hours, minutes = divmod(minutes, MINUTES_PER_HOUR)
    if hours == 0:
        return f"{minutes} min {seconds} s"
    if hours < DAYS_FROM_HOURS:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, HOURS_PER_DAY)
    return f"{days} d {hours} h"


def leg_name(leg: LegStatus) -> str:
    """What the position is called in a table: long BTCUSDT."""
    return f"{leg.side.value} {leg.leg.symbol}"


def hold_words(leg: LegStatus) -> str:
    """Why nothing moves, in words."""
    if leg.protection == "unknown" and leg.confirmed_ago_ms is not None:
        return f"the exchange confirmed the stop last {span(leg.confirmed_ago_ms)} ago"
    if leg.paused:
        return "paused by you; the live stop rests"
    return leg.hold_text or leg.hold_reason or ""


def how_known(leg: LegStatus) -> str:
    """What is known to rest, with the age of the exchange's word where it has grown old."""
    if leg.protection != "unknown" or leg.confirmed_ago_ms is None:
        return leg.protection
    return f"unknown, last confirmed {span(leg.confirmed_ago_ms)} ago"


def fact_line(fact: Fact) -> str:
    """One fact as one line of a quiet log."""
    return f"{clock(fact.at_ms)} {fact.text}"


def average(value: Decimal | None) -> str:
    """A computed price: as many digits as tell something."""
    if value is None:
        return NOTHING
    places = max(LEAST_PLACES, AVERAGE_DIGITS - value.adjusted() - 1)
    return price(value.quantize(Decimal(1).scaleb(-places)).normalize())
