"""Request weights and order counts (page "General Info", section "LIMITS").

Weight counts per address in fixed minutes, orders per account in fixed windows of ten seconds
and of a minute. Over the weight the answer is 429; who goes on all the same is banned with 418.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from trailstop.paper.binance.errors import TEAPOT_BANNED, TOO_MANY_REQUESTS, ApiError

MS_PER_SECOND = 1_000
MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
FIRST_BAN_MS = 2 * MINUTE_MS
LONGEST_BAN_MS = 3 * 24 * 60 * MINUTE_MS
REFUSALS_BEFORE_BAN = 10
"""How many refused requests within one minute are forgiven; the real number is not published."""
BAN_GROWTH = 2


class LimitSettings(Struct, frozen=True, kw_only=True):
    """The bounds; the defaults are those of the live exchange (exchangeInfo, 2026-09-30)."""

    weight_per_minute: int = 2_400
    orders_per_minute: int = 1_200
    orders_per_ten_seconds: int = 300


class _Window:
    """Counts within fixed windows."""

    def __init__(self, length_ms: int) -> None:
        self.length_ms = length_ms
        self._index = -1
        self._count = 0

    def count(self, now_ms: int) -> int:
        index = now_ms // self.length_ms
        if index != self._index:
            self._index, self._count = index, 0
        return self._count

    def add(self, now_ms: int, amount: int) -> int:
        self._count = self.count(now_ms) + amount
        return self._count

    def starts_ms(self, now_ms: int) -> int:
        """When the window of this time began."""
        return now_ms - now_ms % self.length_ms

    def left_s(self, now_ms: int) -> int:
        """Whole seconds until the window ends, at least one."""
        left_ms = self.length_ms - now_ms % self.length_ms
        return max(1, -(-left_ms // MS_PER_SECOND))


Foreign = Callable[[int, int], int]
"""What somebody else has used from one time to another, milliseconds."""


class AddressLimit:
    """The weight of one address, and its ban."""

    def __init__(self, settings: LimitSettings, foreign: Foreign) -> None:
        self._settings = settings
        self._foreign = foreign
        self._used = _Window(MINUTE_MS)
        self._refused = _Window(MINUTE_MS)
        self._ban_ms = FIRST_BAN_MS
        self.banned_until_ms = 0
        self._shut_until_ms = 0

    def used(self, now_ms: int) -> int:
        """Weight used in this minute."""
        return self._used.count(now_ms) + self._foreign(self._used.starts_ms(now_ms), now_ms)

    def take(self, weight: int, now_ms: int) -> None:
        """Count a request; ApiError -1003 with 429 over the limit and 418 while banned."""
        if now_ms < self.banned_until_ms:
            raise self._banned(now_ms)
        self._used.add(now_ms, weight)
        if self.used(now_ms) <= self._settings.weight_per_minute:
            return
        if self._refused.add(now_ms, 1) > REFUSALS_BEFORE_BAN:
            self.ban(now_ms, self._ban_ms)
            self._ban_ms = min(self._ban_ms * BAN_GROWTH, LONGEST_BAN_MS)
            raise self._banned(now_ms)
        raise ApiError(
            -1003,
            f"Too many requests; current limit is {self._settings.weight_per_minute} requests "
            "per minute. Please use the websocket for live updates to avoid polling the API.",
            TOO_MANY_REQUESTS,
            {"Retry-After": str(self._used.left_s(now_ms))},
        )

    def ban(self, now_ms: int, length_ms: int) -> None:
        """Ban the address for so long."""
        self.banned_until_ms = now_ms + length_ms

    def shut(self, now_ms: int, length_ms: int) -> None:
        """Let the web firewall refuse the address for so long."""
        self._shut_until_ms = now_ms + length_ms

    def is_shut(self, now_ms: int) -> bool:
        """Whether the web firewall refuses the address."""
        return now_ms < self._shut_until_ms

    def _banned(self, now_ms: int) -> ApiError:
        left_s = -(-(self.banned_until_ms - now_ms) // MS_PER_SECOND)
        return ApiError(
            -1003,
            f"Way too many requests; IP banned until {self.banned_until_ms}. Please use the "
            "websocket for live updates to avoid bans.",
            TEAPOT_BANNED,
            {"Retry-After": str(left_s)},
        )


class OrderLimit:
    """The order counts of one account."""

    def __init__(self, settings: LimitSettings, foreign: Foreign) -> None:
        self._settings = settings
        self._foreign = foreign
        self._minute = _Window(MINUTE_MS)
        self._ten_seconds = _Window(TEN_SECONDS_MS)

    def take(self, count: int, now_ms: int) -> dict[str, str]:
        """Count orders and return the headers; ApiError -1015 with 429 over a limit."""
        short, long = (
            window.add(now_ms, count) + self._foreign(window.starts_ms(now_ms), now_ms)
            for window in (self._ten_seconds, self._minute)
        )
        if short > self._settings.orders_per_ten_seconds:
            raise self._over(
                self._settings.orders_per_ten_seconds, "10 SECOND", self._ten_seconds, now_ms
            )
        if long > self._settings.orders_per_minute:
            raise self._over(self._settings.orders_per_minute, "1 MINUTE", self._minute, now_ms)
        return {"X-MBX-ORDER-COUNT-10S": str(short), "X-MBX-ORDER-COUNT-1M": str(long)}

    def _over(self, limit: int, window: str, counted: _Window, now_ms: int) -> ApiError:
        return ApiError(
            -1015,
            f"Too many new orders; current limit is {limit} orders per {window}.",
            TOO_MANY_REQUESTS,
            {"Retry-After": str(counted.left_s(now_ms))},
        )
