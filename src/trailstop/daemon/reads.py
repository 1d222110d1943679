"""Reads that must come sooner or later: repeated with growing pauses, never for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from trailstop.errors import ReadFailed

T = TypeVar("T")

ATTEMPTS = 7
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0


async def retried(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer of a read, asked again after each failure. Raises: ReadFailed at the end.

    Only for reads: a write whose outcome is unknown is looked up, never repeated. There is
    no jitter, so that a run in virtual time can be repeated exactly.
    """
    caller = stamina.AsyncRetryingCaller(
        attempts=ATTEMPTS,
        timeout=None,
        wait_initial=FIRST_PAUSE_SECONDS,
        wait_max=LONGEST_PAUSE_SECONDS,
        wait_jitter=0.0,
    )
    return await caller(ReadFailed, ask)
