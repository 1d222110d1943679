"""The store: a journal and the state derived from it, written by one thread.

`record` never waits. What was recorded in one turn of the event loop is handed to the thread
together, and what has gathered while it wrote becomes its next transaction (group commit).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from trailstop.clock import MS_PER_SECOND
from trailstop.domain.position import Leg
from trailstop.engine.events import Event
from trailstop.engine.trail import Trail
from trailstop.errors import StoreDamaged
from trailstop.storage import read, retention
from trailstop.storage.database import Database, Finding
from trailstop.storage.living import Living
from trailstop.storage.outage import Outage
from trailstop.storage.records import (
    Adopted,
    Alarmed,
    Input,
    Intended,
    Noted,
    Record,
    Settled,
    encode,
    epoch_of,
    is_quiet,
    kind_of,
    leg_of,
)
from trailstop.storage.shapes import EpochSummary, Loaded, StoredIntent, StoredRecord
from trailstop.storage.writer import Batch, Writer

T = TypeVar("T")

_log = structlog.get_logger("trailstop.store")

IDENTITY_SECONDS = 60.0
"""How often the identity beside the file learns how far the journal goes."""

FLUSH_MS = 250
"""Longest that a price without consequences waits for the disk, of the event loop's time.
As long as the store may be silent before protective writes stop waiting for it."""

EVENTS_LIMIT = 1_000
"""Rows that one read of events gives unless told otherwise."""

RETRY_MS = 1_000
"""When a commit that failed is tried again, unless a new record does so before."""

BACKLOG_RECORDS_MAX = 200_000
"""Records kept in memory while the disk fails or lags; prices beyond it are only counted."""

FREE_STANDING = (Adopted, Alarmed, Intended, Noted, Settled)
"""Records that may speak of an epoch that was never adopted: orphans, foreign legs."""


class Store:
    """One database of one installation in one mode. Use it from one event loop."""

    installation: str
    """Eight random characters made with the database; part of every client id."""

    def __init__(self, thread: ThreadPoolExecutor, database: Database) -> None:
        self.installation = database.installation
        self._thread = thread
        self._database = database
        self._writer = Writer()
        self._living = Living()
        self._known: set[tuple[Leg, int]] = set(database.open_epochs)
        self._pending = Batch()
        self._handle: asyncio.Handle | None = None
        self._at_once = False
        self._backlog: list[Batch] = []
        self._backlog_records = 0
        self._writing = False
        self._batches_handed = 0
        self._batches_written = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._lost: dict[tuple[Leg, int], tuple[int, int]] = {}
        self._damage: StoreDamaged | None = None
        self._identified_s = time.monotonic()
        self._outage = Outage(lambda code, text: self.listener(Finding(code, text)))
        self.findings: tuple[Finding, ...] = tuple(database.findings)
        """What was found of the file at the start, for whoever tells people."""
        self.listener: Callable[[Finding], None] = _log_finding
        """Is told of the store's own troubles and of their end, in the event loop."""
        self.failure: BaseException | None = None
        """Why the last commit failed; None while the store is well."""

    @classmethod
    def open(cls, url: str, *, mode: str, now_ms: int) -> Store:
        """Open or create the database of an SQLAlchemy URL and bring it up to date; blocks.

        An existing database is copied beside itself before it is changed; a damaged one of
        this installation is put aside, and `findings` say so.
        Raises: StoreError when it is in use, unreadable, of another mode or of a newer build.
        """
        # One thread opens, reads, writes and closes: SQLite checks that by itself.
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            return cls(thread, thread.submit(Database.open, url, mode, now_ms).result())
        except BaseException:
            thread.shutdown()
            raise

    @property
    def pending(self) -> bool:
        """Whether anything recorded is not on disk yet."""
        return bool(self._pending) or self._batches_written < self._batches_handed

    def load(self) -> Loaded:
        """What was there at the last end; blocks, for the start. Raises: StoreError."""
        loaded = self._thread.submit(self._database.transact, read.load).result()
        self._living.begin(loaded)
        return loaded

    def record(self, records: Sequence[Record], *, trail: Trail | None = None) -> None:
        """Have records written, in this order, all of a call in one transaction; never waits.

        `trail` is the newest state of an epoch that the records speak of. Every epoch begins
        with its `Adopted`; a record of another one is a programmer's error.
        """
        for record in records:
            if isinstance(record, Adopted):
                self._known.add((record.leg, record.epoch))
            assert isinstance(record, FREE_STANDING) or _key(record) in self._known, (
                f"{leg_of(record)}: {kind_of(record)} of an epoch that was not adopted"
            )
        if trail is not None:
            key = (trail.leg, trail.epoch)
            times = [record.at_ms for record in records if _key(record) == key]
            assert key in self._known, f"{trail.leg}: the trail's epoch was not adopted"
            assert times, f"{trail.leg}: a trail comes with the record that changed it"
            self._pending.trails[key] = trail, times[-1]
        self._living.take(records, trail)
        for record in records:
            self._take(record)
        quiet = all(is_quiet(record) for record in records)
        if not quiet and not self._at_once:
            # What else this turn of the loop records goes along.
            self._at_once = True
            self._schedule(asyncio.get_running_loop().call_soon(self._hand_over))
        elif self._handle is None:
            self._schedule_after(FLUSH_MS)

    async def durable(self) -> None:
        """Return when everything recorded so far is on disk.

        Raises: StoreError when it could not be written. It is kept, and tried again with the
        next record or the next call.
        """
        self._hand_over()
        if self._batches_written == self._batches_handed:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._batches_handed, done))
        await done

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Answer a query of `storage.read`, which sees everything recorded so far.

        Raises: StoreError.
        """
        await self.durable()
        return await self._in_thread(lambda: self._database.transact(query))

    async def events(
        self, after: int = 0, limit: int = EVENTS_LIMIT, kinds: Collection[str] | None = None
    ) -> list[StoredRecord]:
        """Rows of the journal after a sequence number; price runs only where asked for."""
        return await self.read(lambda open_: read.events(open_, after, limit, kinds))

    async def inputs(self, leg: Leg, epoch: int) -> list[Event]:
        """Everything that `step` was told in an epoch, in its order, for a replay."""
        return await self.read(lambda open_: read.inputs(open_, leg, epoch))

    async def intent(self, client_id: str) -> StoredIntent | None:
        """The intent behind a client id, None where there never was one."""
        return await self.read(lambda open_: read.intent(open_, client_id))

    async def known(self, client_ids: Collection[str]) -> set[str]:
        """Those of these client ids that have an intent."""
        return await self.read(lambda open_: read.known(open_, client_ids))

    async def epochs(self, limit: int = EVENTS_LIMIT) -> list[EpochSummary]:
        """The newest epochs, open and closed, oldest first."""
        return await self.read(lambda open_: read.epochs(open_, limit))

    async def compact(self, before_ms: int) -> bool:
        """Pack prices older than this more tightly, a bounded piece; True while more is left."""
        return await self.read(lambda open_: retention.compact(open_, before_ms))

    async def prune(self, before_ms: int) -> int:
        """Forget price runs older than this; intents, moves and all else stay."""
        return await self.read(lambda open_: retention.prune(open_, before_ms))

    async def close(self) -> None:
        """Write what is left and give the file free, also when that fails.

        Raises: StoreError when the last records could not be written.
        """
        try:
            await self.durable()
        finally:
            if self._handle is not None:
                self._handle.cancel()
            self._outage.close()
            await self._in_thread(self._close)
            self._thread.shutdown()

    def _close(self) -> None:
        self._database.write_identity()
        self._database.close()

    def _take(self, record: Record) -> None:
        # What is not quiet is encoded here, so that what cannot be encoded fails where it
        # comes from and never stands in the way of everything else in the thread.
        payload = None if is_quiet(record) else encode(record)
        waiting = self._backlog_records + len(self._pending.records)
        if isinstance(record, Input) and payload is None and waiting >= BACKLOG_RECORDS_MAX:
            lost, _ = self._lost.get((record.leg, record.epoch), (0, 0))
            self._lost[record.leg, record.epoch] = lost + 1, record.at_ms
            return
        self._pending.records.append((record, payload))

    def _schedule(self, handle: asyncio.Handle) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = handle

    def _schedule_after(self, delay_ms: int) -> None:
        loop = asyncio.get_running_loop()
        self._schedule(loop.call_later(delay_ms / MS_PER_SECOND, self._hand_over))

    def _hand_over(self) -> None:
        """Close the pending batch; batches depend on the loop's turns, never on the thread."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self._at_once = None, False
        if self._pending:
            self._backlog.append(self._pending)
            self._backlog_records += len(self._pending.records)
            self._pending = Batch()
            self._batches_handed += 1
        if self._backlog and not self._writing:
            self._write()

    def _write(self) -> None:
        batches = tuple(self._backlog)
        self._writing = True
        self._outage.asked()
        damage = self._damage
        living = None if damage is None else self._living.batch(batches)
        work = self._in_thread(lambda: self._save(batches, damage, living))
        work.add_done_callback(lambda done: self._written(len(batches), done))

    def _save(
        self, batches: Sequence[Batch], damage: StoreDamaged | None, living: Batch | None
    ) -> Finding | None:
        """Write batches; into a new file where the present one is damaged, which is told."""
        if damage is None or living is None:
            self._commit(batches)
            return None
        renewal = self._database.renew(damage, self._living.newest_ms)
        self._writer = Writer()
        self._commit((living, *batches) if renewal.is_empty else batches)
        self._database.renewed()
        return renewal.finding

    def _commit(self, batches: Sequence[Batch]) -> None:
        self._database.transact(lambda open_: self._writer.write(open_, batches))
        if time.monotonic() - self._identified_s > IDENTITY_SECONDS:
            self._identified_s = time.monotonic()
            self._database.write_identity()

    def _in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        # A loop of virtual time counts what runs in its executors and lets no time pass
        # before the result was delivered, so that the disk costs no virtual time.
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _written(self, count: int, done: asyncio.Future[Finding | None]) -> None:
        self._writing = False
        error = done.exception()
        if isinstance(error, StoreDamaged) and self._damage is None:
            # Whoever waits for the disk waits for the new file.
            self._damage = error
            self._outage.answered(None)
            self._write()
            return
        self.failure = error
        self._outage.answered(error)
        if error is None:
            renewed, self._damage = done.result(), None
            if renewed is not None:
                self.listener(renewed)
            self._backlog_records -= sum(len(batch.records) for batch in self._backlog[:count])
            del self._backlog[:count]
            self._batches_written += count
        waiting, self._waiting = self._waiting, []
        for number, waiter in waiting:
            if waiter.done():
                continue
            if number <= self._batches_written:
                waiter.set_result(None)
            elif error is not None:
                waiter.set_exception(error)
            else:
                self._waiting.append((number, waiter))
        if error is not None:
            if self._handle is None:
                self._schedule_after(RETRY_MS)
        elif self._backlog:
            self._write()
        elif self._lost:
            self._tell_losses()

    def _tell_losses(self) -> None:
        lost, self._lost = self._lost, {}
        self.record(
            [
                Noted(leg, epoch, "inputs_lost", f"{count} prices came while the disk failed", at)
                for (leg, epoch), (count, at) in lost.items()
            ]
        )


def _log_finding(finding: Finding) -> None:
    _log.error(finding.code, what=finding.text)


def _key(record: Record) -> tuple[Leg, int | None]:
    return leg_of(record), epoch_of(record)
