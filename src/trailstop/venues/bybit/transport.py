"""Sending to Bybit: signing, time, budgets, and what an answer means.

A read gives its payload or raises `ReadFailed`; a write gives its payload or a `Failure`, which
says whether it may have had effect.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Generic, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct

from trailstop.clock import MS_PER_SECOND, NS_PER_MS
from trailstop.venues.bybit import codes, wire
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.decoding import Decoder, whole
from trailstop.venues.governor import (
    TRAVEL_SPREAD_MS,
    AddressBudget,
    Governor,
    RollingWindow,
    Use,
)
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
Body = Mapping[str, str | int | bool]

VENUE = "bybit"
ADDRESS_REQUESTS = 600
CONNECTS = 500
"""Connections in five minutes, page `ws/connect`."""
ADDRESS_WINDOW_MS = 5_000
"""Requests of one address, page `rate-limit` (read 2026-11)."""
SHUT_OUT_MS = 10 * 60 * MS_PER_SECOND
"""Silence that the exchange wants from an address that it answers with 403."""
ENDPOINT_WINDOW_MS = MS_PER_SECOND
ENDPOINT_REQUESTS = {
    "/v5/position/list": 50,
    "/v5/position/trading-stop": 10,
    "/v5/order/create": 10,
    "/v5/order/realtime": 50,
    "/v5/order/history": 50,
    "/v5/execution/list": 50,
    "/v5/account/fee-rate": 5,
    "/v5/account/info": 50,
    "/v5/user/query-api": 10,
}
"""Requests of one account per second, page `rate-limit` (read 2026-11); what an answer's headers
state replaces them. Endpoints not listed count for the address alone."""
ORDER_ENDPOINTS = ("/v5/position/trading-stop", "/v5/order/create")
HTTP_UNAUTHORIZED = 401

EMPTY: Mapping[str, str] = {}


def new_address() -> AddressBudget:
    """The budget of one address under the exchange's published limit."""
    return AddressBudget(RollingWindow(ADDRESS_REQUESTS, ADDRESS_WINDOW_MS), CONNECTS)


class Answer(Struct, Generic[T], frozen=True):
    """A payload, and the exchange's time of it (Unix ms, 0 where it states none)."""

    payload: T
    at_ms: int


class _Endpoint:
    """The budget of one endpoint: the account's requests of this second, and the address."""

    def __init__(self, limit: int, server: ServerClock, address: AddressBudget) -> None:
        # Two requests that leave a second apart may arrive closer to each other.
        self.window = RollingWindow(limit, ENDPOINT_WINDOW_MS + TRAVEL_SPREAD_MS)
        self.governor = Governor(server.steady_ms, asyncio.sleep, address, (self.window,))


class Transport(Sender):
    """One account's requests over one kept-alive session; what they ask is written in `rest`."""

    CLOCK_CODES = frozenset({codes.CLOCK})

    def __init__(
        self,
        settings: BybitSettings,
        session: aiohttp.ClientSession,
        server: ServerClock,
        address: AddressBudget | None = None,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(VENUE, settings, session, server, chance)
        self._settings = settings
        address = address or new_address()
        self._address = Governor(server.steady_ms, asyncio.sleep, address)
        self._endpoints = {
            path: _Endpoint(limit, server, address) for path, limit in ENDPOINT_REQUESTS.items()
        }

    async def server_time(self) -> int:
        """GET market/time, Unix ms. Raises: ReadFailed."""
        answer = await self._read("/v5/market/time", _TIME, is_signed=False)
        return answer.time_nano // NS_PER_MS

    # --- sending --------------------------------------------------------------------------
    async def _read(
        self,
        path: str,
        decode: Decoder[T],
        params: Mapping[str, str] = EMPTY,
        *,
        is_signed: bool = True,
    ) -> T:
        answer = await self._get(path, decode, params, is_signed=is_signed)
        if isinstance(answer, Failure):
            raise read_failed(path, answer)
        return answer.payload

    async def _get(
        self,
        path: str,
        decode: Decoder[T],
        params: Mapping[str, str] = EMPTY,
        *,
        is_signed: bool = True,
    ) -> Answer[T] | Failure:
        """Wait for a turn and ask. Raises: ReadFailed where no turn comes soon."""
        self._try_read(path)
        endpoint = self._endpoints.get(path)
        if endpoint is None:
            await self._address.read(1)
        else:
            await endpoint.governor.read(1, 1)
        # Cursors come percent-encoded already, and are wanted back as they came.
        query = "&".join(f"{name}={quote(value, safe='%')}" for name, value in params.items())
        if is_signed:
            return await self._signed("GET", path, query, None, decode)
        url = f"{self._settings.rest_url}{path}{'?' if query else ''}{query}"
        reply = await self._request("GET", url, {})
        answer = reply if isinstance(reply, Failure) else self._answered(path, reply, decode)
        return self._saw(answer, is_private=False, is_write=False)

    async def _post(
        self, path: str, body: Body, decode: Decoder[T], *, can_wait: bool = False
    ) -> Answer[T] | Failure:
        """Send a write out of the reserve, or, where it can wait, in its turn."""
        governor = self._endpoints[path].governor
        failure = await self._admit(governor, 1, 1, can_wait=can_wait)
        if failure is not None:
            return failure
        return await self._signed("POST", path, "", msgspec.json.encode(body), decode)

    def _spare_ms(self, path: str, of_address: int, of_endpoint: int) -> int:
        """Milliseconds until so many writes to this endpoint leave the reserve untouched."""
        return self._endpoints[path].governor.spare_ms(of_address, of_endpoint)

    async def _signed(
        self, method: str, path: str, query: str, body: bytes | None, decode: Decoder[T]
    ) -> Answer[T] | Failure:
        endpoint = self._endpoints.get(path)
        return await self._timed(
            path,
            lambda: self._sign_and_send(method, path, query, body, decode),
            lambda: (
                self._address.protective(1)
                if endpoint is None
                else endpoint.governor.protective(1, 1)
            ),
        )

    async def _sign_and_send(
        self, method: str, path: str, query: str, body: bytes | None, decode: Decoder[T]
    ) -> Answer[T] | Failure:
        settings = self._settings
        is_write = body is not None
        at_ms = self.server.now_ms()
        window_ms = settings.write_window_ms if is_write else settings.read_window_ms
        content = query if body is None else body.decode()
        headers = {
            "X-BAPI-API-KEY": settings.api_key,
            "X-BAPI-TIMESTAMP": str(at_ms),
            "X-BAPI-RECV-WINDOW": str(window_ms),
            "X-BAPI-SIGN": signature(
                settings.api_secret, f"{at_ms}{settings.api_key}{window_ms}{content}"
            ),
        }
        if is_write:
            headers["Content-Type"] = "application/json"
        url = f"{settings.rest_url}{path}{'?' if query else ''}{query}"
        reply = await self._request(method, url, headers, body, is_write=is_write)
        answer = reply if isinstance(reply, Failure) else self._answered(path, reply, decode)
        self._saw(answer, is_private=True, is_write=is_write)
        if isinstance(answer, Failure):
            return msgspec.structs.replace(answer, sent_at_ms=at_ms)
        return answer

    # --- answers --------------------------------------------------------------------------
    def _answered(self, path: str, reply: Reply, decode: Decoder[T]) -> Answer[T] | Failure:
        """Count what the answer says of the budgets, and read it."""
        endpoint = self._endpoints.get(path)
        if endpoint is not None:
            self._count(endpoint.window, reply)
        answer = read_answer(reply.status, reply.body, decode)
        if not isinstance(answer, Failure):
            return answer
        if reply.status == HTTP_FORBIDDEN or answer.code == codes.ADDRESS_LIMIT:
            self._address.close_for(SHUT_OUT_MS)
            self._log.warning("the exchange asks for silence", retry_after_ms=SHUT_OUT_MS)
            return msgspec.structs.replace(answer, retry_after_ms=SHUT_OUT_MS)
        if answer.code == codes.TOO_MANY_VISITS:
            return self._too_many(endpoint, reply, answer)
        return answer

    def _count(self, window: RollingWindow, reply: Reply) -> None:
        limit = whole(reply.headers.get("X-Bapi-Limit"))
        left = whole(reply.headers.get("X-Bapi-Limit-Status"))
        if limit:
            window.limit = limit
            if left is not None:
                since_sent_ms = self.server.now_ms() - reply.sent_ms
                now_ms = self.server.steady_ms()
                window.told(now_ms, limit - left, now_ms - since_sent_ms)

    def _too_many(self, endpoint: _Endpoint | None, reply: Reply, answer: Failure) -> Failure:
        """One endpoint is used up until the time that the answer states.

        The answer is dated by the same clock, so that a wrong estimate of ours does no harm.
        """
        now_ms = whole(_ENVELOPE(reply.body).time) or self.server.now_ms()
        until_ms = whole(reply.headers.get("X-Bapi-Limit-Reset-Timestamp"))
        wait_ms = ENDPOINT_WINDOW_MS
        if until_ms is not None and until_ms > now_ms:
            wait_ms = until_ms - now_ms
        if endpoint is not None:
            endpoint.window.close_until(self.server.steady_ms() + wait_ms)
        return msgspec.structs.replace(answer, retry_after_ms=wait_ms)

    def _used(self) -> tuple[Use, Use]:
        weight, _ = self._address.used()
        orders = [self._endpoints[path].governor.used()[1] for path in ORDER_ENDPOINTS]
        return weight, max(orders, key=lambda use: use.used / use.limit)

    def _closed_ms(self) -> int:
        return self._address.closed_ms


def read_answer(status: int, body: bytes, decode: Decoder[T]) -> Answer[T] | Failure:
    """The payload of an answer, or what its absence says about the request's effect.

    Nearly every answer is an HTTP 200 whose `retCode` tells. Pages `error` and `guide`, read
    2026-11: timeouts and overload of the server may have had effect; limits stand in front of
    everything; any other code is definite. A page of somebody in between proves nothing.
    """
    try:
        envelope = _ENVELOPE(body)
    except msgspec.DecodeError:
        envelope = None
    if envelope is not None and envelope.ret_code == 0 and status <= HTTP_OK_MAX:
        try:
            return Answer(decode(envelope.result), whole(envelope.time) or 0)
        except msgspec.DecodeError as error:
            return Failure(FailureKind.UNKNOWN, 0, f"the answer cannot be read: {error}")
    code = envelope.ret_code if envelope is not None else 0
    said = envelope.ret_msg if envelope is not None else foreign_text(body)
    text = f"retCode {code}: {said}" if code else f"HTTP {status}: {said}"
    if status == HTTP_FORBIDDEN or code in {codes.TOO_MANY_VISITS, codes.ADDRESS_LIMIT}:
        kind = FailureKind.TRANSIENT
    elif status == HTTP_UNAUTHORIZED:
        kind = FailureKind.REFUSED
    elif (
        code == 0
        or code in codes.UNKNOWN_OUTCOME
        or status >= HTTP_SERVER_ERROR
        or status in {HTTP_TIMEOUT, HTTP_TOO_MANY}
    ):
        kind = FailureKind.UNKNOWN
    else:
        kind = FailureKind.REFUSED
    return Failure(kind, code or status, text)


_ENVELOPE: Decoder[wire.Envelope] = Decoder(wire.Envelope)
_TIME: Decoder[wire.ServerTime] = Decoder(wire.ServerTime)
