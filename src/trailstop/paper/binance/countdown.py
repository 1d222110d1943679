"""The dead man's switch (page "Auto-Cancel All Open Orders"): it removes orders, stops too.

Whether the real one reaches conditional orders is unconfirmed; here it does, the worse case for
whoever relies on a stop.
"""

from __future__ import annotations

import asyncio
from typing import Any

from trailstop.paper.binance.errors import missing
from trailstop.paper.binance.routes import Call, Route, Security
from trailstop.paper.exchange import Exchange

US_PER_MS = 1_000


class Countdowns:
    """One running countdown for each account and symbol."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}

    def routes(self) -> tuple[Route, ...]:
        """The one endpoint."""
        path = "/fapi/v1/countdownCancelAll"
        return (Route("POST", path, Security.SIGNED, 10, self._start),)

    def _start(self, call: Call) -> Any:
        symbol = call.symbol()
        length_ms = call.params.whole("countdownTime")
        if length_ms is None:
            raise missing("countdownTime")
        leg = (call.key, symbol)
        timer = self._timers.pop(leg, None)
        if timer is not None:
            timer.cancel()
        if length_ms > 0:
            loop = self._exchange.loop
            self._timers[leg] = loop.call_at_us(
                loop.now_us + length_ms * US_PER_MS, self._run_out, leg
            )
        return {"symbol": symbol, "countdownTime": str(length_ms)}

    def _run_out(self, leg: tuple[str, str]) -> None:
        self._timers.pop(leg, None)
        key, symbol = leg
        world = self._exchange.sync()
        for order in world.open_orders(key, symbol):
            world.cancel_order(key, symbol, order.order_id)
        for row in world.open_conditionals(key, symbol):
            world.cancel_conditional(key, row.algo_id)
        self._exchange.tell()
