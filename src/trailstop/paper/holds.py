"""Holds: the exchange announces that a request has arrived and waits for a control client.

While anything is held, virtual time (never real time) stands still but for what is granted, so
that a test can kill the guard at exactly this moment.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from msgspec import Struct

from trailstop.paper.trouble.faults import Asked
from trailstop.timelink import HostLoop

Stage = Literal["effect", "answer"]
"""Held before it takes effect, or after that and before it is answered."""


class Hold(Struct, frozen=True, kw_only=True):
    """Which requests to hold; empty fields match everything."""

    method: str = ""
    path: str = ""
    account: str = ""
    symbol: str = ""
    client_id: str = ""
    stage: Stage = "effect"
    skip: int = 0
    count: int = 1


class Arrival(Struct, frozen=True, kw_only=True):
    """A request that is being held."""

    arrival_id: int
    hold_id: int
    stage: Stage
    at_ms: int
    request: Asked


class Holds:
    """The holds in force and the requests that wait in them."""

    def __init__(self, loop: HostLoop) -> None:
        self._loop = loop
        self._added = 0
        self._left: dict[int, tuple[Hold, int, int]] = {}
        self._arrivals: list[Arrival] = []
        self._waiting: dict[int, asyncio.Event] = {}
        self._news = asyncio.Event()

    def add(self, hold: Hold) -> int:
        """Put a hold in force and return its number."""
        self._added += 1
        self._left[self._added] = (hold, hold.skip, hold.count)
        return self._added

    def clear(self) -> None:
        """End all holds and let everything that waits go on."""
        self._left.clear()
        for arrival_id in list(self._waiting):
            self.release(arrival_id)

    async def arrivals(self, after: int) -> list[Arrival]:
        """Arrivals with a higher number than `after`; waits until there is one."""
        while True:
            found = [row for row in self._arrivals if row.arrival_id > after]
            if found:
                return found
            self._news.clear()
            await self._news.wait()

    @property
    def waiting(self) -> tuple[int, ...]:
        """Numbers of the arrivals that are being held."""
        return tuple(self._waiting)

    def release(self, arrival_id: int) -> bool:
        """Let one request go on; False when it is not being held."""
        gate = self._waiting.pop(arrival_id, None)
        if gate is None:
            return False
        gate.set()
        self._loop.release()
        return True

    async def at(self, stage: Stage, asked: Asked, at_ms: int) -> None:
        """Hold the request here if a hold asks for it, until it is released."""
        hold_id = self._match(stage, asked)
        if hold_id is None:
            return
        arrival = Arrival(
            arrival_id=len(self._arrivals) + 1,
            hold_id=hold_id,
            stage=stage,
            at_ms=at_ms,
            request=asked,
        )
        gate = asyncio.Event()
        self._arrivals.append(arrival)
        self._waiting[arrival.arrival_id] = gate
        self._loop.hold()
        self._news.set()
        await gate.wait()

    def _match(self, stage: Stage, asked: Asked) -> int | None:
        for hold_id, (hold, skip, count) in self._left.items():
            if hold.stage != stage or not _matches(hold, asked):
                continue
            if skip > 0:
                self._left[hold_id] = (hold, skip - 1, count)
                continue
            if count > 1:
                self._left[hold_id] = (hold, 0, count - 1)
            else:
                del self._left[hold_id]
            return hold_id
        return None


def _matches(hold: Hold, asked: Asked) -> bool:
    return (
        hold.method in {"", asked.method}
        and asked.path.startswith(hold.path)
        and hold.account in {"", asked.account, asked.account_name}
        and hold.symbol in {"", asked.symbol}
        and asked.client_id.startswith(hold.client_id)
    )
