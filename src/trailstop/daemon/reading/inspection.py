"""What a read of the account tells about our own records: stops that they lack, other guards.

A stop with our name that the journal does not know shows that the journal is behind: its file was
restored, damaged or lost. It is ours all the same, and nothing looser takes its place. A stop
with the name of another Trailstop is foreign, and is told: two guards of one account do no harm,
but nobody wants them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from decimal import Decimal

import structlog

from trailstop.daemon.process.notices import Notices, whole_account
from trailstop.daemon.writing.ids import epoch_tag, is_of_another
from trailstop.daemon.writing.writes import STORE_PATIENCE_SECONDS
from trailstop.domain.position import Leg, Position, Role
from trailstop.errors import StoreError
from trailstop.guard.snapshot import RestingStop, Snapshot
from trailstop.storage.store import Store

_log = structlog.get_logger("trailstop.guard")

HOUR_MS = 3_600_000
"""How often another guard on the account is told."""


class Inspection:
    """Looks at the complete reads of one account, before anything is done about them.

    `unreadable` are epochs whose state is damaged: what they had on the exchange counts as it
    stands, as if the journal had never known it.
    """

    def __init__(
        self, store: Store, notices: Notices, unreadable: Collection[tuple[Leg, int]] = ()
    ) -> None:
        self._store = store
        self._notices = notices
        self._lost_tags = tuple(epoch_tag(store.installation, *epoch) for epoch in unreadable)
        self._asked: set[str] = set()
        self._strays: set[str] = set()
        self._told_legs: set[Leg] = set()
        self._told_ms: int | None = None
        self._synced = False

    async def look(self, snapshot: Snapshot) -> None:
        """Take one complete read; ask the journal for what is found at the start."""
        self._look_for_others(snapshot)
        if not self._synced:
            await self._look_for_strays(snapshot)

    def synced(self) -> None:
        """The account was compared once: what is placed from now on was placed by this process."""
        self._synced = True

    def is_stray(self, client_id: str) -> bool:
        """Whether this is a stop of ours that the journal does not know."""
        return client_id in self._strays

    def stray_cover(self, stops: Iterable[RestingStop], position: Position) -> RestingStop | None:
        """The tightest working stop that the journal does not know.

        It, with those of its price, holds the whole position.
        """
        held: dict[Decimal, Decimal] = {}
        chosen = [
            stop
            for stop in stops
            if stop.role is Role.WORKING
            and stop.side is position.side
            and not stop.triggered
            and stop.client_id in self._strays
        ]
        for stop in chosen:
            held[stop.price] = held.get(stop.price, Decimal(0)) + (stop.quantity or Decimal(0))
        whole = [stop for stop in chosen if held[stop.price] >= position.quantity]
        return max(whole, key=lambda stop: stop.price * position.side.sign, default=None)

    async def _look_for_strays(self, snapshot: Snapshot) -> None:
        ours = [stop for stop in snapshot.stops if stop.role is not Role.FOREIGN]
        new = {stop.client_id for stop in ours if not stop.shared} - self._asked
        if not new:
            return
        try:
            async with asyncio.timeout(STORE_PATIENCE_SECONDS):
                known = await self._store.known(new)
        except (TimeoutError, StoreError) as error:
            # Protection waits for no disk; the next complete read asks again.
            _log.warning("journal_unread", error=str(error) or "it does not answer")
            return
        self._asked |= new
        for stop in ours:
            if stop.client_id not in new:
                continue
            if stop.client_id not in known:
                self._strays.add(stop.client_id)
                self._tell_behind(stop)
            elif stop.client_id.startswith(self._lost_tags):
                self._strays.add(stop.client_id)

    def _tell_behind(self, stop: RestingStop) -> None:
        if stop.leg in self._told_legs:
            return
        self._told_legs.add(stop.leg)
        text = (
            f"the exchange holds our stop {stop.client_id} at {stop.price}, and the journal does "
            "not know it: the database was restored or lost; the stop counts as it stands"
        )
        self._notices.alarm("journal_behind", text, stop.leg)

    def _look_for_others(self, snapshot: Snapshot) -> None:
        if self._told_ms is not None and snapshot.asked_at_ms - self._told_ms < HOUR_MS:
            return
        tag = self._store.installation
        theirs = [stop for stop in snapshot.stops if is_of_another(stop.client_id, tag)]
        if not theirs:
            return
        self._told_ms = snapshot.asked_at_ms
        text = (
            f"another Trailstop guards this account: {len(theirs)} stops such as "
            f"{theirs[0].client_id} on {theirs[0].leg.symbol} are its own; end one of the two"
        )
        account = whole_account(snapshot.account, snapshot.venue)
        self._notices.alarm("another_guard", text, account)
