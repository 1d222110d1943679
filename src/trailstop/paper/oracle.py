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
  that was acknowledged in this epoch; close-position stops are backstops and never count.
- *loosened count*: times the effective working stop (the loosest one that is still needed to
  cover the size) became looser than the best acknowledged one. While there is no working stop
  at all nothing is effective: that is time loosened, not a loosened stop.
- *first stop*: time from the opening fill to the first stop that was placed after it. *Size lag*: time from an
  increase until the sized stops cover the size, where there was one; else until any stop does.
- *duplicates*, among the stops of one position: each third working stop of one side; each second one that has stood beside
  another for more than `OVERLAP_US` of attended time; each client id accepted twice.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from msgspec import Struct, field

from trailstop.paper.model import ZERO
from trailstop.paper.settings import SECOND_US

GRACE_US = 2 * SECOND_US
OVERLAP_US = 2 * SECOND_US
MILLISECOND_US = 1_000
ALLOWED_WORKING_STOPS = 2
INCIDENTS_KEPT = 1_000
"""Intervals that are remembered one by one; the totals go on beyond it."""

Leg = tuple[str, str, str]


class StopView(Struct, frozen=True):
    """One live stop as matching sees it. `quantity` None covers the whole position."""

    number: int
    side: str
    quantity: Decimal | None
    price: Decimal
    created_us: int
    working: bool
    """Sized and the guard's: it can be the best working stop and counts for duplicates."""


class LegView(Struct, frozen=True):
    """One leg as matching sees it; `epoch` changes with every new position."""

    epoch: int
    amount: Decimal
    stops: tuple[StopView, ...]


class Clocks(Struct, kw_only=True):
    """Durations in whole milliseconds, rounded up: nothing above zero is shown as zero."""

    unprotected_ms: int = 0
    loosened_ms: int = 0
    first_stop_ms: int | None = None
    size_lag_ms: int = 0
    loosened: int = 0
    duplicates: int = 0


class Incident(Struct, frozen=True, kw_only=True):
    """One uninterrupted time in which a leg was unprotected or loosened."""

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

    def observe(self, leg: Leg, view: LegView, now_us: int) -> None:
        """The leg stands like this from now on."""
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
        clock.view = view
        if view.amount:
            self._acknowledge(clock, now_us)
        self._count_crowd(clock)

    def settle(self, now_us: int) -> None:
        """Bring every clock up to now."""
        for leg, clock in self._legs.items():
            self._run(leg, clock, now_us)

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
        )

    def total(self, now_us: int) -> Clocks:
        """Sums over all legs; first stop and size lag are maxima."""
        total = Clocks()
        for leg in self._legs:
            clocks = self.clocks(leg, now_us)
            total.unprotected_ms += clocks.unprotected_ms
            total.loosened_ms += clocks.loosened_ms
            total.loosened += clocks.loosened
            total.duplicates += clocks.duplicates
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

    def _acknowledge(self, clock: _LegClock, now_us: int) -> None:
        """Take note of new stops, and end the excuses of what is covered now."""
        view = clock.view
        size = abs(view.amount)
        stops = _closing(view)
        # A stop of an earlier position covers by accident, and may be cancelled at any moment.
        fresh = [stop for stop in stops if stop.created_us >= clock.opened_us]
        if fresh and not clock.stop_seen:
            clock.stop_seen = True
            clock.first_stop_us = max(clock.first_stop_us or 0, now_us - clock.opened_us)
            clock.increases[0].bare = False
        for stop in stops:
            own = stop.working and stop.created_us >= clock.opened_us
            if own:
                clock.had_working = True
                if clock.best is None or _tighter(view, stop.price, clock.best):
                    clock.best = stop.price
        everything = _covered(fresh, size)
        sized = _covered([stop for stop in fresh if stop.quantity is not None], size)
        tight = _covered(_at_best(clock, stops), size)
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
        for side in ("BUY", "SELL"):
            crowd = sum(
                stop.working and stop.side == side and stop.created_us >= clock.opened_us
                for stop in clock.view.stops
            )
            known = clock.crowd.get(side, 0)
            if crowd > max(known, ALLOWED_WORKING_STOPS):
                clock.duplicates += crowd - max(known, ALLOWED_WORKING_STOPS)
            if crowd < ALLOWED_WORKING_STOPS:
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
        deadlines = sorted(
            {
                increase.deadline_us
                for increase in clock.increases
                if start < increase.deadline_us < now_us
            }
        )
        for end in (*deadlines, now_us):
            self._count(leg, clock, start, end)
            start = end

    def _run_overlaps(self, clock: _LegClock, elapsed_us: int) -> None:
        if not self.attended:
            return
        for side, crowd in clock.crowd.items():
            if crowd < ALLOWED_WORKING_STOPS:
                continue
            clock.overlap_us[side] = clock.overlap_us.get(side, 0) + elapsed_us
            if clock.overlap_us[side] > OVERLAP_US and not clock.overlap_told.get(side, False):
                clock.overlap_told[side] = True
                clock.duplicates += 1

    def _count(self, leg: Leg, clock: _LegClock, start: int, end: int) -> None:
        view = clock.view
        size = abs(view.amount)
        stops = _closing(view)
        covered = _covered(stops, size)
        bare = loose = ZERO
        for increase in clock.increases:
            if start < increase.deadline_us:
                bare += increase.quantity if increase.bare else ZERO
                loose += increase.quantity if increase.loose else ZERO
        if covered < size - bare:
            clock.unprotected_us += end - start
            self._incident(leg, view.epoch, "unprotected", start, end)
        if clock.best is None:
            return
        tight = _covered(_at_best(clock, stops), size)
        if tight < min(size - loose, covered):
            clock.loosened_us += end - start
            self._incident(leg, view.epoch, "loosened", start, end)
        self._count_loosened(clock, view, size - loose)

    @staticmethod
    def _count_loosened(clock: _LegClock, view: LegView, required: Decimal) -> None:
        effective = _effective(view, required)
        best = clock.best
        if effective is not None and best is not None and _tighter(view, best, effective):
            known = clock.effective
            if known is None or _tighter(view, known, effective):
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


def _closing(view: LegView) -> list[StopView]:
    side = "SELL" if view.amount > 0 else "BUY"
    return [stop for stop in view.stops if stop.side == side]


def _tighter(view: LegView, one: Decimal, other: Decimal) -> bool:
    return one > other if view.amount > 0 else one < other


def _covered(stops: list[StopView], size: Decimal) -> Decimal:
    total = ZERO
    for stop in stops:
        if stop.quantity is None:
            return size
        total += stop.quantity
    return min(total, size)


def _at_best(clock: _LegClock, stops: list[StopView]) -> list[StopView]:
    best = clock.best
    return [
        stop
        for stop in stops
        if stop.quantity is not None
        and (best is None or not _tighter(clock.view, best, stop.price))
    ]


def _effective(view: LegView, required: Decimal) -> Decimal | None:
    """Loosest sized stop that is needed to cover the size; None without a working stop."""
    sized = [stop for stop in _closing(view) if stop.quantity is not None]
    if not any(stop.working for stop in sized):
        return None
    sized.sort(key=lambda stop: stop.price, reverse=view.amount > 0)
    covered = ZERO
    effective: Decimal | None = None
    for stop in sized:
        if covered >= required:
            break
        assert stop.quantity is not None
        covered += stop.quantity
        effective = stop.price
    return effective
