"""How this exchange writes numbers, times and words."""

from __future__ import annotations

from decimal import Decimal

from trailstop.paper.model import Conditional

US_PER_MS = 1_000
ASSET = "USDT"
WORKING_TYPES = {"last": "CONTRACT_PRICE", "mark": "MARK_PRICE"}
PRICE_TYPES = {word: price for price, word in WORKING_TYPES.items()}
SELF_TRADE = "EXPIRE_MAKER"
MONEY_PLACES = Decimal("1E-8")
CLOSES_WITH_POSITION = "GTE_GTC"
"""Time in force of whole-position orders, which end with their position (seen 2026-08)."""


def plain(number: Decimal | None) -> str:
    """A number without exponent; absent is zero."""
    return "0" if number is None else format(number, "f")


def money(number: Decimal) -> str:
    """An amount with the eight places that this exchange prints."""
    return format(number.quantize(MONEY_PLACES), "f")


def ms(at_us: int) -> int:
    """Microseconds as this exchange's milliseconds."""
    return at_us // US_PER_MS


def conditional_time_in_force(conditional: Conditional) -> str:
    """The time in force of a conditional order."""
    return CLOSES_WITH_POSITION if conditional.close_position else conditional.time_in_force
