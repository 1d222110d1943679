"""The exchange's clock as we estimate it: an offset on our monotonic clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from trailstop.clock import Clock

SAMPLES = 3
"""Readings of one synchronisation; the one with the shortest round trip counts."""
BIAS_DIVISOR = 4
"""The estimate lies a quarter of a round trip behind the middle, so that it is not ahead of
the exchange even where one way takes three times as long as the other. Exchanges refuse a
timestamp from their future sooner than an old one, and a read dated too early is only
believed less."""


class ServerClock:
    """The exchange's time, Unix milliseconds, by our monotonic clock.

    The machine's wall clock is used until the first reading only, so that a jump of it
    changes nothing. One instance may serve several accounts on one address.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms = clock.wall_ms() - clock.monotonic_ms()
        self._syncs = 0
        self._lock = asyncio.Lock()

    def now_ms(self) -> int:
        """The exchange's time now; slightly behind rather than ahead."""
        return self._clock.monotonic_ms() + self._offset_ms

    def steady_ms(self) -> int:
        """Our monotonic clock, for intervals: no synchronisation moves it."""
        return self._clock.monotonic_ms()

    @property
    def ahead_of_wall_ms(self) -> int:
        """How far the exchange's clock is before the machine's own, by the estimate."""
        return self.now_ms() - self._clock.wall_ms()

    @property
    def syncs(self) -> int:
        """How many synchronisations have succeeded."""
        return self._syncs

    async def sync(self, read_ms: Callable[[], Awaitable[int]]) -> None:
        """Estimate the offset anew from the exchange's statements of its time.

        Callers that come while another synchronises share its result. What `read_ms` raises
        passes through and leaves the old estimate.
        """
        seen = self._syncs
        async with self._lock:
            if self._syncs != seen:
                return
            best_trip_ms: int | None = None
            offset_ms = self._offset_ms
            for _ in range(SAMPLES):
                asked_ms = self._clock.monotonic_ms()
                stated_ms = await read_ms()
                answered_ms = self._clock.monotonic_ms()
                trip_ms = answered_ms - asked_ms
                if best_trip_ms is None or trip_ms < best_trip_ms:
                    best_trip_ms = trip_ms
                    since_stated_ms = trip_ms // 2 - trip_ms // BIAS_DIVISOR
                    offset_ms = stated_ms + since_stated_ms - answered_ms
            self._offset_ms = offset_ms
            self._syncs += 1
