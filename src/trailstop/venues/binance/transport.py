"""Sending to Binance USDⓈ-M futures: signing, time, budgets, and what an answer means.

A read gives its payload or raises `ReadFailed`; a write, and a look-up of one, gives its
payload or a `Failure`, which says whether it may have had effect.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from typing import Literal, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec

from trailstop.clock import MS_PER_SECOND
from trailstop.venues.binance import codes, translate, wire
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.decoding import Decoder, whole
from trailstop.venues.governor import AddressBudget, Governor, Use, Window
from trailstop.venues.offset import ServerClock
from trailstop.venues.sending import (
    HTTP_FORBIDDEN,
    HTTP_OK_MAX,
    HTTP_SERVER_ERROR,
    HTTP_TIMEOUT,
    HTTP_TOO_MANY,
    Failure,
    FailureKind,
    Reply,
    Sender,
    foreign_text,
    read_failed,
    signature,
)

T = TypeVar("T")
Method = Literal["GET", "POST", "PUT", "DELETE"]

WEIGHT_PER_MINUTE = 2_400
ORDERS_PER_MINUTE = 1_200
ORDERS_PER_10S = 300
"""Limits of live accounts, `exchangeInfo.rateLimits` (read 2026-09); the host's replace them."""
MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
SILENCE_MS_DEFAULT = 60_000
"""Pause after a 429 or 418 that names none: the rest of the present minute is in it."""

FIREWALL_MS_FIRST = 1_500
FIREWALL_MS_MAX = 60_000
"""Silence after a 403, which the web firewall gives without saying for how long: doubled with each
one that follows, since the first may be a single mistake of it."""

HTTP_BANNED = 418
HTTP_UNAVAILABLE = 503
BANNED_UNTIL = re.compile(r"banned until (\d+)")

EMPTY: Mapping[str, str] = {}


def new_address() -> AddressBudget:
    """The budget of one address under the exchange's published limit."""
    return AddressBudget(Window(WEIGHT_PER_MINUTE, MINUTE_MS))


class Transport(Sender):
    """One account's requests over one kept-alive session; what they ask is written in `rest`."""

    CLOCK_CODES = codes.CLOCK_CODES

    def __init__(
        self,
        settings: BinanceSettings,
        session: aiohttp.ClientSession,
        server: ServerClock,
        address: AddressBudget | None = None,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(translate.VENUE, settings, session, server, chance)
        self._settings = settings
        orders = (
            Window(ORDERS_PER_10S, TEN_SECONDS_MS),
            Window(ORDERS_PER_MINUTE, MINUTE_MS),
        )
        address = address or new_address()
        address.accounts.add(settings.account)
        self.governor = Governor(
            server.now_ms, asyncio.sleep, address, orders, steady_ms=server.steady_ms
        )
        self._firewall_ms = FIREWALL_MS_FIRST
        self._headers = {"X-MBX-APIKEY": settings.api_key}

    async def server_time(self) -> int:
        """GET time, weight 1."""
        answer = await self._read("/fapi/v1/time", _TIME, weight=1, signed=False)
        return answer.server_time

    # --- sending --------------------------------------------------------------------------
    async def _read(
        self,
        path: str,
        decode: Decoder[T],
        params: Mapping[str, str] = EMPTY,
        weight: int = 1,
        signed: bool = True,
    ) -> T:
        answer = await self._get(path, decode, params, weight, signed)
        if isinstance(answer, Failure):
            raise read_failed(path, answer)
        return answer

    async def _get(
        self,
        path: str,
        decode: Decoder[T],
        params: Mapping[str, str] = EMPTY,
        weight: int = 1,
        signed: bool = True,
    ) -> T | Failure:
        """Wait for a turn and ask. Raises: ReadFailed where no turn comes soon."""
        self._try_read(path)
        await self.governor.read(weight)
        if signed:
            return await self._signed("GET", path, params, decode, weight=weight)
        return await self._send("GET", path, urlencode(params), decode)

    async def _write(
        self,
        method: Method,
        path: str,
        params: Mapping[str, str],
        decode: Decoder[T],
        *,
        weight: int = 0,
        orders: int = 0,
        can_wait: bool = False,
        then_weight: int = 0,
    ) -> T | Failure:
        failure = await self._admit(
            self.governor, weight, orders, can_wait=can_wait, then_weight=then_weight
        )
        if failure is not None:
            return failure
        return await self._signed(
            method, path, params, decode, weight=weight, orders=orders, is_write=True
        )

    async def _signed(
        self,
        method: Method,
        path: str,
        params: Mapping[str, str],
        decode: Decoder[T],
        *,
        weight: int,
        orders: int = 0,
        is_write: bool = False,
    ) -> T | Failure:
        return await self._timed(
            path,
            lambda: self._sign_and_send(method, path, params, decode, is_write=is_write),
            lambda: self.governor.protective(weight, orders),
        )

    async def _sign_and_send(
        self,
        method: Method,
        path: str,
        params: Mapping[str, str],
        decode: Decoder[T],
        *,
        is_write: bool,
    ) -> T | Failure:
        at_ms = self.server.now_ms()
        settings = self._settings
        window_ms = settings.write_window_ms if is_write else settings.read_window_ms
        payload = urlencode({**params, "recvWindow": window_ms, "timestamp": at_ms})
        signed = f"{payload}&signature={signature(self._settings.api_secret, payload)}"
        answer = await self._send(method, path, signed, decode, is_write=is_write, is_private=True)
        if isinstance(answer, Failure):
            return msgspec.structs.replace(answer, sent_at_ms=at_ms)
        return answer

    async def _send(
        self,
        method: Method,
        path: str,
        query: str,
        decode: Decoder[T],
        *,
        is_write: bool = False,
        is_private: bool = False,
    ) -> T | Failure:
        """Send once and say what the answer, or its absence, means."""
        answer = await self._answer(method, path, query, decode, is_write=is_write)
        return self._saw(answer, is_private=is_private, is_write=is_write)

    async def _answer(
        self, method: Method, path: str, query: str, decode: Decoder[T], *, is_write: bool
    ) -> T | Failure:
        url = f"{self._settings.rest_url}{path}{'?' if query else ''}{query}"
        reply = await self._request(method, url, self._headers, is_write=is_write)
        if isinstance(reply, Failure):
            return reply
        self._count(reply.headers, reply.sent_ms)
        if reply.status != HTTP_FORBIDDEN:
            self._firewall_ms = FIREWALL_MS_FIRST
        if reply.status <= HTTP_OK_MAX:
            return _decoded(reply.body, decode)
        failure = classify(reply.status, reply.body)
        if reply.status in {HTTP_TOO_MANY, HTTP_BANNED, HTTP_FORBIDDEN}:
            return self._shut_out(failure, reply)
        return failure

    def _used(self) -> tuple[Use, Use]:
        return self.governor.used()

    def _closed_ms(self) -> int:
        return self.governor.closed_ms

    def _count(self, headers: Mapping[str, str], sent_ms: int) -> None:
        self.governor.told(
            whole(headers.get("X-MBX-USED-WEIGHT-1M")),
            (
                whole(headers.get("X-MBX-ORDER-COUNT-10S")),
                whole(headers.get("X-MBX-ORDER-COUNT-1M")),
            ),
            sent_ms,
        )

    def _shut_out(self, failure: Failure, reply: Reply) -> Failure:
        """Keep silent for as long as the exchange asks; orders only where only they overflow."""
        seconds = whole(reply.headers.get("Retry-After"))
        banned_until = BANNED_UNTIL.search(failure.text)
        if seconds is not None:
            wait_ms = seconds * MS_PER_SECOND
        elif banned_until is not None:
            wait_ms = max(0, int(banned_until[1]) - self.server.now_ms())
        elif failure.code == codes.TOO_MANY_ORDERS:
            wait_ms = self.governor.orders_exhausted(longest="MINUTE" in failure.text.upper())
            return msgspec.structs.replace(failure, retry_after_ms=wait_ms)
        elif reply.status == HTTP_FORBIDDEN:
            wait_ms = self._firewall_ms
            self._firewall_ms = min(2 * wait_ms, FIREWALL_MS_MAX)
        else:
            wait_ms = SILENCE_MS_DEFAULT
        self.governor.close_for(wait_ms)
        self._log.warning("the exchange asks for silence", retry_after_ms=wait_ms)
        return msgspec.structs.replace(failure, retry_after_ms=wait_ms)


def classify(status: int, body: bytes) -> Failure:
    """What an answer that is no success says about the request's effect.

    Pages `general-info` and `error-code`, read 2026-11: a 5xx has an unknown outcome but for
    503 "Service Unavailable" and -1008, which were not executed. A 4xx with an error body is
    definite but for four codes; 403 comes from the firewall, 429 and 418 from the limits, in
    front of everything. Any other page of somebody in between proves nothing.
    """
    try:
        error = _ERROR(body)
    except msgspec.DecodeError:
        error = wire.ErrorBody(0, foreign_text(body))
    unavailable = error.msg.lower().startswith("service unavailable")
    if (
        status in {HTTP_FORBIDDEN, HTTP_TOO_MANY, HTTP_BANNED}
        or error.code == codes.OVERLOADED
        or (status == HTTP_UNAVAILABLE and unavailable)
    ):
        kind = FailureKind.TRANSIENT
    elif (
        status >= HTTP_SERVER_ERROR
        or status == HTTP_TIMEOUT
        or error.code >= 0
        or error.code in codes.UNKNOWN_OUTCOME
    ):
        kind = FailureKind.UNKNOWN
    else:
        kind = FailureKind.REFUSED
    return Failure(kind, error.code or status, f"HTTP {status}: {error.msg}")


def _decoded(body: bytes, decode: Decoder[T]) -> T | Failure:
    try:
        return decode(body)
    except msgspec.DecodeError as cause:
        try:
            error = _ERROR(body)
        except msgspec.DecodeError:
            return Failure(FailureKind.UNKNOWN, 0, f"the answer cannot be read: {cause}")
        return Failure(FailureKind.UNKNOWN, error.code, f"HTTP 200 with an error: {error.msg}")


_ERROR: Decoder[wire.ErrorBody] = Decoder(wire.ErrorBody)
_TIME: Decoder[wire.ServerTime] = Decoder(wire.ServerTime)
