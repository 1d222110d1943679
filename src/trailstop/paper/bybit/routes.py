"""What every REST endpoint shares: how it is found, how often and by whom it may be called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trailstop.paper.bybit.errors import bad
from trailstop.paper.bybit.limits import BybitLimits
from trailstop.paper.bybit.params import Params
from trailstop.paper.calls import BaseCall
from trailstop.paper.model import Market

if TYPE_CHECKING:
    from trailstop.paper.bybit.desk import Desk


@dataclass(slots=True)
class Call(BaseCall[Params]):
    """One request at the moment of its effect."""

    desk: Desk

    def market(self) -> Market:
        """The market that the mandatory parameter `symbol` names; ApiError 10001 for none."""
        return self._known(self.params.required("symbol"))

    def market_or_none(self) -> Market | None:
        """The market that the optional parameter `symbol` names."""
        symbol = self.params.optional("symbol")
        return None if symbol is None else self._known(symbol)

    def markets(self) -> list[Market]:
        """The market asked for, or those of a base or settle coin, or all of them."""
        market = self.market_or_none()
        if market is not None:
            return [market]
        base, settle = self.params.optional("baseCoin"), self.params.optional("settleCoin")
        return [
            row
            for row in self.world.markets.values()
            if base in {None, row.base} and settle in {None, row.quote}
        ]

    def single(self, raw: dict[str, Any]) -> Call:
        """The same call for one order of a batch."""
        return replace(self, params=Params(raw))

    def _known(self, symbol: str) -> Market:
        market = self.world.markets.get(symbol)
        if market is None:
            raise bad("params error: symbol invalid")
        return market


@dataclass(frozen=True, slots=True)
class Answer:
    """A result with the notes that `retExtInfo` carries, and this endpoint's own message."""

    result: Any
    notes: Any = None
    text: str = "OK"


Serve = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; signed ones name the limit that bounds their calls."""

    method: str
    path: str
    serve: Serve
    most: Callable[[BybitLimits], int] | None = None
    """Calls a second of one account; None for endpoints that need no key."""
    counts: Callable[[Params], int] = lambda _: 1
    """How many calls this one counts for."""
    limited_as: str = ""
    """Name under which calls are counted, where other ways in share the count."""
