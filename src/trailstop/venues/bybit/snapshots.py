"""Complete, dated reads of an account: positions with their own stops, and others' stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from decimal import Decimal
from typing import Any

from trailstop.domain.position import Leg
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import RestingStop, Snapshot, within
from trailstop.venues.bybit import translate, wire
from trailstop.venues.bybit.rest import BybitRest
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.decoding import number

Rows = tuple[list[wire.OrderRow], list[wire.PositionRow]]


class Snapshots:
    """Reads one account."""

    def __init__(
        self, rest: BybitRest, settings: BybitSettings, coin_of: Callable[[str], str | None]
    ) -> None:
        """`coin_of` tells the settlement coin of a symbol, None for one not known."""
        self._rest = rest
        self._account = settings.account
        self._coins = settings.settle_coins
        self._coin_of = coin_of

    async def read(self, symbols: frozenset[str] | None) -> Snapshot:
        """Positions and stops, of everything (None) or of some symbols.

        The position's own stop stands in the row of the position, so that size and stop are of
        one moment. The others are read before the positions: one that fires in between is then
        shown without its position, which is harmless, never a position without its stop.

        Raises: ReadFailed.
        """
        asked_at_ms = self._rest.server.now_ms()
        orders, rows = await self._rows(symbols)
        try:
            everywhere = translate.positions(self._account, rows)
            if symbols is not None:
                orders = [order for order in orders if order.symbol in symbols]
                rows = [row for row in rows if row.symbol in symbols]
            stops = self._stops(orders, rows)
        except ValueError as error:
            raise ReadFailed(f"positions and stops of {self._account}: {error}") from error
        positions = within(everywhere, symbols)
        return Snapshot(
            account=self._account,
            venue=translate.VENUE,
            asked_at_ms=asked_at_ms,
            positions=positions,
            stops=stops,
            symbols=symbols,
            elsewhere=frozenset(everywhere) - frozenset(positions),
        )

    async def _rows(self, symbols: frozenset[str] | None) -> Rows:
        """Positions of everything, since they cost the same; stops of what is asked for."""
        lists = await asyncio.gather(*self._stop_orders(symbols))
        tables = await asyncio.gather(*map(self._rest.positions, self._coins))
        return (
            [order for orders in lists for order in orders],
            [row for rows in tables for row in rows],
        )

    def _stop_orders(
        self, symbols: frozenset[str] | None
    ) -> list[Coroutine[Any, Any, list[wire.OrderRow]]]:
        """The reads: of one symbol by itself, of several by their settlement coins."""
        if symbols is not None and len(symbols) <= 1:
            return [self._rest.stop_orders(symbol=symbol) for symbol in symbols]
        return [self._rest.stop_orders(settle_coin=coin) for coin in self._coins_of(symbols)]

    def _coins_of(self, symbols: frozenset[str] | None) -> Iterable[str]:
        if symbols is None:
            return self._coins
        coins = {self._coin_of(symbol) for symbol in symbols}
        return self._coins if None in coins else sorted(coin for coin in coins if coin)

    def _stops(
        self, orders: list[wire.OrderRow], rows: list[wire.PositionRow]
    ) -> tuple[RestingStop, ...]:
        marks: dict[Leg, Decimal] = {}
        found: dict[str, RestingStop] = {}
        own: dict[Leg, RestingStop] = {}
        for row in rows:
            leg, _ = translate.position(self._account, row)
            marks[leg] = number(row.mark_price, f"{leg}: markPrice")
            stop = translate.position_stop(self._account, row, orders)
            if stop is not None:
                own[leg] = stop
        for order in orders:
            leg = translate.leg_of(self._account, order.symbol, order.position_idx)
            other = translate.resting_stop(self._account, order, marks.get(leg))
            if other is None:
                continue
            if not other.shared:
                found[order.order_id] = other
            elif other.triggered:
                own[leg] = other
            # Else it is what the position's row tells, which is newer.
        return (*own.values(), *found.values())
