"""What one demo is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

DEFAULT_SPEED: Final = 60.0
DEFAULT_SEED: Final = 9
"""Any seed runs; with this one both positions live their whole life within the demo."""
GENERATED_SYMBOL: Final = "BTCUSDT"
GENERATED_DURATION: Final = "36m"
"""Virtual length of a demo on generated prices: 36 s of the wall clock at the default speed."""


ONE_WAY_ACCOUNTS: Final = ("long", "short")
"""In one-way mode a long and a short of one market would net on one account."""
HEDGE_ACCOUNTS: Final = ("both",)
PLAIN_VENUE: Final = "binance"
"""Its accounts are called after their sides alone."""


class DemoSettings(Struct, frozen=True, kw_only=True):
    """One demo. Durations in seconds of virtual time; None leaves a choice to the default."""

    venues: tuple[str, ...] = (PLAIN_VENUE,)
    """Protocols that are spoken; each has accounts of its own with the same positions."""
    hedge: bool = False
    """One account a venue holds both sides of each market, in hedge mode."""
    data: tuple[Path, ...] = ()
    start: str | None = None
    duration: str | None = None
    every: int | None = None
    faults: Path | None = None
    """A plan of what goes wrong on the exchange."""
    speed: float = DEFAULT_SPEED
    seed: int = DEFAULT_SEED
    config: Path | None = None
    settings: tuple[str, ...] = ()
    latency_ms: int | None = None
    second_stop: Literal["allow", "refuse"] | None = None
    taker_fee: str | None = None
    once: bool = False
    as_json: bool = False
    keep: bool = False

    @property
    def accounts(self) -> dict[str, str]:
        """Each account's name and its venue, in the order of opening."""
        names = HEDGE_ACCOUNTS if self.hedge else ONE_WAY_ACCOUNTS
        return {
            name if venue == PLAIN_VENUE else f"{venue}-{name}": venue
            for venue in self.venues
            for name in names
        }
