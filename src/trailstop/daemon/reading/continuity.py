"""Whether a position is still the same one: read back from the executions.

The size now, less every fill since, must never have been zero. Entry and size alone prove
nothing: a position can be closed and opened again at the same price.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from trailstop.domain.position import Position
from trailstop.domain.price import Side
from trailstop.ports import Execution


def _backwards(fills: Iterable[Execution], position: Position) -> list[tuple[Decimal, Execution]]:
    """Signed size before each fill, newest first, from the size now."""
    size = position.quantity * position.side.sign
    sizes = []
    for fill in reversed(list(fills)):
        size -= fill.quantity if fill.direction == "buy" else -fill.quantity
        sizes.append((size, fill))
    return sizes


def touched_zero(fills: Iterable[Execution], position: Position) -> bool:
    """Whether the size was zero, or on the other side, before any of these fills."""
    return any(size * position.side.sign <= 0 for size, _ in _backwards(fills, position))


def was_closed(fills: Sequence[Execution] | None, side: Side) -> bool:
    """Whether fills since the adoption may have closed the position; unread ones say nothing."""
    direction = "sell" if side is Side.LONG else "buy"
    return any(fill.direction == direction for fill in fills or ())


def last_flat_ms(fills: Iterable[Execution], position: Position) -> int:
    """When the size was zero last; only where `touched_zero` holds."""
    return next(
        fill.at_ms for size, fill in _backwards(fills, position) if size * position.side.sign <= 0
    )
