"""Why an epoch ended, read from the exchange's executions and our own intents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from trailstop.domain.position import Cause, Position, Role, StopKind
from trailstop.domain.price import Side
from trailstop.engine.commands import CloseReason
from trailstop.engine.explain import price_text
from trailstop.engine.trail import Trail
from trailstop.ports import Execution, Origin
from trailstop.storage.records import Intent

_BY_KIND = {
    StopKind.INITIAL: Cause.INITIAL_STOP,
    StopKind.BREAKEVEN: Cause.BREAKEVEN,
    StopKind.TRAIL: Cause.TRAIL,
    StopKind.USER: Cause.USER_STOP,
    StopKind.FOREIGN: Cause.FOREIGN_STOP,
}
_BY_ORIGIN = {
    Origin.FOREIGN_STOP: Cause.FOREIGN_STOP,
    Origin.LIQUIDATION: Cause.LIQUIDATED,
    Origin.ADL: Cause.ADL,
    Origin.SETTLEMENT: Cause.SETTLED,
}

_STOPS = frozenset({*_BY_KIND.values(), Cause.BACKSTOP})
TOLD_SLIPPAGE_PERCENT = Decimal("0.1")
"""Slippage that is worth a word: more than a quiet book takes."""
_HUNDRED = Decimal(100)


class Known(NamedTuple):
    """What tells whose an order was: our intents and the foreign stops by client id.

    `fired` is the kind of the position's one stop, which has no client id.
    """

    intents: Mapping[str, Intent]
    foreign_stops: frozenset[str]
    fired: StopKind


def cause_of_kind(kind: StopKind) -> Cause:
    """The cause when a stop of this kind fired."""
    return _BY_KIND[kind]


def closing_fills(executions: Sequence[Execution], side: Side) -> list[Execution]:
    """Fills that reduced the position, oldest first."""
    direction = "sell" if side is Side.LONG else "buy"
    return [fill for fill in executions if fill.direction == direction]


def exit_price(fills: Sequence[Execution]) -> Decimal | None:
    """Average price of the closing fills, by size."""
    quantity = sum((fill.quantity for fill in fills), Decimal(0))
    if not quantity:
        return None
    return sum((fill.price * fill.quantity for fill in fills), Decimal(0)) / quantity


def slipped(trail: Trail, cause: Cause, price: Decimal | None) -> str:
    """Say how far beyond its stop a position was closed; "" where it is not worth a word.

    A stop becomes a market order, which promises no price: in a crash the gap is told.
    """
    stop = trail.backstop if cause is Cause.BACKSTOP else trail.live_stop
    if cause not in _STOPS or price is None or stop is None:
        return ""
    percent = (stop - price) * trail.position.side.sign * _HUNDRED / stop
    if percent < TOLD_SLIPPAGE_PERCENT:
        return ""
    return f"{percent:.2f} % beyond its stop at {price_text(stop.normalize())}"


def turned_round(executions: Sequence[Execution], position: Position) -> bool:
    """Whether the last closing fill closed the position and opened the opposite one.

    `executions` are those of the epoch up to its end, `position` as it was known last: the
    newest fills may not have been told. Where it is not known when the position was opened its
    opening fill is missing, so that the fills do not add up to its size. What the exchange itself
    closes, and a stop of the position, never opens the opposite one.
    """
    size, crossed, whole = Decimal(0), False, position.opened_at_ms is not None
    for fill in executions:
        adds = (fill.direction == "buy") is (position.side is Side.LONG)
        before, size = size, size + (fill.quantity if adds else -fill.quantity)
        crossed = before > 0 > size
    fills = closing_fills(executions, position.side)
    if fills and fills[-1].origin is not Origin.ORDER:
        return False
    return (crossed and whole) or bool(fills and fills[-1].quantity > position.quantity)


def judge(fills: Sequence[Execution], known: Known) -> Cause:
    """The cause of the last closing fill; nothing read is unknown."""
    if not fills:
        return Cause.UNKNOWN
    last = fills[-1]
    if last.origin is Origin.POSITION_STOP:
        return cause_of_kind(known.fired)
    if last.origin in _BY_ORIGIN:
        return _BY_ORIGIN[last.origin]
    intent = known.intents.get(last.client_id)
    if intent is None:
        foreign = last.client_id in known.foreign_stops
        return Cause.FOREIGN_STOP if foreign else Cause.CLOSED_ELSEWHERE
    if intent.action == "close":
        return Cause.USER_CLOSE if intent.reason == CloseReason.USER.value else Cause.CROSSED
    if intent.role is Role.BACKSTOP:
        return Cause.BACKSTOP
    return cause_of_kind(intent.kind or StopKind.INITIAL)
