"""The Bybit side of the paper exchange as one HTTP server: REST and WebSockets on one port."""

from __future__ import annotations

from aiohttp import web

from trailstop.paper.bybit.desk import Desk
from trailstop.paper.bybit.limits import BybitLimits
from trailstop.paper.bybit.rest import Rest
from trailstop.paper.bybit.streams import Streams
from trailstop.paper.exchange import Exchange
from trailstop.paper.serving import SHUTDOWN_S, Conditions, start_site

KEEP_ALIVE_S = 3600.0 * 24
"""Idle connections live this long in virtual time, so that clients end them, not the server."""
UPGRADE = "Upgrade"


class BybitServer:
    """Serves one exchange in Bybit's dialect."""

    def __init__(self, exchange: Exchange, conditions: Conditions, limits: BybitLimits) -> None:
        self.exchange = exchange
        self.desk = Desk(exchange, limits)
        self.streams = Streams(exchange, conditions, self.desk)
        self.rest = Rest(exchange, conditions, self.desk)
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
