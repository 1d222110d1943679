"""Lists with more than one page: own fills, public trades, candles. Whole or `ReadFailed`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from trailstop.domain.position import Leg
from trailstop.errors import ReadFailed
from trailstop.ports import Bar, Execution, Trade
from trailstop.venues.binance import codes, translate, wire
from trailstop.venues.binance.rest import PAGE, BinanceRest
from trailstop.venues.sending import Failure
from trailstop.venues.spans import DAY_MS, MS_PER_MINUTE, WEEK_MS, interval

HOUR_MS = 60 * MS_PER_MINUTE - 1
"""Longest span of one request for trades, page `Compressed-Aggregate-Trades-List`."""
KEPT_MS = 90 * DAY_MS
"""Fills older than three months are not kept (2026-08)."""
PAGES_MAX = 2_000
"""Requests of one list; two million rows are no gap any more but a mistake."""
SINGLE_ORDERS_MAX = 5
"""Orders asked for one by one; from there a list of the span weighs less."""
IDS_KEPT_MAX = 10_000

INTERVALS = {
    1: "1m", 3: "3m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 120: "2h", 240: "4h",
    360: "6h", 480: "8h", 720: "12h", 1_440: "1d",
}  # fmt: skip


class History:
    """Reads lists page by page."""

    def __init__(self, rest: BinanceRest) -> None:
        self._rest = rest
        self._client_ids: dict[int, str] = {}

    async def executions(self, leg: Leg, since_ms: int) -> Sequence[Execution]:
        """Own fills on the leg since then, oldest first, each with its order's client id."""
        now_ms = self._rest.server.now_ms()
        start_ms = max(since_ms, now_ms - KEPT_MS)
        fills: dict[int, wire.UserTrade] = {}
        pages = 0
        while start_ms <= now_ms:
            end_ms = start_ms + WEEK_MS
            page = await self._rest.user_trades(leg.symbol, start_ms, end_ms)
            while page:
                pages += 1
                _check_bound(pages, leg.symbol)
                fills.update((fill.id, fill) for fill in page if fill.time <= end_ms)
                last = page[-1]
                if len(page) < PAGE or last.time > end_ms:
                    break
                page = await self._rest.user_trades_from(leg.symbol, last.id + 1)
            start_ms = end_ms + 1
        wanted = [
            fills[key]
            for key in sorted(fills)
            if fills[key].position_side.lower() == leg.position_side
        ]
        await self._learn_client_ids(leg.symbol, wanted)
        try:
            return [
                translate.execution(fill, self._client_ids.get(fill.order_id, ""))
                for fill in wanted
            ]
        except ValueError as error:
            raise ReadFailed(f"fills of {leg.symbol}: {error}") from error

    async def trades(self, symbol: str, since_ms: int, until_ms: int) -> Sequence[Trade]:
        """Public trades of a span, both ends included, oldest first."""
        found: list[Trade] = []
        start_ms, pages = since_ms, 0
        while start_ms <= until_ms:
            end_ms = min(start_ms + HOUR_MS, until_ms)
            page = await self._rest.aggregate_trades(symbol, start_ms, end_ms)
            while page:
                pages += 1
                _check_bound(pages, symbol)
                found += [
                    Trade(trade.trade_id, trade.price, trade.at_ms)
                    for trade in page
                    if trade.at_ms <= end_ms
                ]
                last = page[-1]
                if len(page) < PAGE or last.at_ms > end_ms:
                    break
                page = await self._rest.aggregate_trades_from(symbol, last.trade_id + 1)
            start_ms = end_ms + 1
        return found

    async def bars(
        self,
        symbol: str,
        minutes: int,
        since_ms: int,
        until_ms: int,
        source: Literal["last", "mark"],
    ) -> Sequence[Bar]:
        """Candles that open in a span, both ends included, oldest first."""
        spelled = interval(INTERVALS, minutes)
        found: list[Bar] = []
        start_ms, pages = since_ms, 0
        while start_ms <= until_ms:
            now_ms = self._rest.server.now_ms()
            rows = await self._rest.klines(symbol, spelled, start_ms, until_ms, source)
            found += [translate.bar(row, now_ms) for row in rows if row.open_time <= until_ms]
            pages += 1
            _check_bound(pages, symbol)
            if len(rows) < PAGE:
                break
            start_ms = rows[-1].open_time + minutes * MS_PER_MINUTE
        return found

    async def _learn_client_ids(self, symbol: str, fills: Sequence[wire.UserTrade]) -> None:
        """Fill the cache with the client ids of these fills' orders."""
        missing = {
            fill.order_id: fill.time for fill in fills if fill.order_id not in self._client_ids
        }
        if len(missing) > SINGLE_ORDERS_MAX:
            await self._learn_span(symbol, min(missing.values()), max(missing.values()))
        for order_id in missing:
            if order_id not in self._client_ids:
                answer = await self._rest.order(symbol, order_id=order_id)
                if not isinstance(answer, Failure):
                    self._client_ids[order_id] = answer.client_order_id
                elif answer.code not in codes.NOT_FOUND:
                    raise ReadFailed(f"order {order_id} of {symbol}: {answer.text}")
        while len(self._client_ids) > max(IDS_KEPT_MAX, len(fills)):
            self._client_ids.pop(next(iter(self._client_ids)))

    async def _learn_span(self, symbol: str, start_ms: int, end_ms: int) -> None:
        """Client ids of the orders made in a span; those made before it are asked one by one."""
        while start_ms <= end_ms:
            page = await self._rest.all_orders(symbol, start_ms, start_ms + WEEK_MS)
            self._client_ids.update((order.order_id, order.client_order_id) for order in page)
            start_ms += WEEK_MS + 1


def _check_bound(pages: int, symbol: str) -> None:
    if pages > PAGES_MAX:
        raise ReadFailed(f"{symbol}: more than {PAGES_MAX} pages; ask for a shorter span")
