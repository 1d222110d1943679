"""Complete, dated reads of an account: positions, resting stops, children of fired ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import structlog

from trailstop.domain.position import Leg, Position
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import RestingStop, Snapshot, within
from trailstop.ports import FundingBooked
from trailstop.venues.binance import codes, orders, translate, wire
from trailstop.venues.binance.rest import ALL_SYMBOLS_WEIGHT, BinanceRest
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.sending import Failure

CONDITIONAL_SLOTS = 200
"""Conditional orders that an account may have open over all symbols; one more is refused with
-4045. Change log of 2025-12-29, which took `MAX_NUM_ALGO_ORDERS` out of the filters."""


class Snapshots:
    """Reads one account."""

    def __init__(self, rest: BinanceRest, settings: BinanceSettings) -> None:
        self._rest = rest
        self._account = settings.account
        self._own_prefix = settings.own_prefix
        self._children: dict[int, RestingStop | None] = {}
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
        if symbols is not None:
            resting = [order for order in resting if order.symbol in symbols]
        try:
            stops = {order.algo_id: self._resting(order) for order in resting}
            everywhere = translate.positions(self._account, rows)
        except ValueError as error:
            raise ReadFailed(f"positions and stops of {self._account}: {error}") from error
        positions = within(everywhere, symbols)
        self._remember(everywhere)
        # A stop that fires between the two lists stands in both: the later one knows more.
        stops.update((int(stop.order_id), stop) for stop in triggered)
        return Snapshot(
            account=self._account,
            venue=translate.VENUE,
            asked_at_ms=asked_at_ms,
            positions=positions,
            stops=tuple(stop for stop in stops.values() if stop is not None),
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

    def _resting(self, order: wire.AlgoOrder) -> RestingStop | None:
        stop = translate.resting_stop(self._account, order, self._own_prefix)
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
