"""The requests to Binance USDⓈ-M futures: one method per endpoint, with its weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from trailstop.venues.binance import wire
from trailstop.venues.binance.transport import EMPTY, Transport
from trailstop.venues.decoding import Decoder
from trailstop.venues.governor import PERCENT
from trailstop.venues.sending import Failure, read_failed

CANCEL_WEIGHT = 1
POSITIONS_WEIGHT = 5
SECONDS_PER_MINUTE = 60
PASSES_PERCENT = 60
REPEATED_PERCENT = 66
"""Share of the weight that full passes may use that fail and are repeated."""
"""Share of the weight that passes may take, of all accounts behind an address together."""
READS_PERCENT = 20
"""Share of the weight that moves which can wait leave to the guard's reads."""


class BinanceRest(Transport):
    """One account's endpoints."""

    async def exchange_info(self) -> wire.ExchangeInfo:
        """GET exchangeInfo, weight 1; the host's own limits replace ours."""
        info = await self._read("/fapi/v1/exchangeInfo", _INFO, weight=1, signed=False)
        short, long = self.governor.orders
        for limit in info.rate_limits:
            match limit.rate_limit_type, limit.interval, limit.interval_num:
                case "REQUEST_WEIGHT", "MINUTE", 1:
                    self.governor.address.weight.limit = limit.limit
                case "ORDERS", "SECOND", 10:
                    short.limit = limit.limit
                case "ORDERS", "MINUTE", 1:
                    long.limit = limit.limit
        return info

    # --- account --------------------------------------------------------------------------
    async def account_config(self) -> wire.AccountConfig | Failure:
        """GET accountConfig, weight 5: whether the key works, and the position mode."""
        return await self._get("/fapi/v1/accountConfig", _CONFIG, weight=5)

    async def commission_rate(self, symbol: str) -> wire.CommissionRate:
        """GET commissionRate, weight 20."""
        path = "/fapi/v1/commissionRate"
        return await self._read(path, _COMMISSION, {"symbol": symbol}, weight=20)

    async def positions(self) -> list[wire.PositionRow]:
        """GET positionRisk v3 of all symbols, weight 5 with a symbol or without."""
        return await self._read("/fapi/v3/positionRisk", _POSITIONS, weight=POSITIONS_WEIGHT)

    # --- orders: reads --------------------------------------------------------------------
    async def open_algo_orders(self, symbol: str | None) -> list[wire.AlgoOrder]:
        """GET openAlgoOrders, weight 1 for a symbol, 40 for all."""
        return await self._read("/fapi/v1/openAlgoOrders", _ALGO_ORDERS, *_one_or_all(symbol))

    async def open_orders(self, symbol: str | None) -> list[wire.Order]:
        """GET openOrders, weight 1 for a symbol, 40 for all; plain orders only."""
        return await self._read("/fapi/v1/openOrders", _ORDERS, *_one_or_all(symbol))

    async def all_orders(self, symbol: str, start_ms: int, end_ms: int) -> list[wire.Order]:
        """GET allOrders, weight 5, at most 1000 orders of at most 7 days."""
        params = _span(symbol, start_ms, end_ms, PAGE)
        return await self._read("/fapi/v1/allOrders", _ORDERS, params, weight=5)

    async def user_trades(self, symbol: str, start_ms: int, end_ms: int) -> list[wire.UserTrade]:
        """GET userTrades, weight 5, at most 1000 fills of at most 7 days, oldest first."""
        params = _span(symbol, start_ms, end_ms, PAGE)
        return await self._read("/fapi/v1/userTrades", _USER_TRADES, params, weight=5)

    async def user_trades_from(self, symbol: str, from_id: int) -> list[wire.UserTrade]:
        """GET userTrades from an id on, weight 5, at most 1000 fills, oldest first."""
        params = {"symbol": symbol, "fromId": str(from_id), "limit": str(PAGE)}
        return await self._read("/fapi/v1/userTrades", _USER_TRADES, params, weight=5)

    async def algo_order(self, client_id: str) -> wire.AlgoOrder | Failure:
        """GET algoOrder by client id, weight 1; part of a write whose outcome is unknown."""
        params = {"clientAlgoId": client_id}
        return await self._write("GET", "/fapi/v1/algoOrder", params, _ALGO_ORDER, weight=1)

    async def order(
        self, symbol: str, *, client_id: str | None = None, order_id: int | None = None
    ) -> wire.Order | Failure:
        """GET order by either id, weight 1; part of a write whose outcome is unknown."""
        params = {"symbol": symbol}
        if client_id is not None:
            params["origClientOrderId"] = client_id
        else:
            params["orderId"] = str(order_id)
        return await self._write("GET", "/fapi/v1/order", params, _ORDER, weight=1)

    # --- orders: writes -------------------------------------------------------------------
    async def new_algo_order(
        self, params: Mapping[str, str], *, can_wait: bool = False
    ) -> wire.AlgoOrder | Failure:
        """POST algoOrder, no weight, one order; one that can wait leaves the reserve alone."""
        path = "/fapi/v1/algoOrder"
        return await self._write(
            "POST",
            path,
            params,
            _ALGO_ORDER,
            orders=1,
            can_wait=can_wait,
            then_weight=CANCEL_WEIGHT,
        )

    async def cancel_algo_order(
        self, *, algo_id: str | None, client_id: str
    ) -> wire.AlgoCancelled | Failure:
        """DELETE algoOrder, weight 1, by the exchange's id where it is known."""
        params = {"algoId": algo_id} if algo_id else {"clientAlgoId": client_id}
        path = "/fapi/v1/algoOrder"
        return await self._write("DELETE", path, params, _CANCELLED, weight=CANCEL_WEIGHT)

    def move_wait_ms(self, ahead: int = 0, beside: int = 0) -> int:
        """Milliseconds until a new stop and a cancel leave the reserve untouched; 0 now.

        `ahead` of this account and `beside` of others are about to leave before it. Moves leave
        a share of the weight to the guard's reads as well, which have no reserve of their own.
        """
        reads = self.governor.address.weight.limit * READS_PERCENT // PERCENT
        return self.governor.spare_ms(
            weight=reads + CANCEL_WEIGHT + ahead + beside, orders=1 + ahead
        )

    def pass_seconds(self, symbols: int) -> float:
        """Least time between two passes over so many symbols.

        Full passes have their own time; together they leave room to all accounts of the address.
        """
        address = self.governor.address
        accounts = len(address.accounts)
        room = address.weight.limit * PASSES_PERCENT // PERCENT - FULL_PASS_WEIGHT * accounts
        weight = min(symbols, ALL_SYMBOLS_WEIGHT) + POSITIONS_WEIGHT
        return SECONDS_PER_MINUTE * weight * accounts / max(weight, room)

    @property
    def full_pass_seconds(self) -> float:
        """Least time between two full passes that are repeated since they fail.

        They are nearly all that is read meanwhile.
        """
        address = self.governor.address
        room = address.weight.limit * REPEATED_PERCENT // PERCENT
        return SECONDS_PER_MINUTE * FULL_PASS_WEIGHT * len(address.accounts) / room

    async def new_order(self, params: Mapping[str, str]) -> wire.Order | Failure:
        """POST order, no weight, one order."""
        return await self._write("POST", "/fapi/v1/order", params, _ORDER, orders=1)

    # --- market data ----------------------------------------------------------------------
    async def price(self, symbol: str) -> wire.PriceTicker:
        """GET ticker/price v2, weight 1."""
        path = "/fapi/v2/ticker/price"
        return await self._read(path, _PRICE, {"symbol": symbol}, weight=1, signed=False)

    async def mark_price(self, symbol: str) -> wire.PremiumIndex:
        """GET premiumIndex, weight 1."""
        path = "/fapi/v1/premiumIndex"
        return await self._read(path, _PREMIUM, {"symbol": symbol}, weight=1, signed=False)

    async def prices(self, symbol: str | None) -> list[msgspec.Raw]:
        """GET ticker/price v2, weight 1 for a symbol, 2 for all; rows still to be decoded."""
        return await self._rows("/fapi/v2/ticker/price", symbol, 1, 2)

    async def marks(self, symbol: str | None) -> list[msgspec.Raw]:
        """GET premiumIndex, weight 1 for a symbol, 10 for all; rows still to be decoded."""
        return await self._rows("/fapi/v1/premiumIndex", symbol, 1, 10)

    async def books(self, symbol: str | None) -> list[msgspec.Raw]:
        """GET ticker/bookTicker, weight 2 for a symbol, 5 for all; rows still to be decoded."""
        return await self._rows("/fapi/v1/ticker/bookTicker", symbol, 2, 5)

    async def _rows(self, path: str, symbol: str | None, one: int, every: int) -> list[msgspec.Raw]:
        """A list of symbols' rows, of one symbol or of all of them. Raises: ReadFailed."""
        if symbol is None:
            return await self._read(path, _ROWS, weight=every, signed=False)
        row = await self._read(path, _ROW, {"symbol": symbol}, weight=one, signed=False)
        return [row]

    async def aggregate_trades(
        self, symbol: str, start_ms: int, end_ms: int
    ) -> list[wire.AggregateTrade]:
        """GET aggTrades of less than an hour, weight 20, at most 1000, oldest first."""
        params = _span(symbol, start_ms, end_ms, PAGE)
        return await self._read("/fapi/v1/aggTrades", _TRADES, params, weight=20, signed=False)

    async def aggregate_trades_from(self, symbol: str, from_id: int) -> list[wire.AggregateTrade]:
        """GET aggTrades from an id on, weight 20, at most 1000, oldest first."""
        params = {"symbol": symbol, "fromId": str(from_id), "limit": str(PAGE)}
        return await self._read("/fapi/v1/aggTrades", _TRADES, params, weight=20, signed=False)

    async def klines(
        self,
        symbol: str,
        interval: str,
        start_ms: int,
        end_ms: int,
        source: Literal["last", "mark"],
    ) -> list[wire.Kline]:
        """GET klines or markPriceKlines, weight 5 for 1000 rows, oldest first."""
        path = {"last": "/fapi/v1/klines", "mark": "/fapi/v1/markPriceKlines"}[source]
        params = {**_span(symbol, start_ms, end_ms, PAGE), "interval": interval}
        return await self._read(path, _KLINES, params, weight=5, signed=False)

    # --- user stream ----------------------------------------------------------------------
    async def new_listen_key(self) -> str:
        """POST listenKey, weight 1; gives the living key again where there is one."""
        await self.governor.read(1)
        answer = await self._send("POST", "/fapi/v1/listenKey", "", _LISTEN_KEY)
        if isinstance(answer, Failure):
            raise read_failed("/fapi/v1/listenKey", answer)
        return answer.listen_key

    async def keep_listen_key(self) -> Failure | None:
        """PUT listenKey, weight 1: another 60 minutes. -1125 where the key is dead."""
        await self.governor.read(1)
        answer = await self._send("PUT", "/fapi/v1/listenKey", "", _ANYTHING)
        return answer if isinstance(answer, Failure) else None


def _one_or_all(symbol: str | None) -> tuple[Mapping[str, str], int]:
    return (EMPTY, ALL_SYMBOLS_WEIGHT) if symbol is None else ({"symbol": symbol}, 1)


def _span(symbol: str, start_ms: int, end_ms: int, limit: int) -> dict[str, str]:
    return {
        "symbol": symbol,
        "startTime": str(start_ms),
        "endTime": str(end_ms),
        "limit": str(limit),
    }


PAGE = 1_000
"""Rows of one page; the most that every list here gives."""
ALL_SYMBOLS_WEIGHT = 40
"""Weight of an open-order list without a symbol."""
FULL_PASS_WEIGHT = 2 * ALL_SYMBOLS_WEIGHT + POSITIONS_WEIGHT

_ROW: Decoder[msgspec.Raw] = Decoder(msgspec.Raw)
_ROWS: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])
_ANYTHING: Decoder[object] = Decoder(object)
_INFO: Decoder[wire.ExchangeInfo] = Decoder(wire.ExchangeInfo)
_CONFIG: Decoder[wire.AccountConfig] = Decoder(wire.AccountConfig)
_COMMISSION: Decoder[wire.CommissionRate] = Decoder(wire.CommissionRate)
_POSITIONS: Decoder[list[wire.PositionRow]] = Decoder(list[wire.PositionRow])
_ALGO_ORDER: Decoder[wire.AlgoOrder] = Decoder(wire.AlgoOrder)
_ALGO_ORDERS: Decoder[list[wire.AlgoOrder]] = Decoder(list[wire.AlgoOrder])
_CANCELLED: Decoder[wire.AlgoCancelled] = Decoder(wire.AlgoCancelled)
_ORDER: Decoder[wire.Order] = Decoder(wire.Order)
_ORDERS: Decoder[list[wire.Order]] = Decoder(list[wire.Order])
_PRICE: Decoder[wire.PriceTicker] = Decoder(wire.PriceTicker)
_PREMIUM: Decoder[wire.PremiumIndex] = Decoder(wire.PremiumIndex)
_USER_TRADES: Decoder[list[wire.UserTrade]] = Decoder(list[wire.UserTrade])
_TRADES: Decoder[list[wire.AggregateTrade]] = Decoder(list[wire.AggregateTrade])
_KLINES: Decoder[list[wire.Kline]] = Decoder(list[wire.Kline])
_LISTEN_KEY: Decoder[wire.ListenKey] = Decoder(wire.ListenKey)
