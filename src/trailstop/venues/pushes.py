"""Between the sockets of an account and whoever listens: one bounded queue of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, Literal

import structlog

from trailstop.ports import StreamState, VenueEvent

Kind = Literal["private", "market"]


class Pushes:
    """Takes what the streams bring, keeps their tasks, and tells each change of their state."""

    def __init__(
        self,
        venue: str,
        account: str,
        queue_length_max: int,
        streams: Mapping[Kind, tuple[str, ...]],
    ) -> None:
        """Construct inside a running event loop.

        `streams` names the sockets of each kind. A full queue makes `put` wait, so that the
        sockets are read more slowly.
        """
        self._queue: asyncio.Queue[VenueEvent | None] = asyncio.Queue(queue_length_max)
        self._streams = streams
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: BaseException | None = None
        self._up: dict[str, bool] = {}
        self._told: dict[Kind, bool] = {}
        self._log = structlog.get_logger("trailstop.venue").bind(account=account, venue=venue)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this until `close`; a programmer's error in it is raised by `events`."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._over)
        self._tasks.append(task)

    def _over(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        self._broken = task.exception()
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def close(self) -> None:
        """End all tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def put(self, event: VenueEvent) -> None:
        """Tell one event."""
        await self._queue.put(event)

    async def state(self, kind: Kind, name: str, up: bool, text: str) -> None:
        """Tell a change once; the streams of a kind count as up when all that run are."""
        self._up[name] = up
        names = self._streams[kind]
        if any(part not in self._up for part in names):
            return
        together = all(self._up[part] for part in names)
        if self._told.get(kind) == together:
            return
        self._told[kind] = together
        self._log.info("stream up" if together else "stream down", stream=name, reason=text)
        await self._queue.put(StreamState(kind, together, f"{name}: {text}"))

    async def events(self) -> AsyncIterator[VenueEvent]:
        """Everything that was told; a programmer's error in a task is raised here."""
        while True:
            event = await self._queue.get()
            if self._broken is not None:
                raise self._broken
            if event is not None:
                yield event
