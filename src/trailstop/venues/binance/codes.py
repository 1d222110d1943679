"""Error codes of Binance USDⓈ-M futures and what follows from them; page `error-code`, 2026-11."""

from __future__ import annotations

from trailstop.engine.events import Refusal
from trailstop.ports import Refused

UNKNOWN_OUTCOME = frozenset({-1000, -1001, -1006, -1007})
"""Unknown error, disconnected, unexpected response, timeout: may have had effect."""
CLOCK_CODES = frozenset({-1021, -5028})
"""Timestamp outside the window, at the gateway or at the matching engine."""
KEY_CODES = frozenset({-1022, -2008, -2014, -2015})
"""Signature, unknown key, key format; key, address or permission."""
NOT_FOUND = frozenset({-2011, -2013})
"""Unknown order; which of the two the Algo Service uses is unconfirmed, so both count."""
OVERLOADED = -1008
TOO_MANY_REQUESTS = -1003
TOO_MANY_ORDERS = -1015
DUPLICATE_ID = -4116
TWIN_EXISTS = -4130
WRONG_MODE = frozenset({-4061, -4062})
"""The position side, or the reduce-only flag, does not fit the account's position mode."""
NEEDLESS_PARAMETER = -1106
OUTDATED = frozenset({-1111, -4014, -4023, -1122, -4140, -4141})
"""Precision, tick, step; status of the symbol: what we know of it may have changed."""
GRID = frozenset({-1111, -4014, -4023})
ABOVE_BAND = frozenset({-4016, -4183, -4210})
BELOW_BAND = frozenset({-4024, -4184, -4211})
"""Limit prices, prices of stops, stop prices outside the multiplier band around the mark."""

REFUSALS = {
    # The trigger has been passed already; some paths say -4142.
    -2021: Refusal.WOULD_TRIGGER,
    -4142: Refusal.WOULD_TRIGGER,
    # Reduce-only refused, and GTE without a position: most likely nothing is open any more.
    -2022: Refusal.POSITION_GONE,
    -4509: Refusal.POSITION_GONE,
    # Load, limits and clock: the same order will do a little later.
    TOO_MANY_REQUESTS: Refusal.TRANSIENT,
    OVERLOADED: Refusal.TRANSIENT,
    TOO_MANY_ORDERS: Refusal.TRANSIENT,
    -1016: Refusal.TRANSIENT,
    -1021: Refusal.TRANSIENT,
    -5028: Refusal.TRANSIENT,
    # The book is too thin for a market order just now.
    -4131: Refusal.TRANSIENT,
    # No room: open orders, conditional orders.
    -2025: Refusal.LIMIT,
    -4045: Refusal.LIMIT,
    **dict.fromkeys(ABOVE_BAND | BELOW_BAND, Refusal.BAND),
}


def is_wrong_mode(code: int, text: str) -> bool:
    """Whether the account has the other position mode; hedge mode also calls the flag needless."""
    return code in WRONG_MODE or (code == NEEDLESS_PARAMETER and "reduceonly" in text.lower())


def refused(code: int, text: str, retry_after_ms: int | None = None) -> Refused:
    """Say why a write was definitely refused; codes not listed are a reason of their own."""
    return Refused(
        reason=REFUSALS.get(code, Refusal.OTHER),
        code=code,
        text=text,
        overlap=code == TWIN_EXISTS,
        retry_after_ms=retry_after_ms,
    )
