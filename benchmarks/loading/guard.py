"""The guard of the load test as a process: the product's own daemon, with a probe beside it.

    python -m benchmarks.loading.guard trailstop.toml

Prints one line when it guards, and another with what it has used when a line, or the end, comes on
its standard input.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

from benchmarks.guarding import main
from benchmarks.soaking.health import rss_kib
from benchmarks.soaking.windows import distribution
from trailstop.clock import Clock

PROBE_S = 0.05
SAMPLE_MS = 10_000
US_PER_S = 1_000_000


class Probe:
    """How late the loop wakes, how much it works, and what the process uses, again and again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lag_us: list[int] = []
        self.work_us: list[int] = []
        self.cpu_percent: list[float] = []
        self.rss_kib: list[int] = []

    async def run(self) -> None:
        """Look for ever."""
        began_ms, cpu_s = self._clock.monotonic_ms(), _cpu_s()
        while True:
            asleep_s, worked_s = time.monotonic(), time.thread_time()
            await asyncio.sleep(PROBE_S)
            self.lag_us.append(round((time.monotonic() - asleep_s - PROBE_S) * US_PER_S))
            self.work_us.append(round((time.thread_time() - worked_s) * US_PER_S))
            passed_ms = self._clock.monotonic_ms() - began_ms
            if passed_ms >= SAMPLE_MS:
                used_s = _cpu_s()
                self.cpu_percent.append(round(100_000 * (used_s - cpu_s) / passed_ms, 1))
                self.rss_kib.append(rss_kib())
                began_ms, cpu_s = self._clock.monotonic_ms(), used_s

    def told(self) -> dict[str, Any]:
        """CPU is that of all threads, in percent of the time that passed at the exchange."""
        return {
            "cpu_percent_of_a_core": distribution(self.cpu_percent),
            "cpu_percent_by_10_s": self.cpu_percent,
            "work_us_in_50_ms": distribution(self.work_us),
            "wall_lag_us": distribution(self.lag_us),
            "rss_mib": [kib // 1024 for kib in (self.rss_kib[0], self.rss_kib[-1])]
            if self.rss_kib
            else [],
        }


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], lambda _config, clock: Probe(clock)))
