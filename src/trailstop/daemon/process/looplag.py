"""How late the event loop is: whatever blocks it stops every timer and every stop's move."""

from __future__ import annotations

from collections import deque

import structlog

from trailstop.clock import MS_PER_SECOND, Clock

_log = structlog.get_logger("trailstop.guard")

LOOK_MS = 250
LAG_MS = 250
"""A lag that is told. A price on its way to a stop waits as long."""
MINUTE_MS = 60_000


class LoopWatch:
    """Sleeps a short time again and again, and measures how much longer it took."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lags: deque[tuple[int, int]] = deque(maxlen=MINUTE_MS // LOOK_MS)
        self._told_ms: int | None = None
        self._left_out = 0

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            begin_ms = self._clock.monotonic_ms()
            await self._clock.sleep(LOOK_MS / MS_PER_SECOND)
            now_ms = self._clock.monotonic_ms()
            self.take(now_ms, now_ms - begin_ms - LOOK_MS)

    def take(self, now_ms: int, lag_ms: int) -> None:
        """Take one measurement into account; a long one is told, at most once a minute."""
        self._lags.append((now_ms, max(0, lag_ms)))
        if lag_ms < LAG_MS:
            return
        if self._told_ms is not None and now_ms - self._told_ms < MINUTE_MS:
            self._left_out += 1
            return
        _log.warning("loop_blocked", lag_ms=lag_ms, left_out=self._left_out)
        self._told_ms, self._left_out = now_ms, 0

    def lag_ms(self) -> int:
        """The longest that anything waited for its turn within the last minute."""
        since_ms = self._clock.monotonic_ms() - MINUTE_MS
        return max((lag_ms for at_ms, lag_ms in self._lags if at_ms >= since_ms), default=0)
