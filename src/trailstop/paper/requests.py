"""REST requests on their way into a dialect and their answers on the way out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from trailstop.paper.exchange import Exchange
from trailstop.paper.serving import Conditions
from trailstop.paper.travel import Lost, Road, lose
from trailstop.paper.trouble.faults import Asked, Fault

US_PER_MS = 1_000
Reply = tuple[int, Any, dict[str, str]]
"""HTTP status, content, further headers. A text is sent as a page of HTML, bytes as they are."""


class Sent(Struct, frozen=True):
    """A request as it was sent: what faults and holds see of it, and from which address."""

    asked: Asked
    remote: str


S = TypeVar("S", bound=Sent)


class Requests(ABC, Generic[S]):
    """Takes requests; a dialect says how they are read and what they do."""

    rejected_as: ClassVar[str]
    """Status of an order that was accepted and is rejected later."""

    def __init__(self, exchange: Exchange, conditions: Conditions) -> None:
        self._exchange = exchange
        self._road = Road(exchange, conditions, self.rejected_as)
        self._faults = conditions.faults
        self._memory = conditions.memory
        self.served: Counter[str] = Counter()
        """Requests by method and path, as they arrived."""

    @abstractmethod
    async def _read(self, request: web.BaseRequest) -> S:
        """Read a request; one that makes no sense is refused in its turn, not here."""

    @abstractmethod
    def _effect(self, sent: S, fault: Fault | None) -> Reply:
        """What the request does, at this moment, and what is answered to it."""

    def _foreign_use(self, since_ms: int, now_ms: int, *names: str) -> tuple[int, int]:
        """Weight and orders that somebody else has used between two times of the shown clock."""
        skew_ms = self._exchange.skew.ms
        since_us, now_us = ((at_ms - skew_ms) * US_PER_MS for at_ms in (since_ms, now_ms))
        return self._faults.foreign_use(since_us, now_us, *names)

    def _effect_shown(self, sent: S, fault: Fault | None) -> Reply:
        status, content, headers = self._effect(sent, fault)
        return status, self._exchange.skew.shown(content), headers

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request: travel, effect, travel, with the faults and holds that hit it."""
        sent = await self._read(request)
        self.served[f"{sent.asked.method} {sent.asked.path}"] += 1
        try:
            status, content, headers = await self._road.carry(
                sent.asked, lambda fault: self._effect_shown(sent, fault)
            )
        except Lost as lost:
            return await lose(request, lost.fault)
        if isinstance(content, str):
            return web.Response(text=content, status=status, content_type="text/html")
        return web.Response(
            body=content if isinstance(content, bytes) else msgspec.json.encode(content),
            status=status,
            headers=headers,
            content_type="application/json",
        )
