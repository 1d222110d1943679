"""The guard's way: complete read → plan → the same commands, the same executor."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from functools import partial

import structlog
from msgspec.structs import replace

from trailstop.clock import MS_PER_SECOND
from trailstop.daemon import causes
from trailstop.daemon.account import AccountGuard
from trailstop.daemon.continuity import last_flat_ms, touched_zero
from trailstop.daemon.feeder import carry_out
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.ownership import (
    PUT_BACK_MS,
    claim,
    compare_shared,
    shared_floor,
)
from trailstop.daemon.reads import retried
from trailstop.domain.position import Cause, Leg, Position, Role, StopKind
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
from trailstop.storage.records import Intent

_log = structlog.get_logger("trailstop.guard")

LIQUIDATION_STEP = 1_000
"""The inverse share by which a liquidation price must move to be told: a tenth of a percent."""
FAILED_PASS_SECONDS = 0.5
"""Pause before a pass that was asked for is tried again after a failed read."""


class Reconciler:
    """Compares one account with its targets: on demand, every few seconds, and in full."""

    def __init__(self, account: AccountGuard) -> None:
        self._account = account
        self.passes = 0
        self.failed_reads = 0
        self.last_full_ms = 0

    async def run(self) -> None:
        """Make passes for ever."""
        account, guard = self._account, self._account.config.guard
        short = float(guard.reconcile_seconds)
        full_ms = int(guard.full_pass_seconds * MS_PER_SECOND)
        while True:
            due_ms = max(0, self.last_full_ms + full_ms - account.clock.monotonic_ms())
            wait = due_ms / MS_PER_SECOND
            # Not `wait_for`: where the event comes with a cancellation it loses the latter, and
            # the daemon would never end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(short, wait)):
                    await account.pass_wanted.wait()
            asked = account.pass_wanted.is_set()
            account.pass_wanted.clear()
            overdue = account.clock.monotonic_ms() >= self.last_full_ms + full_ms
            full = account.full_wanted or overdue
            account.full_wanted = False
            if not await self.one_pass(full=full, urgent=asked):
                account.full_wanted = account.full_wanted or full
                await account.clock.sleep(FAILED_PASS_SECONDS)
                account.pass_wanted.set()

    async def one_pass(self, *, full: bool, urgent: bool = False) -> bool:
        """Read, compare, command. False where the read failed, which changes nothing.

        A pass that something asked for is `urgent`: a position may wait for its stop.
        """
        account = self._account
        symbols = None if full else self._symbols()
        try:
            snapshot = await account.venue.snapshot(symbols, urgent=urgent)
            if full and account.streams.get("private", False):
                await self._prove_epochs(snapshot)
        except ReadFailed as error:
            self.failed_reads += 1
            _log.warning("snapshot_failed", account=account.venue.account, error=str(error))
            return False
        self.passes += 1
        if full:
            self.last_full_ms = account.clock.monotonic_ms()
        self.apply(snapshot)
        self._look_elsewhere(snapshot)
        return True

    def _look_elsewhere(self, snapshot: Snapshot) -> None:
        """Read everything where a position turns up that no stream has told of."""
        account = self._account
        new = snapshot.elsewhere - account.legs.keys() - account.not_guarded
        if new:
            account.ask_for_pass(f"position on {min(map(str, new))}", full=True)

    async def _prove_epochs(self, snapshot: Snapshot) -> None:
        """After blindness: find legs whose size touched zero meanwhile.

        Executions that cannot be read prove nothing; the next full pass asks again, and this
        one goes on to protect.
        """
        account, since_ms = self._account, self._account.blind_since_ms
        if since_ms is None:
            return
        unread = False
        for leg, guarded in list(account.legs.items()):
            position = snapshot.positions.get(leg)
            if position is None or position.side is not guarded.trail.position.side:
                continue
            begun_ms = max(since_ms, guarded.trail.adopted_at_ms)
            try:
                fills = await account.venue.executions(leg, begun_ms)
            except ReadFailed as error:
                unread = True
                _log.warning("executions_unread", leg=str(leg), error=str(error))
                continue
            fills = [fill for fill in fills if fill.at_ms <= snapshot.asked_at_ms]
            if touched_zero(fills, position):
                guarded.flat_ms = last_flat_ms(fills, position)
        account.blind_since_ms = since_ms if unread else None

    def _symbols(self) -> frozenset[str]:
        """Symbols of guarded legs, and of positions just opened."""
        account = self._account
        opened = {leg.symbol for leg in account.opened_legs}
        return frozenset({leg.symbol for leg in account.legs} | opened)

    def apply(self, snapshot: Snapshot) -> None:
        """Take one complete read into account."""
        account = self._account
        snapshot = claim(snapshot, account.legs)
        for leg, guarded in list(account.legs.items()):
            if snapshot.symbols is None or leg.symbol in snapshot.symbols:
                account.supervisor.guarded(
                    f"leg {leg}", partial(self._compare, leg, guarded, snapshot)
                )
        targets = {leg: guarded.target() for leg, guarded in account.legs.items()}
        for command in plan(targets, snapshot):
            account.supervisor.guarded("plan", partial(self._carry_out, command, snapshot))
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
            self._account.ask_for_pass(f"{leg} changed while it was read")
            return
        stops = [stop for stop in snapshot.stops if stop.leg == leg]
        guarded.executor.standing.sync(stops)
        guarded.confirmed_ms = snapshot.asked_at_ms
        position = snapshot.positions.get(leg)
        if position is None:
            return
        if guarded.flat_ms is not None:
            # The size touched zero: this is another position, whatever it looks like.
            self.end(guarded)
            return
        if position.side is not target.side:
            return
        at_ms = snapshot.asked_at_ms
        known = guarded.trail.position
        seen = replace(position, opened_at_ms=known.opened_at_ms, funding_paid=known.funding_paid)
        if _is_news(known, seen):
            self._account.feed(guarded, ev.PositionChanged(seen, at_ms))
        guarded.executor.foreign_backstop = any(
            stop.role is Role.FOREIGN and stop.quantity is None for stop in stops
        )
        if guarded.executor.shared:
            self._compare_shared(guarded, stops, position, at_ms)
            return
        foreign = foreign_stop(stops, position)
        if foreign != guarded.trail.foreign_stop:
            self._account.feed(guarded, ev.ForeignStopSeen(foreign, at_ms))

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
                account.ask_for_pass(f"{leg} was closed while it was read")
            case AdoptPosition(leg, position):
                if account.config.is_guarded(leg):
                    stops = [stop for stop in snapshot.stops if stop.leg == leg]
                    now_ms = account.venue.exchange_ms()
                    foreign = foreign_stop(stops, position)
                    adopted = account.adopt(leg, position, foreign, now_ms)
                    adopted.read_ms = snapshot.asked_at_ms
                    adopted.confirmed_ms = snapshot.asked_at_ms
                    adopted.executor.standing.sync(stops)
                    adopted.executor.in_place.floor = shared_floor(stops)
                elif leg not in account.not_guarded:
                    account.not_guarded.add(leg)
                    _log.warning("not_guarded", leg=str(leg), quantity=position.quantity)
            case EndEpoch(leg):
                guarded = account.legs.get(leg)
                if guarded is not None:
                    self.end(guarded)
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
                    account.sweeper(leg, side).cancel(command)
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
                    if guarded.executor.shared and guarded.trail.own_stop is not None:
                        found = command.previous if isinstance(command, MoveStop) else None
                        own = guarded.trail.own_stop
                        self._put_back(guarded, own, found, snapshot.asked_at_ms)
                    carry_out(guarded, _on_grid(command, guarded))

    def end(self, guarded: GuardedLeg) -> None:
        """The leg is proven flat: end the epoch and find out why."""
        account = self._account
        leg = guarded.trail.leg
        del account.legs[leg]
        guarded.finish()
        account.watch()
        account.supervisor.spawn(f"end {leg}", self._tell_end(guarded))

    async def _tell_end(self, guarded: GuardedLeg) -> None:
        account, trail = self._account, guarded.trail
        at_ms = account.venue.exchange_ms()
        cause, price = Cause.UNKNOWN, None
        try:
            since_ms = trail.age_from_ms
            executions = await retried(lambda: account.venue.executions(trail.leg, since_ms))
        except ReadFailed as error:
            _log.warning("executions_unread", leg=str(trail.leg), error=str(error))
        else:
            until_ms = guarded.flat_ms or at_ms
            executions = [fill for fill in executions if fill.at_ms <= until_ms]
            fills = causes.closing_fills(executions, trail.position.side)
            intents = await self._intents({fill.client_id for fill in fills[-1:]})
            # In hedge mode no order can turn a leg round.
            one_way = trail.leg.position_side == "both"
            if one_way and causes.turned_round(executions, trail.position):
                cause = Cause.FLIPPED
            else:
                known = causes.Known(
                    intents, frozenset(guarded.foreign_ids), guarded.fired or trail.live_kind
                )
                cause = causes.judge(fills, known)
            price = causes.exit_price(fills)
            at_ms = fills[-1].at_ms if fills else at_ms
        account.feeder.end(guarded, ev.PositionClosed(cause, at_ms, price))

    async def _intents(self, names: set[str]) -> dict[str, Intent]:
        found = {}
        for name in names:
            stored = await self._account.store.intent(name)
            if stored is not None:
                found[name] = stored.intent
        return found


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
