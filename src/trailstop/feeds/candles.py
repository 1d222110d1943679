"""Candles of any length on the grid of Unix time, from those that an exchange lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trailstop.clock import MS_PER_SECOND
from trailstop.domain.policy import Atr
from trailstop.engine.events import CandleClosed
from trailstop.ports import Bar

MS_PER_MINUTE: Final = 60 * MS_PER_SECOND
LISTED_MINUTES: Final = (1_440, 720, 360, 120, 60, 30, 15, 5, 3, 1)
"""Lengths that every exchange lists; any other is put together from the longest that fits."""
WARM_UP: Final = 10
"""Candles before the first price, in lengths of the average. The one that began it then weighs
(1 − 1/length)^(9 × length), less than a hundredth of a percent."""
CANDLES_MAX: Final = 1_000
"""Candles before the first price, at most."""


def warm_up_ms(atr: Atr) -> int:
    """How far back the candles reach that an average begins with."""
    return min(WARM_UP * atr.length, CANDLES_MAX) * length_ms(atr)


def length_ms(atr: Atr) -> int:
    """Length of one candle."""
    return atr.timeframe_minutes * MS_PER_MINUTE


def listed_minutes(minutes: int) -> int:
    """The longest listed candle of which a whole number makes one of so many minutes."""
    return next(listed for listed in LISTED_MINUTES if minutes % listed == 0)


def closed_candles(bars: Sequence[Bar], minutes: int, until_ms: int) -> list[CandleClosed]:
    """Candles of so many minutes that ended by a time, from listed ones, oldest first.

    The span of `bars` begins where a candle does. Parts in which nothing was traded are not
    listed everywhere: a candle is made of those that are, and left out where there is none.
    """
    span_ms = minutes * MS_PER_MINUTE
    found: dict[int, list[Bar]] = {}
    for bar in bars:
        end_ms = (bar.at_ms // span_ms + 1) * span_ms
        if bar.closed and end_ms <= until_ms:
            found.setdefault(end_ms, []).append(bar)
    return [
        CandleClosed(
            max(bar.high for bar in parts), min(bar.low for bar in parts), parts[-1].close, end_ms
        )
        for end_ms, parts in found.items()
    ]
