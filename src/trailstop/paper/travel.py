"""The way of a request to the exchange and back, in any dialect: latency, faults and holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from aiohttp import web

from trailstop.paper.exchange import Exchange
from trailstop.paper.serving import Conditions
from trailstop.paper.trouble.faults import Asked, Fault
from trailstop.paper.trouble.kinds import CREATE_KINDS, RequestFaultKind

US_PER_MS = 1_000
US_PER_SECOND = 1_000_000
TRAVELLING: tuple[RequestFaultKind, ...] = ("lost_request", "lost_answer", "delay")
"""Faults of the way itself; every other one is an answer of the exchange."""
MAY_EXECUTE: tuple[RequestFaultKind, ...] = ("unknown", "internal", "timeout")
"""Answers that leave open whether the request took effect; the fault's `executed` says it."""
SPOILING: tuple[RequestFaultKind, ...] = ("empty", "error_in_body", "truncated", "tamper")
"""The request takes effect, and its answer is not what it was meant to be."""
TAKES_EFFECT = (*SPOILING, "lagging", *CREATE_KINDS)

T = TypeVar("T")


class Lost(Exception):
    """The caller gets no answer, in the manner of `fault`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


class Road:
    """Carries requests: travel, hold, effect, hold, travel, with the fault that hits them."""

    def __init__(self, exchange: Exchange, conditions: Conditions, rejected_as: str) -> None:
        """`rejected_as`: how an order ends that was accepted and is rejected later."""
        self._rejected_as = rejected_as
        self._dooms = conditions.dooms
        self._exchange = exchange
        self._latency = conditions.latency
        self._faults = conditions.faults
        self._holds = conditions.holds

    def asked(
        self,
        method: str,
        path: str,
        key: str,
        values: Mapping[str, str],
        client_id: str,
        *,
        timed: bool = False,
    ) -> Asked:
        """A request as faults and holds see it; `key` may be one that no account has.

        `timed`: it says when it was sent.
        """
        account = self._exchange.world.accounts.get(key)
        return Asked(
            method=method,
            path=path,
            account=key,
            account_name=account.name if account is not None else "",
            symbol=values.get("symbol", ""),
            client_id=client_id,
            params=dict(values),
            timed=timed,
        )

    async def carry(self, asked: Asked, effect: Callable[[Fault | None], T]) -> T:
        """Return what `effect` answers at its moment; raises Lost where no answer arrives.

        `effect` is given the fault that the exchange itself answers with, if one does.
        """
        loop = self._exchange.loop
        fault = self._faults.for_request(asked, loop.now_us)
        one_way_us = self._latency.one_way_us(
            f"{asked.method} {asked.path}", asked.account_name, asked.symbol, loop.now_us
        )
        if fault is not None and fault.kind == "delay":
            one_way_us += fault.delay_ms * US_PER_MS
        await self._holds.at("effect", asked, self._exchange.now_ms)
        if fault is not None and fault.kind == "lost_request":
            raise Lost(fault)
        await _travel(one_way_us)
        answered = fault if fault is not None and fault.kind not in TRAVELLING else None
        if answered is not None and answered.kind in CREATE_KINDS:
            self._dooms.arm(answered, asked, self._rejected_as)
        answer = effect(answered)
        await self._holds.at("answer", asked, self._exchange.now_ms)
        if fault is not None and fault.kind == "lost_answer":
            raise Lost(fault)
        await _travel(one_way_us)
        return answer


def takes_effect(fault: Fault | None) -> bool:
    """Whether a request that is answered with this fault is executed all the same."""
    if fault is None or fault.kind in TAKES_EFFECT:
        return True
    return fault.executed and fault.kind in MAY_EXECUTE


async def lose(request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
    """Leave the caller without an answer: by cutting the connection, or by saying nothing."""
    transport = request.transport
    if fault.cut and transport is not None:
        transport.abort()
        return web.Response()
    # The server cancels this wait when it closes; a caller who gives up needs no answer.
    await asyncio.get_running_loop().create_future()
    return web.Response()


async def _travel(one_way_us: int) -> None:
    if one_way_us > 0:
        await asyncio.sleep(one_way_us / US_PER_SECOND)
