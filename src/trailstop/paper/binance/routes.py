"""What every REST endpoint shares: how it is found, what it costs, who may call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from trailstop.paper.binance.errors import INVALID_SYMBOL
from trailstop.paper.binance.params import Params
from trailstop.paper.calls import BaseCall
from trailstop.paper.model import Market

if TYPE_CHECKING:
    from trailstop.paper.binance.limits import LimitSettings
    from trailstop.paper.binance.listenkeys import ListenKeys


class Security(Enum):
    """Page "General Info", section "Endpoint security type"."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


@dataclass(slots=True)
class Call(BaseCall[Params]):
    """One request at the moment of its effect."""

    now_ms: int
    limits: LimitSettings
    listen_keys: ListenKeys

    def symbol(self) -> str:
        """The mandatory parameter `symbol`; ApiError -1121 for an unknown one."""
        return self._known(self.params.required("symbol"))

    def symbol_or_none(self) -> str | None:
        """The optional parameter `symbol`."""
        text = self.params.optional("symbol")
        return None if text is None else self._known(text)

    def markets(self) -> list[Market]:
        """The market asked for, or all of them."""
        symbol = self.symbol_or_none()
        if symbol is None:
            return list(self.world.markets.values())
        return [self.world.markets[symbol]]

    def priced_markets(self) -> list[Market]:
        """The market asked for, or all that have printed yet."""
        asked = self.params.optional("symbol")
        return [row for row in self.markets() if asked or self.world.has_price(row.symbol)]

    def _known(self, symbol: str) -> str:
        if symbol not in self.world.markets:
            raise INVALID_SYMBOL
        return symbol


Weight = int | Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: weight per address and orders counted per account."""

    method: str
    path: str
    security: Security
    weight: Weight
    serve: Callable[[Call], Any]
    orders: int = 0

    def weigh(self, params: Params) -> int:
        """The weight of a call with these parameters."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def by_symbol(one: int, every: int) -> Callable[[Params], int]:
    """A weight that is higher when no symbol is given."""

    def weigh(params: Params) -> int:
        return one if params.optional("symbol") else every

    return weigh
