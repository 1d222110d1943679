"""One position at the moment in which somebody acts on it, and the prices and sizes to act with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from benchmarks.crash.truth import CLOSING_SIDES, LegTruth

BOT_PREFIX = "bot-"
MILLION = 1_000_000


@dataclass(frozen=True)
class Scene:
    """One position and what rests for it, at the moment of an act."""

    leg: LegTruth
    last: Decimal
    tick: Decimal
    step: Decimal
    orders: Sequence[dict[str, Any]]
    """Conditional orders of the leg that wait, whoever's."""
    limits: Sequence[dict[str, Any]]

    @property
    def bots(self) -> list[dict[str, Any]]:
        """Conditional orders of the bot."""
        return [row for row in self.orders if row["client_id"].startswith(BOT_PREFIX)]

    @property
    def closing(self) -> str:
        """Side of orders that reduce."""
        return CLOSING_SIDES[self.leg.leg.side]

    def behind(self, ppm: int) -> str:
        """A price so far on the losing side."""
        return self._price(-ppm if self.leg.leg.side == "long" else ppm)

    def ahead(self, ppm: int) -> str:
        """A price so far on the winning side."""
        return self._price(ppm if self.leg.leg.side == "long" else -ppm)

    def size(self, share: Decimal) -> str:
        """A share of the position on the grid of sizes, at least one step."""
        steps = max(Decimal(1), self.leg.size * share // self.step)
        return format(steps * self.step, "f")

    def _price(self, ppm: int) -> str:
        raw = self.last * (MILLION + ppm) / MILLION
        return format(raw // self.tick * self.tick, "f")


def scene_of(leg: LegTruth, state: dict[str, Any]) -> Scene:
    """The scene of one position of a state."""
    account = state["accounts"][leg.leg.account]
    market = state["markets"][leg.leg.symbol]
    place = leg.leg.symbol, leg.position_side
    conditionals, orders = (
        [row for row in account[name] if (row["symbol"], row["position_side"]) == place]
        for name in ("open_conditionals", "open_orders")
    )
    return Scene(
        leg,
        Decimal(market["last"]),
        Decimal(market["tick_size"]),
        Decimal(market["step_size"]),
        [row for row in conditionals if row["status"] == "NEW"],
        [row for row in orders if row["client_id"].startswith(BOT_PREFIX)],
    )
