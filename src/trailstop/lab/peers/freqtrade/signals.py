"""A strategy's signals, one row a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trailstop.domain.price import Side


@dataclass(frozen=True, slots=True)
class Signals:
    """Columns as a strategy's dataframe has them; what bar `i` says acts at the open of `i + 1`."""

    enter_long: Sequence[bool]
    exit_long: Sequence[bool]
    enter_short: Sequence[bool]
    exit_short: Sequence[bool]
    enter_tag: Sequence[str | None] = ()

    def entry(self, index: int) -> Side | None:
        """Side to enter on; none where the signals contradict each other."""
        long, short = self.enter_long[index], self.enter_short[index]
        if long and not short and not self.exit_long[index]:
            return Side.LONG
        if short and not long and not self.exit_short[index]:
            return Side.SHORT
        return None

    def leaves(self, index: int, side: Side) -> bool:
        """Whether a position of this side is to be left, and not to be entered as well."""
        if side is Side.LONG:
            return self.exit_long[index] and not self.enter_long[index]
        return self.exit_short[index] and not self.enter_short[index]

    def tag(self, index: int) -> str | None:
        """The tag of an entry; None where it has none."""
        return self.enter_tag[index] if self.enter_tag else None
