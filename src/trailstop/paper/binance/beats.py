"""Streams that are pushed at fixed times: mark prices and 24-hour tickers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from trailstop.paper.binance import events
from trailstop.paper.binance.market_routes import day_candle
from trailstop.paper.exchange import Exchange
from trailstop.paper.model import Market

US_PER_SECOND = 1_000_000
Push = Callable[[str, Callable[[], Any]], None]


class Beats:
    """Pushes at whole multiples of each period, and only while somebody listens."""

    def __init__(self, exchange: Exchange, push: Push, wanted: Callable[[str], list[str]]) -> None:
        self._exchange = exchange
        self._push = push
        self._wanted = wanted
        self._beats: tuple[tuple[tuple[str, ...], int, Callable[[], None]], ...] = (
            (("@markPrice@1s", "!markPrice@arr@1s"), 1, lambda: self._marks("@1s")),
            (("@markPrice", "!markPrice@arr"), 3, lambda: self._marks("")),
            (("@miniTicker", "!miniTicker@arr"), 2, self._mini_tickers),
            (("@ticker", "!ticker@arr"), 2, self._tickers),
        )
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def look(self) -> None:
        """Start the beats that somebody has begun to listen to."""
        for index, (suffixes, seconds, _) in enumerate(self._beats):
            if index not in self._timers and any(self._wanted(suffix) for suffix in suffixes):
                self._start(index, seconds)

    def close(self) -> None:
        """Stop all beats."""
        for timer in self._timers.values():
            timer.cancel()

    def _start(self, index: int, seconds: int) -> None:
        loop = self._exchange.loop
        period_us = seconds * US_PER_SECOND
        due_us = (loop.now_us // period_us + 1) * period_us
        self._timers[index] = loop.call_at_us(due_us, self._beat, index)

    def _beat(self, index: int) -> None:
        del self._timers[index]
        suffixes, seconds, push = self._beats[index]
        if any(self._wanted(suffix) for suffix in suffixes):
            self._exchange.sync()
            push()
            self._start(index, seconds)

    def _marks(self, speed: str) -> None:
        rows = {market.symbol: market for market in self._priced()}
        for symbol, market in rows.items():
            self._push(
                f"{symbol.lower()}@markPrice{speed}",
                lambda market=market: self._mark(market),  # type: ignore[misc]
            )
        self._push(f"!markPrice@arr{speed}", lambda: [self._mark(row) for row in rows.values()])

    def _priced(self) -> list[Market]:
        world = self._exchange.world
        return [row for row in world.markets.values() if world.has_price(row.symbol)]

    def _mark(self, market: Market) -> events.Event:
        world = self._exchange.world
        return events.mark_price(
            market.symbol,
            world.mark(market.symbol),
            world.funding_rate(market.symbol),
            world.next_funding_us(market.symbol),
            self._exchange.now_ms,
        )

    def _mini_tickers(self) -> None:
        self._day("miniTicker", events.mini_ticker)

    def _tickers(self) -> None:
        self._day("ticker", events.day_ticker)

    def _day(self, kind: str, spell: Callable[..., events.Event]) -> None:
        now_ms = self._exchange.now_ms
        world = self._exchange.world

        def one(symbol: str) -> events.Event:
            return spell(symbol, day_candle(world, symbol, now_ms), now_ms)

        symbols = [market.symbol for market in self._priced()]
        for symbol in symbols:
            self._push(
                f"{symbol.lower()}@{kind}",
                lambda symbol=symbol: one(symbol),  # type: ignore[misc]
            )
        self._push(f"!{kind}@arr", lambda: [one(symbol) for symbol in symbols])
