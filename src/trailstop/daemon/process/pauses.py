"""Standing still: a process that was stopped, a laptop that slept, a clock that was set.

What was on its way meanwhile is old, and the streams may be long dead without having been closed.
Nothing is decided on any of it: the exchange's clock is read, the streams are opened anew, and the
whole account is compared, before the next minute's pass would have come to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from trailstop.clock import MS_PER_SECOND, Clock
from trailstop.daemon.account import BLIND_MARGIN_MS, AccountGuard
from trailstop.errors import ReadFailed

_log = structlog.get_logger("trailstop.guard")

LOOK_SECONDS = 1.0
LATE_MS = 5_000
"""A second that took so much longer was no slow disk any more: prices older than twice this are
never acted upon in any case."""
JUMP_MS = 1_500
"""How far wall and monotonic clock may part in a second; a time service slews by far less, and
steps by more."""


class Pauses:
    """Looks at both clocks once a second."""

    def __init__(self, accounts: Sequence[AccountGuard], clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self.found = 0

    async def run(self) -> None:
        """Look for ever."""
        clock = self._clock
        while True:
            steady_ms, wall_ms = clock.monotonic_ms(), clock.wall_ms()
            await clock.sleep(LOOK_SECONDS)
            passed_ms = clock.monotonic_ms() - steady_ms
            late_ms = passed_ms - round(LOOK_SECONDS * MS_PER_SECOND)
            jumped_ms = clock.wall_ms() - wall_ms - passed_ms
            if late_ms >= LATE_MS or abs(jumped_ms) >= JUMP_MS:
                self.found += 1
                _log.warning("stood_still", stood_ms=late_ms, wall_clock_jumped_ms=jumped_ms)
                await asyncio.gather(*(_catch_up(each, late_ms) for each in self._accounts))


async def _catch_up(account: AccountGuard, late_ms: int) -> None:
    """Take it that this account told nothing for so long, and begin anew from a full read."""
    since_ms = account.venue.exchange_ms() - max(0, late_ms) - BLIND_MARGIN_MS
    if account.blind_since_ms is None or since_ms < account.blind_since_ms:
        account.blind_since_ms = since_ms
    account.ask_for_pass("this process stood still, or its clock was set", full=True)
    try:
        await account.venue.resync()
    except ReadFailed as error:
        # The first refusal by the clock has it read again.
        _log.warning("clock_not_read", account=account.venue.account, error=str(error))
    account.ask_for_pass("the exchange's clock was read anew", full=True)
