"""A circuit breaker for the reads of one account: a dead exchange is asked rarely.

Closed, it lets every read through. After several failures in a row, with nothing answered in
between, it opens: one read goes out as a trial, then another after a pause that doubles. What a
position waits for is tried every few seconds all the same. The first success of anything closes it.
Writes never pass here: what protects is always sent.
"""

from __future__ import annotations

import random
from collections.abc import Callable

FAILURES_MAX = 5
"""Failures in a row that a single bad moment does not bring together."""
TRIAL_MS_FIRST = 1_000
TRIAL_MS_MAX = 30_000
"""Pauses between trials; a passing trial ends all of it, so that nothing waits longer."""
URGENT_MS = 3_000
"""Least time between trials of reads that a position waits for. Lost reads may have been counted
by the exchange: once a second they would spend the whole weight of an address with two accounts,
and nothing would be left when it answers again."""


class Breaker:
    """Whether a read may go out, by what became of those before."""

    def __init__(self, steady_ms: Callable[[], int], chance: random.Random) -> None:
        """Take a clock for intervals, and the source of jitter."""
        self._steady_ms = steady_ms
        self._chance = chance
        self.failures = 0
        """Reads that failed since something was last answered."""
        self.open_since_ms: int | None = None
        """Time of `steady_ms` at which it opened; None while closed."""
        self._tried_ms = 0
        self._trial_ms = 0
        self._pause_ms = TRIAL_MS_FIRST

    def wait_ms(self, *, urgent: bool) -> int:
        """Take the turn of a trial and return 0, or return the milliseconds until there is one."""
        if self.open_since_ms is None:
            return 0
        now_ms = self._steady_ms()
        due_ms = self._tried_ms + URGENT_MS
        if not urgent:
            due_ms = max(due_ms, self._trial_ms)
        if now_ms < due_ms:
            return due_ms - now_ms
        self._tried_ms = now_ms
        if not urgent:
            self._pause_ms = min(TRIAL_MS_MAX, 2 * self._pause_ms)
            self._trial_ms = now_ms + self._jittered()
        return 0

    def succeeded(self) -> None:
        """The exchange has answered something."""
        self.failures = 0
        self.open_since_ms = None

    def failed(self) -> None:
        """A read had no answer, or one that the exchange was not well enough to give."""
        self.failures += 1
        if self.failures < FAILURES_MAX or self.open_since_ms is not None:
            return
        self.open_since_ms = self._tried_ms = self._steady_ms()
        self._pause_ms = TRIAL_MS_FIRST
        self._trial_ms = self._tried_ms + self._jittered()

    def _jittered(self) -> int:
        """The pause, a random half of it taken off, so that many do not come back as one."""
        return round(self._pause_ms * (1 + self._chance.random()) / 2)
