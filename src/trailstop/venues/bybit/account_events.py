"""From the rows of the private topics `position`, `order` and `execution` to events.

The exchange repeats itself: a position is sent at every change of an order, whole, and a fill
that overtakes a cancel is told twice. `AccountRows` remembers just enough to tell each thing
once. Rows come as the exchange dates them, in no order across the topics.
"""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import Generic, TypeVar

from msgspec import Struct

from trailstop.domain.position import Leg
from trailstop.ports import (
    ExecutionReport,
    FundingBooked,
    OrderState,
    PositionReport,
    StopReport,
    VenueEvent,
)
from trailstop.venues.bybit import frames, translate, wire
from trailstop.venues.decoding import ZERO, Decoder, number, whole

K = TypeVar("K")
V = TypeVar("V")

ONE_WAY = "both"
FUNDING = "Funding"
REMEMBERED = 10_000
"""Orders and executions kept in mind; repeats come within seconds."""
UNPLACED_MAX = 1_000
"""Executions that wait for a row that tells their leg; both come within a moment."""

ENDED = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED})
ASKED_FOR = frozenset({"", "UNKNOWN", "EC_NoError", "EC_PerCancelRequest"})
"""`rejectReason` of orders that nobody refused; with any other a cancelled stop has failed."""
TAKEN_AWAY = frozenset({"CancelByUser", "CancelByTpSlTsClear"})
"""`cancelType` of stops that somebody removed, or that went with their position."""
CAUSES = {"Liq": "liquidation", "Adl": "adl"}
"""By `positionStatus`; the topic states no other reason."""


class StopSeen(Struct, frozen=True):
    """What a row says of the position's own stop; `price` is None where there is none."""

    leg: Leg
    price: Decimal | None
    at_ms: int


class News(Struct, frozen=True):
    """What a row leads to."""

    events: tuple[VenueEvent, ...] = ()
    slot: StopSeen | None = None


class Recent(Generic[K, V]):
    """The newest entries of a mapping that would otherwise grow for ever."""

    def __init__(self, length_max: int) -> None:
        self._length_max = length_max
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What was put last under a key, None where it is not known (any more)."""
        return self._kept.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep an entry as the newest one."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._length_max:
            self._kept.popitem(last=False)


class _Size(Struct, frozen=True):
    """What makes a position row news."""

    quantity: Decimal
    entry_price: Decimal
    opened_ms: int | None


class AccountRows:
    """Turns the rows of one account's private topics into events."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._sizes: dict[Leg, _Size] = {}
        self._stops: Recent[str, StopReport] = Recent(REMEMBERED)
        self._slot_orders: dict[Leg, str] = {}
        self._booked: Recent[str, bool] = Recent(REMEMBERED)
        self._sides: Recent[str, str] = Recent(REMEMBERED)
        self._hedged: dict[str, bool] = {}
        self._unplaced: list[wire.ExecutionRow] = []

    def forget_positions(self) -> None:
        """Rows may have been missed: the next one of each leg is news in any case."""
        self._sizes.clear()

    def take(self, topic: str, row: bytes, created_ms: int) -> News:
        """What a row of a topic says; nothing for other topics. `created_ms` is the frame's.

        Raises: msgspec.DecodeError, ValueError for a row that makes no sense.
        """
        match topic:
            case frames.POSITION:
                return self._position(_POSITION(row), created_ms)
            case frames.ORDER:
                return self._order(_ORDER(row), created_ms)
            case frames.EXECUTION:
                return News(self._execution(_EXECUTION(row)))
            case _:
                return News()

    def know(self, leg: Leg) -> tuple[VenueEvent, ...]:
        """Learn a symbol's mode from a leg that exists, and place what waited for that.

        The mode can only be switched while the symbol is flat, so one leg tells it.
        """
        self._hedged[leg.symbol] = leg.position_side != ONE_WAY
        placed: list[VenueEvent] = []
        waiting, self._unplaced = self._unplaced, []
        for row in waiting:
            side = self._side(row)
            if side is None:
                self._unplaced.append(row)
            else:
                placed.append(booked(self._account, row, side))
        return tuple(placed)

    # --- positions ------------------------------------------------------------------------
    def _position(self, row: wire.PositionRow, created_ms: int) -> News:
        report = position_report(self._account, row, created_ms)
        price = number(row.stop_loss, f"{report.leg}: stopLoss")
        # The row's own time is that of the position, which a moved stop may leave alone.
        slot = StopSeen(report.leg, price if price > 0 else None, created_ms or report.at_ms)
        events = self.know(report.leg)
        size = _Size(report.quantity, report.entry_price, whole(row.open_time))
        if self._sizes.get(report.leg) == size:
            return News(events, slot)
        self._sizes[report.leg] = size
        return News((report, *events), slot)

    # --- orders ---------------------------------------------------------------------------
    def _order(self, row: wire.OrderRow, created_ms: int) -> News:
        leg = translate.leg_of(self._account, row.symbol, row.position_idx)
        self._sides.put(row.order_id, leg.position_side)
        events = self.know(leg)
        report = stop_report(self._account, row, created_ms)
        if report is None:
            return News(events)
        before = self._stops.get(row.order_id)
        if before is not None and _is_late(report, before):
            return News(events)
        self._stops.put(row.order_id, report)
        if before is None or _says(before) != _says(report):
            events = (report, *events)
        return News(events, self._slot(report))

    def _slot(self, report: StopReport) -> StopSeen | None:
        """What the order says of the slot; the end of an order that has left it says nothing."""
        stop = report.stop
        if not stop.shared:
            return None
        if report.state is OrderState.RESTING:
            self._slot_orders[stop.leg] = stop.order_id
            return StopSeen(stop.leg, stop.price, report.at_ms)
        if report.state in ENDED and self._slot_orders.get(stop.leg) == stop.order_id:
            del self._slot_orders[stop.leg]
            return StopSeen(stop.leg, None, report.at_ms)
        return None

    # --- executions -----------------------------------------------------------------------
    def _execution(self, row: wire.ExecutionRow) -> tuple[VenueEvent, ...]:
        concerns = translate.is_fill(row) or row.exec_type == FUNDING
        if not concerns or self._booked.get(row.exec_id):
            return ()
        side = self._side(row)
        # A row that cannot be read says so now, whether or not its leg is known.
        event = booked(self._account, row, side or ONE_WAY)
        self._booked.put(row.exec_id, True)
        if side is not None:
            return (event,)
        if len(self._unplaced) >= UNPLACED_MAX:
            self._unplaced.clear()
            raise ValueError(f"{row.symbol}: too many executions whose leg is not told")
        self._unplaced.append(row)
        return ()

    def _side(self, row: wire.ExecutionRow) -> str | None:
        """The position side of an execution, which its row does not state; None if not known.

        Its order states it. Without the order, in hedge mode a fill's side follows from
        whether it closed, and the side of a funding row is that of the position.
        """
        hedged = self._hedged.get(row.symbol)
        if hedged is None:
            return self._sides.get(row.order_id)
        if not hedged:
            return ONE_WAY
        if not translate.is_fill(row):
            side = translate.SIDES.get(row.side)
            return None if side is None else side.value
        known = self._sides.get(row.order_id)
        if known is not None or row.closed_size is None:
            return known
        return translate.hedge_side(row)


# --- rows ---------------------------------------------------------------------------------
def position_report(account: str, row: wire.PositionRow, created_ms: int) -> PositionReport:
    """A position row; flat is quantity 0 at entry price 0. ValueError for nonsense."""
    leg, held = translate.position(account, row)
    return PositionReport(
        leg=leg,
        quantity=ZERO if held is None else held.quantity * held.side.sign,
        entry_price=held.entry_price if held is not None and held.entry_known else ZERO,
        cause=CAUSES.get(row.position_status, "position"),
        at_ms=whole(row.updated_time) or created_ms,
    )


def stop_report(account: str, row: wire.OrderRow, created_ms: int) -> StopReport | None:
    """What an order row says of a stop; None for orders that are no stops."""
    stop = translate.resting_stop(account, row)
    if stop is None:
        return None
    # A triggered stop keeps its id and goes on as a plain order.
    state = OrderState.TRIGGERED if stop.triggered else translate.order_state(row)
    text = ""
    if state is OrderState.CANCELLED and _has_failed(row):
        state = OrderState.REJECTED
    if state is OrderState.REJECTED:
        text = row.reject_reason or "no reason given"
    return StopReport(stop, state, text, whole(row.updated_time) or created_ms)


def booked(
    account: str, row: wire.ExecutionRow, position_side: str
) -> ExecutionReport | FundingBooked:
    """An execution row of a leg: a fill, or funding, whose fee is positive when paid."""
    leg = Leg(account, translate.VENUE, row.symbol, position_side)
    if row.exec_type == FUNDING:
        return FundingBooked(leg, number(row.exec_fee, f"{leg}: execFee"), row.exec_time)
    return ExecutionReport(leg, translate.execution(row, position_side))


def _has_failed(row: wire.OrderRow) -> bool:
    """Whether a cancelled order was refused when it was triggered, and not taken away."""
    return (row.reject_reason or "") not in ASKED_FOR and row.cancel_type not in TAKEN_AWAY


def _is_late(report: StopReport, before: StopReport) -> bool:
    """Whether an order cannot be any more what this says, going by what was told before."""
    went_on = before.state is OrderState.TRIGGERED and report.state is OrderState.RESTING
    return before.state in ENDED or went_on or report.at_ms < before.at_ms


def _says(report: StopReport) -> tuple[OrderState, Decimal, Decimal | None]:
    return report.state, report.stop.price, report.stop.quantity


_POSITION: Decoder[wire.PositionRow] = Decoder(wire.PositionRow)
_ORDER: Decoder[wire.OrderRow] = Decoder(wire.OrderRow)
_EXECUTION: Decoder[wire.ExecutionRow] = Decoder(wire.ExecutionRow)
