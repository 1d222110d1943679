"""How much of a position its stops cover: the arithmetic beneath the oracle's clocks."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import Struct

from trailstop.paper.model import ZERO


class StopView(Struct, frozen=True):
    """One live stop as matching sees it. `quantity` None covers the whole position."""

    number: int
    side: str
    quantity: Decimal | None
    price: Decimal
    created_us: int
    working: bool
    """Sized and the guard's: it can be the best working stop and counts for duplicates."""
    users: bool = False
    """Set by a person's hand last."""


class LegView(Struct, frozen=True):
    """One leg as matching sees it; `epoch` changes with every new position."""

    epoch: int
    amount: Decimal
    stops: tuple[StopView, ...]
    parts: int = 1
    """Number of market orders, and so of stops, that it takes to close the size."""

    @property
    def size(self) -> Decimal:
        """Quantity of the position, long or short."""
        return abs(self.amount)

    @property
    def closing(self) -> list[StopView]:
        """The stops on the side that closes the position."""
        side = "SELL" if self.amount > 0 else "BUY"
        return [stop for stop in self.stops if stop.side == side]

    @property
    def covered(self) -> Decimal:
        """Size that stops of any kind cover."""
        return size_of(self.closing, self.size)

    def tight(self, best: Decimal | None) -> Decimal:
        """Size that sized stops at a level, or tighter, cover; None takes any level."""
        stops = [
            stop
            for stop in self.closing
            if stop.quantity is not None and (best is None or not self.tighter(best, stop.price))
        ]
        return size_of(stops, self.size)

    def tighter(self, one: Decimal, other: Decimal) -> bool:
        """Whether the one level is nearer to the price than the other."""
        return one > other if self.amount > 0 else one < other

    def effective(self, required: Decimal) -> Decimal | None:
        """Loosest sized stop that is needed to cover a size; None without a working stop."""
        sized = [stop for stop in self.closing if stop.quantity is not None]
        if not any(stop.working for stop in sized):
            return None
        sized.sort(key=lambda stop: stop.price, reverse=self.amount > 0)
        total = ZERO
        level: Decimal | None = None
        for stop in sized:
            if total >= required:
                break
            assert stop.quantity is not None, "only sized ones were taken"
            total += stop.quantity
            level = stop.price
        return level

    def multiplied(self, factor: Decimal) -> LegView:
        """The sizes in contracts of which `factor` make one of before; prices as they were."""
        stops = tuple(
            msgspec.structs.replace(
                stop, quantity=None if stop.quantity is None else stop.quantity * factor
            )
            for stop in self.stops
        )
        return LegView(self.epoch, self.amount * factor, stops, self.parts)


def size_of(stops: list[StopView], size: Decimal) -> Decimal:
    """What these stops cover of a size."""
    total = ZERO
    for stop in stops:
        if stop.quantity is None:
            return size
        total += stop.quantity
    return min(total, size)
