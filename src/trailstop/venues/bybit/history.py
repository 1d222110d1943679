"""Lists of the past: own fills, public trades, candles. Whole or `ReadFailed`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from trailstop.domain.position import Leg
from trailstop.errors import NotListed, ReadFailed
from trailstop.ports import Bar, Execution, Trade
from trailstop.venues.bybit import translate, wire
from trailstop.venues.bybit.rest import KLINES_MAX, PAGES_MAX, TRADES_MAX, BybitRest
from trailstop.venues.spans import DAY_MS, MS_PER_MINUTE, WEEK_MS, interval

KEPT_MS = 730 * DAY_MS
"""Fills older than two years are not kept."""

INTERVALS = {
    1: "1", 3: "3", 5: "5", 15: "15", 30: "30", 60: "60", 120: "120", 240: "240", 360: "360",
    720: "720", 1_440: "D",
}  # fmt: skip


class History:
    """Reads lists page by page."""

    def __init__(self, rest: BybitRest) -> None:
        self._rest = rest

    async def executions(self, leg: Leg, since_ms: int) -> Sequence[Execution]:
        """Own fills on the leg since then, oldest first; funding is none.

        In hedge mode a row does not name its side, which then follows from the direction and
        from whether it closed something.
        """
        now_ms = self._rest.server.now_ms()
        start_ms = max(since_ms, now_ms - KEPT_MS)
        rows: dict[str, wire.ExecutionRow] = {}
        while start_ms <= now_ms:
            end_ms = start_ms + WEEK_MS
            page = await self._rest.executions(leg.symbol, start_ms, end_ms)
            rows.update((row.exec_id, row) for row in page if translate.is_fill(row))
            start_ms = end_ms + 1
        ordered = sorted(rows.values(), key=lambda row: (row.exec_time, row.seq))
        is_hedge = leg.position_side != "both"
        try:
            return [
                translate.execution(row, leg.position_side)
                for row in ordered
                if not is_hedge or translate.hedge_side(row) == leg.position_side
            ]
        except ValueError as error:
            raise ReadFailed(f"fills of {leg.symbol}: {error}") from error

    async def trades(self, symbol: str, since_ms: int, until_ms: int) -> Sequence[Trade]:
        """Public trades of a span, both ends included, oldest first.

        The exchange lists the newest 1000 and none before them: a span that begins earlier
        cannot be read.
        """
        rows = await self._rest.recent_trades(symbol)
        # Rows are the newest first; those of one millisecond keep their order, turned round.
        oldest_first = rows[::-1]
        oldest_first.sort(key=lambda row: row.time)
        if len(rows) >= TRADES_MAX and oldest_first[0].time >= since_ms:
            raise NotListed(
                f"the exchange lists no trades of {symbol} before {oldest_first[0].time}; "
                "take candles for what came before"
            )
        return [translate.trade(row) for row in oldest_first if since_ms <= row.time <= until_ms]

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
        length_ms = minutes * MS_PER_MINUTE
        pages = (until_ms - since_ms) // (length_ms * KLINES_MAX) + 1
        if pages > PAGES_MAX:
            raise ReadFailed(f"{symbol}: {pages} pages of candles; ask for a shorter span")
        found: dict[int, Bar] = {}
        for start_ms in range(since_ms, until_ms + 1, length_ms * KLINES_MAX):
            end_ms = min(start_ms + length_ms * KLINES_MAX - 1, until_ms)
            now_ms = self._rest.server.now_ms()
            rows = await self._rest.klines(symbol, spelled, start_ms, end_ms, source)
            found.update(
                (row.open_time, translate.bar(row, minutes, now_ms))
                for row in rows
                if start_ms <= row.open_time <= end_ms
            )
        return [found[at_ms] for at_ms in sorted(found)]
