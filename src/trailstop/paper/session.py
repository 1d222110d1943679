"""When a run is over: the data has ended, its time has passed, or everything is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import AccountChanged, Fact
from trailstop.paper.openings import Openings

US_PER_MS = 1_000


class Session:
    """Ends a run `settle_ms` of virtual time after its cause."""

    def __init__(
        self,
        exchange: Exchange,
        openings: Openings | None,
        *,
        until_us: int | None,
        once: bool,
        settle_ms: int,
        hold_at_end: bool,
    ) -> None:
        """With `once` the run also ends when all that was opened is closed again."""
        self._hold_at_end = hold_at_end
        self._exchange = exchange
        self._openings = openings
        self._until_us = until_us
        self._once = once
        self._settle_us = settle_ms * US_PER_MS
        self._ending: asyncio.TimerHandle | None = None
        self._finished = asyncio.Event()

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self._finished.is_set()

    def start(self) -> None:
        """Begin to watch."""
        self._exchange.listen(self._hear)
        if self._until_us is not None:
            self._exchange.loop.call_at_us(self._until_us, self._end)

    async def wait(self) -> None:
        """Wait until the run is over."""
        await self._finished.wait()

    def _hear(self, facts: Sequence[Fact]) -> None:
        if self._ending is not None or self.finished:
            return
        changed = any(isinstance(fact, AccountChanged) for fact in facts)
        if self._exchange.world.data_over or (changed and self._all_closed()):
            loop = self._exchange.loop
            self._ending = loop.call_at_us(loop.now_us + self._settle_us, self._end)

    def _all_closed(self) -> bool:
        openings = self._openings
        if not self._once or openings is None or not openings.over or not openings.opened:
            return False
        world = self._exchange.world
        return not any(row.amount for key in world.accounts for row in world.positions(key))

    def _end(self) -> None:
        if self.finished:
            return
        if self._openings is not None:
            self._openings.close()
        if self._hold_at_end:
            self._exchange.loop.hold()
        self._finished.set()
