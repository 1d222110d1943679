"""Time as an argument: one protocol, so that live and virtual time run the same code."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

MS_PER_SECOND = 1_000
US_PER_MS = 1_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Where a process takes its time from."""

    def wall_ms(self) -> int:
        """Unix time in milliseconds, for records; may jump."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds that never go back, for intervals."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of this clock."""
        ...


def _steady_ns() -> int:
    """A clock that never goes back, nanoseconds.

    Linux stops its plain monotonic clock while the machine sleeps, and then counts all of it in
    another one: the exchange's time, which is reckoned by this, would stay behind by the night.
    """
    counting: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if counting is None else time.clock_gettime_ns(counting)


class SystemClock:
    """The machine's own time."""

    def wall_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // NS_PER_MS

    def monotonic_ms(self) -> int:
        """Milliseconds of the monotonic clock; it goes on while the machine sleeps, where told."""
        return _steady_ns() // NS_PER_MS

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)
