"""Sending to Binance USDⓈ-M futures: signing, time, budgets, and what an answer means.

A read gives its payload or raises `ReadFailed`; a write, and a look-up of one, gives its
payload or a `Failure`, which says whether it may have had effect.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Literal, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec
import structlog
from msgspec import Struct
from yarl import URL

from trailstop.clock import MS_PER_SECOND
from trailstop.errors import ReadFailed
from trailstop.venues.binance import codes, translate, wire
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.governor import AddressBudget, Governor, Window
from trailstop.venues.offset import ServerClock

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

HTTP_OK_MAX = 299
HTTP_FORBIDDEN = 403
HTTP_TIMEOUT = 408
HTTP_BANNED = 418
HTTP_TOO_MANY = 429
HTTP_SERVER_ERROR = 500
HTTP_UNAVAILABLE = 503
TEXT_MAX = 200
"""Characters of a foreign body that a message repeats."""
BANNED_UNTIL = re.compile(r"banned until (\d+)")

EMPTY: Mapping[str, str] = {}


def new_address() -> AddressBudget:
    """The budget of one address under the exchange's published limit."""
    return AddressBudget(Window(WEIGHT_PER_MINUTE, MINUTE_MS))


class FailureKind(enum.Enum):
    """What a failed request may have done."""

    REFUSED = "refused"
    """Certainly no effect; the code says why."""
    TRANSIENT = "transient"
    """Certainly no effect, and nothing wrong with the request: never sent, or turned away."""
    UNKNOWN = "unknown"
    """It may have had effect."""


class Failure(Struct, frozen=True):
    """Why there is no payload. `code` is the exchange's, else the HTTP status, else 0.

    `sent_at_ms` is the time that the request was signed with, 0 where it was not signed; its
    `recvWindow` later it can no longer have effect.
    """

    kind: FailureKind
    code: int
    text: str
    retry_after_ms: int | None = None
    sent_at_ms: int = 0


def signature(secret: str, payload: str) -> str:
    """HMAC-SHA256 in hexadecimal over the parameters as sent, page `general-info`."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class Transport:
    """One account's requests over one kept-alive session; what they ask is written in `rest`."""

    def __init__(
        self,
        settings: BinanceSettings,
        session: aiohttp.ClientSession,
        server: ServerClock,
        address: AddressBudget | None = None,
    ) -> None:
        self._settings = settings
        self._session = session
        self.server = server
        orders = (
            Window(ORDERS_PER_10S, TEN_SECONDS_MS),
            Window(ORDERS_PER_MINUTE, MINUTE_MS),
        )
        address = address or new_address()
        self.governor = Governor(server.now_ms, asyncio.sleep, address, orders)
        self._headers = {"X-MBX-APIKEY": settings.api_key}
        self._read_timeout = _timeout(settings.connect_seconds, settings.answer_seconds)
        self._write_timeout = _timeout(settings.connect_seconds, settings.write_answer_seconds)
        self._log = structlog.get_logger("trailstop.venue").bind(
            account=settings.account, venue=translate.VENUE
        )

    async def server_time(self) -> int:
        """GET time, weight 1."""
        answer = await self._read("/fapi/v1/time", _TIME, weight=1, signed=False)
        return answer.server_time

    async def sync_clock(self) -> None:
        """Estimate the exchange's clock anew. Raises: ReadFailed."""
        await self.server.sync(self.server_time)

    # --- sending --------------------------------------------------------------------------
    async def _read(
        self,
        path: str,
        decode: wire.Decoder[T],
        params: Mapping[str, str] = EMPTY,
        weight: int = 1,
        signed: bool = True,
    ) -> T:
        await self.governor.read(weight)
        if signed:
            answer = await self._signed("GET", path, params, decode)
        else:
            answer = await self._send("GET", path, urlencode(params), decode)
        if isinstance(answer, Failure):
            raise read_failed(path, answer)
        return answer

    async def _write(
        self,
        method: Method,
        path: str,
        params: Mapping[str, str],
        decode: wire.Decoder[T],
        *,
        weight: int = 0,
        orders: int = 0,
    ) -> T | Failure:
        wait_ms = self.governor.protective(weight, orders)
        if wait_ms:
            text = f"our own request budget is used up for {wait_ms} ms"
            return Failure(FailureKind.TRANSIENT, 0, text, wait_ms)
        return await self._signed(method, path, params, decode, is_write=True)

    async def _signed(
        self,
        method: Method,
        path: str,
        params: Mapping[str, str],
        decode: wire.Decoder[T],
        *,
        is_write: bool = False,
    ) -> T | Failure:
        """Sign and send; once more after reading the clock where that was the refusal.

        The repeat is safe for a write too, with the same client id: the refusal is definite.
        """
        answer = await self._sign_and_send(method, path, params, decode, is_write=is_write)
        if (
            not isinstance(answer, Failure)
            or answer.kind is not FailureKind.REFUSED
            or answer.code not in codes.CLOCK_CODES
        ):
            return answer
        self._log.warning("the exchange's clock was misjudged, reading it again", path=path)
        try:
            await self.sync_clock()
        except ReadFailed:
            return answer
        return await self._sign_and_send(method, path, params, decode, is_write=is_write)

    async def _sign_and_send(
        self,
        method: Method,
        path: str,
        params: Mapping[str, str],
        decode: wire.Decoder[T],
        *,
        is_write: bool,
    ) -> T | Failure:
        at_ms = self.server.now_ms()
        settings = self._settings
        window_ms = settings.write_window_ms if is_write else settings.read_window_ms
        payload = urlencode({**params, "recvWindow": window_ms, "timestamp": at_ms})
        signed = f"{payload}&signature={signature(self._settings.api_secret, payload)}"
        answer = await self._send(method, path, signed, decode, is_write=is_write)
        if isinstance(answer, Failure):
            return msgspec.structs.replace(answer, sent_at_ms=at_ms)
        return answer

    async def _send(
        self,
        method: Method,
        path: str,
        query: str,
        decode: wire.Decoder[T],
        *,
        is_write: bool = False,
    ) -> T | Failure:
        """Send once and say what the answer, or its absence, means."""
        sent_ms = self.server.now_ms()
        url = URL(f"{self._settings.rest_url}{path}{'?' if query else ''}{query}", encoded=True)
        try:
            async with self._session.request(
                method,
                url,
                headers=self._headers,
                timeout=self._write_timeout if is_write else self._read_timeout,
                # Followed, a redirected order would be sent again, as something else.
                allow_redirects=False,
            ) as response:
                body = await response.read()
                status, headers = response.status, response.headers
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Failure(FailureKind.TRANSIENT, 0, f"no connection: {error}")
        except TimeoutError:
            return Failure(FailureKind.UNKNOWN, 0, "no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return Failure(FailureKind.UNKNOWN, 0, f"the connection was lost: {error!r}")
        self._count(headers, sent_ms)
        if status <= HTTP_OK_MAX:
            return _decoded(body, decode)
        failure = classify(status, body)
        if status in {HTTP_TOO_MANY, HTTP_BANNED}:
            return self._shut_out(failure, headers)
        return failure

    def _count(self, headers: Mapping[str, str], sent_ms: int) -> None:
        self.governor.told(
            _whole(headers.get("X-MBX-USED-WEIGHT-1M")),
            (
                _whole(headers.get("X-MBX-ORDER-COUNT-10S")),
                _whole(headers.get("X-MBX-ORDER-COUNT-1M")),
            ),
            sent_ms,
        )

    def _shut_out(self, failure: Failure, headers: Mapping[str, str]) -> Failure:
        """Keep silent for as long as the exchange asks; orders only where only they overflow."""
        seconds = _whole(headers.get("Retry-After"))
        banned_until = BANNED_UNTIL.search(failure.text)
        if seconds is not None:
            wait_ms = seconds * MS_PER_SECOND
        elif banned_until is not None:
            wait_ms = max(0, int(banned_until[1]) - self.server.now_ms())
        elif failure.code == codes.TOO_MANY_ORDERS:
            wait_ms = self.governor.orders_exhausted()
            return msgspec.structs.replace(failure, retry_after_ms=wait_ms)
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
        text = body[:TEXT_MAX].decode(errors="replace").strip()
        error = wire.ErrorBody(0, text)
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


def _decoded(body: bytes, decode: wire.Decoder[T]) -> T | Failure:
    try:
        return decode(body)
    except msgspec.DecodeError as cause:
        try:
            error = _ERROR(body)
        except msgspec.DecodeError:
            return Failure(FailureKind.UNKNOWN, 0, f"the answer cannot be read: {cause}")
        return Failure(FailureKind.UNKNOWN, error.code, f"HTTP 200 with an error: {error.msg}")


def _timeout(connect_seconds: float, answer_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=connect_seconds + answer_seconds,
        sock_connect=connect_seconds,
        sock_read=answer_seconds,
    )


def read_failed(path: str, failure: Failure) -> ReadFailed:
    """The error of a read that has no payload."""
    return ReadFailed(f"{path}: {failure.text}")


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


_ERROR: wire.Decoder[wire.ErrorBody] = wire.Decoder(wire.ErrorBody)
_TIME: wire.Decoder[wire.ServerTime] = wire.Decoder(wire.ServerTime)
