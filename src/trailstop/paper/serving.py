"""What every dialect of the paper exchange is served with: conditions, address, shutdown."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from trailstop.errors import PortInUse
from trailstop.paper.holds import Holds
from trailstop.paper.latency import Latency
from trailstop.paper.trouble.dooms import Dooms
from trailstop.paper.trouble.faults import Faults
from trailstop.paper.trouble.memory import Memory

HOST = "127.0.0.1"
SHUTDOWN_S = 0.2
"""How long requests on their way may take to end when the server does."""


class Conditions(Struct, frozen=True, kw_only=True):
    """What a request meets on its way."""

    latency: Latency
    faults: Faults
    holds: Holds
    dooms: Dooms
    memory: Memory


async def start_site(runner: web.ServerRunner, port: int) -> int:
    """Serve at the loopback address and return the port; PortInUse when it is taken."""
    await runner.setup()
    site = web.TCPSite(runner, HOST, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise PortInUse(f"port {port} is in use; choose another or 0 for a free one") from error
    chosen: int = runner.addresses[0][1]
    return chosen
