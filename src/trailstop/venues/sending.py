"""One HTTP request to an exchange, and what is known where it has no answer.

Every exchange's transport signs and counts in its own way, and reads the answers by its own
codes; this is what all of them do alike.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
import hmac
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, TypeGuard, TypeVar

import aiohttp
import structlog
from msgspec import Struct
from yarl import URL

from trailstop.clock import MS_PER_SECOND
from trailstop.errors import ReadFailed
from trailstop.ports import VenueHealth
from trailstop.venues.breaker import Breaker
from trailstop.venues.governor import Governor, Use, is_urgent, urgent_reads
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
CURE_SECONDS = 2.0
"""How long a request that was refused by its time may wait until the clock is read."""
CURE_AGAIN_MS = 10_000
"""Pause after a reading that did not help: the way is too slow, or the refusal is a mistake."""


class FailureKind(enum.Enum):
    """What a failed request may have done."""

    REFUSED = "refused"
    """Certainly no effect; the code says why."""
    TRANSIENT = "transient"
    """Certainly no effect, and nothing wrong with the request: never sent, or turned away."""
    NO_TURN = "no_turn"
    """Not sent, certainly: a move that would have taken the reserve of the limits."""
    FULL = "full"
    """Not sent, certainly: what protects, while even the reserve of the limits is used up."""
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

    CLOCK_CODES: ClassVar[frozenset[int]]
    """Codes with which the exchange refuses the time of a request."""

    def __init__(
        self,
        venue: str,
        settings: AccountSettings,
        session: aiohttp.ClientSession,
        server: ServerClock,
        chance: random.Random | None = None,
    ) -> None:
        """`chance` is the source of jitter; without one it is seeded by the account's name."""
        self.server = server
        self._breaker = Breaker(server.steady_ms, chance or random.Random(settings.account))
        self._clock_corrections = 0
        self._incurable_until_ms = 0
        self._success_ms: int | None = None
        self._last_error = ""
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

    @abstractmethod
    def _used(self) -> tuple[Use, Use]:
        """Of the address' requests, and of the account's orders where they are fullest."""

    @abstractmethod
    def _closed_ms(self) -> int:
        """Milliseconds for which nothing may be sent; 0 when open."""

    def health(self) -> VenueHealth:
        """How requests fare. Asks nothing."""
        weight, orders = self._used()
        closed_ms = self._closed_ms()
        return VenueHealth(
            breaker_open_since_ms=self._stated(self._breaker.open_since_ms),
            failures=self._breaker.failures,
            last_success_ms=self._stated(self._success_ms),
            last_error=self._last_error,
            weight_used=weight.used,
            weight_limit=weight.limit,
            orders_used=orders.used,
            orders_limit=orders.limit,
            shut_until_ms=self.server.now_ms() + closed_ms if closed_ms else None,
            clock_offset_ms=self.server.ahead_of_wall_ms,
            clock_corrections=self._clock_corrections,
        )

    async def _admit(
        self, governor: Governor, weight: int, orders: int, *, can_wait: bool, then_weight: int = 0
    ) -> Failure | None:
        """Count a write, one that can wait within its share; the failure where none fits.

        `then_weight` is what follows from a write that can wait.
        """
        # While nothing at all may be sent a move fails like everything else, and loudly.
        if can_wait and not governor.closed_ms:
            wait_ms = await governor.move(weight, orders, then_weight)
            return out_of_budget(wait_ms, FailureKind.NO_TURN) if wait_ms else None
        wait_ms = governor.protective(weight, orders)
        if not wait_ms:
            return None
        return out_of_budget(
            wait_ms, FailureKind.TRANSIENT if governor.closed_ms else FailureKind.FULL
        )

    def _stated(self, steady_ms: int | None) -> int | None:
        """A time of our monotonic clock as the exchange's, by the present estimate."""
        if steady_ms is None:
            return None
        return self.server.now_ms() - self.server.steady_ms() + steady_ms

    def _try_read(self, path: str) -> None:
        """Raises: ReadFailed where so many reads failed that this one is not even tried."""
        wait_ms = self._breaker.wait_ms(urgent=is_urgent())
        if wait_ms:
            raise ReadFailed(
                f"{path}: not asked, since {self._breaker.failures} reads in a row failed "
                f"({self._last_error}); the next one is tried in {wait_ms} ms"
            )

    def _saw(self, answer: T | Failure, *, is_private: bool, is_write: bool) -> T | Failure:
        """Learn from what became of a request whether the exchange is well; return it."""
        breaker = self._breaker
        was_open = breaker.open_since_ms is not None
        if not isinstance(answer, Failure):
            breaker.succeeded()
            if is_private:
                self._success_ms = self.server.steady_ms()
        else:
            self._last_error = answer.text
            if answer.kind is FailureKind.REFUSED and answer.code not in self.CLOCK_CODES:
                breaker.succeeded()
            elif answer.retry_after_ms is None and not is_write:
                # A limit is no sickness: it has its own silence.
                breaker.failed()
        is_open = breaker.open_since_ms is not None
        if is_open and not was_open:
            self._log.error("exchange_unwell", failures=breaker.failures, error=self._last_error)
        elif was_open and not is_open:
            self._log.info("exchange_well")
        return answer

    async def _timed(
        self,
        path: str,
        attempt: Callable[[], Awaitable[T | Failure]],
        count_again: Callable[[], int],
    ) -> T | Failure:
        """Sign and send; once more after reading the clock where that was the refusal.

        The repeat is safe for a write too, with the same client id: the refusal is definite.
        `count_again` counts it, or says how long nothing may be sent.
        """
        answer = await attempt()
        if not self._is_by_clock(answer):
            return answer
        if self.server.steady_ms() < self._incurable_until_ms:
            return answer
        before_ms = self.server.ahead_of_wall_ms
        try:
            with urgent_reads():
                async with asyncio.timeout(CURE_SECONDS):
                    await self.sync_clock()
        except (ReadFailed, TimeoutError) as error:
            self._give_up_cure(
                path, f"its clock cannot be read ({str(error) or 'no answer in time'})"
            )
            return answer
        self._clock_corrections += 1
        offset_ms = self.server.ahead_of_wall_ms
        self._log.warning(
            "clock_corrected",
            path=path,
            code=answer.code,
            offset_ms=offset_ms,
            moved_ms=offset_ms - before_ms,
            corrections=self._clock_corrections,
        )
        wait_ms = count_again()
        if wait_ms:
            return out_of_budget(wait_ms)
        answer = await attempt()
        if self._is_by_clock(answer):
            self._give_up_cure(path, "it refuses our time again right after its clock was read")
        return answer

    def _is_by_clock(self, answer: object) -> TypeGuard[Failure]:
        """Whether a request was definitely refused for its time."""
        return (
            isinstance(answer, Failure)
            and answer.kind is FailureKind.REFUSED
            and answer.code in self.CLOCK_CODES
        )

    def _give_up_cure(self, path: str, finding: str) -> None:
        """Tell it, and leave the clock alone for a while: no storm of readings."""
        self._incurable_until_ms = self.server.steady_ms() + CURE_AGAIN_MS
        self._log.error(
            "clock_refused",
            path=path,
            text=f"the exchange refuses the time of our requests, and {finding}; check the "
            "delay of the network and this machine's clock",
            offset_ms=self.server.ahead_of_wall_ms,
            again_in_s=CURE_AGAIN_MS // MS_PER_SECOND,
        )

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


def out_of_budget(wait_ms: int, kind: FailureKind = FailureKind.TRANSIENT) -> Failure:
    """A write that was not sent, since our own budget has room again only then."""
    text = f"waits its turn: {wait_ms} ms until the exchange's limit allows it"
    if kind is FailureKind.TRANSIENT:
        text = f"the exchange asked for silence: nothing is sent for another {wait_ms} ms"
    return Failure(kind, 0, text, wait_ms)


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
