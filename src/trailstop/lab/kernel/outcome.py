"""How loops end, in the numbers that compiled code returns."""

from __future__ import annotations

DONE, TOO_LARGE, CLOSE_TO_PRICE, BEYOND = 0, 1, 2, 3
"""All entries have left; or a price is too large, a distance is under a tick, or a position opens
beyond its first stop."""
INITIAL, BREAKEVEN, TRAIL, TIME_LIMIT, END_OF_DATA = 0, 1, 2, 3, 6
"""Positions of the causes in `tuple(ExitCause)`."""
JUMPED = 100
"""No cause: the rule itself has to decide."""
