"""Request budgets of an exchange: counted in windows, with a reserve for protection.

Exchanges count request weight per address and orders per account in windows of their own
clock, fixed or rolling, and say in each answer how much is used. We count as well, since answers are late, and
believe whichever is higher. Reads wait; a protective write never waits: it is let through out
of the reserve, or refused with the time after which it may be tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from trailstop.errors import ReadFailed

PERCENT = 100
RESERVE_PERCENT = 20
"""Share of the weight that only protective requests may use."""
MS_PER_SECOND = 1_000
WAIT_MS_MAX = 60_000
"""Longest wait of a read for its turn; behind a longer ban it fails at once and says so."""
WAKE_MARGIN_MS = 1
"""Our estimate of the exchange's clock is behind, so a window has surely begun by then."""
TURNS_MAX = 100
"""Windows in which a read may lose its turn to others before it fails."""

_urgent: ContextVar[bool] = ContextVar("urgent", default=False)


@contextmanager
def urgent_reads(urgent: bool = True) -> Iterator[None]:
    """Let the reads made within use the reserve: a position waits for its stop behind them."""
    token = _urgent.set(urgent)
    try:
        yield
    finally:
        _urgent.reset(token)


class Window:
    """Use of one limit in the exchange's present fixed window."""

    def __init__(self, limit: int, length_ms: int) -> None:
        self.limit = limit
        self.length_ms = length_ms
        self._number = -1
        self._used = 0

    def used(self, now_ms: int) -> int:
        """What is used of the window that `now_ms` (exchange clock) lies in."""
        number = now_ms // self.length_ms
        if number > self._number:
            self._number, self._used = number, 0
        return self._used

    def add(self, now_ms: int, amount: int) -> None:
        """Count a request of ours."""
        self._used = self.used(now_ms) + amount

    def told(self, now_ms: int, used: int, sent_ms: int) -> None:
        """Take the exchange's own count; it is never lower than the truth of a moment ago.

        The answer to a request that was sent in an earlier window may count that one: it says
        nothing of the present one.
        """
        if sent_ms // self.length_ms == now_ms // self.length_ms:
            self._used = max(self.used(now_ms), used)

    def left_ms(self, now_ms: int) -> int:
        """Milliseconds until the next window begins."""
        return self.length_ms - now_ms % self.length_ms


class RollingWindow(Window):
    """Use of one limit in the span of time that ends now, for exchanges that count so."""

    def __init__(self, limit: int, length_ms: int) -> None:
        super().__init__(limit, length_ms)
        self._entries: deque[tuple[int, int]] = deque()
        self._closed_until_ms = 0

    def used(self, now_ms: int) -> int:
        """What was used in the length of time before `now_ms`; all of it while shut."""
        while self._entries and self._entries[0][0] <= now_ms - self.length_ms:
            self._used -= self._entries.popleft()[1]
        return max(self._used, self.limit if now_ms < self._closed_until_ms else 0)

    def add(self, now_ms: int, amount: int) -> None:
        """Count a request of ours."""
        self._entries.append((now_ms, amount))
        self._used += amount

    def told(self, now_ms: int, used: int, sent_ms: int) -> None:
        """Take the exchange's own count: what others used of it, as if it had been now."""
        missing = used - self.used(now_ms)
        if missing > 0 and now_ms - sent_ms < self.length_ms:
            self.add(now_ms, missing)

    def close_until(self, until_ms: int) -> None:
        """Take it that nothing fits before then, because the exchange said so."""
        self._closed_until_ms = max(self._closed_until_ms, until_ms)

    def left_ms(self, now_ms: int) -> int:
        """Milliseconds until something of it is free again."""
        shut_ms = self._closed_until_ms - now_ms
        if not self._entries or (shut_ms > 0 and self._used < self.limit):
            return max(1, shut_ms)
        return max(1, shut_ms, self._entries[0][0] + self.length_ms - now_ms)


class AddressBudget:
    """What all accounts behind one address share: request weight, and being shut out."""

    def __init__(self, weight: Window) -> None:
        self.weight = weight
        self._closed_until_ms = 0

    def close_for(self, now_ms: int, duration_ms: int) -> None:
        """Let nothing out for so long, because the exchange said so."""
        self._closed_until_ms = max(self._closed_until_ms, now_ms + duration_ms)

    def closed_ms(self, now_ms: int) -> int:
        """Milliseconds for which nothing may be sent; 0 when open."""
        return max(0, self._closed_until_ms - now_ms)


class Governor:
    """Lets one account's requests out, or makes them wait."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        address: AddressBudget,
        orders: tuple[Window, ...] = (),
    ) -> None:
        """Take the exchange's clock, a sleep in seconds, and the budgets to keep."""
        self._now_ms = now_ms
        self._sleep = sleep
        self.address = address
        self.orders = orders

    async def read(self, weight: int, orders: int = 0) -> None:
        """Wait until a read of this weight may go out, and count it.

        `orders` is what it takes of the account's own windows, where reads count there too.

        Raises: ReadFailed when the exchange has shut us out for longer than a minute.
        """
        for _ in range(TURNS_MAX):
            wait_ms = self._read_wait_ms(weight, orders)
            if wait_ms == 0:
                self._count(self._now_ms(), weight, orders)
                return
            if wait_ms > WAIT_MS_MAX:
                raise ReadFailed(
                    f"the exchange asked for silence; nothing is sent for another "
                    f"{wait_ms // MS_PER_SECOND} s"
                )
            await self._sleep((wait_ms + WAKE_MARGIN_MS) / MS_PER_SECOND)
        raise ReadFailed("the request budget is used up by others; read less often")

    def protective(self, weight: int, orders: int = 0) -> int:
        """Count a protective request and return 0, or return the milliseconds to wait."""
        now_ms = self._now_ms()
        waits = [self.address.closed_ms(now_ms)]
        if self.address.weight.used(now_ms) + weight > self.address.weight.limit:
            waits.append(self.address.weight.left_ms(now_ms))
        if orders:
            waits += [
                window.left_ms(now_ms)
                for window in self.orders
                if window.used(now_ms) + orders > window.limit
            ]
        wait_ms = max(waits)
        if wait_ms == 0:
            self._count(now_ms, weight, orders)
        return wait_ms

    def told(
        self, weight_used: int | None, orders_used: tuple[int | None, ...], sent_ms: int
    ) -> None:
        """Take the counts that an answer carries, orders in the order of our windows.

        `sent_ms` is the exchange's time at which its request was sent.
        """
        now_ms = self._now_ms()
        if weight_used is not None:
            self.address.weight.told(now_ms, weight_used, sent_ms)
        for window, used in zip(self.orders, orders_used, strict=False):
            if used is not None:
                window.told(now_ms, used, sent_ms)

    def close_for(self, duration_ms: int) -> None:
        """Send nothing for so long."""
        self.address.close_for(self._now_ms(), duration_ms)

    def orders_exhausted(self) -> int:
        """Take it that no order fits the present window; return milliseconds until one does."""
        now_ms = self._now_ms()
        if not self.orders:
            return 0
        window = min(self.orders, key=lambda candidate: candidate.length_ms)
        window.told(now_ms, window.limit, now_ms)
        return window.left_ms(now_ms)

    def _count(self, now_ms: int, weight: int, orders: int) -> None:
        self.address.weight.add(now_ms, weight)
        if orders:
            for window in self.orders:
                window.add(now_ms, orders)

    def _read_wait_ms(self, weight: int, orders: int) -> int:
        now_ms = self._now_ms()
        closed_ms = self.address.closed_ms(now_ms)
        if closed_ms:
            return closed_ms
        needs = [(self.address.weight, weight)]
        if orders:
            needs += [(window, orders) for window in self.orders]
        return max(
            (
                window.left_ms(now_ms)
                for window, amount in needs
                if window.used(now_ms) + amount > _free(window)
            ),
            default=0,
        )


def _free(window: Window) -> int:
    """What a read may use of a limit."""
    if _urgent.get():
        return window.limit
    return window.limit * (PERCENT - RESERVE_PERCENT) // PERCENT
