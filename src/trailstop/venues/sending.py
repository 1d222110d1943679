"""One HTTP request to an exchange, and what is known where it has no answer.

Every exchange's transport signs and counts in its own way, and reads the answers by its own
codes; this is what all of them do alike.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import TypeVar

import aiohttp
import structlog
from msgspec import Struct
from yarl import URL

from trailstop.errors import ReadFailed
from trailstop.venues.offset import ServerClock
from trailstop.venues.settings import AccountSettings

T = TypeVar("T")

HTTP_OK_MAX = 299
HTTP_FORBIDDEN = 403
HTTP_TIMEOUT = 408
HTTP_TOO_MANY = 429
HTTP_SERVER_ERROR = 500
TEXT_MAX = 200
"""Characters of a foreign body that a message repeats."""


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
    receive window later it can no longer have effect.
    """

    kind: FailureKind
    code: int
    text: str
    retry_after_ms: int | None = None
    sent_at_ms: int = 0


class Reply(Struct, frozen=True):
    """An answer of whoever stands behind the address, the exchange or somebody in between.

    `sent_ms` is the exchange's time, by our estimate, at which the request left.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_ms: int


class Sender(ABC):
    """One account's requests over one kept-alive session.

    A write is waited for more briefly than a read.
    """

    def __init__(
        self,
        venue: str,
        settings: AccountSettings,
        session: aiohttp.ClientSession,
        server: ServerClock,
    ) -> None:
        self.server = server
        self._session = session
        self._read_timeout = _timeout(settings.connect_seconds, settings.answer_seconds)
        self._write_timeout = _timeout(settings.connect_seconds, settings.write_answer_seconds)
        self._log = structlog.get_logger("trailstop.venue").bind(
            account=settings.account, venue=venue
        )

    @abstractmethod
    async def server_time(self) -> int:
        """What the exchange's clock shows, Unix ms. Raises: ReadFailed."""

    async def sync_clock(self) -> None:
        """Estimate the exchange's clock anew. Raises: ReadFailed."""
        await self.server.sync(self.server_time)

    async def _timed(
        self,
        path: str,
        clock_codes: Container[int],
        attempt: Callable[[], Awaitable[T | Failure]],
    ) -> T | Failure:
        """Sign and send; once more after reading the clock where that was the refusal.

        The repeat is safe for a write too, with the same client id: the refusal is definite.
        """
        answer = await attempt()
        if (
            not isinstance(answer, Failure)
            or answer.kind is not FailureKind.REFUSED
            or answer.code not in clock_codes
        ):
            return answer
        self._log.warning("the exchange's clock was misjudged, reading it again", path=path)
        try:
            await self.sync_clock()
        except ReadFailed:
            return answer
        return await attempt()

    async def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        is_write: bool = False,
    ) -> Reply | Failure:
        """Send once. `url` is spelled as it was signed and is not encoded again."""
        sent_ms = self.server.now_ms()
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                timeout=self._write_timeout if is_write else self._read_timeout,
                # Followed, a redirected order would be sent again, as something else.
                allow_redirects=False,
            ) as response:
                content = await response.read()
                return Reply(response.status, response.headers, content, sent_ms)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Failure(FailureKind.TRANSIENT, 0, f"no connection: {error}")
        except TimeoutError:
            return Failure(FailureKind.UNKNOWN, 0, "no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return Failure(FailureKind.UNKNOWN, 0, f"the connection was lost: {error!r}")


def signature(secret: str, payload: str) -> str:
    """HMAC-SHA256 in hexadecimal, with which exchanges know who sent this."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def out_of_budget(wait_ms: int) -> Failure:
    """A write that was not sent, since our own budget has room again only then."""
    text = f"our own request budget is used up for {wait_ms} ms"
    return Failure(FailureKind.TRANSIENT, 0, text, wait_ms)


def foreign_text(body: bytes) -> str:
    """The beginning of a body that is none of the exchange's own."""
    return body[:TEXT_MAX].decode(errors="replace").strip()


def read_failed(path: str, failure: Failure) -> ReadFailed:
    """The error of a read that has no payload."""
    return ReadFailed(f"{path}: {failure.text}")


def _timeout(connect_seconds: float, answer_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=connect_seconds + answer_seconds,
        sock_connect=connect_seconds,
        sock_read=answer_seconds,
    )
