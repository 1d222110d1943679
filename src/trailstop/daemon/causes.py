"""Why an epoch ended, read from the exchange's executions and our own intents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trailstop.domain.position import Cause, Role, StopKind
from trailstop.domain.price import Side
from trailstop.engine.commands import CloseReason
from trailstop.ports import Execution
from trailstop.storage.records import Intent

_BY_KIND = {
    StopKind.INITIAL: Cause.INITIAL_STOP,
    StopKind.BREAKEVEN: Cause.BREAKEVEN,
    StopKind.TRAIL: Cause.TRAIL,
    StopKind.USER: Cause.USER_STOP,
    StopKind.FOREIGN: Cause.FOREIGN_STOP,
}
# How the exchange names its own orders: "Liquidation Order Streams", read 2026-11.
_BY_PREFIX = (
    ("autoclose-", Cause.LIQUIDATED),
    ("adl_autoclose", Cause.ADL),
    ("settlement_autoclose-", Cause.SETTLED),
)


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


def judge(
    fills: Sequence[Execution], intents: Mapping[str, Intent], foreign_stops: frozenset[str]
) -> Cause:
    """The cause of the last closing fill; nothing read is unknown.

    `intents` are ours by client id, `foreign_stops` the client ids of stops that are not.
    """
    if not fills:
        return Cause.UNKNOWN
    name = fills[-1].client_id
    for prefix, cause in _BY_PREFIX:
        if name.startswith(prefix):
            return cause
    intent = intents.get(name)
    if intent is None:
        return Cause.FOREIGN_STOP if name in foreign_stops else Cause.CLOSED_ELSEWHERE
    if intent.action == "close":
        return Cause.USER_CLOSE if intent.reason == CloseReason.USER.value else Cause.CROSSED
    if intent.role is Role.BACKSTOP:
        return Cause.BACKSTOP
    return cause_of_kind(intent.kind or StopKind.INITIAL)
