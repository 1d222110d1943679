"""Facts in words: one line a trader understands for each record worth telling."""

from __future__ import annotations

from decimal import Decimal

from trailstop.domain.position import Cause, Leg
from trailstop.engine.explain import price_text
from trailstop.engine.outlook import outlook_text
from trailstop.storage.records import (
    Adopted,
    Alarmed,
    Ended,
    Held,
    Moved,
    Noted,
    PhaseChanged,
    Record,
)

CAUSES = {
    Cause.INITIAL_STOP: "the initial stop",
    Cause.BREAKEVEN: "the breakeven stop",
    Cause.TRAIL: "the trailing stop",
    Cause.CROSSED: "a market close where the price crossed the exact stop",
    Cause.BACKSTOP: "the backstop",
    Cause.FOREIGN_STOP: "a stop that is not ours",
    Cause.USER_STOP: "the stop that a person asked for",
    Cause.USER_CLOSE: "a person through Trailstop",
    Cause.CLOSED_ELSEWHERE: "somebody else",
    Cause.LIQUIDATED: "liquidation",
    Cause.ADL: "auto-deleveraging",
    Cause.SETTLED: "settlement",
    Cause.FLIPPED: "an order that turned the position round",
    Cause.RELEASED: "its owner, who no longer has it guarded: it is open, and its stop stays",
    Cause.UNKNOWN: "unknown: the executions could not be read",
}


def tell(record: Record) -> str | None:
    """One line for people, or None for what is only for the journal."""
    match record:
        case Adopted(leg, _, position):
            return (
                f"{_name(leg)} adopted: {position.side.value} {plain(position.quantity)} at "
                f"{price_text(position.entry_price.normalize())}; {outlook_text(record.begin())}"
            )
        case Moved(leg, _, _, to_price, kind, text):
            return f"{_name(leg)} {text or f'{kind.value}: stop at {price_text(to_price)}'}"
        case PhaseChanged(leg, _, phase, price):
            at = "" if price is None else f" at {price_text(price)}"
            return f"{_name(leg)} is now {phase.value}{at}"
        case Held(leg, _, _, text):
            return f"{_name(leg)} holds: {text}"
        case Ended(leg, _, cause, exit_price, text):
            at = "" if exit_price is None else f" at {price_text(exit_price.normalize())}"
            more = f", {text}" if text else ""
            return f"{_name(leg)} closed{at} by {CAUSES[cause]}{more}"
        case Alarmed(leg, _, _, text):
            return f"ALARM {_name(leg)}: {text}"
        case Noted(leg, _, _, text):
            return f"{_name(leg)}: {text}"
        case _:
            return None


def _name(leg: Leg) -> str:
    """A leg in a line: who and what; in one-way mode the side is told at adoption."""
    side = "" if leg.position_side == "both" else f" {leg.position_side}"
    # What concerns a whole account has no symbol.
    return f"{leg.account} {leg.symbol}".rstrip() + side


def plain(number: Decimal) -> str:
    """A number without an exponent and without trailing zeros."""
    return f"{number.normalize():f}"
