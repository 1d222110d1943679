"""What rests in one market, sorted by the price that wakes it."""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal

from trailstop.paper.model import (
    STOP_TYPES,
    TRAILING_TYPE,
    Conditional,
    ConditionalRequest,
    Order,
)

PERCENT = Decimal(100)


class Ladder:
    """Ids at prices, nearest first for a price that comes from one side.

    A falling ladder is met from above (highest price first), a rising one from below. At one
    price the older id comes first.
    """

    __slots__ = ("_rungs", "_sign")

    def __init__(self, *, falling: bool) -> None:
        self._sign = -1 if falling else 1
        self._rungs: list[tuple[Decimal, int]] = []

    def add(self, price: Decimal, number: int) -> None:
        """Put one id at a price."""
        insort(self._rungs, (self._sign * price, number))

    def remove(self, price: Decimal, number: int) -> None:
        """Take one id off; it must be there."""
        rung = (self._sign * price, number)
        index = bisect_left(self._rungs, rung)
        assert self._rungs[index] == rung, "a resting order is on its ladder"
        del self._rungs[index]

    def nearest(self, skip: frozenset[int] | set[int] = frozenset()) -> tuple[Decimal, int] | None:
        """Price and id that would be met first."""
        for key, number in self._rungs:
            if number not in skip:
                return self._sign * key, number
        return None

    def reached(self, price: Decimal) -> bool:
        """Whether a price touches the nearest rung, or lies beyond it."""
        return bool(self._rungs) and self._rungs[0][0] <= self._sign * price

    def __bool__(self) -> bool:
        return bool(self._rungs)


def fires_falling(conditional: Conditional | ConditionalRequest) -> bool:
    """Whether the order wakes when the price falls to its trigger (else when it rises)."""
    if conditional.trigger_rises is not None:
        return not conditional.trigger_rises
    stop = conditional.type in STOP_TYPES or conditional.type == TRAILING_TYPE
    return (conditional.side == "SELL") == stop


class Resting:
    """All resting triggers and limit orders of one market."""

    __slots__ = ("_ladders", "buys", "sells", "trailing")

    def __init__(self) -> None:
        self._ladders = {
            (working_type, falling): Ladder(falling=falling)
            for working_type in ("last", "mark")
            for falling in (True, False)
        }
        self.trailing: dict[int, Conditional] = {}
        self.buys = Ladder(falling=True)
        self.sells = Ladder(falling=False)

    def ladder(self, working_type: str, *, falling: bool) -> Ladder:
        """The triggers that watch last or mark and wait for a fall, or a rise."""
        return self._ladders[working_type, falling]

    def add(self, conditional: Conditional) -> None:
        """Let a conditional order wait for its price."""
        if conditional.type == TRAILING_TYPE:
            self.trailing[conditional.algo_id] = conditional
            return
        assert conditional.trigger_price is not None
        ladder = self._ladders[conditional.watched, fires_falling(conditional)]
        ladder.add(conditional.trigger_price, conditional.algo_id)

    def remove(self, conditional: Conditional) -> None:
        """Let a conditional order wait no more."""
        if conditional.type == TRAILING_TYPE:
            del self.trailing[conditional.algo_id]
            return
        assert conditional.trigger_price is not None
        ladder = self._ladders[conditional.watched, fires_falling(conditional)]
        ladder.remove(conditional.trigger_price, conditional.algo_id)

    def add_order(self, order: Order) -> None:
        """Let a limit order rest at its price."""
        (self.buys if order.side == "BUY" else self.sells).add(order.price, order.order_id)

    def remove_order(self, order: Order) -> None:
        """Take a limit order off the book; one at market that was not filled rests nowhere."""
        if order.type == "MARKET":
            return
        (self.buys if order.side == "BUY" else self.sells).remove(order.price, order.order_id)

    def mark_reached(self, price: Decimal) -> bool:
        """Whether a mark of this value would fire something."""
        return (
            self._ladders["mark", True].reached(price)
            or self._ladders["mark", False].reached(price)
            or any(order.watched == "mark" for order in self.trailing.values())
        )


def trailing_level(conditional: Conditional) -> Decimal | None:
    """Price at which an activated trailing stop fires; None before its activation."""
    if conditional.extreme is None:
        return None
    distance = conditional.distance
    if distance is None:
        assert conditional.callback_rate is not None, "a trailing stop has one of the two"
        distance = conditional.extreme * conditional.callback_rate / PERCENT
    return conditional.extreme + (-distance if conditional.side == "SELL" else distance)


def ratchet(conditional: Conditional, price: Decimal) -> bool:
    """Let a price activate or pull a trailing stop; True when its level moved."""
    sells = conditional.side == "SELL"
    if not conditional.activated:
        start = conditional.activate_price
        if start is not None and (price < start if sells else price > start):
            return False
        conditional.activated = True
    elif conditional.extreme is not None and (
        price <= conditional.extreme if sells else price >= conditional.extreme
    ):
        return False
    conditional.extreme = price
    return True
