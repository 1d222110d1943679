"""After a restart: settle what was under way, prove the epoch, mend, fill the gap, then decide.

Nothing is written to the exchange before a complete read; look-ups and reads come first. The
guard's comparison comes before the gap is filled: a second stop that the end of the process
left behind has two seconds to live, and a gap may be long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from trailstop.daemon.account import AccountGuard
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.prices.gaps import Gaps
from trailstop.daemon.reading.continuity import last_flat_ms, touched_zero, was_closed
from trailstop.daemon.reading.inspection import Inspection
from trailstop.daemon.reading.reads import retried
from trailstop.domain.position import Cause, Leg, Phase, Position
from trailstop.engine import events as ev
from trailstop.engine.events import Refusal
from trailstop.engine.trail import Trail
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import Snapshot
from trailstop.ports import Execution
from trailstop.storage.records import Alarmed, Ended, Record
from trailstop.storage.shapes import Loaded

_log = structlog.get_logger("trailstop.recovery")

READ_TRIES = 5
"""How often account and fills are read until no fill came in between. A leg that is filled all
the time is compared as it was read last; the next pass is five seconds away."""
CLOCK_SLACK_MS = 250
"""How far our estimate of the exchange's clock may be off."""

Read = tuple[GuardedLeg, Position, Sequence[Execution] | None]
"""One leg, its position on the exchange, and its fills since the adoption."""
Gap = tuple[GuardedLeg, bool]
"""One leg whose prices were missed, and whether the position is known to have been there."""


class Recovery:
    """Brings the stored trails of one account up to the present."""

    def __init__(
        self,
        account: AccountGuard,
        loaded: Loaded,
        mend: Callable[[Snapshot, frozenset[Leg]], None],
        end: Callable[[GuardedLeg], None],
        adopt: Callable[[Snapshot], None],
        *,
        inspection: Inspection,
    ) -> None:
        """Take the account, what the store has, and who looks at a complete read and acts on it.

        `mend` compares all of it but some legs, `end` ends one epoch, `adopt` takes only what has no trail.
        """
        self._account = account
        self._gaps = Gaps(account)
        self._loaded = loaded
        self._inspection = inspection
        self._mend = mend
        self._end = end
        self._adopt = adopt

    async def run(self) -> None:
        """Restore every open trail of the account. Raises: ReadFailed where nothing answers."""
        account = self._account
        self._end_unreadable()
        trails = [
            trail
            for trail in self._loaded.trails
            if (trail.leg.account, trail.leg.venue) == (account.venue.account, account.venue.name)
            and trail.phase is not Phase.CLOSED
        ]
        newest = {trail.leg: trail for trail in sorted(trails, key=lambda trail: trail.epoch)}
        for trail in trails:
            if trail.epoch != newest[trail.leg].epoch:
                self._end_earlier(trail, newest[trail.leg].age_from_ms)
        kept = [trail for trail in newest.values() if account.config.is_guarded(trail.leg)]
        for trail in newest.values():
            if trail not in kept:
                self._release(trail)
        restored = [self._restore(trail) for trail in kept]
        # Legs with nothing to look up do not wait for those that have, nor these for the others'
        # gaps.
        certain = [guarded for guarded in restored if not guarded.executor.pending]
        gaps = await self._catch_up(certain)
        if restored and not certain:
            # A position that was opened meanwhile does not wait for the look-ups of others.
            self._adopt(await self._snapshot())
        waiting = [guarded for guarded in restored if guarded not in certain]
        await asyncio.gather(self._fill_gaps(gaps), self._catch_up_late(waiting))

    async def _catch_up_late(self, legs: Sequence[GuardedLeg]) -> None:
        """The same for legs that have something to look up first."""
        for guarded in legs:
            await guarded.executor.idle()
        await self._fill_gaps(await self._catch_up(legs))

    async def _catch_up(self, legs: Sequence[GuardedLeg]) -> list[Gap]:
        """Read the account, prove that the epochs went on, and mend; the gaps are left."""
        if not legs:
            return []
        snapshot, read = await self._read(legs)
        proven: dict[Leg, bool] = {}
        for guarded, position, fills in read:
            proven[guarded.trail.leg] = self._prove(guarded, position, fills)
            if fills is not None:
                guarded.read_ms = snapshot.asked_at_ms
        doubtful = await self._not_over(legs, snapshot)
        for guarded in legs:
            if guarded.trail.leg not in proven and guarded.trail.leg not in doubtful:
                # Absent from a complete read, whatever appears there by the next one.
                guarded.flat_ms = self._account.venue.exchange_ms()
        for guarded, *_ in read:
            self._go_by_the_grid(guarded)
        self._mend(snapshot, doubtful)
        for guarded in legs:
            if not guarded.ended:
                guarded.executor.release_writes()
        return [
            (guarded, proven[guarded.trail.leg])
            for guarded, *_ in read
            if not guarded.ended and guarded.flat_ms is None
        ]

    async def _not_over(self, legs: Sequence[GuardedLeg], snapshot: Snapshot) -> frozenset[Leg]:
        """Legs that the read does not list, though nothing has closed them: it may be late."""
        found = set()
        for guarded in legs:
            trail = guarded.trail
            if trail.leg in snapshot.positions:
                continue
            if not was_closed(await self._fills(trail), trail.position.side):
                found.add(trail.leg)
                self._account.feed(guarded, ev.PeakForgotten(self._account.venue.exchange_ms()))
        return frozenset(found)

    async def _fill_gaps(self, gaps: Sequence[Gap]) -> None:
        """Fill them all at once."""
        await asyncio.gather(*(self._gaps.fill([leg], known=known) for leg, known in gaps))

    async def _read(self, legs: Sequence[GuardedLeg]) -> tuple[Snapshot, list[Read]]:
        """The account, and the fills of the legs that are open, both of one moment.

        Fills that came while the account was read may or may not be in its sizes: it is then
        read again.
        """
        tries = 0
        while True:
            tries += 1
            snapshot = await self._snapshot()
            open_ = [
                (guarded, position)
                for guarded in legs
                if (position := snapshot.positions.get(guarded.trail.leg)) is not None
                and position.side is guarded.trail.position.side
            ]
            fills = await asyncio.gather(*(self._fills(guarded.trail) for guarded, _ in open_))
            sure_ms = snapshot.asked_at_ms - CLOCK_SLACK_MS
            sure = all(fill.at_ms < sure_ms for found in fills for fill in found or ())
            if sure or tries == READ_TRIES:
                return snapshot, [(*leg, found) for leg, found in zip(open_, fills, strict=True)]

    async def _snapshot(self) -> Snapshot:
        """The account, however long it takes: its stops rest, and other accounts go on."""
        while True:
            try:
                read = await retried(lambda: self._account.venue.snapshot(None, urgent=True))
            except ReadFailed as error:
                _log.error("account_unread", account=self._account.venue.account, error=str(error))
            else:
                await self._inspection.look(read)
                return read

    async def _fills(self, trail: Trail) -> Sequence[Execution] | None:
        """All fills since the adoption, None where they cannot be read.

        That the size was zero may have been heard of moments before the process ended, and
        heard of is not recorded: the time of the last record is no beginning.
        """
        venue = self._account.venue
        try:
            return await retried(lambda: venue.executions(trail.leg, trail.adopted_at_ms))
        except ReadFailed as error:
            _log.warning("executions_unread", leg=str(trail.leg), error=str(error))
            return None

    def _end_unreadable(self) -> None:
        """End epochs whose state is damaged: their positions are adopted anew, as they are."""
        account = self._account
        for leg, epoch in self._loaded.unreadable:
            if (leg.account, leg.venue) != (account.venue.account, account.venue.name):
                continue
            now_ms = account.venue.exchange_ms()
            text = "what was recorded of this position is damaged: it is adopted anew, as it stands"
            records: list[Record] = [
                Alarmed(leg, epoch, "trail_unreadable", text, now_ms),
                Ended(leg, epoch, Cause.UNKNOWN, None, "", now_ms),
            ]
            account.store.record(records)
            account.hub.publish(records)
            account.skip_epoch(leg, epoch)

    def _end_earlier(self, trail: Trail, flat_ms: int) -> None:
        """End an epoch that another one has followed: why it ended was still being asked for."""
        guarded = self._account.restore(trail, generation=0)
        guarded.flat_ms = flat_ms
        self._end(guarded)

    def _release(self, trail: Trail) -> None:
        """The settings leave this leg out now: its stops stay as they are, and are its owner's."""
        account = self._account
        guarded = account.restore(trail, generation=0)
        account.remove(trail.leg)
        guarded.finish()
        now_ms = account.venue.exchange_ms()
        account.feeder.end(guarded, ev.PositionClosed(Cause.RELEASED, now_ms))

    def _restore(self, trail: Trail) -> GuardedLeg:
        account, key = self._account, (trail.leg, trail.epoch)
        generation = self._loaded.generations.get(key, 0)
        guarded = account.restore(trail, generation=generation)
        guarded.executor.writes_held = True
        open_prices = set()
        for stored in self._loaded.intents:
            intent = stored.intent
            if (intent.leg, intent.epoch) == key and intent.action != "cancel":
                open_prices.add(intent.price)
                guarded.executor.look_up(intent)
        sent = trail.sent
        if sent is not None and sent.price not in open_prices:
            # The command was decided and the process died before its intent: never sent.
            now_ms = account.venue.exchange_ms()
            text = "the process ended before it was sent"
            account.feed(guarded, ev.StopRefused(Refusal.NOT_SENT, text, now_ms))
        return guarded

    def _go_by_the_grid(self, guarded: GuardedLeg) -> None:
        """Learn what the exchange changed while nobody listened: no stream tells it now."""
        venue = self._account.venue
        try:
            instrument = venue.instrument(guarded.trail.leg.symbol)
        except KeyError:
            return  # It is not listed any more: what was known of it stays.
        if instrument != guarded.trail.instrument:
            changed = ev.InstrumentChanged(instrument, venue.exchange_ms())
            self._account.feed(guarded, changed)

    def _prove(
        self, guarded: GuardedLeg, position: Position, fills: Sequence[Execution] | None
    ) -> bool:
        """Whether it is certain what the size did; where it touched zero, this epoch is over."""
        now_ms = self._account.venue.exchange_ms()
        if fills is None:
            opened_ms = position.opened_at_ms
            since_ms = guarded.trail.adopted_at_ms + CLOCK_SLACK_MS
            opened_anew = opened_ms is not None and opened_ms > since_ms
            known = guarded.trail.position
            stated = position.entry_known and known.entry_known
            other_entry = stated and position.entry_price != known.entry_price
            if opened_anew or other_entry:
                guarded.flat_ms = now_ms
            else:
                self._account.feed(guarded, ev.PeakForgotten(now_ms))
            return False
        if touched_zero(fills, position):
            guarded.flat_ms = last_flat_ms(fills, position)
        return True
