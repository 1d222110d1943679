"""After a restart: settle what was under way, prove the epoch, mend, fill the gap, then decide.

Nothing is written to the exchange before a complete read; look-ups and reads come first. The
guard's comparison comes before the gap is filled: a second stop that the end of the process
left behind has two seconds to live, and a gap may be long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

import structlog

from trailstop.daemon.account import AccountGuard
from trailstop.daemon.continuity import last_flat_ms, touched_zero
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.reads import retried
from trailstop.domain.position import Cause, Leg, Phase, Position
from trailstop.engine import events as ev
from trailstop.engine.events import Refusal
from trailstop.engine.rules import MS_PER_MINUTE
from trailstop.engine.trail import Trail
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import Snapshot
from trailstop.ports import Execution
from trailstop.storage.records import Noted
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
        mend: Callable[[Snapshot], None],
        end: Callable[[GuardedLeg], None],
        adopt: Callable[[Snapshot], None],
    ) -> None:
        """Take the account, what the store has, and what the guard does with a complete read.

        `mend` compares all of it, `end` ends one epoch, `adopt` takes only what has no trail.
        """
        self._account = account
        self._loaded = loaded
        self._mend = mend
        self._end = end
        self._adopt = adopt

    async def run(self) -> None:
        """Restore every open trail of the account. Raises: ReadFailed where nothing answers."""
        account = self._account
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
        for guarded in legs:
            if guarded.trail.leg not in proven:
                # Absent from a complete read, whatever appears there by the next one.
                guarded.flat_ms = self._account.venue.exchange_ms()
        for guarded, *_ in read:
            self._go_by_the_grid(guarded)
        self._mend(snapshot)
        for guarded in legs:
            if not guarded.ended:
                guarded.executor.release_writes()
        return [
            (guarded, proven[guarded.trail.leg])
            for guarded, *_ in read
            if not guarded.ended and guarded.flat_ms is None
        ]

    async def _fill_gaps(self, gaps: Sequence[Gap]) -> None:
        """Fill them all at once."""
        await asyncio.gather(*(self._fill_or_tell(leg, known=known) for leg, known in gaps))

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
                return await retried(lambda: self._account.venue.snapshot(None, urgent=True))
            except ReadFailed as error:
                _log.error("account_unread", account=self._account.venue.account, error=str(error))

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

    def _end_earlier(self, trail: Trail, flat_ms: int) -> None:
        """End an epoch that another one has followed: why it ended was still being asked for."""
        guarded = self._account.restore(trail, generation=0)
        guarded.flat_ms = flat_ms
        self._end(guarded)

    def _release(self, trail: Trail) -> None:
        """The settings leave this leg out now: its stops stay as they are, and are its owner's."""
        account = self._account
        guarded = account.restore(trail, generation=0)
        del account.legs[trail.leg]
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
            if opened_anew or position.entry_price != guarded.trail.position.entry_price:
                guarded.flat_ms = now_ms
            else:
                self._account.feed(guarded, ev.PeakForgotten(now_ms))
            return False
        if touched_zero(fills, position):
            guarded.flat_ms = last_flat_ms(fills, position)
        return True

    async def _fill_or_tell(self, guarded: GuardedLeg, *, known: bool) -> None:
        """Fill the gap; where its prices cannot be read the trail goes on with live ones."""
        try:
            await self._fill_gap(guarded, known=known)
        except ReadFailed as error:
            trail, now_ms = guarded.trail, self._account.venue.exchange_ms()
            text = f"the prices of the gap could not be read ({error}); the peak may be too low"
            self._account.feeder.alarm(trail, "gap_unfilled", text, now_ms)

    async def _fill_gap(self, guarded: GuardedLeg, *, known: bool) -> None:
        """Feed the prices that were missed, then one live price that may decide.

        Where it is not known whether the position was there all the time, its prices are not.
        """
        account, trail = self._account, guarded.trail
        since_ms = trail.price_at_ms
        symbol, venue = trail.leg.symbol, account.venue
        now_ms = venue.exchange_ms()
        first_minute = -(-since_ms // MS_PER_MINUTE) * MS_PER_MINUTE
        open_minute = now_ms // MS_PER_MINUTE * MS_PER_MINUTE
        count = 0
        if trail.price is not None and known:
            missed = await self._missed(
                symbol, since_ms, first_minute, open_minute, trail.adopted_at_ms
            )
            for price, at_ms in missed:
                account.feed(guarded, ev.PriceBackfilled(price, at_ms))
                count += 1
        price = await retried(lambda: venue.last_price(symbol))
        _log.info("gap_filled", leg=str(trail.leg), since_ms=since_ms, prices=count)
        at_ms = max(now_ms, venue.exchange_ms())
        if guarded.trail.gap_crossed:
            # Recorded in one turn with the price that decides, so that it is told once.
            text = f"the exact stop was crossed during the gap; the price now is {price}"
            noted = Noted(trail.leg, trail.epoch, "crossed_during_gap", text, at_ms)
            account.store.record([noted])
            account.hub.publish([noted])
        account.feed(guarded, ev.PriceSeen(price, at_ms, "bar"))

    async def _missed(
        self, symbol: str, since_ms: int, first_minute: int, open_minute: int, begun_ms: int
    ) -> list[tuple[Decimal, int]]:
        """Trades to the first whole minute, then candles, then trades of the open minute.

        The millisecond of the last accepted price is read again: it may have had more trades.
        """
        now_ms = self._account.venue.exchange_ms()
        prices = await self._traded(symbol, since_ms, min(first_minute, now_ms), begun_ms)
        if first_minute < open_minute:
            prices += await self._candles(symbol, first_minute, open_minute - 1)
        if open_minute >= first_minute:
            prices += await self._traded(symbol, open_minute, now_ms, begun_ms)
        return prices

    async def _traded(
        self, symbol: str, since_ms: int, until_ms: int, begun_ms: int
    ) -> list[tuple[Decimal, int]]:
        """Trades of a part of a minute; its candle where the exchange lists them no more.

        That candle serves where the position was there all through its minute.
        """
        venue = self._account.venue
        minute = since_ms // MS_PER_MINUTE * MS_PER_MINUTE
        try:
            trades = await retried(lambda: venue.trades(symbol, since_ms, until_ms))
        except ReadFailed:
            if begun_ms > minute:
                raise
            return await self._candles(symbol, minute, minute)
        return [(trade.price, trade.at_ms) for trade in trades]

    async def _candles(
        self, symbol: str, since_ms: int, until_ms: int
    ) -> list[tuple[Decimal, int]]:
        """Prices of the candles; they do not tell the order of extremes, and none is needed."""
        venue = self._account.venue
        bars = await retried(lambda: venue.bars(symbol, 1, since_ms, until_ms, "last"))
        return [
            (price, bar.at_ms) for bar in bars for price in (bar.open, bar.high, bar.low, bar.close)
        ]
