"""What the acceptance tests must know of an exchange; the tests themselves name none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from trailstop.paper.assembly import Addresses


class Call(NamedTuple):
    """One kind of request, as faults and holds name it."""

    method: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One protocol that the paper exchange speaks, in one position mode: its requests by what
    they do."""

    name: str
    """The venue's name in settings."""
    mode: Literal["one-way", "hedge"] = "one-way"
    one_layer: bool
    """Whether the one stop of the position is ours: moved in place, without a backstop."""
    symbol: str
    other_symbol: str
    place_stop: Call
    cancel_stop: Call | None
    """None where a stop is moved in place and never cancelled."""
    close: Call
    read_stops: Call
    read_positions: Call
    read_executions: Call
    look_up_stop: Call
    read_trades: Call

    def __str__(self) -> str:
        return f"{self.name}-{self.mode}"

    @property
    def hedge(self) -> bool:
        """Whether a long and a short of one symbol may live on one account."""
        return self.mode == "hedge"

    def settings(self, addresses: Addresses, accounts: Iterable[str]) -> list[str]:
        """Settings of accounts there, as the configuration file spells them."""
        rest, ws = addresses.of(self.name)
        lines = []
        for account in accounts:
            lines += [
                f"[accounts.{account}]",
                f'venue = "{self.name}"',
                f'rest_url = "{rest}"',
                f'ws_url = "{ws}"',
            ]
        return lines


BINANCE = Exchange(
    name="binance",
    one_layer=False,
    symbol="BTCUSDT",
    other_symbol="ETHUSDT",
    place_stop=Call("POST", "/fapi/v1/algoOrder"),
    cancel_stop=Call("DELETE", "/fapi/v1/algoOrder"),
    close=Call("POST", "/fapi/v1/order"),
    read_stops=Call("GET", "/fapi/v1/openAlgoOrders"),
    read_positions=Call("GET", "/fapi/v3/positionRisk"),
    read_executions=Call("GET", "/fapi/v1/userTrades"),
    look_up_stop=Call("GET", "/fapi/v1/algoOrder"),
    read_trades=Call("GET", "/fapi/v1/aggTrades"),
)
BYBIT = Exchange(
    name="bybit",
    one_layer=True,
    symbol="BTCUSDT",
    other_symbol="ETHUSDT",
    place_stop=Call("POST", "/v5/position/trading-stop"),
    cancel_stop=None,
    close=Call("POST", "/v5/order/create"),
    read_stops=Call("GET", "/v5/order/realtime"),
    read_positions=Call("GET", "/v5/position/list"),
    read_executions=Call("GET", "/v5/execution/list"),
    look_up_stop=Call("GET", "/v5/position/list"),
    read_trades=Call("GET", "/v5/market/recent-trade"),
)
EXCHANGES = tuple(
    replace(venue, mode=mode) for venue in (BINANCE, BYBIT) for mode in ("one-way", "hedge")
)
