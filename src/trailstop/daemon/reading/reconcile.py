"""The guard's way: complete read → plan → the same commands, the same executor."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from functools import partial

import structlog
from msgspec.structs import replace

from trailstop.clock import MS_PER_SECOND
from trailstop.daemon.account import AccountGuard
from trailstop.daemon.feeder import carry_out
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.reading.endings import Endings
from trailstop.daemon.reading.inspection import Inspection
from trailstop.daemon.reading.ownership import (
    PUT_BACK_MS,
    claim,
    compare_shared,
    shared_floor,
)
from trailstop.daemon.reading.passes import Wishes
from trailstop.daemon.reading.proofs import Proofs, without
from trailstop.daemon.writing.orders import Told
from trailstop.domain.position import Leg, Position, Role, StopKind
from trailstop.domain.price import Side
from trailstop.engine import events as ev
from trailstop.engine.commands import (
    AdoptPosition,
    Alarm,
    CancelStop,
    Command,
    EndEpoch,
    LookUp,
    MoveStop,
    PlaceStop,
)
from trailstop.errors import ReadFailed
from trailstop.guard.plan import plan
from trailstop.guard.snapshot import RestingStop, Snapshot

_log = structlog.get_logger("trailstop.guard")

LIQUIDATION_STEP = 1_000
"""The inverse share by which a liquidation price must move to be told: a tenth of a percent."""
LEFT_PASS_SECONDS = 0.3
"""How long a pass that is under way may still take when another one becomes urgent."""
FAILED_PASS_SECONDS = 0.5
"""Pause before a pass is tried again after a failed read; doubled up to the next figure."""
FAILED_PASS_SECONDS_MAX = 2.0
"""What changed during an outage is to be covered within R + D = 7 s of its end; where reading
everything weighs much the venue states a longer pause."""
FAILED_PASSES_COUNTED = 10

NO_ENTRY = (
    "the exchange states no entry price: the stop is measured from the mark, and neither gain nor "
    "breakeven counts until it does"
)


class Reconciler:
    """Compares one account with its targets: on demand, every few seconds, and in full."""

    def __init__(self, account: AccountGuard, inspection: Inspection) -> None:
        self._account = account
        self._inspection = inspection
        self._proofs = Proofs(account)
        self.endings = Endings(account, self._proofs)
        self.passes = 0
        self.failed_reads = 0
        self.last_full_ms = 0
        self.last_short_ms = 0

    async def run(self) -> None:
        """Make passes for ever: every few seconds, and between them where something asks."""
        account, guard = self._account, self._account.config.guard
        full_ms = int(guard.full_pass_seconds * MS_PER_SECOND)
        failed = 0
        while True:
            short_ms = account.pass_every_ms
            due_ms = min(self.last_short_ms + short_ms, self.last_full_ms + full_ms)
            wait_ms = max(0, due_ms - account.clock.monotonic_ms())
            # Not `wait_for`: where the event comes with a cancellation it loses the latter, and
            # the daemon would never end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / MS_PER_SECOND):
                    await account.wishes.asked.wait()
            wishes = account.wishes.take()
            now_ms = account.clock.monotonic_ms()
            wishes.full = wishes.full or now_ms >= self.last_full_ms + full_ms
            wishes.guarded = wishes.guarded or now_ms >= self.last_short_ms + short_ms
            if await self._one_pass_unless_wanted(wishes):
                failed = 0
                continue
            account.wishes.put_back(wishes)
            # Failing reads weigh as much as others: nothing would be left for what comes next.
            pause_seconds = FAILED_PASS_SECONDS * 2**failed
            failed = min(failed + 1, FAILED_PASSES_COUNTED)
            longest = account.venue.full_pass_seconds if wishes.full else 0.0
            longest = max(FAILED_PASS_SECONDS_MAX, longest)
            await account.clock.sleep(min(longest, pause_seconds))

    async def _one_pass_unless_wanted(self, wishes: Wishes) -> bool:
        """Make a pass, but leave one that waits for its turn where a position waits for another.

        Reads that nobody asked for may have to wait a minute for room outside the reserve.
        """
        symbols = None if wishes.guarded else frozenset(wishes.symbols)
        if wishes.asked.is_set():
            return await self.one_pass(full=wishes.full, urgent=True, symbols=symbols)
        work = asyncio.ensure_future(self.one_pass(full=wishes.full))
        wanted = asyncio.ensure_future(self._account.wishes.asked.wait())
        try:
            await asyncio.wait((work, wanted), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((work,), timeout=LEFT_PASS_SECONDS)
            return work.done() and work.result()
        finally:
            for task in (work, wanted):
                task.cancel()
            await asyncio.gather(work, wanted, return_exceptions=True)

    async def one_pass(
        self, *, full: bool, urgent: bool = False, symbols: frozenset[str] | None = None
    ) -> bool:
        """Read, compare, command. False where the read failed, which changes nothing.

        A pass that something asked for is `urgent`: a position may wait for its stop. It reads
        everything, these symbols, or those of all guarded legs.
        """
        account = self._account
        of_all_guarded = full or symbols is None
        symbols = None if full else self._symbols() if symbols is None else symbols
        try:
            snapshot = await account.venue.snapshot(symbols, urgent=urgent)
            if full:
                await self._inspection.look(snapshot)
            if full and account.streams.get("private", False):
                await self._proofs.prove_epochs(snapshot)
            await self._proofs.prove_replaced(snapshot)
            doubtful = await self._proofs.doubtful(snapshot)
        except ReadFailed as error:
            self.failed_reads += 1
            _log.warning("snapshot_failed", account=account.venue.account, error=str(error))
            return False
        self.passes += 1
        if of_all_guarded:
            self.last_short_ms = account.clock.monotonic_ms()
        if full:
            self.last_full_ms = account.clock.monotonic_ms()
        self.apply(snapshot, doubtful)
        if full:
            self._inspection.synced()
        self._look_elsewhere(snapshot)
        return True

    def _look_elsewhere(self, snapshot: Snapshot) -> None:
        """Read everything where a position turns up that no stream has told of."""
        account = self._account
        new = snapshot.elsewhere - account.legs.keys() - account.not_guarded
        if new:
            account.ask_for_pass(f"position on {min(map(str, new))}", full=True)

    def _symbols(self) -> frozenset[str]:
        """Symbols of guarded legs, and of positions just opened."""
        account = self._account
        opened = {leg.symbol for leg in account.opened_legs}
        return frozenset({leg.symbol for leg in account.legs} | opened)

    def apply(self, snapshot: Snapshot, doubtful: frozenset[Leg] = frozenset()) -> None:
        """Take one complete read into account; of `doubtful` legs it says nothing."""
        account = self._account
        snapshot = without(claim(snapshot, account.legs), doubtful, account.legs)
        legs = {leg: guarded for leg, guarded in account.legs.items() if leg not in doubtful}
        for leg, guarded in legs.items():
            if snapshot.symbols is None or leg.symbol in snapshot.symbols:
                account.supervisor.guarded(
                    f"leg {leg}", partial(self._compare, leg, guarded, snapshot)
                )
        targets = {
            leg: guarded.target() for leg, guarded in account.legs.items() if leg not in doubtful
        }
        for command in plan(targets, snapshot):
            account.supervisor.guarded("plan", partial(self._carry_out, command, snapshot))
        self._proofs.note(snapshot)
        if snapshot.symbols is None:
            account.not_guarded = {leg for leg in snapshot.positions if leg not in account.legs}

    def adopt_new(self, snapshot: Snapshot) -> None:
        """Adopt what has no trail, and leave every leg alone that has one."""
        account = self._account
        new = {leg: held for leg, held in snapshot.positions.items() if leg not in account.legs}
        stops = tuple(stop for stop in snapshot.stops if stop.leg in new)
        snapshot = replace(snapshot, positions=new, stops=stops)
        for command in plan({}, snapshot):
            account.supervisor.guarded("plan", partial(self._carry_out, command, snapshot))

    def _compare(self, leg: Leg, guarded: GuardedLeg, snapshot: Snapshot) -> None:
        """Catch up with what the streams did not tell of one leg."""
        target = guarded.target()
        if target.pending:
            guarded.executor.pass_when_idle = True
            return
        if snapshot.asked_at_ms < target.settled_ms:
            self._account.ask_for_pass(f"{leg} changed while it was read", symbol=leg.symbol)
            return
        stops = [stop for stop in snapshot.stops if stop.leg == leg]
        missing = guarded.executor.standing.missing(stops)
        if missing and not guarded.executor.shared:
            guarded.executor.doubt(missing)
        else:
            guarded.executor.standing.sync(stops)
            guarded.confirmed_ms = snapshot.asked_at_ms
        position = snapshot.positions.get(leg)
        if position is None:
            if guarded.flat_ms is None:
                self._account.untold()
            return
        if guarded.flat_ms is not None:
            # The size touched zero: this is another position, whatever it looks like.
            self.endings.end(guarded)
            return
        if position.side is not target.side:
            return
        at_ms = snapshot.asked_at_ms
        known = guarded.trail.position
        seen = replace(position, opened_at_ms=known.opened_at_ms, funding_paid=known.funding_paid)
        if not position.entry_known:
            # Not stated at this moment: what is known of it stays.
            seen = replace(seen, entry_price=known.entry_price, entry_known=known.entry_known)
        if (seen.quantity, seen.entry_price) != (known.quantity, known.entry_price):
            # The account stream should have told it.
            self._account.untold()
        if _is_news(known, seen):
            self._account.feed(guarded, ev.PositionChanged(seen, at_ms))
        # One of an earlier epoch of ours covers as well as one of somebody else.
        tag = guarded.executor.tag
        guarded.executor.foreign_backstop = any(
            stop.quantity is None and not stop.client_id.startswith(tag) for stop in stops
        )
        if guarded.executor.shared:
            self._compare_shared(guarded, stops, position, at_ms)
            return
        self._compare_own(guarded, stops, position, at_ms)
        foreign = foreign_stop(stops, position)
        if foreign != guarded.trail.foreign_stop:
            self._account.feed(guarded, ev.ForeignStopSeen(foreign, at_ms))

    def _compare_own(
        self, guarded: GuardedLeg, stops: list[RestingStop], position: Position, at_ms: int
    ) -> None:
        """Take over a tighter price that somebody has given to our own order.

        One that the journal does not know was set by an earlier life of this installation.
        """
        self._take_over_stray(guarded, stops, position, at_ms)
        trail, resting = guarded.trail, guarded.executor.standing.working
        if trail.own_stop is None or not resting:
            return
        if trail.position.side.better(resting[0].price, trail.own_stop):
            self._account.feed(guarded, ev.TightenAsked(resting[0].price, at_ms))

    def _take_over_stray(
        self, guarded: GuardedLeg, stops: list[RestingStop], position: Position, at_ms: int
    ) -> None:
        """Count a stop of ours that the journal does not know as the live stop, if it is better.

        Where it has the name of another epoch the guard rests the same price anew beside it.
        """
        stray, own = self._inspection.stray_cover(stops, position), guarded.trail.own_stop
        if stray is None or (own is not None and not position.side.better(stray.price, own)):
            return
        text = f"found resting on the exchange: stop at {stray.price.normalize():f}"
        told = Told(
            "acknowledged", None, at_ms, stray.price, position.quantity, own,
            guarded.trail.own_kind, stray.client_id, stray.created_at_ms, text=text,
        )  # fmt: skip
        self._account.feed_told(guarded, told)

    def _compare_shared(
        self, guarded: GuardedLeg, stops: list[RestingStop], position: Position, at_ms: int
    ) -> None:
        """See what others did to the position's one stop: a tighter one is the floor at once.

        Where what counted has become looser or is gone the trail learns it as soon as it may
        be put back; until then the last read says what rests.
        """
        trail, side = guarded.trail, position.side
        foreign, known = foreign_stop(stops, position), trail.foreign_stop
        guarded.shared_stop = compare_shared(stops, foreign, trail)
        guarded.executor.in_place.floor = shared_floor(stops)
        if foreign == known:
            return
        worse = known is not None and (foreign is None or side.better(known, foreign))
        if worse and trail.live_kind is StopKind.FOREIGN and at_ms < guarded.put_back_from_ms:
            return
        before = trail.target_stop
        self._account.feed(guarded, ev.ForeignStopSeen(foreign, at_ms))
        if worse and guarded.trail.target_stop != before:
            self._put_back(guarded, known, foreign, at_ms)

    def _put_back(
        self, guarded: GuardedLeg, wanted: Decimal | None, found: Decimal | None, at_ms: int
    ) -> None:
        """Tell that somebody loosened or removed the stop, and when that is corrected next."""
        guarded.put_back_from_ms = at_ms + PUT_BACK_MS
        done = "removed it" if found is None else f"moved it to {found}"
        text = f"the stop stood at {wanted} and somebody {done}: it is put back"
        self._account.feeder.alarm(guarded.trail, "stop_put_back", text, at_ms)

    def _carry_out(self, command: Command, snapshot: Snapshot) -> None:
        account = self._account
        match command:
            case AdoptPosition(leg) if account.flat_since(leg, snapshot.asked_at_ms):
                account.ask_for_pass(f"{leg} was closed while it was read", symbol=leg.symbol)
            case AdoptPosition(leg, position):
                if account.config.is_guarded(leg):
                    if leg not in account.opened_legs:
                        account.untold()
                    stops = [stop for stop in snapshot.stops if stop.leg == leg]
                    now_ms = account.venue.exchange_ms()
                    foreign = foreign_stop(stops, position)
                    adopted = account.adopt(leg, position, foreign, now_ms)
                    adopted.read_ms = snapshot.asked_at_ms
                    adopted.confirmed_ms = snapshot.asked_at_ms
                    adopted.executor.standing.sync(stops)
                    adopted.executor.in_place.floor = shared_floor(stops)
                    if not position.entry_known:
                        account.feeder.alarm(adopted.trail, "entry_unknown", NO_ENTRY, now_ms)
                    self._take_over_stray(adopted, stops, position, now_ms)
                elif leg not in account.not_guarded:
                    account.not_guarded.add(leg)
                    _log.warning("not_guarded", leg=str(leg), quantity=position.quantity)
            case EndEpoch(leg):
                guarded = account.legs.get(leg)
                if guarded is not None:
                    self.endings.end(guarded)
            case CancelStop(leg):
                guarded = account.legs.get(leg)
                if guarded is not None:
                    guarded.gave_up_backstop |= command.reason == "slots"
                    guarded.executor.cancel(command)
                else:
                    side = next(
                        (stop.side for stop in snapshot.stops if stop.order_id == command.order_id),
                        Side.LONG,
                    )
                    sweeper = account.sweeper(leg, side)
                    if command.client_id not in sweeper.standing.ended:
                        sweeper.cancel(command)
            case Alarm(leg, code, text):
                guarded = account.legs.get(leg)
                if guarded is not None:
                    now_ms = account.venue.exchange_ms()
                    account.feeder.alarm(guarded.trail, code, text, now_ms)
            case LookUp():
                # The executor asks already: the plan only keeps everything else waiting.
                pass
            case _:
                guarded = account.legs.get(command.leg)
                if guarded is not None:
                    _log.info("guard_mends", leg=str(command.leg), command=type(command).__name__)
                    if isinstance(command, PlaceStop) and command.role is Role.BACKSTOP:
                        guarded.gave_up_backstop = False
                    own = guarded.trail.own_stop
                    found = command.previous if isinstance(command, MoveStop) else None
                    if guarded.stop_rejected:
                        guarded.stop_rejected = False
                        guarded.put_back_from_ms = snapshot.asked_at_ms + MS_PER_SECOND
                    elif own is not None and _taken_from(own, found, guarded):
                        self._put_back(guarded, own, found, snapshot.asked_at_ms)
                    carry_out(guarded, _on_grid(command, guarded))


def _taken_from(own: Decimal, found: Decimal | None, guarded: GuardedLeg) -> bool:
    """Whether somebody has loosened our stop, or removed the position's one, by hand."""
    if found is None or guarded.executor.shared:
        return guarded.executor.shared
    return guarded.trail.position.side.better(own, found)


def _on_grid(command: Command, guarded: GuardedLeg) -> Command:
    """The same command at a price that the exchange takes: its grid may have changed since."""
    if not isinstance(command, PlaceStop | MoveStop):
        return command
    trail = guarded.trail
    price = trail.instrument.snap_stop(command.price, trail.position.side)
    return replace(command, price=price)


def _is_news(known: Position, seen: Position) -> bool:
    """Whether a position differs by more than the small steps of its liquidation price.

    With cross margin that price moves with every other position of the account.
    """
    before, after = known.liquidation_price, seen.liquidation_price
    if before is None or after is None:
        return seen != known
    if abs(after - before) * LIQUIDATION_STEP <= after:
        seen = replace(seen, liquidation_price=before)
    return seen != known


def foreign_stop(stops: list[RestingStop], position: Position) -> Decimal | None:
    """The tightest stop of somebody else that covers the whole position, or None."""
    prices = [
        stop.price
        for stop in stops
        if stop.role is Role.FOREIGN
        and stop.side is position.side
        and (stop.quantity is None or stop.quantity >= position.quantity)
    ]
    if not prices:
        return None
    return max(prices, key=lambda price: price * position.side.sign)
