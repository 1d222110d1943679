"""Spans of time in which lists of the past are asked for."""

from __future__ import annotations

from collections.abc import Mapping

from trailstop.errors import ReadFailed

MS_PER_MINUTE = 60_000
DAY_MS = 24 * 60 * MS_PER_MINUTE
WEEK_MS = 7 * DAY_MS - 1
"""Longest span of one request for fills, at either exchange; its last millisecond counts."""


def interval(spellings: Mapping[int, str], minutes: int) -> str:
    """The length of a candle as the exchange spells it. Raises: ReadFailed for one it has not."""
    if minutes not in spellings:
        raise ReadFailed(
            f"candles of {minutes} minutes do not exist; choose one of "
            f"{', '.join(map(str, spellings))}"
        )
    return spellings[minutes]
