"""Which positions a backtest opens. Each is judged on its own; they may overlap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trailstop.domain.price import Side
from trailstop.lab.series import Bars, Int64, Quotes, Trades

NEVER = -1


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Positions to open, as columns; `index` rises and is that of a bar (or of a trade).

    With `at_close` a position opens at the close of its bar and sees the bars after it, else at
    the open and sees its own bar too. `sign` is +1 for a long and −1 for a short, `price` is in
    units of the series. `exit_index` is the bar at whose close the position is closed at the
    latest, `NEVER` for none. `quantity` is base currency, one for all, or None for
    a value of 1 000 quote currency each; `quantities` are each position's own, in its place.
    """

    index: Int64
    sign: NDArray[np.int8]
    price: Int64
    at_close: bool = True
    exit_index: Int64 | None = None
    quantity: Decimal | None = None
    quantities: tuple[Decimal, ...] = ()
    labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    def quantity_of(self, at: int) -> Decimal | None:
        """Quantity of one position, base currency; None where nobody gave it."""
        return self.quantities[at] if self.quantities else self.quantity


def every(
    series: Bars | Trades | Quotes,
    count: int,
    side: Side = Side.LONG,
    *,
    first: int = 0,
    hold_bars: int | None = None,
) -> Entries:
    """A position at the close of each `count`-th bar from `first` on; the last bar opens none.

    `hold_bars` closes each after so many bars at the latest. Of trades and quotes each is a
    bar of its own; a long pays the ask, a short gets the bid.
    """
    index = np.arange(first, len(series) - 1, count, dtype=np.int64)
    match series:
        case Bars():
            price = series.close
        case Trades():
            price = series.price
        case _:
            price = series.ask if side is Side.LONG else series.bid
    found = Entries(
        index=index, sign=np.full(len(index), side.sign, dtype=np.int8), price=price[index]
    )
    return found if hold_bars is None else held(found, hold_bars, len(series))


def held(entries: Entries, bars: int, of: int) -> Entries:
    """The same positions, each closed after so many bars at the latest; `of` is how many there are.

    An end that a position has already stays where it comes first.
    """
    end = np.minimum(entries.index + bars - (not entries.at_close), of - 1)
    own = entries.exit_index
    if own is not None:
        end = np.where(own == NEVER, end, np.minimum(own, end))
    return replace(entries, exit_index=end)


def together(first: Entries, second: Entries) -> Entries:
    """The positions of both in the order of time, those of `first` before those of `second`.

    Both open at the close of their bars, or both at the open; labels and quantities of their own
    they have not.
    """
    assert first.at_close == second.at_close, "one backtest opens at one moment of a bar"
    order = np.argsort(np.concatenate([first.index, second.index]), kind="stable")
    ends = None
    if first.exit_index is not None and second.exit_index is not None:
        ends = np.concatenate([first.exit_index, second.exit_index])[order]
    return replace(
        first,
        index=np.concatenate([first.index, second.index])[order],
        sign=np.concatenate([first.sign, second.sign])[order],
        price=np.concatenate([first.price, second.price])[order],
        exit_index=ends,
    )
