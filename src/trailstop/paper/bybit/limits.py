"""Rates: calls of an endpoint per account and rolling second, requests per address and five.

Page "Rate Limit Rules". REST and the order-entry socket count the same calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec import Struct

from trailstop.paper.bybit.errors import FORBIDDEN, ApiError

MS_PER_SECOND = 1_000
LIMIT = "X-Bapi-Limit"
LEFT = "X-Bapi-Limit-Status"
RESET = "X-Bapi-Limit-Reset-Timestamp"
TOO_MANY_VISITS = 10006


class BybitLimits(Struct, frozen=True, kw_only=True):
    """The bounds (calls a second), and how long an accepted order takes to have its effect."""

    orders: int = 10
    """Each of create, amend, cancel and their batches, which count by their orders."""
    positions: int = 10
    """Each of trading-stop, set-leverage and switch-mode."""
    reads: int = 50
    """Each list of positions, orders, executions and balances."""
    fee_rate: int = 5
    query_api: int = 10
    transaction_log: int = 25
    address_requests: int = 600
    address_window_ms: int = 5_000
    address_ban_ms: int = 600_000
    async_ms: int = 10
    """Virtual time from the acceptance of an order call to its effect; 0 makes it immediate."""


ForeignRequests = Callable[[int, int], int]
"""Requests of somebody else from one time to another, milliseconds."""
ForeignCalls = Callable[[str, int, int], int]
"""Order calls of somebody else by the account of a key, from one time to another."""


class AddressLimit:
    """The requests of one address, and its ban."""

    def __init__(self, limits: BybitLimits, foreign: ForeignRequests) -> None:
        self._limits = limits
        self._foreign = foreign
        self._taken: deque[int] = deque()
        self._banned_until_ms = 0

    def take(self, now_ms: int) -> None:
        """Count a request; ApiError with HTTP 403 over the limit and while banned."""
        taken = self._taken
        while taken and taken[0] <= now_ms - self._limits.address_window_ms:
            taken.popleft()
        taken.append(now_ms)
        used = len(taken) + self._foreign(now_ms - self._limits.address_window_ms, now_ms)
        if now_ms >= self._banned_until_ms and used > self._limits.address_requests:
            self.ban(now_ms, self._limits.address_ban_ms)
        if now_ms < self._banned_until_ms:
            raise ApiError(TOO_MANY_VISITS, "access too frequent", FORBIDDEN)

    def ban(self, now_ms: int, length_ms: int) -> None:
        """Refuse the address for so long."""
        self._banned_until_ms = now_ms + length_ms


class CallLimit:
    """The calls of every endpoint by every account."""

    def __init__(self, foreign: ForeignCalls) -> None:
        self._foreign = foreign
        self._taken: dict[tuple[str, str], deque[int]] = {}

    def take(
        self,
        key: str,
        endpoint: str,
        most: int,
        now_ms: int,
        count: int = 1,
        *,
        writes: bool = False,
    ) -> dict[str, str]:
        """Count calls and return the headers; ApiError 10006 over the limit.

        `writes`: it is an order call, as others make them too.
        """
        taken = self._taken.setdefault((key, endpoint), deque())
        while taken and taken[0] <= now_ms - MS_PER_SECOND:
            taken.popleft()
        reset_ms = (taken[0] if taken else now_ms) + MS_PER_SECOND
        used = self._foreign(key, now_ms - MS_PER_SECOND, now_ms) if writes else 0
        if len(taken) + used + count > most:
            raise over(most, reset_ms)
        taken.extend([now_ms] * count)
        return _headers(most, most - len(taken) - used, reset_ms)


def over(most: int, reset_ms: int) -> ApiError:
    """10006, with the time from which calls are served again."""
    return ApiError(
        TOO_MANY_VISITS,
        "Too many visits. Exceeded the API Rate Limit.",
        headers=_headers(most, 0, reset_ms),
    )


def _headers(most: int, left: int, reset_ms: int) -> dict[str, str]:
    return {LIMIT: str(most), LEFT: str(left), RESET: str(reset_ms)}
