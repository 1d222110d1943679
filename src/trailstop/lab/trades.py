"""What a backtest answers: one `Trade` a position, and all of them as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trailstop.domain.policy import Policy
from trailstop.domain.position import StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.lab.entries import Entries
from trailstop.lab.series import Bars, Funding, Int64, Quotes
from trailstop.lab.series import Trades as Prints
from trailstop.lab.terms import Costs, ExitCause, FillRule


class StopMove(Struct, frozen=True):
    """The working stop rests at a new price since `at_ms`; `reason` explains it to a trader.

    `from_price` is None for the first stop.
    """

    at_ms: int
    from_price: Decimal | None
    to_price: Decimal
    kind: StopKind
    reason: str


class Trade(Struct, frozen=True):
    """One position from entry to exit. Prices and money in quote currency, times in Unix ms.

    `best` and `worst` are the extreme prices while it was open. `crossed` is true where the stop
    that fired was not yet on the exchange (pacing, latency) and the position left at market.
    `fees` and `funding` are what was paid, `net` the result after both. `safe_ms` is when the
    resting stop first stood where fees were paid, None where it never did.
    """

    number: int
    label: str
    side: Side
    quantity: Decimal
    entry_ms: int
    entry_price: Decimal
    exit_ms: int
    exit_price: Decimal
    cause: ExitCause
    crossed: bool
    best: Decimal
    worst: Decimal
    activated_ms: int | None
    safe_ms: int | None
    fees: Decimal
    funding: Decimal
    net: Decimal
    moves: tuple[StopMove, ...] = ()
    alarms: tuple[str, ...] = ()

    @property
    def net_percent(self) -> Decimal:
        """Result after all costs, percent of the value at entry."""
        return self.net * 100 / (self.entry_price * self.quantity)

    @property
    def left_percent(self) -> Decimal:
        """What was given back from the best price to the exit, percent of the entry."""
        return (self.best - self.exit_price) * self.side.sign * 100 / self.entry_price

    @property
    def at_risk_ms(self) -> int:
        """Time during which the position could still have ended with a loss."""
        until_ms = self.exit_ms if self.safe_ms is None else min(self.safe_ms, self.exit_ms)
        return until_ms - self.entry_ms


@dataclass(frozen=True, slots=True, eq=False)
class Exits:
    """The exits of all entries as columns, in the entries' order, as the kernels tell them.

    `price` is in units of the series ÷ `scale`, so that a stop that is on no grid is exact too.
    `cause` holds positions in `tuple(ExitCause)`. Costs and slippage are not in it.
    """

    index: Int64
    price: Int64
    scale: int
    cause: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A whole backtest. `engine` says who decided: `step` itself, or the kernel equal to it.

    `beside` is what else was recorded and decided something: funding, finer bars, quotes.
    """

    prices: Bars | Prints | Quotes
    instrument: Instrument
    policy: Policy
    rule: FillRule
    costs: Costs
    entries: Entries
    engine: Literal["step", "kernel"]
    trades: Sequence[Trade]
    warnings: tuple[str, ...] = ()
    beside: tuple[Bars | Quotes | Funding, ...] = ()
