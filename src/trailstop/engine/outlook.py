"""What the settings come to for one position, in prices, so that a mistaken unit is seen."""

from __future__ import annotations

from decimal import Decimal

from trailstop.engine import rules
from trailstop.engine.explain import price_text
from trailstop.engine.trail import Trail


def outlook_text(trail: Trail) -> str:
    """Say from which price a new trail will follow, and where its stop is then.

    The breakeven move is left out: it depends on fees that are not known yet.
    """
    instrument, side = trail.instrument, trail.position.side
    start = trail.activation_at
    if trail.policy.activation_percent == 0:
        start = trail.position.entry_price
    stop = rules.distance_stop(trail, start)
    shown = price_text(_digits(instrument.snap_stop(start, side)))
    if stop is None:
        return f"trails from {shown}"
    snapped = _digits(instrument.snap_stop(stop, side))
    return f"trails from {shown}, then with the stop at {price_text(snapped)}"


def _digits(price: Decimal) -> Decimal:
    """Without trailing zeros."""
    return price.normalize()
