"""Which positions a load test has, on which accounts."""

from __future__ import annotations

from msgspec import Struct

VENUES = ("binance", "bybit")
POSITIONS_AN_ACCOUNT = 90
"""A position on Binance takes two of an account's 200 conditional orders, and one in twenty has to
stay free for replacements: 95 at most. Bybit's accounts are made as large."""


class Slot(Struct, frozen=True):
    """One position: its account, and the number of its market."""

    account: str
    market: int


class Wish(Struct, frozen=True):
    """What is run: speed 1 is real time, 0 as fast as both processes go.

    All positions but the `late` ones are open when the guard starts.
    """

    positions: int
    symbols: int
    late: int
    minutes: float
    seed: int
    speed: float

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Every position, the late ones last."""
        return slots(self.positions, self.symbols)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account."""
        return tuple(sorted({slot.account for slot in self.slots}))


def slots(positions: int, symbols: int) -> tuple[Slot, ...]:
    """Half of the positions on each venue, one a symbol and account, as one-way mode has it."""
    size = min(POSITIONS_AN_ACCOUNT, symbols)
    found = []
    for number in range(positions):
        venue, place = VENUES[number % len(VENUES)], number // len(VENUES)
        found.append(Slot(f"{venue}{place // size + 1}", place % symbols))
    return tuple(found)
