"""The world on a clock: its points are played when they are due, and its facts are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from trailstop.paper.facts import Fact
from trailstop.paper.trouble.faults import Faults
from trailstop.paper.trouble.skew import Skew
from trailstop.paper.world import World
from trailstop.timelink import HostLoop

Listener = Callable[[Sequence[Fact]], None]
US_PER_MS = 1_000


class Exchange:
    """Keeps the world at the loop's time and passes its facts on in order."""

    def __init__(
        self, world: World, loop: HostLoop, seed: int = 0, faults: Faults | None = None
    ) -> None:
        self.world = world
        self.skew = Skew(loop, Faults(seed) if faults is None else faults)
        """The clock that clients are shown."""
        self.loop = loop
        self.seed = seed
        self._listeners: list[Listener] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_us: int | None = None

    @property
    def now_ms(self) -> int:
        """True virtual Unix time in milliseconds; see `skew` for what the exchange shows."""
        return self.loop.now_us // US_PER_MS

    def listen(self, listener: Listener) -> None:
        """Tell this listener every fact from now on."""
        self._listeners.append(listener)

    def sync(self) -> World:
        """Bring the world to the present, tell what happened, and return it for a request.

        Whoever changes the world afterwards calls `tell`.
        """
        self.world.advance(self.loop.now_us)
        self.tell()
        return self.world

    def tell(self) -> None:
        """Pass on the facts that the world has put down, and look out for its next point."""
        facts = self.world.facts
        if facts:
            batch = list(facts)
            facts.clear()
            for listener in self._listeners:
                listener(batch)
        self._schedule()

    def close(self) -> None:
        """Stop the tape."""
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        due_us = self.world.next_event_us()
        if due_us == self._timer_us and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_us = due_us
        self._timer = None if due_us is None else self.loop.call_at_us(due_us, self._play)

    def _play(self) -> None:
        self._timer = None
        self._timer_us = None
        self.sync()
