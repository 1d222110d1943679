"""What a read says of positions is believed only where nothing speaks against it.

An exchange under load answers with an empty list, or with one of a while ago. Where a list and
the account stream differ, the executions decide: a position is over where they add up to its
size, and it is larger, smaller or anew where there are any. Else the list is late, and the leg is
left as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import structlog
from msgspec.structs import replace

from trailstop.daemon.account import AccountGuard
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.reading.continuity import last_flat_ms, touched_zero, was_closed
from trailstop.daemon.writing.doubts import LATE_LIST_MS
from trailstop.domain.position import Leg, Position
from trailstop.domain.price import Side
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import RestingStop, Snapshot
from trailstop.ports import Execution

_log = structlog.get_logger("trailstop.guard")

READS_BEFORE_ALARM = 2
"""One read without a proof may be late; a second one is told."""


@dataclass(slots=True)
class _Seen:
    """A position as a read showed it last."""

    epoch: int
    asked_ms: int
    quantity: Decimal


class _Told(NamedTuple):
    """What the account stream said last of a position's size, long above zero."""

    quantity: Decimal
    at_ms: int


@dataclass
class Proofs:
    """Knows what was seen and told of each position of an account."""

    account: AccountGuard
    _seen: dict[Leg, _Seen] = field(default_factory=dict)
    _unproven: Counter[Leg] = field(default_factory=Counter)
    """Reads in a row that did not list a position, without a proof that it is over."""
    _flat_ms: dict[Leg, int] = field(default_factory=dict)
    """When a leg that has no trail any more was said to be flat."""

    def note(self, snapshot: Snapshot) -> None:
        """Remember what a read showed of the positions that are guarded."""
        legs = self.account.legs
        self._seen = {leg: seen for leg, seen in self._seen.items() if leg in legs}
        for leg, guarded in legs.items():
            position = snapshot.positions.get(leg)
            if position is not None and position.side is guarded.trail.position.side:
                epoch, asked_ms = guarded.trail.epoch, snapshot.asked_at_ms
                self._unproven.pop(leg, None)
                self._seen[leg] = _Seen(epoch, asked_ms, position.quantity)

    def ended(self, leg: Leg, flat_ms: int | None) -> None:
        """An epoch has ended; `flat_ms` is when the stream said so."""
        self._unproven.pop(leg, None)
        if flat_ms is not None:
            self._flat_ms[leg] = flat_ms

    async def prove_epochs(self, snapshot: Snapshot) -> None:
        """After blindness: find legs whose size touched zero meanwhile.

        Executions that cannot be read prove nothing; the next full pass asks again, and this
        one goes on to protect.
        """
        account, since_ms = self.account, self.account.blind_since_ms
        if since_ms is None:
            return
        proven = [
            await self._prove(guarded, snapshot, max(since_ms, guarded.trail.adopted_at_ms))
            for guarded in list(account.legs.values())
        ]
        account.blind_since_ms = None if all(proven) else since_ms

    async def prove_replaced(self, snapshot: Snapshot) -> None:
        """Find positions that another one has followed before the account stream told of it.

        What it shows is another entry price, and none of the stops that rested.
        """
        for leg, guarded in list(self.account.legs.items()):
            position, known = snapshot.positions.get(leg), guarded.trail.position
            if position is None or guarded.flat_ms is not None or guarded.executor.pending:
                continue
            rests = any(stop.leg == leg for stop in snapshot.stops)
            stated = position.entry_known and known.entry_known
            other = stated and position.entry_price != known.entry_price
            if other and guarded.executor.standing.resting and not rests:
                await self._prove(guarded, snapshot, guarded.trail.adopted_at_ms)

    async def _prove(self, guarded: GuardedLeg, snapshot: Snapshot, begun_ms: int) -> bool:
        """Note where the size has touched zero since then; False where it cannot be read."""
        leg = guarded.trail.leg
        position = snapshot.positions.get(leg)
        if position is None or position.side is not guarded.trail.position.side:
            return True
        fills = await self._fills(leg, begun_ms)
        if fills is None:
            return False
        fills = [fill for fill in fills if fill.at_ms <= snapshot.asked_at_ms]
        if touched_zero(fills, position):
            guarded.flat_ms = last_flat_ms(fills, position)
        return True

    async def doubtful(self, snapshot: Snapshot) -> frozenset[Leg]:
        """Legs of which this read cannot be believed."""
        legs = self.account.legs
        missing = [
            guarded
            for leg, guarded in legs.items()
            if leg not in snapshot.positions
            and guarded.flat_ms is None
            and snapshot.asked_at_ms >= guarded.target().settled_ms
            and (snapshot.symbols is None or leg.symbol in snapshot.symbols)
        ]
        found = {guarded.trail.leg for guarded in missing if not await self._is_over(guarded)}
        for leg, position in snapshot.positions.items():
            told = self._told_otherwise(leg, position)
            if told is None or snapshot.asked_at_ms - told.at_ms >= LATE_LIST_MS:
                continue
            fills = await self._fills(leg, told.at_ms)
            if fills is not None and not explained(fills, told.quantity, position):
                found.add(leg)
        late = {stop.leg for stop in snapshot.stops if self._is_late(stop, snapshot)}
        return frozenset(found | late)

    def _is_late(self, stop: RestingStop, snapshot: Snapshot) -> bool:
        """Whether a position's one stop is shown where it stood before we moved it."""
        guarded = self.account.legs.get(stop.leg)
        working = None if guarded is None else next(iter(guarded.executor.standing.working), None)
        if working is None or not stop.shared or stop.triggered or stop.price == working.price:
            return False
        recent = snapshot.asked_at_ms - working.at_ms < LATE_LIST_MS
        return recent and stop.created_at_ms < working.at_ms

    def _told_otherwise(self, leg: Leg, listed: Position) -> _Told | None:
        """What the stream told of a leg where that differs from the list; None where not."""
        guarded = self.account.legs.get(leg)
        if leg in self.account.opened_legs:
            return None
        flat_ms = self._flat_ms.get(leg) if guarded is None else guarded.flat_ms
        if flat_ms is not None:
            return _Told(Decimal(0), flat_ms)
        if guarded is None:
            return None
        known = guarded.trail.position
        same = (known.side, known.quantity) == (listed.side, listed.quantity)
        return None if same else _Told(known.quantity * known.side.sign, guarded.event_ms)

    async def _is_over(self, guarded: GuardedLeg) -> bool:
        """Whether the position was closed since it was seen."""
        trail = guarded.trail
        leg, seen = trail.leg, self._seen.get(trail.leg)
        if seen is not None and seen.epoch == trail.epoch:
            fills = await self._fills(leg, seen.asked_ms)
            over = fills is not None and closed(fills, seen.quantity, trail.position)
        else:
            # No read of this process has shown it: an earlier life adopted it.
            fills = await self._fills(leg, trail.adopted_at_ms)
            over = was_closed(fills, trail.position.side)
        if over or guarded.flat_ms is not None:
            return True
        if fills is None:
            return False
        self._unproven[leg] += 1
        if self._unproven[leg] == READS_BEFORE_ALARM:
            text = (
                "the exchange lists no position and no execution has closed it: "
                "it counts as open, and its stop stays, until one of the two changes"
            )
            now_ms = self.account.venue.exchange_ms()
            self.account.feeder.alarm(guarded.trail, "position_not_listed", text, now_ms)
        return False

    async def _fills(self, leg: Leg, since_ms: int) -> list[Execution] | None:
        """Executions of a leg; None where they cannot be read, which proves nothing."""
        try:
            return list(await self.account.venue.executions(leg, since_ms))
        except ReadFailed as error:
            _log.warning("executions_unread", leg=str(leg), error=str(error))
            return None


def explained(fills: Sequence[Execution], quantity: Decimal, listed: Position) -> bool:
    """Whether the newest of these fills lead from one signed size to the one that is listed.

    The oldest may be known already: the exchange's time is an estimate.
    """
    wanted = listed.quantity * listed.side.sign
    for fill in reversed(fills):
        quantity += fill.quantity if fill.direction == "buy" else -fill.quantity
        if quantity == wanted:
            return True
    return False


def closed(fills: Iterable[Execution], quantity: Decimal, position: Position) -> bool:
    """Whether fills since a position had this size brought it to zero."""
    for fill in fills:
        adds = (fill.direction == "buy") is (position.side is Side.LONG)
        quantity += fill.quantity if adds else -fill.quantity
        if quantity <= 0:
            return True
    return False


def without(
    snapshot: Snapshot, doubtful: frozenset[Leg], legs: Mapping[Leg, GuardedLeg]
) -> Snapshot:
    """The same read, saying nothing of doubtful legs nor of stops that are known to be over."""
    stops = tuple(
        stop
        for stop in snapshot.stops
        if stop.leg not in doubtful
        and not (stop.leg in legs and legs[stop.leg].executor.standing.is_over(stop))
    )
    positions = {leg: held for leg, held in snapshot.positions.items() if leg not in doubtful}
    return replace(snapshot, positions=positions, stops=stops)
