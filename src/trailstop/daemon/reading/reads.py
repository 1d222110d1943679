"""Reads that must come sooner or later: repeated with growing pauses, never for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import stamina

from trailstop.errors import NotListed, ReadFailed

T = TypeVar("T")

ATTEMPTS = 7
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0


async def retried(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer of a read, asked again after each failure. Raises: ReadFailed at the end.

    Only for reads: a write whose outcome is unknown is looked up, never repeated. The pauses
    double, and a random half is taken off each, so that reads which failed together do not
    come back together. The event loop's time is the seed: in virtual time a run repeats itself.
    """
    pauses = _pauses(random.Random(asyncio.get_running_loop().time()))
    caller = stamina.AsyncRetryingCaller(attempts=ATTEMPTS, timeout=None)

    def pause(error: Exception) -> float | bool:
        in_vain = isinstance(error, NotListed) or not isinstance(error, ReadFailed)
        return False if in_vain else next(pauses)

    return await caller(pause, ask)


def _pauses(chance: random.Random) -> Iterator[float]:
    """Seconds before each further attempt."""
    seconds = FIRST_PAUSE_SECONDS
    while True:
        yield min(seconds, LONGEST_PAUSE_SECONDS) * (1 + chance.random()) / 2
        seconds *= 2
