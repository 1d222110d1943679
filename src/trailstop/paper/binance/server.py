"""The Binance side of the paper exchange as one HTTP server: REST and WebSockets on one port."""

from __future__ import annotations

from aiohttp import web

from trailstop.paper.binance.limits import LimitSettings
from trailstop.paper.binance.rest import Rest
from trailstop.paper.binance.streams import Streams
from trailstop.paper.exchange import Exchange
from trailstop.paper.serving import SHUTDOWN_S, Conditions, start_site

KEEP_ALIVE_S = 3600.0 * 24
"""Idle connections live this long in virtual time, so that clients end them, not the server."""
UPGRADE = "Upgrade"


class BinanceServer:
    """Serves one exchange in Binance's dialect."""

    def __init__(
        self,
        exchange: Exchange,
        conditions: Conditions,
        limits: LimitSettings,
    ) -> None:
        self.exchange = exchange
        self.streams = Streams(exchange, conditions.faults)
        self.rest = Rest(exchange, conditions, limits, self.streams.listen_keys)
        self._server = web.Server(self._handle, access_log=None, keepalive_timeout=KEEP_ALIVE_S)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=SHUTDOWN_S)

    async def start(self, port: int) -> int:
        """Serve on this port, or on a free one for 0, and return it; PortInUse when taken."""
        return await start_site(self._runner, port)

    async def stop(self) -> None:
        """End every connection and stop serving."""
        self.streams.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if UPGRADE in request.headers:
            return await self.streams.serve(request)
        return await self.rest.handle(request)
