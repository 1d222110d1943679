"""What each other setting would have made of the positions that were guarded live.

The prices are those that the journal has of each position, told to the rule as they were told
live. They end where the position ended: a looser setting would have gone on beyond them. It is
valued at the last recorded price and marked as open at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from trailstop.domain.policy import HUNDRED, Callback, Distance, Policy
from trailstop.domain.position import Cause, Fees, Leg, Position
from trailstop.domain.price import Side
from trailstop.engine import events as ev
from trailstop.lab.exact.agenda import Agenda
from trailstop.lab.exact.band import idle_band
from trailstop.lab.exact.drive import Drive, Opening
from trailstop.lab.replay import LOST, LeftOut, leg_of_row
from trailstop.lab.terms import Costs, ExitCause
from trailstop.storage.journals import Journal, JournalRow
from trailstop.storage.records import Adopted, Ended, Input, Noted
from trailstop.storage.shapes import PriceRun

AS_IT_WAS: Final = "as it was"
DEFAULT: Final = "default"
ACTIVATIONS: Final = tuple(map(Decimal, ("0", "0.5", "1", "1.5", "2", "3")))
CALLBACKS: Final = tuple(map(Decimal, ("0.2", "0.3", "0.5", "0.8", "1.2", "2")))
PLACES: Final = Decimal("0.0001")
NOTE: Final = (
    "recorded prices end where the position ended: a setting that would still have held it is "
    "valued at the last of them and marked as open at the end"
)

_Epoch = tuple[Leg, int]
_TOLD = (
    ev.PositionChanged,
    ev.FeesKnown,
    ev.InstrumentChanged,
    ev.CandleClosed,
    ev.PeakForgotten,
    ev.MarkSeen,
)
"""What happened to the position whatever its settings; answers and people's wishes are not."""


class Setting(Struct, frozen=True):
    """Settings that take the place of a position's own; None leaves one as it was."""

    name: str
    activation_percent: Decimal | None = None
    distance: Distance | None = None

    def put_on(self, policy: Policy) -> Policy:
        """The position's own settings with these in their place."""
        if self.activation_percent is not None:
            policy = replace(
                policy, activation_percent=self.activation_percent, activation_price=None
            )
        return policy if self.distance is None else replace(policy, distance=self.distance)


class Outcome(Struct, frozen=True, kw_only=True):
    """What one setting would have made of one position.

    `net_percent` is the result after fees and funding, percent of the entry, of what was held in
    the end.
    """

    setting: str
    net_percent: Decimal
    exit_price: Decimal
    exit_ms: int
    cause: ExitCause
    open_at_end: bool
    moves: int


class LiveTrade(Struct, frozen=True, kw_only=True):
    """One position that was guarded, and what would have become of it.

    `net_percent` is what it brought, None where its exit is not known. `resized` says that it was
    added to or partly closed meanwhile: results are those of what was held in the end.
    """

    leg: Leg
    epoch: int
    side: Side
    entry_price: Decimal
    opened_ms: int
    closed_ms: int
    exit_price: Decimal | None
    cause: Cause
    net_percent: Decimal | None
    prices: int
    resized: bool
    outcomes: tuple[Outcome, ...]

    @property
    def best(self) -> Outcome:
        """The setting that would have brought most; of equal ones the first."""
        return max(self.outcomes, key=lambda one: one.net_percent)

    def of(self, setting: str) -> Outcome:
        """What this setting would have brought."""
        return next(one for one in self.outcomes if one.setting == setting)


class SettingRow(Struct, frozen=True, kw_only=True):
    """One setting over all positions; percent of each one's entry."""

    setting: str
    trades: int
    mean_percent: Decimal
    worst_percent: Decimal
    better: int
    """Positions that it would have served better than their own settings, on the same prices."""
    open_at_end: int


class WhatIf(Struct, frozen=True, kw_only=True):
    """All closed positions of a journal, and the settings, the best on the average first."""

    trades: tuple[LiveTrade, ...]
    settings: tuple[SettingRow, ...]
    left_out: tuple[LeftOut, ...]
    note: str = NOTE


def grid(
    activations: Sequence[Decimal] = ACTIVATIONS, callbacks: Sequence[Decimal] = CALLBACKS
) -> tuple[Setting, ...]:
    """Every activation with every callback, both in percent."""
    return tuple(
        Setting(f"activation {gain} %, callback {percent} %", gain, Callback(percent))
        for gain in activations
        for percent in callbacks
    )


def what_if(
    journal: Journal,
    settings: Sequence[Setting] | None = None,
    *,
    costs: Costs | None = None,
    wanted: Callable[[Leg], bool] = lambda leg: True,  # noqa: ARG005 - all of them
    progress: Callable[[int], None] = lambda row: None,  # noqa: ARG005 - nobody looks
) -> WhatIf:
    """Judge every closed position of a journal under each setting.

    Its own settings and the defaults are always among them. Fees are those of the journal;
    `costs` gives slippage and latency. Holds the prices of the positions that are open at a time.
    Raises: StoreError, DataError where the journal cannot be read on.
    """
    given = grid() if settings is None else tuple(settings)
    assumed = Costs() if costs is None else costs
    book = _Book(journal.forgotten_before_ms)
    trades = []
    for row in journal.rows():
        progress(row.sequence)
        leg = row.leg if row.record is None else leg_of_row(row)
        closed = book.take(row) if leg is None or wanted(leg) else None
        if closed is not None:
            trades.append(_judged(closed, given, assumed))
    return WhatIf(trades=tuple(trades), settings=_summed(trades), left_out=tuple(book.left_out))


class _Life(Struct):
    """What a journal has of one position."""

    adopted: Adopted
    events: list[ev.Event]
    ended: Ended | None = None


class _Book:
    """Gathers each position's inputs until it has ended."""

    def __init__(self, forgotten_before_ms: int | None) -> None:
        self._forgotten_ms = forgotten_before_ms
        self._open: dict[_Epoch, _Life] = {}
        self.left_out: list[LeftOut] = []

    def take(self, row: JournalRow) -> _Life | None:
        """Take the next row; gives the life of a position that it ends."""
        record = row.record
        match record:
            case None if row.leg is not None and row.epoch is not None:
                self._leave_out(row.leg, row.epoch, f"row {row.sequence} is damaged")
            case Adopted(leg, epoch) if self._is_whole(record):
                self._open[leg, epoch] = _Life(record, [])
            case Adopted(leg, epoch):
                self.left_out.append(LeftOut(leg, epoch, "its first prices are not kept any more"))
            case PriceRun(leg, epoch, events) if (leg, epoch) in self._open:
                self._open[leg, epoch].events += events
            case Input(leg, epoch, event) if (leg, epoch) in self._open:
                self._open[leg, epoch].events.append(event)
            case Noted(leg, int(epoch), code) if code == LOST:
                self._leave_out(leg, epoch, "some of its prices were lost")
            case Ended(leg, epoch) if (leg, epoch) in self._open:
                life = self._open.pop((leg, epoch))
                life.ended = record
                return self._with_prices(life)
        return None

    def _is_whole(self, adopted: Adopted) -> bool:
        kept = self._forgotten_ms is None or adopted.at_ms >= self._forgotten_ms
        return kept and not adopted.midway

    def _with_prices(self, life: _Life) -> _Life | None:
        if any(isinstance(event, ev.PriceSeen) for event in life.events):
            return life
        adopted = life.adopted
        self.left_out.append(LeftOut(adopted.leg, adopted.epoch, "it has no recorded price"))
        return None

    def _leave_out(self, leg: Leg, epoch: int, why: str) -> None:
        if self._open.pop((leg, epoch), None) is not None:
            self.left_out.append(LeftOut(leg, epoch, why))


class _OnRecord(Drive):
    """A position that is told what the journal has of it."""

    def told(self, event: ev.Event) -> None:
        """Tell what is neither a price nor an answer of the exchange."""
        self.elapse(event.at_ms)
        if self.exit is None and self._closes is None:
            self._tell(event)

    def missed(self, event: ev.PriceBackfilled) -> None:
        """Tell a price of a gap: the exchange's own stop fires there, the rule never does."""
        level = self.book.level
        if level is not None and self._reaches(event.price, level):
            self.walk(event.price, event.at_ms, told=False)
        else:
            self.told(event)


def _judged(life: _Life, settings: Sequence[Setting], costs: Costs) -> LiveTrade:
    adopted, ended = life.adopted, life.ended
    assert ended is not None, "only closed positions are judged"
    policies = {AS_IT_WAS: adopted.policy, DEFAULT: _default(adopted.policy)}
    policies |= {setting.name: setting.put_on(adopted.policy) for setting in settings}
    position, fees, resized = adopted.position, adopted.fees, False
    for event in life.events:
        if isinstance(event, ev.PositionChanged):
            resized |= event.position.quantity != position.quantity
            position = event.position
        elif isinstance(event, ev.FeesKnown):
            fees = event.fees
    exit_price = ended.exit_price
    known: dict[Policy, Outcome] = {}
    for name, policy in policies.items():
        if policy not in known:
            known[policy] = _outcome(life, name, policy, costs)
    return LiveTrade(
        leg=adopted.leg,
        epoch=adopted.epoch,
        side=position.side,
        entry_price=position.entry_price,
        opened_ms=position.opened_at_ms or adopted.at_ms,
        closed_ms=ended.at_ms,
        exit_price=exit_price,
        cause=ended.cause,
        net_percent=None if exit_price is None else net_percent(position, fees, exit_price),
        prices=sum(isinstance(event, ev.PriceSeen) for event in life.events),
        resized=resized,
        outcomes=tuple(replace(known[policy], setting=name) for name, policy in policies.items()),
    )


def _default(own: Policy) -> Policy:
    """The defaults, on an exchange that has or has not a backstop, watching the same price."""
    policy = Policy(trigger_price=own.trigger_price, basis=own.basis)
    return policy if own.backstop_percent is not None else replace(policy, backstop_percent=None)


def _outcome(life: _Life, name: str, policy: Policy, costs: Costs) -> Outcome:
    drive = _drive(life, policy, costs)
    end = drive.exit
    assert end is not None, "the last price ends what is open"
    trail = drive.trail
    return Outcome(
        setting=name,
        net_percent=net_percent(trail.position, trail.fees, end.price),
        exit_price=end.price,
        exit_ms=end.at_ms,
        cause=end.cause,
        open_at_end=end.cause is ExitCause.END_OF_DATA,
        moves=trail.moves,
    )


def _drive(life: _Life, policy: Policy, costs: Costs) -> Drive:
    adopted = life.adopted
    position, fees = adopted.position, adopted.fees
    opening = Opening(
        number=0,
        label="",
        side=position.side,
        price=position.entry_price,
        quantity=position.quantity,
        at_ms=adopted.at_ms,
    )
    costs = replace(costs, entry_fee=fees.entry, exit_fee=fees.exit)
    drive = _OnRecord(
        opening, adopted.instrument, policy, costs, Agenda(), at_level=False, moves=False
    )
    drive.told(ev.PositionChanged(position, adopted.at_ms))
    at_ms, band = adopted.at_ms, None
    idle: ev.PriceSeen | None = None
    for event in life.events:
        at_ms = max(at_ms, event.at_ms)
        if band is not None and isinstance(event, ev.PriceSeen) and event.fresh:
            lowest, highest = band
            if lowest <= event.price <= highest and event.at_ms < drive.due_ms:
                idle = event
                continue
        if idle is not None:
            # Of those that change nothing the last one is the price of before.
            drive.jump(idle.price, idle)
            idle = None
        _tell(drive, event)
        if drive.ended:
            return drive
        band = _idle_band(drive)
    if idle is not None:
        drive.jump(idle.price, idle)
    drive.leave(at_ms, ExitCause.END_OF_DATA)
    return drive


def _tell(drive: _OnRecord, event: ev.Event) -> None:
    if isinstance(event, ev.PriceSeen):
        drive.jump(event.price, event)
    elif isinstance(event, ev.PriceBackfilled):
        drive.missed(event)
    elif isinstance(event, ev.QuoteSeen):
        drive.witness(event)
    elif isinstance(event, _TOLD):
        drive.told(event)


def _idle_band(drive: Drive) -> tuple[Decimal, Decimal] | None:
    """Lowest and highest price that would change nothing at this moment."""
    unit = drive.trail.instrument.tick_size
    band = idle_band(drive, unit, filtered=True)
    return None if band is None else (band[0] * unit, band[1] * unit)


def net_percent(position: Position, fees: Fees, exit_price: Decimal) -> Decimal:
    """Result of leaving at a price after fees and funding, percent of the entry."""
    entry, s = position.entry_price, position.side.sign
    gain = (exit_price - entry) * s - entry * fees.entry - exit_price * fees.exit
    gain -= position.funding_paid / position.quantity
    return (gain * HUNDRED / entry).quantize(PLACES)


def _summed(trades: Sequence[LiveTrade]) -> tuple[SettingRow, ...]:
    """One row for each setting; the outcomes of all positions have the same order."""
    rows = []
    for outcomes in zip(*(trade.outcomes for trade in trades), strict=True):
        nets = [one.net_percent for one in outcomes]
        own = [trade.of(AS_IT_WAS).net_percent for trade in trades]
        rows.append(
            SettingRow(
                setting=outcomes[0].setting,
                trades=len(outcomes),
                mean_percent=(sum(nets, Decimal(0)) / len(nets)).quantize(PLACES),
                worst_percent=min(nets),
                better=sum(net > was for net, was in zip(nets, own, strict=True)),
                open_at_end=sum(one.open_at_end for one in outcomes),
            )
        )
    return tuple(sorted(rows, key=lambda row: row.mean_percent, reverse=True))
