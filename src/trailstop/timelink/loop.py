"""What both ends share: time in whole microseconds, counted threads, a loop that asks."""

from __future__ import annotations

import asyncio
import math
import selectors
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
Ready = list[tuple[selectors.SelectorKey, int]]

US_PER_SECOND = 1_000_000
US_PER_MS = 1_000
RESOLUTION_S = 1e-7
"""Timers this near count as due; a tenth of the microsecond in which time moves."""
ROUNDING_SLACK_US = 0.01
"""What a float of seconds may add to a whole microsecond; far below `RESOLUTION_S`."""


class ThreadWork:
    """Counts work in threads, during which a linked loop is not idle.

    Take one up in the loop's thread before the work starts; put it down only after the loop
    has been told of the result (`call_soon_threadsafe`), from whichever thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @property
    def busy(self) -> bool:
        """Whether any work is under way."""
        return self._count > 0

    def begin(self) -> None:
        """Take up one piece of work."""
        with self._lock:
            self._count += 1

    def end(self) -> None:
        """Put down one piece of work."""
        with self._lock:
            self._count -= 1

    def __enter__(self) -> ThreadWork:
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.end()


THREAD_WORK = ThreadWork()
"""The process's own count; executors of linked loops use it, and so does a writer thread."""


class _AskingSelector(selectors.BaseSelector):
    """A selector that lets its loop decide what waiting means."""

    def __init__(self) -> None:
        self.inner = selectors.DefaultSelector()
        self.wait: Callable[[float | None], Ready] = self.inner.select

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.inner.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> Ready:
        return self.wait(timeout)

    def close(self) -> None:
        self.inner.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.inner.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """What both ends share: time in whole microseconds and counted threads."""

    def __init__(self, start_us: int) -> None:
        self.start_us = start_us
        self._now_us = start_us
        self._asking = _AskingSelector()
        super().__init__(self._asking)
        self._clock_resolution = RESOLUTION_S
        self._asking.wait = self._wait

    @property
    def now_us(self) -> int:
        """Virtual time, microseconds since the Unix epoch."""
        return self._now_us

    def time(self) -> float:
        """Virtual seconds since the start of the run."""
        return (self.now_us - self.start_us) / US_PER_SECOND

    def call_at_us(
        self, at_us: int, callback: Callable[..., object], *args: Any
    ) -> asyncio.TimerHandle:
        """Call at a virtual time given in microseconds since the Unix epoch."""
        return self.call_at((at_us - self.start_us) / US_PER_SECOND, callback, *args)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As in asyncio; the loop is not idle until the result has been delivered."""
        THREAD_WORK.begin()
        try:
            future = super().run_in_executor(executor, func, *args)
        except BaseException:
            THREAD_WORK.end()
            raise
        future.add_done_callback(_put_down)
        return future

    def _next_timer_us(self) -> int | None:
        scheduled = self._scheduled  # type: ignore[attr-defined]
        if not scheduled:
            return None
        due_s: float = scheduled[0].when()
        return self.start_us + math.ceil(due_s * US_PER_SECOND - ROUNDING_SLACK_US)

    def _due(self, timeout: float | None) -> bool:
        if timeout is None:
            return False
        due_us = self._next_timer_us()
        return timeout <= 0 or (due_us is not None and due_us <= self._now_us)

    def _wait(self, timeout: float | None) -> Ready:
        raise NotImplementedError


def _put_down(_future: object) -> None:
    THREAD_WORK.end()


class LoopClock:
    """The clock of a virtual loop, in the form that the guard expects."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def wall_ms(self) -> int:
        """Virtual Unix time in milliseconds."""
        return self._loop.now_us // US_PER_MS

    def monotonic_ms(self) -> int:
        """Virtual milliseconds since the start of the run."""
        return (self._loop.now_us - self._loop.start_us) // US_PER_MS

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)
