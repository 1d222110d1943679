"""Keeps tasks alive and apart: what fails is told loudly and never stops another position."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from trailstop.clock import Clock
from trailstop.errors import TrailstopError

_log = structlog.get_logger("trailstop.supervisor")

RESTART_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before a task that failed runs again; the last one repeats."""

ALARM_EVERY_MS = 3_600_000
"""A failure that repeats is an alarm once an hour; the log has it once a minute."""


class Supervisor:
    """Owns every task of the daemon. The only place that catches whatever may come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures = 0
        self._told_ms: dict[str, int] = {}
        self.listener: Callable[[str, str], None] = lambda _name, _error: None
        """Is told the task and the error of what nobody has foreseen, each task once an hour."""

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task once; a failure is logged and ends it alone."""
        task = asyncio.get_running_loop().create_task(self._once(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # What is cancelled before its first step would else never end.
        task.add_done_callback(lambda _: work.close())
        return task

    def keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task for ever: when it fails or returns, it starts again after a pause."""
        self.spawn(name, self._for_ever(name, work))

    def persist(
        self, name: str, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        """Run a task until it has succeeded once: when it fails, it starts again after a pause."""
        return self.spawn(name, self._for_ever(name, work, once=True))

    def guarded(self, name: str, work: Callable[[], None]) -> bool:
        """Run a function now; False when it failed, which is logged."""
        try:
            work()
        except Exception as error:
            self._tell(name, error)
            return False
        return True

    async def close(self) -> None:
        """Cancel every task and wait until all have ended."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _once(self, name: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            self._tell(name, error)

    async def _for_ever(
        self, name: str, work: Callable[[], Coroutine[Any, Any, None]], *, once: bool = False
    ) -> None:
        failures = 0
        while True:
            started_ms = self._clock.monotonic_ms()
            try:
                await work()
            except Exception as error:
                self._tell(name, error)
            else:
                if once:
                    return
            lived_ms = self._clock.monotonic_ms() - started_ms
            longest = RESTART_SECONDS[-1]
            failures = 0 if lived_ms > longest * 1_000 else failures + 1
            await self._clock.sleep(RESTART_SECONDS[min(failures, len(RESTART_SECONDS)) - 1])

    def _tell(self, name: str, error: Exception) -> None:
        self.failures += 1
        if isinstance(error, TrailstopError):
            _log.error("task_failed", task=name, error=str(error))
        else:
            _log.error("task_failed", task=name, error=repr(error), exc_info=error)
            self._alarm(name, error)

    def _alarm(self, name: str, error: Exception) -> None:
        now_ms = self._clock.monotonic_ms()
        told_ms = self._told_ms.get(name)
        if told_ms is None or now_ms - told_ms >= ALARM_EVERY_MS:
            self._told_ms[name] = now_ms
            self.listener(name, repr(error))
