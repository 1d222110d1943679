"""A contract that is redenominated: one old one becomes many new ones, at a fraction of the price.

Size and average change by one factor in opposite directions while their product stays. Every
price that the trail remembers changes with them; what was set in quote currency by a person
cannot be known to, so that the trail is paused until somebody has looked at it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from trailstop.domain.position import Position
from trailstop.engine.commands import Alarm
from trailstop.engine.pacing import Step
from trailstop.engine.trail import NEVER_MS, HoldReason, Trail

LEAST_FACTOR = Decimal("1.5")
"""Averaging moves an entry less than this while the notional stays: it always adds some."""
NOTIONAL_TOLERANCE = Decimal("0.001")
"""Share by which the notional may differ after both figures were rounded."""
_STOPS = ("exact_stop", "target_stop", "live_stop", "own_stop", "foreign_stop", "backstop")
_PRICES = ("base_price", "peak", "price")


def factor(before: Position, after: Position) -> Decimal | None:
    """New price over old price where the contract was redenominated, else None."""
    if not (before.entry_known and after.entry_known):
        return None
    ratio = after.entry_price / before.entry_price
    if 1 / LEAST_FACTOR < ratio < LEAST_FACTOR:
        return None
    notional = before.entry_price * before.quantity
    difference = abs(after.entry_price * after.quantity - notional)
    return ratio if difference <= notional * NOTIONAL_TOLERANCE else None


def redenominate(trail: Trail, ratio: Decimal) -> Step:
    """Carry the trail over to the new contract, and pause it until a person resumes it.

    `trail` has its new position already.
    """
    side, grid = trail.position.side, trail.instrument
    if ratio < 1:
        # The new grid may not be known yet; on the old one a stop would jump.
        grid = replace(grid, tick_size=grid.tick_size * ratio)
    changed: dict[str, Any] = {}
    for name in _PRICES:
        price = getattr(trail, name)
        changed[name] = None if price is None else price * ratio
    for name in _STOPS:
        price = getattr(trail, name)
        changed[name] = None if price is None else grid.snap_stop(price * ratio, side)
    trail = replace(
        trail,
        **changed,
        own_quantity=None if trail.own_quantity is None else trail.position.quantity,
        bid=None,
        ask=None,
        mark=None,
        jump=None,
        samples=(),
        atr=None,
        beyond_since_ms=None,
        paused=True,
        hold=HoldReason.PAUSED,
        release_at_ms=NEVER_MS,
    )
    text = (
        f"the contract was changed: prices are now {ratio.normalize():f} of what they were; the "
        "stop stays, trailing is paused: check prices in the settings, then resume"
    )
    return trail, (Alarm(trail.leg, "contract_changed", text),)
