"""Times in which the disk fails or lags: told once when they begin, once when they are over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal

from trailstop.clock import MS_PER_SECOND

SLOW_MS = 1_000
"""A commit that takes longer is told; what protects has stopped waiting for it long before."""
WELL_MS = 60_000
"""How long every commit has to be quick until the outage is said to be over: a disk that comes
and goes is told about once a minute at most."""

STORE_WELL: Final = "store_well"
Code = Literal["store_failing", "store_slow", "store_well"]


class Outage:
    """Follows one commit after another. Times are the event loop's."""

    def __init__(self, tell: Callable[[Code, str], None]) -> None:
        self._tell = tell
        self._since_s: float | None = None
        self._asked_s = 0.0
        self._slow: asyncio.TimerHandle | None = None
        self._over: asyncio.TimerHandle | None = None

    @property
    def is_on(self) -> bool:
        """Whether the store fails or lags, or did so a moment ago."""
        return self._since_s is not None

    def asked(self) -> None:
        """A commit was handed to the disk."""
        loop = asyncio.get_running_loop()
        self._asked_s = loop.time()
        self._slow = loop.call_later(SLOW_MS / MS_PER_SECOND, self._begin_slow)

    def answered(self, error: BaseException | None) -> None:
        """The disk has answered."""
        loop = asyncio.get_running_loop()
        if self._slow is not None:
            self._slow.cancel()
        if error is not None:
            self._begin("store_failing", str(error))
        slow = loop.time() - self._asked_s > SLOW_MS / MS_PER_SECOND
        if self._since_s is None:
            return
        if error is not None or slow:
            self._stay()
        elif self._over is None:
            self._over = loop.call_later(WELL_MS / MS_PER_SECOND, self._end, loop.time())

    def close(self) -> None:
        """Tell nothing more."""
        for handle in (self._slow, self._over):
            if handle is not None:
                handle.cancel()

    def _begin_slow(self) -> None:
        self._begin("store_slow", f"the disk has not answered for {SLOW_MS} ms")
        self._stay()

    def _begin(self, code: Code, text: str) -> None:
        if self._since_s is None:
            self._since_s = self._asked_s
            self._tell(code, text)

    def _stay(self) -> None:
        if self._over is not None:
            self._over.cancel()
            self._over = None

    def _end(self, well_s: float) -> None:
        assert self._since_s is not None
        lasted_s, self._since_s, self._over = well_s - self._since_s, None, None
        self._tell(STORE_WELL, f"the store writes again; it did not for {lasted_s:.1f} s")
