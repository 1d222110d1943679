"""Request budgets of an exchange: counted in windows, with a reserve for protection.

Exchanges count request weight per address and orders per account in windows of their own
clock, fixed or rolling, and say in each answer how much is used. We count as well, since answers
are late, and believe whichever is higher. Reads wait, and moves of a stop that rests wait a
little; a protective write never waits: it is let through out of the reserve, or refused with the
time after which it may be tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from trailstop.errors import ReadFailed
from trailstop.venues.connects import ConnectBudget

PERCENT = 100
RESERVE_PERCENT = 20
"""Share of every limit that only protective requests may use."""
URGENT_PERCENT = 0
"""Share of it that reads leave which a position waits for: without them it gets no stop."""
OTHERS_PERCENT = 75
"""Share of it that reads leave which can wait for minutes."""
MS_PER_SECOND = 1_000
WAIT_MS_MAX = 60_000
"""Longest wait of a read for its turn; behind a longer ban it fails at once and says so."""
MOVE_WAIT_MS_MAX = 2_000
"""Longest wait of a move for its turn; then it is decided again, at the price of that time."""
TRAVEL_SPREAD_MS = 200
"""How much longer than another request one may travel, and our estimate of the clock be behind:
what leaves late in a window may arrive in the next one, and there together with what follows."""
WAKE_MARGIN_MS = 1
"""Our estimate of the exchange's clock is behind, so a window has surely begun by then."""
TURNS_MAX = 100
"""Windows in which a read may lose its turn to others before it fails."""

_left_by_reads: ContextVar[int] = ContextVar("left_by_reads", default=RESERVE_PERCENT)


def is_urgent() -> bool:
    """Whether a position waits for the reads made here."""
    return _left_by_reads.get() == URGENT_PERCENT


@contextmanager
def _leaving(percent: int) -> Iterator[None]:
    token = _left_by_reads.set(percent)
    try:
        yield
    finally:
        _left_by_reads.reset(token)


def urgent_reads(urgent: bool = True) -> AbstractContextManager[None]:
    """Let the reads made within use the reserve: a position waits for its stop behind them."""
    return _leaving(URGENT_PERCENT if urgent else RESERVE_PERCENT)


def patient_reads() -> AbstractContextManager[None]:
    """Have the reads made within leave room to all others: nothing waits for them."""
    return _leaving(OTHERS_PERCENT)


class Use(NamedTuple):
    """How much of a limit is used."""

    used: int
    limit: int


class Window:
    """Use of one limit in the exchange's present fixed window."""

    def __init__(self, limit: int, length_ms: int) -> None:
        self.limit = limit
        self.length_ms = length_ms
        self._number = -1
        self._used = 0
        self._late = 0
        """What left so late in its window that it may count in the next one instead."""

    def used(self, now_ms: int) -> int:
        """What is used of the window that `now_ms` (exchange clock) lies in."""
        number = now_ms // self.length_ms
        if number > self._number:
            self._used = self._late if number == self._number + 1 else 0
            self._late = 0
        # Where the estimate of the exchange's clock was set back the count is kept.
        self._number = number
        return self._used

    def add(self, now_ms: int, amount: int) -> None:
        """Count a request of ours."""
        self._used = self.used(now_ms) + amount
        if self.left_ms(now_ms) <= TRAVEL_SPREAD_MS:
            self._late += amount

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

    def wait_ms(self, now_ms: int, amount: int, room: int) -> int:
        """Milliseconds until so much fits into `room`; 0 where it fits now."""
        return 0 if self.used(now_ms) + amount <= room else self.left_ms(now_ms)


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

    def wait_ms(self, now_ms: int, amount: int, room: int) -> int:
        """Milliseconds until enough of what was used has left the span; 0 where it fits now."""
        if self.used(now_ms) + amount <= room:
            return 0
        shut_ms = max(1, self._closed_until_ms - now_ms)
        excess = self._used + amount - room
        for at_ms, used in self._entries:
            if excess <= 0:
                break
            excess -= used
            shut_ms = max(shut_ms, at_ms + self.length_ms - now_ms)
        return shut_ms


CONNECTS = 300
"""Connections in five minutes, where nothing else is said: the smaller limit of all exchanges."""


class AddressBudget:
    """What all accounts behind one address share: weight, connections, and being shut out.

    Being shut out is counted on our monotonic clock: no correction of the exchange's ends it.
    """

    def __init__(self, weight: Window, connects: int = CONNECTS) -> None:
        self.weight = weight
        self.connects = ConnectBudget(connects)
        self.accounts: set[str] = set()
        """Names of those that share it."""
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
        steady_ms: Callable[[], int] | None = None,
    ) -> None:
        """Take the clock of the windows, a sleep in seconds, and the budgets to keep.

        `steady_ms` is our monotonic clock, where that of the windows is another.
        """
        self._now_ms = now_ms
        self._steady_ms = steady_ms or now_ms
        self._sleep = sleep
        self.address = address
        self.orders = orders
        self._turns_ms: list[int] = []
        """When those are to come again that were turned away: their places in the line."""

    async def read(self, weight: int, orders: int = 0) -> None:
        """Wait until a read of this weight may go out, and count it.

        `orders` is what it takes of the account's own windows, where reads count there too.

        Raises: ReadFailed when the exchange has shut us out for longer than a minute.
        """
        for _ in range(TURNS_MAX):
            wait_ms = self._take(weight, orders, _left_by_reads.get())
            if wait_ms == 0:
                return
            if wait_ms > WAIT_MS_MAX:
                raise ReadFailed(
                    f"the exchange asked for silence; nothing is sent for another "
                    f"{wait_ms // MS_PER_SECOND} s"
                )
            await self._sleep((wait_ms + WAKE_MARGIN_MS) / MS_PER_SECOND)
        raise ReadFailed("the request budget is used up by others; read less often")

    def protective(self, weight: int, orders: int = 0) -> int:
        """Count a protective request and return 0, or return the milliseconds to wait.

        Orders that are turned away get a place in a line, so that each comes again when there is
        room for it, and not all of them for the room of one.
        """
        wait_ms = self._take(weight, orders, reserve_percent=0)
        if wait_ms == 0 or not orders or self.closed_ms:
            return wait_ms
        now_ms = self._now_ms()
        self._turns_ms = [turn_ms for turn_ms in self._turns_ms if turn_ms > now_ms]
        ahead = len(self._turns_ms)
        wait_ms = max(
            _behind_ms(window, now_ms, amount, ahead)
            for window, amount in self._needs(weight, orders)
        )
        self._turns_ms.append(now_ms + wait_ms)
        return wait_ms

    async def move(self, weight: int, orders: int = 0, then_weight: int = 0) -> int:
        """Wait a little for room outside the reserve, count a move and return 0.

        There must be room for `then_weight` too, which is counted when that request leaves: a
        new stop whose old one cannot be cancelled would rest beside it. Else it returns the
        milliseconds until there may be room: then nothing was counted.
        """
        deadline_ms = self._steady_ms() + MOVE_WAIT_MS_MAX
        while wait_ms := self._take(weight, orders, RESERVE_PERCENT, then_weight):
            if self._steady_ms() + wait_ms > deadline_ms:
                return wait_ms
            await self._sleep((wait_ms + WAKE_MARGIN_MS) / MS_PER_SECOND)
        return 0

    def spare_ms(self, weight: int, orders: int = 0) -> int:
        """Milliseconds until a request of this cost leaves the reserve untouched; 0 now.

        Counts nothing: it is for those that can wait, to choose what goes first.
        """
        return self._wait_ms(self._now_ms(), weight, orders, RESERVE_PERCENT)

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
        self.address.close_for(self._steady_ms(), duration_ms)

    @property
    def closed_ms(self) -> int:
        """Milliseconds for which nothing may be sent; 0 when open."""
        return self.address.closed_ms(self._steady_ms())

    def used(self) -> tuple[Use, Use]:
        """Of the address, and of the account in the window of orders that is fullest."""
        now_ms = self._now_ms()
        uses = [Use(window.used(now_ms), window.limit) for window in self.orders]
        weight = self.address.weight
        fullest = max(uses, key=lambda use: use.used / use.limit, default=Use(0, 0))
        return Use(weight.used(now_ms), weight.limit), fullest

    def orders_exhausted(self, *, longest: bool = False) -> int:
        """Take it that no order fits the present window; return milliseconds until one does.

        It is the shortest window of orders that is full, unless the exchange names the longest.
        """
        now_ms = self._now_ms()
        if not self.orders:
            return 0
        choose = max if longest else min
        window = choose(self.orders, key=lambda candidate: candidate.length_ms)
        window.told(now_ms, window.limit, now_ms)
        return window.left_ms(now_ms)

    def _take(self, weight: int, orders: int, reserve_percent: int, then_weight: int = 0) -> int:
        now_ms = self._now_ms()
        wait_ms = self._wait_ms(now_ms, weight + then_weight, orders, reserve_percent)
        if wait_ms == 0:
            self._count(now_ms, weight, orders)
        return wait_ms

    def _count(self, now_ms: int, weight: int, orders: int) -> None:
        self.address.weight.add(now_ms, weight)
        if orders:
            for window in self.orders:
                window.add(now_ms, orders)

    def _wait_ms(self, now_ms: int, weight: int, orders: int, reserve_percent: int) -> int:
        waits = [self.closed_ms]
        for window, amount in self._needs(weight, orders):
            waits.append(window.wait_ms(now_ms, amount, _room(window, reserve_percent)))
        return max(waits)

    def _needs(self, weight: int, orders: int) -> list[tuple[Window, int]]:
        """What a request of this cost takes of each window."""
        needs = [(self.address.weight, weight)] if weight else []
        if orders:
            needs += [(window, orders) for window in self.orders]
        return needs


def _room(window: Window, reserve_percent: int) -> int:
    """What of a limit may be used where so much of it is left to others; at least one."""
    return max(1, window.limit * (PERCENT - reserve_percent) // PERCENT)


def _behind_ms(window: Window, now_ms: int, amount: int, ahead: int) -> int:
    """Milliseconds until so much fits after as many requests of the same size."""
    lengths, rest = divmod(ahead * amount, _room(window, reserve_percent=0))
    until_ms = window.wait_ms(now_ms, rest + amount, _room(window, reserve_percent=0))
    return until_ms + lengths * window.length_ms
