"""What is played: which exchange's protocol, which position mode, and who else acts there."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

VenueName = Literal["binance", "bybit"]
Mode = Literal["one-way", "hedge"]
SideName = Literal["long", "short"]

RISING, FALLING = "RISEUSDT", "FALLUSDT"
"""Markets whose waves favour a long, and a short."""


class LegName(NamedTuple):
    """One position's place: account, symbol and side, as the exchange's true state spells them."""

    account: str
    symbol: str
    side: SideName


class Scenario(Struct, frozen=True, kw_only=True):
    """One run's circumstances; what is played follows from them and the seed."""

    seed: int
    venue: VenueName = "binance"
    mode: Mode = "one-way"
    second_stop: Literal["allow", "refuse"] = "allow"
    others: bool = False
    """Whether people and a second bot act on the same accounts."""

    @property
    def hedge(self) -> bool:
        """Whether a symbol has a long and a short position an account."""
        return self.mode == "hedge"

    @property
    def one_stop(self) -> bool:
        """Whether the exchange keeps the guard's stop with the position, moved in place."""
        return self.venue == "bybit"

    @property
    def legs(self) -> tuple[LegName, ...]:
        """Where the trader opens positions: in hedge mode both sides of each symbol at once."""
        if self.hedge:
            return tuple(
                LegName("both", symbol, side)
                for symbol in (RISING, FALLING)
                for side in ("long", "short")
            )
        return LegName("long", RISING, "long"), LegName("short", FALLING, "short")

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts."""
        return tuple(dict.fromkeys(leg.account for leg in self.legs))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The markets."""
        return RISING, FALLING

    def position_side(self, side: str) -> str:
        """How the exchange's state calls the leg of a position of this side."""
        return side.upper() if self.hedge else "BOTH"

    @property
    def title(self) -> str:
        """For tables."""
        who = "with people and a second bot" if self.others else "nobody else"
        second = "" if self.one_stop else f", a second stop: {self.second_stop}"
        return f"{self.venue}, {self.mode}, {who}{second}, seed {self.seed}"
