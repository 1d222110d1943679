"""How long a request travels to the exchange and its answer back, in virtual time."""

from __future__ import annotations

from msgspec import Struct

from trailstop.paper.chance import chance

US_PER_MS = 1_000


class Latency(Struct, frozen=True, kw_only=True):
    """One way of a request: `mean_ms`, more or less by up to `spread` of it.

    A mean of 0 is allowed; a run's result names it.
    """

    mean_ms: int = 50
    spread: float = 0.5
    seed: int = 0

    def one_way_us(self, endpoint: str, account: str, symbol: str, now_us: int) -> int:
        """Microseconds until a request sent at this virtual time takes effect."""
        if self.mean_ms == 0:
            return 0
        swing = 2 * chance(self.seed, "latency", endpoint, account, symbol, now_us) - 1
        return round(self.mean_ms * US_PER_MS * (1 + self.spread * swing))
