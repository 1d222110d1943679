"""The exchange's true state of each position, as the drill looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

OWN_PREFIX = "ts-"
FIRING = ("TRIGGERING", "TRIGGERED")


@dataclass(frozen=True)
class LegTruth:
    """One open position and the working stops that rest for it, tightest first."""

    account: str
    side: str
    size: Decimal
    opened_us: int
    working: tuple[Decimal, ...]
    sized: Decimal
    firing: bool

    @property
    def key(self) -> tuple[str, int]:
        """What names this position for good."""
        return self.account, self.opened_us

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.account} of {self.opened_us}"

    @property
    def tightest(self) -> Decimal:
        """The best working stop; only where there is one."""
        return self.working[0]

    @property
    def covered(self) -> bool:
        """Whether working stops rest for the whole size."""
        return bool(self.working) and self.sized >= self.size

    def looser_than(self, best: LegTruth) -> bool:
        """Whether the best stop now is worse than the best one then."""
        if self.side == "long":
            return self.tightest < best.tightest
        return self.tightest > best.tightest


def legs_of(state: dict[str, Any]) -> list[LegTruth]:
    """Every open position of a state."""
    legs = []
    for name, account in state["accounts"].items():
        for position in account["positions"]:
            ours = [
                order
                for order in account["open_conditionals"]
                if order["symbol"] == position["symbol"]
                and order["client_id"].startswith(OWN_PREFIX)
                and order["quantity"] is not None
            ]
            resting = [order for order in ours if order["status"] == "NEW"]
            long = position["side"] == "long"
            legs.append(
                LegTruth(
                    account=name,
                    side=position["side"],
                    size=abs(Decimal(position["amount"])),
                    opened_us=position["opened_us"],
                    working=tuple(
                        sorted((Decimal(order["trigger_price"]) for order in resting), reverse=long)
                    ),
                    sized=sum((Decimal(order["quantity"]) for order in resting), Decimal(0)),
                    firing=any(order["status"] in FIRING for order in ours),
                )
            )
    return legs


def best_stops(best: dict[tuple[str, int], LegTruth], state: dict[str, Any]) -> None:
    """Take what rests in a state into the best that was ever seen."""
    for leg in legs_of(state):
        known = best.get(leg.key)
        if leg.working and (known is None or known.looser_than(leg)):
            best[leg.key] = leg
