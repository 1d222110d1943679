"""Between the sockets of an account and whoever listens: one bounded line of events.

A listener that falls behind loses nothing that matters. Beyond `CONFLATE_ABOVE` waiting events
the prices of a symbol collapse to what the trailing rule needs of them (`conflation`); what
concerns the account is never collapsed. Only where even that is too much the sockets are read
more slowly.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, Literal

import structlog

from trailstop.ports import LastPrice, MarkPrice, Quote, StreamState, VenueEvent
from trailstop.venues.conflation import NewestQuote, Run

Kind = Literal["private", "market"]
Key = tuple[type[VenueEvent], str]

CONFLATE_ABOVE = 256
"""Waiting events from which prices collapse. A listener that keeps up never sees as many, so that
what it decides does not hang on how the sockets' bytes happened to arrive."""
TURN = 32
"""Events that a listener who is behind takes before the sockets have a turn."""


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

        `streams` names the sockets of each kind. A full line makes `put` wait, so that the
        sockets are read more slowly.
        """
        self._waiting: deque[VenueEvent | Run | NewestQuote] = deque()
        self._length_max = queue_length_max
        self._open: dict[Key, Run | NewestQuote] = {}
        """Runs that still wait, by kind of price and symbol, where no later one waits beside."""
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self.conflated = 0
        """Prices that were told by others, since the listener was behind."""
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
        self._news.set()

    async def close(self) -> None:
        """End all tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    @property
    def waiting(self) -> int:
        """Events in the line, a collapsed run of prices counted once."""
        return len(self._waiting)

    async def put(self, event: VenueEvent) -> None:
        """Tell one event."""
        if self._collapse(event):
            return
        while len(self._waiting) >= self._length_max:
            self._room.clear()
            await self._room.wait()
        self._append(event)

    def _collapse(self, event: VenueEvent) -> bool:
        """Whether a price is told by those that wait already."""
        if not self._open or not isinstance(event, LastPrice | MarkPrice | Quote):
            return False
        run = self._open.get((type(event), event.symbol))
        match run, event:
            case Run(), LastPrice() | MarkPrice():
                return run.add(event)
            case NewestQuote(), Quote():
                return run.add(event)
            case _:
                return False

    def _append(self, event: VenueEvent) -> None:
        entry: VenueEvent | Run | NewestQuote = event
        if isinstance(event, LastPrice | MarkPrice | Quote):
            key = (type(event), event.symbol)
            if len(self._waiting) >= CONFLATE_ABOVE:
                entry = NewestQuote(event) if isinstance(event, Quote) else Run(event)
                self._open[key] = entry
            else:
                # What comes after this one may not join a run before it.
                self._open.pop(key, None)
        self._waiting.append(entry)
        self._news.set()

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
        await self.put(StreamState(kind, together, f"{name}: {text}"))

    async def events(self) -> AsyncIterator[VenueEvent]:
        """Everything that was told; a programmer's error in a task is raised here."""
        taken = 0
        while True:
            if self._broken is not None:
                raise self._broken
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            entry = self._waiting.popleft()
            self._room.set()
            if isinstance(entry, Run | NewestQuote):
                for event in self._taken(entry):
                    yield event
            else:
                yield entry
            taken += 1
            if taken % TURN == 0 and len(self._waiting) >= CONFLATE_ABOVE:
                # The sockets first: what waits in them can collapse only here.
                await asyncio.sleep(0)

    def _taken(self, run: Run | NewestQuote) -> list[LastPrice | MarkPrice] | list[Quote]:
        """What stands for a run that leaves the line."""
        events = run.events()
        key = (type(events[0]), events[0].symbol)
        if self._open.get(key) is run:
            del self._open[key]
        self.conflated += run.count - len(events)
        return events
