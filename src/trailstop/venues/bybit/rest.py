"""The requests to Bybit, category linear: one method per endpoint, every list with all pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from trailstop.errors import ReadFailed
from trailstop.venues.bybit import wire
from trailstop.venues.bybit.transport import Answer, Body, Transport
from trailstop.venues.decoding import Decoder
from trailstop.venues.sending import Failure, read_failed

R = TypeVar("R")

CATEGORY = "linear"
SET_STOP = "/v5/position/trading-stop"
INSTRUMENTS_PAGE = 1_000
POSITIONS_PAGE = 200
ORDERS_PAGE = 50
EXECUTIONS_PAGE = 100
TRADES_MAX = 1_000
KLINES_MAX = 1_000
"""Rows of one page; the most that each list gives."""
PAGES_MAX = 2_000
"""Requests of one list; more is no list any more but a mistake."""


class BybitRest(Transport):
    """One account's endpoints."""

    # --- account --------------------------------------------------------------------------
    async def account_info(self) -> wire.AccountInfo | Failure:
        """GET account/info: whether the key works. Raises: ReadFailed where no turn comes."""
        answer = await self._get("/v5/account/info", _ACCOUNT)
        return answer if isinstance(answer, Failure) else answer.payload

    async def key_info(self) -> wire.KeyInfo | Failure:
        """GET user/query-api: what the key may do. Raises: ReadFailed where no turn comes."""
        answer = await self._get("/v5/user/query-api", _KEY)
        return answer if isinstance(answer, Failure) else answer.payload

    async def fee_rate(self, symbol: str) -> wire.FeeRate:
        """GET account/fee-rate of a symbol. Raises: ReadFailed."""
        page = await self._read("/v5/account/fee-rate", _FEES, _of(symbol))
        return _only(page, symbol)

    async def positions(self, settle_coin: str) -> list[wire.PositionRow]:
        """GET position/list of a settlement coin: only what is open. Raises: ReadFailed."""
        params = {"category": CATEGORY, "settleCoin": settle_coin}
        return await self._pages("/v5/position/list", _POSITIONS, params, POSITIONS_PAGE)

    async def positions_of(self, symbol: str) -> list[wire.PositionRow]:
        """GET position/list of a symbol: one row or one for each side, flat ones too."""
        return await self._pages("/v5/position/list", _POSITIONS, _of(symbol), POSITIONS_PAGE)

    # --- orders: reads --------------------------------------------------------------------
    async def stop_orders(
        self, *, symbol: str | None = None, settle_coin: str | None = None
    ) -> list[wire.OrderRow]:
        """GET order/realtime, conditional orders and positions' stops, of either of the two."""
        params = {"category": CATEGORY, "orderFilter": "StopOrder"}
        if symbol is not None:
            params["symbol"] = symbol
        elif settle_coin is not None:
            params["settleCoin"] = settle_coin
        return await self._pages("/v5/order/realtime", _ORDERS, params, ORDERS_PAGE)

    async def present_order(self, symbol: str, client_id: str) -> wire.OrderRow | None:
        """GET order/realtime by client id: open, or among the last 500 that ended."""
        params = {**_of(symbol), "orderLinkId": client_id, "openOnly": "1"}
        page = await self._read("/v5/order/realtime", _ORDERS, params)
        return next((row for row in page.rows if row.order_link_id == client_id), None)

    async def past_order(self, symbol: str, client_id: str) -> wire.OrderRow | None:
        """GET order/history by client id; it may lag behind."""
        params = {**_of(symbol), "orderLinkId": client_id}
        page = await self._read("/v5/order/history", _ORDERS, params)
        return next((row for row in page.rows if row.order_link_id == client_id), None)

    async def executions(self, symbol: str, start_ms: int, end_ms: int) -> list[wire.ExecutionRow]:
        """GET execution/list of at most 7 days, funding among them, newest first."""
        params = {**_of(symbol), "startTime": str(start_ms), "endTime": str(end_ms)}
        return await self._pages("/v5/execution/list", _EXECUTIONS, params, EXECUTIONS_PAGE)

    # --- writes ---------------------------------------------------------------------------
    async def set_stop(self, body: Body, *, can_wait: bool = False) -> Answer[object] | Failure:
        """POST position/trading-stop: the position's own stop.

        A move that can wait leaves the reserve of the endpoint alone.
        """
        return await self._post(SET_STOP, body, _ANYTHING, can_wait=can_wait)

    def move_wait_ms(self, ahead: int = 0, beside: int = 0) -> int:
        """Milliseconds until one more `set_stop` leaves the reserve untouched; 0 now.

        `ahead` of this account and `beside` of others are about to leave before it.
        """
        return self._spare_ms(SET_STOP, 1 + ahead + beside, 1 + ahead)

    async def create_order(self, body: Body) -> Answer[wire.OrderIds] | Failure:
        """POST order/create; accepted is not done."""
        return await self._post("/v5/order/create", body, _ORDER_IDS)

    # --- market data ----------------------------------------------------------------------
    async def instruments(self) -> list[wire.InstrumentInfo]:
        """GET market/instruments-info of all that trade. Raises: ReadFailed."""
        return await self._pages(
            "/v5/market/instruments-info",
            _INSTRUMENTS,
            {"category": CATEGORY},
            INSTRUMENTS_PAGE,
            is_signed=False,
        )

    async def instrument(self, symbol: str) -> wire.InstrumentInfo | None:
        """GET market/instruments-info of a symbol, whatever its status; None if unknown."""
        page = await self._read(
            "/v5/market/instruments-info", _INSTRUMENTS, _of(symbol), is_signed=False
        )
        return next((row for row in page.rows if row.symbol == symbol), None)

    async def ticker(self, symbol: str) -> wire.Ticker:
        """GET market/tickers of a symbol. Raises: ReadFailed."""
        page = await self._read("/v5/market/tickers", _TICKERS, _of(symbol), is_signed=False)
        return _only(page, symbol)

    async def tickers(self, symbol: str | None) -> tuple[list[wire.Ticker], int | None]:
        """GET market/tickers of a symbol or of all, and the exchange's time of the answer.

        Raises: ReadFailed.
        """
        path, params = "/v5/market/tickers", {"category": CATEGORY}
        if symbol is not None:
            params["symbol"] = symbol
        answer = await self._get(path, _TICKERS, params, is_signed=False)
        if isinstance(answer, Failure):
            raise read_failed(path, answer)
        return answer.payload.rows, answer.at_ms

    async def recent_trades(self, symbol: str) -> list[wire.RecentTrade]:
        """GET market/recent-trade: the newest 1000, newest first; there is no way further back."""
        params = {**_of(symbol), "limit": str(TRADES_MAX)}
        page = await self._read("/v5/market/recent-trade", _TRADES, params, is_signed=False)
        return page.rows

    async def klines(
        self,
        symbol: str,
        interval: str,
        start_ms: int,
        end_ms: int,
        source: Literal["last", "mark"],
    ) -> list[wire.Kline]:
        """GET market/kline or mark-price-kline that open in a span, at most 1000, newest first."""
        path = {"last": "/v5/market/kline", "mark": "/v5/market/mark-price-kline"}[source]
        params = {
            **_of(symbol),
            "interval": interval,
            "start": str(start_ms),
            "end": str(end_ms),
            "limit": str(KLINES_MAX),
        }
        return (await self._read(path, _KLINES, params, is_signed=False)).rows

    # --- pages ----------------------------------------------------------------------------
    async def _pages(
        self,
        path: str,
        decode: Decoder[wire.Listed[R]],
        params: Mapping[str, str],
        limit: int,
        *,
        is_signed: bool = True,
    ) -> list[R]:
        """All pages of a list. The cursor decides, since a page may be short in the middle.

        Raises: ReadFailed.
        """
        rows: list[R] = []
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            asked = {**params, "limit": str(limit)}
            if cursor:
                asked["cursor"] = cursor
            page = await self._read(path, decode, asked, is_signed=is_signed)
            rows += page.rows
            if not page.next_page_cursor or not page.rows:
                return rows
            if page.next_page_cursor == cursor:
                raise ReadFailed(f"{path}: the list does not move on from cursor {cursor}")
            cursor = page.next_page_cursor
        raise ReadFailed(f"{path}: more than {PAGES_MAX} pages; ask for a shorter span")


def _of(symbol: str) -> dict[str, str]:
    return {"category": CATEGORY, "symbol": symbol}


def _only(page: wire.Listed[R], symbol: str) -> R:
    """The row of a list that has one for the symbol. Raises: ReadFailed."""
    for row in page.rows:
        if getattr(row, "symbol", None) == symbol:
            return row
    raise ReadFailed(f"the exchange's answer has nothing of {symbol}")


_ACCOUNT: Decoder[wire.AccountInfo] = Decoder(wire.AccountInfo)
_KEY: Decoder[wire.KeyInfo] = Decoder(wire.KeyInfo)
_FEES: Decoder[wire.Listed[wire.FeeRate]] = Decoder(wire.Listed[wire.FeeRate])
_POSITIONS: Decoder[wire.Listed[wire.PositionRow]] = Decoder(wire.Listed[wire.PositionRow])
_ORDERS: Decoder[wire.Listed[wire.OrderRow]] = Decoder(wire.Listed[wire.OrderRow])
_EXECUTIONS: Decoder[wire.Listed[wire.ExecutionRow]] = Decoder(wire.Listed[wire.ExecutionRow])
_ANYTHING: Decoder[object] = Decoder(object)
_ORDER_IDS: Decoder[wire.OrderIds] = Decoder(wire.OrderIds)
_INSTRUMENTS: Decoder[wire.Listed[wire.InstrumentInfo]] = Decoder(wire.Listed[wire.InstrumentInfo])
_TICKERS: Decoder[wire.Listed[wire.Ticker]] = Decoder(wire.Listed[wire.Ticker])
_TRADES: Decoder[wire.Listed[wire.RecentTrade]] = Decoder(wire.Listed[wire.RecentTrade])
_KLINES: Decoder[wire.Listed[wire.Kline]] = Decoder(wire.Listed[wire.Kline])
