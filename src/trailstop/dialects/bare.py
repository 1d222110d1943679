"""A policy that trails a distance and does nothing else, as the orders of other systems do."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from trailstop.domain.policy import Distance, Policy
from trailstop.domain.price import Rounding

AT_ONCE = Decimal(0)
"""Activation gain with which trailing begins at the first price."""
NO_LIMIT = Decimal(0)


def trailing_only(
    distance: Distance,
    *,
    activation_price: Decimal | None = None,
    rounding: Rounding = Rounding.NONE,
    basis: Literal["last", "mark", "bid_ask", "last_or_bid_ask"] = "last",
    strict: bool = False,
) -> Policy:
    """Policy with no initial stop, breakeven, backstop, pacing or least distance.

    Without `activation_price` (quote currency) trailing begins at the first price.
    """
    return Policy(
        initial_stop_percent=None,
        backstop_percent=None,
        breakeven_at_percent=None,
        pacing="none",
        min_distance_percent=NO_LIMIT,
        min_distance_ticks=0,
        activation_percent=AT_ONCE if activation_price is None else None,
        activation_price=activation_price,
        distance=distance,
        trigger_price="mark" if basis == "mark" else "last",
        rounding=rounding,
        basis=basis,
        strict=strict,
    )
