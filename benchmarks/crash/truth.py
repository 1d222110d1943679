"""The exchange's true state of each position, as the drill looks at it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from benchmarks.crash.scenario import LegName

OWN_PREFIX = "ts-"
FIRING = ("TRIGGERING", "TRIGGERED")
STOP_LOSS = "stop_loss"
CLIENT = "client"
CLOSING_SIDES = {"long": "SELL", "short": "BUY"}
STOP_TYPES = ("STOP_MARKET", "STOP")
TRAILING_TYPE = "TRAILING_STOP_MARKET"

PositionKey = tuple[LegName, int]
"""What names one position for good: its leg and when it was opened, microseconds."""


@dataclass(frozen=True)
class StopTruth:
    """One resting stop; `quantity` is that of the position where it holds whatever there is."""

    algo_id: int
    price: Decimal
    quantity: Decimal
    ours: bool
    whole: bool
    """Holds whatever the position has: a position's own stop, or a backstop."""
    backstop: bool


@dataclass(frozen=True)
class LegTruth:
    """One open position and the stops that rest for it, tightest first."""

    leg: LegName
    position_side: str
    size: Decimal
    opened_us: int
    stops: tuple[StopTruth, ...]
    firing: bool
    """A stop of ours, or the position's own, has fired and is not done."""

    @property
    def key(self) -> PositionKey:
        """What names this position for good."""
        return self.leg, self.opened_us

    @property
    def name(self) -> str:
        """For messages."""
        return f"{'/'.join(self.leg)} of {self.opened_us}"

    @property
    def working(self) -> tuple[StopTruth, ...]:
        """Working stops of ours."""
        return tuple(stop for stop in self.stops if stop.ours and not stop.backstop)

    @property
    def counting(self) -> tuple[StopTruth, ...]:
        """Stops that hold the position, whoever set them, but for our backstop."""
        return tuple(stop for stop in self.stops if not (stop.ours and stop.backstop))

    @property
    def is_slot_taken(self) -> bool:
        """Whether a sized stop of somebody else rests, and our backstop holds the position."""
        foreign = any(not stop.ours and not stop.whole for stop in self.stops)
        return foreign and any(stop.ours and stop.backstop for stop in self.stops)

    def level(self, stops: Iterable[StopTruth]) -> Decimal | None:
        """Loosest price that is needed to hold the size; None where these do not hold it."""
        held = Decimal(0)
        for stop in stops:
            held += stop.quantity
            if held >= self.size:
                return stop.price
        return None

    def is_looser(self, one: Decimal, other: Decimal) -> bool:
        """Whether the one price is farther from the market than the other."""
        return one < other if self.leg.side == "long" else one > other


def legs_of(state: dict[str, Any]) -> list[LegTruth]:
    """Every open position of a state."""
    return [
        _leg(name, position, account["open_conditionals"])
        for name, account in state["accounts"].items()
        for position in account["positions"]
    ]


def epochs_of(state: dict[str, Any]) -> list[tuple[LegName, int, int]]:
    """Leg, opening and end of every position that is over, microseconds."""
    return [
        (LegName(name, row["symbol"], row["side"]), row["opened_us"], row["closed_us"])
        for name, account in state["accounts"].items()
        for row in account["epochs"]
    ]


def best_levels(best: dict[PositionKey, Decimal], state: dict[str, Any]) -> None:
    """Take what of ours rests in a state into the best that was ever seen."""
    for leg in legs_of(state):
        level = leg.level(leg.working)
        known = best.get(leg.key)
        if level is not None and (known is None or leg.is_looser(known, level)):
            best[leg.key] = level


def _leg(account: str, position: dict[str, Any], orders: list[dict[str, Any]]) -> LegTruth:
    side, size = position["side"], abs(Decimal(position["amount"]))
    mine = [
        order
        for order in orders
        if (order["symbol"], order["position_side"])
        == (position["symbol"], position["position_side"])
        and order["side"] == CLOSING_SIDES[side]
    ]
    stops = [
        _stop(order, size, level)
        for order in mine
        if order["status"] == "NEW" and (level := _level(order)) is not None
    ]
    stops.sort(key=lambda stop: stop.price, reverse=side == "long")
    return LegTruth(
        leg=LegName(account, position["symbol"], side),
        position_side=position["position_side"],
        size=size,
        opened_us=position["opened_us"],
        stops=tuple(stops),
        firing=any(order["status"] in FIRING and is_guards(order) for order in mine),
    )


def is_guards(order: dict[str, Any]) -> bool:
    """Whether an order of the true state is the guard's, or the stop that it took over."""
    if order["slot"]:
        return bool(order["slot"] == STOP_LOSS)
    return bool(order["client_id"].startswith(OWN_PREFIX))


def _level(order: dict[str, Any]) -> Decimal | None:
    """Where a stop fires; None for take-profits and trailing stops that sleep."""
    if order["type"] in STOP_TYPES:
        return Decimal(order["trigger_price"])
    if order["type"] != TRAILING_TYPE or order["extreme"] is None or order["distance"] is None:
        return None
    away = -1 if order["side"] == "SELL" else 1
    return Decimal(order["extreme"]) + away * Decimal(order["distance"])


def _stop(order: dict[str, Any], size: Decimal, level: Decimal) -> StopTruth:
    quantity = order["quantity"]
    slot = order["slot"] == STOP_LOSS
    return StopTruth(
        algo_id=order["algo_id"],
        price=level,
        quantity=size if quantity is None else Decimal(quantity),
        ours=is_guards(order) and (not slot or order["author"] == CLIENT),
        whole=quantity is None,
        backstop=quantity is None and not slot,
    )
