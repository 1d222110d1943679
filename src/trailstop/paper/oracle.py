"""The clocks of protection, computed from the exchange's own matching state and nothing else.

For each leg the oracle is shown, after every instant in which something changed, what is open and
which reduce-only stops live. What changes within one microsecond counts zero. Definitions:

- *Required size.* The size of the position, less what is excused: each increase is excused for
  `GRACE_US` from its fill, or until it is covered. For the opening fill the excuse ends with the
  first stop of any kind that is acknowledged after it. A stop of an earlier position, still
  on its way out, is no promise to this one: it covers, but ends no excuse.
- *unprotected*: the quantities of all live stops on the closing side together are smaller than
  the required size. A close-position stop covers everything. A triggered stop counts until its
  child order is terminal; a native trailing stop counts once it is activated.
- *loosened*: sized stops at the best working stop or tighter do not cover the required size,
  although stops of some kind cover more than they do. The best working stop is the tightest one
  that was acknowledged in this epoch (in all its parts, where one stop cannot carry the size);
  close-position stops are backstops and never count.
- *loosened count*: times the effective working stop (the loosest one that is still needed to
  cover the size) became looser than the best acknowledged one. While there is no working stop
  at all nothing is effective: that is time loosened, not a loosened stop.
- *first stop*: time from the opening fill to the first stop that was placed after it. *Size lag*: time from an
  increase until the sized stops cover the size, where there was one; else until any stop does.
- *duplicates*, among the stops of one position: each third working stop of one side; each second one that has stood beside
  another for more than `OVERLAP_US` of attended time; each client id accepted twice. Where one
  stop cannot carry the size, as many as it takes are one set: then the third set counts.
- *disturbed*: time that one of the first two clocks would have counted, had not a person just made
  the coverage worse (see `Disturbance` for how long that excuses).
- *put back*: from such an act until stops at the best working price cover the size again.

A person's own stop covers like any other and is never the best. But once a client has replaced it
in its place, it counts as if it had been the client's: what is looser than it is loosened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct, field

from trailstop.paper.disturbance import Disturbance
from trailstop.paper.model import ZERO
from trailstop.paper.settings import SECOND_US
from trailstop.paper.stop_cover import LegView, StopView, size_of

GRACE_US = 2 * SECOND_US
OVERLAP_US = 2 * SECOND_US
MILLISECOND_US = 1_000
ALLOWED_WORKING_SETS = 2
INCIDENTS_KEPT = 1_000
"""Intervals that are remembered one by one; the totals go on beyond it."""

Leg = tuple[str, str, str]


class Clocks(Struct, kw_only=True):
    """Durations in whole milliseconds, rounded up: nothing above zero is shown as zero."""

    unprotected_ms: int = 0
    loosened_ms: int = 0
    first_stop_ms: int | None = None
    size_lag_ms: int = 0
    loosened: int = 0
    duplicates: int = 0
    disturbed_ms: int = 0
    put_back_ms: int = 0
    """The longest one."""


class Incident(Struct, frozen=True, kw_only=True):
    """One uninterrupted time in which a leg was unprotected, loosened or disturbed."""

    account: str
    symbol: str
    position_side: str
    epoch: int
    kind: str
    from_us: int
    to_us: int


class _Increase(Struct):
    quantity: Decimal
    at_us: int
    deadline_us: int
    bare: bool = True
    """Still excused from having any stop."""
    loose: bool = True
    """Still excused from having a stop at the best working price."""
    lagging: bool = True
    """Still counted by size lag; the opening fill has a clock of its own."""


class _LegClock(Struct):
    """What is known of one leg: its totals, its present epoch and how it stands now."""

    view: LegView
    since_us: int
    unprotected_us: int = 0
    loosened_us: int = 0
    first_stop_us: int | None = None
    size_lag_us: int = 0
    loosened: int = 0
    duplicates: int = 0
    disturbance: Disturbance = field(default_factory=Disturbance)
    opened_us: int = 0
    stop_seen: bool = False
    had_working: bool = False
    best: Decimal | None = None
    effective: Decimal | None = None
    increases: list[_Increase] = field(default_factory=list)
    overlap_us: dict[str, int] = field(default_factory=dict)
    overlap_told: dict[str, bool] = field(default_factory=dict)
    crowd: dict[str, int] = field(default_factory=dict)


class Oracle:
    """Keeps the clocks of every leg."""

    def __init__(self) -> None:
        self.attended = True
        """False while no guard runs: the age of a second stop is counted in attended time."""
        self.incidents: deque[Incident] = deque(maxlen=INCIDENTS_KEPT)
        self._legs: dict[Leg, _LegClock] = {}
        self._names: set[tuple[str, str, str]] = set()

    def named(self, leg: Leg, service: str, client_id: str) -> None:
        """An order with a client id was accepted; a second one repeats an intent."""
        name = (leg[0], service, client_id)
        if name in self._names:
            self._clock(leg, 0).duplicates += 1
        self._names.add(name)

    def observe(self, leg: Leg, view: LegView, now_us: int, *, by_user: bool = False) -> None:
        """The leg stands like this from now on, by a person's hand or not."""
        clock = self._clock(leg, now_us)
        self._run(leg, clock, now_us)
        before = clock.view
        reopened = view.epoch != before.epoch or not before.amount
        if before.amount and (reopened or not view.amount):
            self._end_epoch(clock, now_us)
        if view.amount and reopened:
            clock.opened_us = now_us
            clock.increases = [
                _Increase(abs(view.amount), now_us, now_us + GRACE_US, lagging=False)
            ]
        elif abs(view.amount) > abs(before.amount):
            grown = abs(view.amount) - abs(before.amount)
            clock.increases.append(_Increase(grown, now_us, now_us + GRACE_US))
        elif view.amount:
            _take_over(clock, view)
        if by_user and view.amount == before.amount and _worse(clock, view):
            clock.disturbance.begin(now_us)
        clock.view = view
        if view.amount:
            self._acknowledge(clock, now_us)
            if view.tight(clock.best) == view.size:
                clock.disturbance.put_right(now_us)
        self._count_crowd(clock)

    def settle(self, now_us: int) -> None:
        """Bring every clock up to now."""
        for leg, clock in self._legs.items():
            self._run(leg, clock, now_us)

    def convert(
        self, symbol: str, factor: Decimal, converted: Callable[[Decimal], Decimal]
    ) -> None:
        """One contract of a market has become `factor` contracts; nothing else has changed."""
        for leg, clock in self._legs.items():
            if leg[1] != symbol:
                continue
            clock.best = None if clock.best is None else converted(clock.best)
            clock.effective = None if clock.effective is None else converted(clock.effective)
            for increase in clock.increases:
                increase.quantity *= factor
            clock.view = clock.view.multiplied(factor)

    def clocks(self, leg: Leg, now_us: int) -> Clocks:
        """The leg's clocks up to now, running ones included."""
        clock = self._clock(leg, now_us)
        self._run(leg, clock, now_us)
        first = clock.first_stop_us
        lag = clock.size_lag_us
        if clock.view.amount:
            if not clock.stop_seen:
                first = max(first or 0, now_us - clock.opened_us)
            for increase in clock.increases:
                if increase.lagging:
                    lag = max(lag, now_us - increase.at_us)
        return Clocks(
            unprotected_ms=_milliseconds(clock.unprotected_us),
            loosened_ms=_milliseconds(clock.loosened_us),
            first_stop_ms=None if first is None else _milliseconds(first),
            size_lag_ms=_milliseconds(lag),
            loosened=clock.loosened,
            duplicates=clock.duplicates,
            disturbed_ms=_milliseconds(clock.disturbance.counted_us),
            put_back_ms=_milliseconds(clock.disturbance.longest_yet_us(now_us)),
        )

    def total(self, now_us: int) -> Clocks:
        """Sums over all legs; first stop, size lag and put back are maxima."""
        total = Clocks()
        for leg in self._legs:
            clocks = self.clocks(leg, now_us)
            total.unprotected_ms += clocks.unprotected_ms
            total.loosened_ms += clocks.loosened_ms
            total.loosened += clocks.loosened
            total.duplicates += clocks.duplicates
            total.disturbed_ms += clocks.disturbed_ms
            total.put_back_ms = max(total.put_back_ms, clocks.put_back_ms)
            total.size_lag_ms = max(total.size_lag_ms, clocks.size_lag_ms)
            if clocks.first_stop_ms is not None:
                total.first_stop_ms = max(total.first_stop_ms or 0, clocks.first_stop_ms)
        return total

    def legs(self) -> tuple[Leg, ...]:
        """Every leg that was ever seen, in the order of its first change."""
        return tuple(self._legs)

    def _clock(self, leg: Leg, now_us: int) -> _LegClock:
        clock = self._legs.get(leg)
        if clock is None:
            clock = _LegClock(LegView(0, ZERO, ()), now_us)
            self._legs[leg] = clock
        return clock

    def _end_epoch(self, clock: _LegClock, now_us: int) -> None:
        if not clock.stop_seen:
            clock.first_stop_us = max(clock.first_stop_us or 0, now_us - clock.opened_us)
        for increase in clock.increases:
            if increase.lagging:
                clock.size_lag_us = max(clock.size_lag_us, now_us - increase.at_us)
        clock.increases = []
        clock.stop_seen = clock.had_working = False
        clock.best = clock.effective = None
        clock.disturbance.end()

    def _acknowledge(self, clock: _LegClock, now_us: int) -> None:
        """Take note of new stops, and end the excuses of what is covered now."""
        view = clock.view
        size = view.size
        # A stop of an earlier position covers by accident, and may be cancelled at any moment.
        fresh = [stop for stop in view.closing if stop.created_us >= clock.opened_us]
        if fresh and not clock.stop_seen:
            clock.stop_seen = True
            clock.first_stop_us = max(clock.first_stop_us or 0, now_us - clock.opened_us)
            clock.increases[0].bare = False
        for stop in fresh:
            if stop.working:
                clock.had_working = True
                tighter = clock.best is None or view.tighter(stop.price, clock.best)
                if tighter and _is_whole(view, fresh, stop.price):
                    clock.best = stop.price
        everything = size_of(fresh, size)
        sized = size_of([stop for stop in fresh if stop.quantity is not None], size)
        tight = view.tight(clock.best)
        for increase in clock.increases:
            if everything >= size:
                increase.bare = False
            if tight >= size:
                increase.loose = False
            if increase.lagging and (sized if clock.had_working else everything) >= size:
                increase.lagging = False
                clock.size_lag_us = max(clock.size_lag_us, now_us - increase.at_us)
        clock.increases = [
            increase
            for increase in clock.increases
            if increase.lagging or increase.bare or increase.loose
        ]

    def _count_crowd(self, clock: _LegClock) -> None:
        allowed = ALLOWED_WORKING_SETS * clock.view.parts
        for side in ("BUY", "SELL"):
            crowd = sum(
                stop.working and stop.side == side and stop.created_us >= clock.opened_us
                for stop in clock.view.stops
            )
            known = clock.crowd.get(side, 0)
            if crowd > max(known, allowed):
                clock.duplicates += crowd - max(known, allowed)
            if crowd <= clock.view.parts:
                clock.overlap_us[side] = 0
                clock.overlap_told[side] = False
            clock.crowd[side] = crowd

    def _run(self, leg: Leg, clock: _LegClock, now_us: int) -> None:
        """Count the time since the leg was last looked at; nothing changed in it."""
        start = clock.since_us
        if now_us <= start:
            return
        clock.since_us = now_us
        self._run_overlaps(clock, now_us - start)
        if not clock.view.amount:
            return
        deadlines = {increase.deadline_us for increase in clock.increases}
        deadlines.add(clock.disturbance.until_us)
        for end in (*sorted(end for end in deadlines if start < end < now_us), now_us):
            self._count(leg, clock, start, end)
            start = end

    def _run_overlaps(self, clock: _LegClock, elapsed_us: int) -> None:
        if not self.attended:
            return
        for side, crowd in clock.crowd.items():
            if crowd <= clock.view.parts:
                continue
            clock.overlap_us[side] = clock.overlap_us.get(side, 0) + elapsed_us
            if clock.overlap_us[side] > OVERLAP_US and not clock.overlap_told.get(side, False):
                clock.overlap_told[side] = True
                clock.duplicates += 1

    def _count(self, leg: Leg, clock: _LegClock, start: int, end: int) -> None:
        view = clock.view
        size, covered = view.size, view.covered
        bare = loose = ZERO
        for increase in clock.increases:
            if start < increase.deadline_us:
                bare += increase.quantity if increase.bare else ZERO
                loose += increase.quantity if increase.loose else ZERO
        unprotected = covered < size - bare
        loosened = clock.best is not None and view.tight(clock.best) < min(size - loose, covered)
        if start < clock.disturbance.until_us:
            if unprotected or loosened:
                clock.disturbance.counted_us += end - start
                self._incident(leg, view.epoch, "disturbed", start, end)
            return
        if unprotected:
            clock.unprotected_us += end - start
            self._incident(leg, view.epoch, "unprotected", start, end)
        if loosened:
            clock.loosened_us += end - start
            self._incident(leg, view.epoch, "loosened", start, end)
        if clock.best is not None:
            self._count_loosened(clock, view, size - loose)

    @staticmethod
    def _count_loosened(clock: _LegClock, view: LegView, required: Decimal) -> None:
        effective = view.effective(required)
        best = clock.best
        if effective is not None and best is not None and view.tighter(best, effective):
            known = clock.effective
            if known is None or view.tighter(known, effective):
                clock.loosened += 1
        clock.effective = effective

    def _incident(self, leg: Leg, epoch: int, kind: str, start: int, end: int) -> None:
        for index in range(len(self.incidents) - 1, -1, -1):
            known = self.incidents[index]
            if known.to_us < start:
                break
            same = (known.account, known.symbol, known.position_side) == leg
            if same and known.kind == kind and known.epoch == epoch and known.to_us == start:
                start = known.from_us
                del self.incidents[index]
                break
        self.incidents.append(
            Incident(
                account=leg[0],
                symbol=leg[1],
                position_side=leg[2],
                epoch=epoch,
                kind=kind,
                from_us=start,
                to_us=end,
            )
        )


def _milliseconds(duration_us: int) -> int:
    return -(-duration_us // MILLISECOND_US)


def _is_whole(view: LegView, fresh: list[StopView], price: Decimal) -> bool:
    """Whether a working stop stands in all its parts at this price or tighter."""
    if view.parts == 1:
        return True
    parts = [stop for stop in fresh if stop.working and not view.tighter(price, stop.price)]
    return size_of(parts, view.size) >= view.size


def _worse(clock: _LegClock, view: LegView) -> bool:
    """Whether less is covered than before, by any stops or by those at the best."""
    before = clock.view
    return view.covered < before.covered or view.tight(clock.best) < before.tight(clock.best)


def _take_over(clock: _LegClock, view: LegView) -> None:
    """Where a client replaced a person's stop in its place by a looser one, that was the best."""
    known = {stop.number: stop for stop in clock.view.closing if stop.users}
    for stop in view.closing:
        before = known.get(stop.number)
        if (
            before is not None
            and stop.working
            and (clock.best is None or view.tighter(before.price, clock.best))
        ):
            clock.best = before.price
