"""REST requests on their way into a dialect and their answers on the way out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from trailstop.paper.exchange import Exchange
from trailstop.paper.faults import Asked, Fault
from trailstop.paper.serving import Conditions
from trailstop.paper.travel import Lost, Road, lose

Reply = tuple[int, Any, dict[str, str]]
"""HTTP status, content (a text is sent as a page of HTML), further headers."""


class Sent(Struct, frozen=True):
    """A request as it was sent: what faults and holds see of it, and from which address."""

    asked: Asked
    remote: str


S = TypeVar("S", bound=Sent)


class Requests(ABC, Generic[S]):
    """Takes requests; a dialect says how they are read and what they do."""

    def __init__(self, exchange: Exchange, conditions: Conditions) -> None:
        self._exchange = exchange
        self._road = Road(exchange, conditions)
        self.served: Counter[str] = Counter()
        """Requests by method and path, as they arrived."""

    @abstractmethod
    async def _read(self, request: web.BaseRequest) -> S:
        """Read a request; one that makes no sense is refused in its turn, not here."""

    @abstractmethod
    def _effect(self, sent: S, fault: Fault | None) -> Reply:
        """What the request does, at this moment, and what is answered to it."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request: travel, effect, travel, with the faults and holds that hit it."""
        sent = await self._read(request)
        self.served[f"{sent.asked.method} {sent.asked.path}"] += 1
        try:
            status, content, headers = await self._road.carry(
                sent.asked, lambda fault: self._effect(sent, fault)
            )
        except Lost as lost:
            return await lose(request, lost.fault)
        if isinstance(content, str):
            return web.Response(text=content, status=status, content_type="text/html")
        return web.Response(
            body=msgspec.json.encode(content),
            status=status,
            headers=headers,
            content_type="application/json",
        )
