"""Bybit's retCodes and texts, page `error` (read 2026-11), as reasons of ours. Pure.

Code 10001 stands for every wrong parameter; what is wrong is said in its text alone. The texts
are those that the exchange was seen to send.
"""

from __future__ import annotations

import re

from trailstop.engine.events import Refusal
from trailstop.ports import Refused

UNKNOWN_OUTCOME = frozenset({429, 10000, 10016, 10019, 10429})
"""Server timeout, error, restart, overload: may have had effect."""
CLOCK = 10002
KEY_CODES = frozenset({10003, 10004, 10005, 10007, 10009, 10010, 10024, 10027, 10029, 33004})
"""Key unknown or expired, signature, permission, address, region, a ban of the account."""
TOO_MANY_VISITS = 10006
"""One account's limit of one endpoint."""
ADDRESS_LIMIT = 10018
PARAMETER = 10001
NOT_MODIFIED = 34040
REDUCE_ONLY = 110017
NOT_FOUND = frozenset({110001})
DUPLICATE_ID = frozenset({10014, 110072})

WOULD_TRIGGER = re.compile(r"should (?:be )?(?:lower|greater|higher) than", re.IGNORECASE)
"""`StopLoss:68870000 set for Buy position should lower than base_price:68500000??LastPrice`."""
ZERO_POSITION = re.compile(r"zero position", re.IGNORECASE)
"""`can not set tp/sl/ts for zero position`; also for a moment right after the entry."""
WRONG_MODE = re.compile(r"position idx not match position mode", re.IGNORECASE)
WRONG_MODE_ADVICE = (
    "the symbol's position mode is not the one that the position was read in; if it was "
    "switched just now the next pass reads it anew"
)

REFUSALS = {
    # Nothing is open that the order could reduce.
    REDUCE_ONLY: Refusal.POSITION_GONE,
    # Limits, clock, work in progress: the same request will do a little later.
    CLOCK: Refusal.TRANSIENT,
    TOO_MANY_VISITS: Refusal.TRANSIENT,
    ADDRESS_LIMIT: Refusal.TRANSIENT,
    NOT_MODIFIED: Refusal.TRANSIENT,
    110079: Refusal.TRANSIENT,
    40004: Refusal.TRANSIENT,
    # A market order goes out as a limit at the edge of the band, which the book lies beyond now.
    110003: Refusal.TRANSIENT,
    110120: Refusal.TRANSIENT,
    110121: Refusal.TRANSIENT,
    30208: Refusal.TRANSIENT,
    30209: Refusal.TRANSIENT,
    # The trigger has been passed already.
    110092: Refusal.WOULD_TRIGGER,
    110093: Refusal.WOULD_TRIGGER,
    # No room: stops of a symbol, active orders, partial stops of a position.
    110009: Refusal.LIMIT,
    110020: Refusal.LIMIT,
    110061: Refusal.LIMIT,
}


def is_zero_position(code: int, text: str) -> bool:
    """Whether the exchange knows of no position, perhaps only not yet."""
    return code == PARAMETER and ZERO_POSITION.search(text) is not None


def is_grid(code: int, text: str) -> bool:
    """Whether a parameter was refused for no reason known here: the grid may have changed."""
    known = (WOULD_TRIGGER, ZERO_POSITION, WRONG_MODE)
    return code == PARAMETER and not any(pattern.search(text) for pattern in known)


def reason(code: int, text: str) -> Refusal:
    """Why a write was definitely refused; codes not listed are a reason of their own."""
    if code == PARAMETER and WOULD_TRIGGER.search(text):
        return Refusal.WOULD_TRIGGER
    if is_zero_position(code, text):
        return Refusal.POSITION_GONE
    return REFUSALS.get(code, Refusal.OTHER)


def refused(code: int, text: str, retry_after_ms: int | None = None) -> Refused:
    """A definite refusal, with what to do where only a person can."""
    if code == PARAMETER and WRONG_MODE.search(text):
        text = f"{text}: {WRONG_MODE_ADVICE}"
    return Refused(reason=reason(code, text), code=code, text=text, retry_after_ms=retry_after_ms)
