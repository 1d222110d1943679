"""How often sockets may be opened: what an exchange allows an address, for all streams together.

Every stream backs off by itself. What they do together is bounded here, so that no number of
accounts behind one address can bring about the exchange's block.
"""

from __future__ import annotations

import asyncio
from collections import deque

SPAN_SECONDS = 300.0
"""The span in which both exchanges count connections."""
SHARE_PERCENT = 80
"""What we take of the limit; the rest is for whoever else is behind the address."""
PERCENT = 100
FULL_RESERVE = 10


class ConnectBudget:
    """Connections of one address in the last five minutes."""

    def __init__(self, limit: int) -> None:
        """`limit` is the exchange's: 300 on Binance, 500 on Bybit."""
        self.limit = limit
        self._opened: deque[float] = deque()

    @property
    def used(self) -> int:
        """Connections that were opened, or tried, in the last five minutes."""
        now = asyncio.get_running_loop().time()
        while self._opened and self._opened[0] <= now - SPAN_SECONDS:
            self._opened.popleft()
        return len(self._opened)

    async def turn(self, *, first: bool) -> None:
        """Wait until a connection may be opened, and count it.

        The last few are kept for streams that have none (`first`), so that those which only
        replace a good socket never keep out one that is blind.
        """
        loop = asyncio.get_running_loop()
        allowed = self.limit * SHARE_PERCENT // PERCENT - (0 if first else FULL_RESERVE)
        while True:
            used = self.used
            if used < allowed:
                self._opened.append(loop.time())
                return
            await asyncio.sleep(self._opened[used - allowed] + SPAN_SECONDS - loop.time())
