"""Which comparison with the exchange is wanted, and of how much of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class Wishes:
    """What was asked for since the last pass.

    An event on one symbol asks for that symbol alone: where many positions are opened or moved
    at once, reading all of them for each would use up the exchange's limits.
    """

    full: bool = False
    guarded: bool = False
    symbols: set[str] = field(default_factory=set)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self, *, symbol: str | None = None, full: bool = False) -> None:
        """Want a pass over one symbol, over all guarded ones (None), or over everything."""
        self.full = self.full or full
        self.guarded = self.guarded or symbol is None
        if symbol is not None:
            self.symbols.add(symbol)
        self.asked.set()

    def take(self) -> Wishes:
        """What is wanted now; from here on it counts as seen to."""
        taken = Wishes(self.full, self.guarded, self.symbols)
        if self.asked.is_set():
            taken.asked.set()
        self.full = self.guarded = False
        self.symbols = set()
        self.asked.clear()
        return taken

    def put_back(self, taken: Wishes) -> None:
        """Want again what could not be seen to."""
        self.full = self.full or taken.full
        self.guarded = self.guarded or taken.guarded
        self.symbols |= taken.symbols
        self.asked.set()
