"""Complete, dated reads of an account: positions, resting stops, children of fired ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import structlog
from msgspec.structs import replace

from trailstop.domain.position import Leg, Position, Role
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import RestingStop, Snapshot, within
from trailstop.ports import FundingBooked, StopRequest
from trailstop.venues.binance import codes, orders, translate, wire
from trailstop.venues.binance.rest import ALL_SYMBOLS_WEIGHT, BinanceRest
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.decoding import stated
from trailstop.venues.sending import Failure

CONDITIONAL_SLOTS = 200
"""Conditional orders that an account may have open over all symbols; one more is refused with
-4045. Change log of 2025-12-29, which took `MAX_NUM_ALGO_ORDERS` out of the filters."""

MOVED_MOST = 2
"""Times the market, or a part of it, at which nobody has a stop: such a price is a mistake."""


class Snapshots:
    """Reads one account."""

    def __init__(self, rest: BinanceRest, settings: BinanceSettings) -> None:
        self._rest = rest
        self._account = settings.account
        self._own_prefix = settings.own_prefix
        self._children: dict[int, RestingStop | None] = {}
        self._own: dict[int, RestingStop] = {}
        """Stops of ours as they were taken or first read, by the exchange's id."""
        self._amounts: dict[Leg, Decimal] = {}
        self._log = structlog.get_logger("trailstop.venue").bind(
            account=settings.account, venue=translate.VENUE
        )

    async def read(self, symbols: frozenset[str] | None) -> Snapshot:
        """Positions and stops, of everything (None) or of some symbols.

        The stops are read before the positions: a stop that fires in between is then shown
        without its position, which is harmless, never a position without its stop. A read of
        everything also finds the children of triggered stops that still work.

        Raises: ReadFailed.
        """
        asked_at_ms = self._rest.server.now_ms()
        resting = await self._conditional_orders(symbols)
        taken = len(resting)
        triggered = await self._working_children() if symbols is None else []
        rows = await self._rest.positions()
        try:
            marks = {row.symbol: stated(row.mark_price) for row in rows}
            stops = {
                order.algo_id: self._resting(order, marks.get(order.symbol)) for order in resting
            }
            everywhere = translate.positions(self._account, rows)
        except ValueError as error:
            raise ReadFailed(f"positions and stops of {self._account}: {error}") from error
        positions = within(everywhere, symbols)
        self._remember(everywhere)
        if symbols is None:
            # What was taken while these were read is in no list yet.
            self._own = {
                number: stop
                for number, stop in self._own.items()
                if number in stops or stop.created_at_ms >= asked_at_ms
            }
        # A stop that fires between the two lists stands in both: the later one knows more.
        stops.update((int(stop.order_id), stop) for stop in triggered)
        return Snapshot(
            account=self._account,
            venue=translate.VENUE,
            asked_at_ms=asked_at_ms,
            positions=positions,
            stops=tuple(
                stop
                for stop in stops.values()
                if stop is not None and (symbols is None or stop.leg.symbol in symbols)
            ),
            symbols=symbols,
            elsewhere=frozenset(everywhere) - frozenset(positions),
            conditional_orders=taken if symbols is None else None,
            conditional_slots=CONDITIONAL_SLOTS if symbols is None else None,
        )

    def _remember(self, positions: Mapping[Leg, Position]) -> None:
        self._amounts = {leg: held.side.sign * held.quantity for leg, held in positions.items()}

    def by_leg(self, booked: FundingBooked) -> list[FundingBooked]:
        """Funding told of a symbol alone, as that of the legs read last; see `funding_shares`."""
        leg = booked.leg
        amounts = {held: size for held, size in self._amounts.items() if held.symbol == leg.symbol}
        if leg.position_side != orders.ONE_WAY or not amounts or leg in amounts:
            return [booked]
        shares = translate.funding_shares(booked.paid, amounts)
        return [FundingBooked(held, paid, booked.at_ms) for held, paid in shares.items()]

    async def _conditional_orders(self, symbols: frozenset[str] | None) -> list[wire.AlgoOrder]:
        if symbols is None or len(symbols) >= ALL_SYMBOLS_WEIGHT:
            return await self._rest.open_algo_orders(None)
        lists = await asyncio.gather(*map(self._rest.open_algo_orders, sorted(symbols)))
        return [order for listed in lists for order in listed]

    def know(self, request: StopRequest, order: wire.AlgoOrder) -> None:
        """Remember a stop that the exchange has just taken as it was asked for."""
        self._own[order.algo_id] = RestingStop(
            leg=request.leg,
            side=request.side,
            order_id=str(order.algo_id),
            client_id=request.client_id,
            role=request.role,
            price=request.price,
            quantity=None if request.role is Role.BACKSTOP else request.quantity,
            created_at_ms=order.create_time,
        )

    def _resting(self, order: wire.AlgoOrder, mark: Decimal | None) -> RestingStop | None:
        """What a row says, or what it said before: a stop of ours that is listed rests unchanged.

        No program can amend a conditional order here; what differs in price or size alone, within
        reason, was changed by its owner, or with its contract. A row of ours that reads as anything
        else has changed its form, and taken at its word a stop would be missed and placed again.

        Raises: ValueError for a row that makes no sense and was not known before.
        """
        known = self._own.get(order.algo_id)
        try:
            stop = translate.resting_stop(self._account, order, self._own_prefix)
        except ValueError:
            if known is None:
                raise
            stop = None
        if known is not None and stop is not None and _was_moved(known, stop, mark):
            self._own[order.algo_id] = replace(stop, triggered=False)
            return stop
        if known is not None:
            fired = stop is not None and stop.triggered
            if stop != replace(known, triggered=fired):
                self._log.warning(
                    "a stop of ours reads as something else than before; it counts as it was",
                    symbol=known.leg.symbol,
                    client_id=known.client_id,
                )
            return replace(known, triggered=fired)
        if stop is not None and stop.role is not Role.FOREIGN:
            self._own[order.algo_id] = replace(stop, triggered=False)
        if stop is None and order.client_algo_id.startswith(self._own_prefix):
            self._log.error(
                "an order of ours cannot protect: cancel it by hand",
                symbol=order.symbol,
                client_id=order.client_algo_id,
            )
        return stop

    async def _working_children(self) -> list[RestingStop]:
        """Stops that have fired and whose order still works.

        The exchange moves such an order to the plain list under a new id, with the client id
        of its stop. Who its parent is never changes, so it is asked once.
        """
        listed = await self._rest.open_orders(None)
        reducing = [order for order in listed if translate.can_only_reduce(order)]
        known = self._children
        self._children = {
            order.order_id: known[order.order_id]
            if order.order_id in known
            else await self._parent(order)
            for order in reducing
        }
        return [stop for stop in self._children.values() if stop is not None]

    async def _parent(self, child: wire.Order) -> RestingStop | None:
        answer = await self._rest.algo_order(child.client_order_id)
        if isinstance(answer, Failure):
            if answer.code in codes.NOT_FOUND:
                return None
            raise ReadFailed(f"the stop behind order {child.order_id}: {answer.text}")
        if str(answer.actual_order_id) != str(child.order_id):
            return None
        try:
            return translate.resting_stop(self._account, answer, self._own_prefix, triggered=True)
        except ValueError as error:
            raise ReadFailed(f"the stop behind order {child.order_id}: {error}") from error


def _was_moved(known: RestingStop, stop: RestingStop, mark: Decimal | None) -> bool:
    """Whether only price or size differ, and the price is one that a person would choose."""
    sized = stop.quantity is None if known.quantity is None else bool(stop.quantity)
    market = mark or known.price
    near = market < stop.price * MOVED_MOST and stop.price < market * MOVED_MOST
    same = replace(stop, price=known.price, quantity=known.quantity, triggered=known.triggered)
    return same == known and sized and near and stop.price != known.price
