"""What the accounts looked like a while ago, for reads that lag behind the truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import AccountChanged, ConditionalChanged, Fact, OrderChanged
from trailstop.paper.trouble.faults import Fault, Faults, Listed
from trailstop.paper.world import World

US_PER_MS = 1_000
MOST_COPIES = 5_000
OF_ACCOUNTS = (ConditionalChanged, OrderChanged, AccountChanged)


class Memory:
    """Keeps a copy of the accounts at each of their changes, while any read lags."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._exchange = exchange
        self._faults = faults
        self._copies: deque[tuple[int, World]] = deque(maxlen=MOST_COPIES)
        exchange.listen(self._hear)

    def begin(self) -> None:
        """Reads are going to lag: what is true now is the oldest that they can show."""
        self._exchange.sync()
        self._keep()

    @contextmanager
    def seen_by(self, fault: Fault | None) -> Iterator[World]:
        """The world that a request is served from: the present one, unless it lags."""
        exchange = self._exchange
        present = exchange.sync()
        if fault is None or fault.kind != "lagging":
            yield present
            return
        as_of_us = exchange.loop.now_us - fault.lag_ms * US_PER_MS
        past = self._at(as_of_us)
        past.now_us, past.as_of_us = present.now_us, as_of_us
        # Whoever looks for the world elsewhere sees the same past meanwhile.
        exchange.world = past
        try:
            yield past
        finally:
            exchange.world = present

    def _at(self, as_of_us: int) -> World:
        """The newest copy that is not younger; the oldest where all are."""
        if not self._copies:
            self._keep()
        found = self._copies[0][1]
        for at_us, world in self._copies:
            if at_us > as_of_us:
                break
            found = world
        return found

    def _hear(self, facts: Sequence[Fact]) -> None:
        longest_ms = max((row.fault.lag_ms for row in self._lagging()), default=None)
        if longest_ms is None:
            self._copies.clear()
        elif any(isinstance(fact, OF_ACCOUNTS) for fact in facts):
            self._keep()
            self._forget_before(self._exchange.loop.now_us - longest_ms * US_PER_MS)

    def _lagging(self) -> Iterator[Listed]:
        now_ms = self._exchange.now_ms
        for row in self._faults.of_kind("lagging"):
            until_ms = row.fault.until_ms
            if until_ms is None or now_ms < until_ms:
                yield row

    def _keep(self) -> None:
        self._copies.append((self._exchange.loop.now_us, self._exchange.world.past()))

    def _forget_before(self, at_us: int) -> None:
        """Forget what nobody will be shown; the newest of the old copies holds until the next."""
        while len(self._copies) > 1 and self._copies[1][0] <= at_us:
            self._copies.popleft()
