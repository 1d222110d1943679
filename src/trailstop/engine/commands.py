"""What a decider asks for; the executor is the only one who carries it out.

`step` gives the first four, the guard's `plan` any of them.
"""

from __future__ import annotations

import enum
from decimal import Decimal

from msgspec import Struct

from trailstop.domain.position import Leg, Position, Role, StopKind


class PlaceStop(Struct, frozen=True, tag=True):
    """Rest a reduce-only stop where this role has none on the leg.

    `price` is on the tick grid; `quantity` is the whole position (ignored for a backstop,
    which closes whatever is there).
    """

    leg: Leg
    role: Role
    price: Decimal
    quantity: Decimal
    kind: StopKind = StopKind.INITIAL


class MoveStop(Struct, frozen=True, tag=True):
    """Replace the working stop at `previous` by one at `price`, never bare in between.

    `price` equals `previous` where only the quantity is put right.
    """

    leg: Leg
    price: Decimal
    previous: Decimal
    quantity: Decimal
    kind: StopKind


class CloseReason(enum.Enum):
    """Why the position is closed at market."""

    CROSSED = "crossed"
    BEYOND_AT_ADOPTION = "beyond_at_adoption"
    TRIGGERED_STILL_OPEN = "triggered_still_open"
    TRIGGER_REJECTED = "trigger_rejected"
    BEYOND_WITHOUT_TRIGGER = "beyond_without_trigger"
    USER = "user"


class ClosePosition(Struct, frozen=True, tag=True):
    """Close at market, reduce-only, overtaking any move in flight."""

    leg: Leg
    quantity: Decimal
    reason: CloseReason


class Alarm(Struct, frozen=True, tag=True):
    """Tell a person at once; `text` is one line, `code` its stable name."""

    leg: Leg
    code: str
    text: str


class CancelStop(Struct, frozen=True, tag=True):
    """Remove one resting stop of ours: surplus within its role, or an orphan."""

    leg: Leg
    order_id: str
    client_id: str
    role: Role
    reason: str


class AdoptPosition(Struct, frozen=True, tag=True):
    """A position without a trail: begin one."""

    leg: Leg
    position: Position


class EndEpoch(Struct, frozen=True, tag=True):
    """A complete fresh read proves the leg flat: end its trail."""

    leg: Leg


class LookUp(Struct, frozen=True, tag=True):
    """Ask the service that owns this id what became of the write."""

    leg: Leg
    client_id: str


Command = (
    PlaceStop | MoveStop | ClosePosition | Alarm | CancelStop | AdoptPosition | EndEpoch | LookUp
)
