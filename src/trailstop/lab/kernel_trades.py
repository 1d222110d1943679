"""Trades of the kernel: their exits are known at once, the rest when one is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from trailstop.lab.exact.run import Exact
from trailstop.lab.exact.task import Task
from trailstop.lab.trades import Exits, Trade


class KernelTrades(Sequence[Trade]):
    """A sequence of trades, each driven by `step` when it is asked for, and then kept.

    `exits` are the columns that the kernel answered with, before costs.
    """

    def __init__(self, task: Task, exits: Exits) -> None:
        self.exits = exits
        self._task = task
        self._exact: Exact | None = None
        self._made: dict[int, Trade] = {}

    def __len__(self) -> int:
        return len(self.exits.index)

    @overload
    def __getitem__(self, number: int) -> Trade: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Trade, ...]: ...
    def __getitem__(self, number: int | slice) -> Trade | tuple[Trade, ...]:
        """One trade or several; IndexError beyond the last, as of any sequence."""
        if isinstance(number, slice):
            return tuple(self[index] for index in range(*number.indices(len(self))))
        index = range(len(self))[number]
        if index not in self._made:
            if self._exact is None:
                self._exact = Exact(self._task)
            self._made[index] = self._exact.trade(index)
        return self._made[index]
