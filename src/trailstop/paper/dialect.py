"""One HTTP server for one dialect of the exchange: REST and WebSockets on one port."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

from aiohttp import web

from trailstop.paper.requests import Requests
from trailstop.paper.serving import SHUTDOWN_S, start_site

KEEP_ALIVE_S = 3600.0 * 24
"""Idle connections live this long in virtual time, so that clients end them, not the server."""
UPGRADE = "Upgrade"


class StreamSide(Protocol):
    """Serves the WebSockets of a dialect."""

    @property
    def connections(self) -> dict[str, int]:
        """Open connections by group."""
        ...

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one connection and serve it until it ends."""
        ...

    def cut(self, group: str) -> None:
        """End the connections of a group, all where it is empty."""
        ...

    def close(self) -> None:
        """End everything."""
        ...


class DialectServer:
    """Serves what a dialect says in answer to requests, and pushes by its streams."""

    def __init__(self, rest: Requests[Any], streams: StreamSide) -> None:
        self.rest = rest
        self.streams = streams
        server = web.Server(self._handle, access_log=None, keepalive_timeout=KEEP_ALIVE_S)
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)

    @property
    def served(self) -> Counter[str]:
        """Requests by method and path, whatever way they came."""
        return self.rest.served

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
