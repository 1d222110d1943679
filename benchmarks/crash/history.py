"""Everything that an exchange ever had, for the last judgement of a run."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.paper.model import USER, Conditional, Order


class SlotSet(Struct, frozen=True):
    """One time that a position's own stop was set, moved or (None) removed, and by whom."""

    account: str
    symbol: str
    position_side: str
    opened_us: int
    """Names the position."""
    long: bool
    before: Decimal | None
    price: Decimal | None
    author: str
    at_us: int

    @property
    def is_looser(self) -> bool:
        """Whether less was promised afterwards."""
        if self.before is None or self.price is None:
            return self.price is None
        return self.price < self.before if self.long else self.price > self.before


IN_FLIGHT_US = 150_000
"""Longest way of a request to the exchange, and a little more."""


class History(Struct, frozen=True):
    """All orders by account, and what was done to the positions' own stops."""

    conditionals: dict[str, list[Conditional]]
    orders: dict[str, list[Order]]
    slot_sets: list[SlotSet]

    def crossings(self) -> list[SlotSet]:
        """Requests of ours that undid what a person had set while they were on their way.

        The exchange has no way to make one depend on what it finds there.
        """
        last: dict[tuple[str, str, str], int] = {}
        found = []
        for change in self.slot_sets:
            leg = change.account, change.symbol, change.position_side
            if change.author == USER:
                last[leg] = change.at_us
            elif change.is_looser and change.at_us - last.get(leg, -IN_FLIGHT_US) < IN_FLIGHT_US:
                found.append(change)
        return found
