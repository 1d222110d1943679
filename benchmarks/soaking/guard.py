"""The guard of the soak as a process of its own: what it needs is not mixed with the exchange's.

    python -m benchmarks.soaking.guard trailstop.toml

Each sample is a line of `samples.jsonl` in the folder of its data.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.guarding import main
from benchmarks.soaking.health import DIGITS, SAMPLES, sample
from trailstop.clock import Clock
from trailstop.config import Config

SAMPLE_S = 600


class Sampler:
    """Takes a sample every ten minutes of virtual time."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._data = config.data_dir
        self._clock = clock

    async def run(self) -> None:
        """Look for ever."""
        began_ms = self._clock.monotonic_ms()
        while True:
            row = sample(self._clock.monotonic_ms() - began_ms, self._data)
            await asyncio.to_thread(_append, self._data / SAMPLES, msgspec.json.encode(row))
            await asyncio.sleep(SAMPLE_S)

    def told(self) -> dict[str, Any]:
        """What runs at the end, by the names of the tasks without their legs."""
        names = (DIGITS.sub("#", task.get_name()).split(" ", 1)[0] for task in asyncio.all_tasks())
        return {"tasks": dict(Counter(names).most_common())}


def _append(file: Path, line: bytes) -> None:
    with file.open("ab") as stream:
        stream.write(line + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Sampler))
