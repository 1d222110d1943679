"""Bringing one account under guard, however long that takes and whatever the others do.

An exchange that cannot be reached is asked again, with growing pauses and without end: the stops
rest there, and a guard that gave up would leave them untended when it comes back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from trailstop.clock import Clock
from trailstop.daemon.account import AccountGuard
from trailstop.daemon.process.notices import Notices, whole_account
from trailstop.domain.position import Leg
from trailstop.errors import StoreError, VenueError
from trailstop.storage import read
from trailstop.storage.shapes import Loaded
from trailstop.storage.store import Store

_log = structlog.get_logger("trailstop.guard")

AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Pauses before an exchange that could not be reached is tried again; the last one repeats."""


@dataclass
class AccountStart:
    """Starts one account; each try begins with new connections.

    `make` builds the account anew and `take_up` puts it in the place of the one before;
    `bring_up` continues from what the store has. `is_started` is an account that was reached.
    """

    make: Callable[[], AccountGuard]
    take_up: Callable[[AccountGuard], None]
    bring_up: Callable[[AccountGuard, Loaded], Awaitable[None]]
    store: Store
    notices: Notices
    clock: Clock
    loaded: Loaded
    account: AccountGuard
    is_started: bool
    _is_used: bool = False
    _failed: int = 0

    @property
    def name(self) -> str:
        """The account's name in the settings."""
        return self.account.venue.account

    async def run(self) -> None:
        """Return when the account is under guard."""
        while not await self._reach():
            pause = AGAIN_SECONDS[min(self._failed, len(AGAIN_SECONDS)) - 1]
            await self.clock.sleep(pause)
        self._is_used = True
        await self.bring_up(self.account, self.loaded)

    async def _reach(self) -> bool:
        if self._is_used:
            await self._begin_anew()
        if not self.is_started:
            try:
                self._is_used = True
                await self.account.venue.start(may_be_blind=True)
            except VenueError as error:
                self._tell(error)
                return False
        self.is_started = True
        if self._failed:
            self.notices.note("account_reached", "can be reached again", self._leg)
            self._failed = 0
        return True

    async def _begin_anew(self) -> None:
        """Connections of their own for another try, and what was recorded meanwhile."""
        self.account.finish()
        await self.account.venue.close()
        self.account = self.make()
        self.take_up(self.account)
        self._is_used = self.is_started = False
        try:
            self.loaded = await self.store.read(read.load)
        except StoreError as error:
            _log.warning("journal_unread", error=str(error))

    def _tell(self, error: VenueError) -> None:
        self._failed += 1
        if self._failed == 1:
            text = f"{error}; its stops rest there, and it is tried again without end"
            self.notices.alarm("account_unreachable", text, self._leg)
        else:
            _log.warning("account_unreachable", account=self.name, error=str(error))

    @property
    def _leg(self) -> Leg:
        return whole_account(self.name, self.account.venue.name)
