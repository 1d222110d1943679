"""What the acceptance tests must know of an exchange; the tests themselves name none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from trailstop.paper.assembly import Addresses


class Call(NamedTuple):
    """One kind of request, as faults and holds name it."""

    method: str
    path: str


@dataclass(frozen=True)
class Exchange:
    """One protocol that the paper exchange speaks: its requests by what they do."""

    name: str
    symbol: str
    other_symbol: str
    place_stop: Call
    cancel_stop: Call
    close: Call
    read_stops: Call
    read_positions: Call
    read_executions: Call
    look_up_stop: Call

    def settings(self, addresses: Addresses, accounts: Iterable[str]) -> list[str]:
        """Settings of accounts there, as the configuration file spells them."""
        lines = []
        for account in accounts:
            lines += [
                f"[accounts.{account}]",
                f'venue = "{self.name}"',
                f'rest_url = "{addresses.rest}"',
                f'ws_url = "{addresses.ws}"',
            ]
        return lines


BINANCE = Exchange(
    name="binance",
    symbol="BTCUSDT",
    other_symbol="ETHUSDT",
    place_stop=Call("POST", "/fapi/v1/algoOrder"),
    cancel_stop=Call("DELETE", "/fapi/v1/algoOrder"),
    close=Call("POST", "/fapi/v1/order"),
    read_stops=Call("GET", "/fapi/v1/openAlgoOrders"),
    read_positions=Call("GET", "/fapi/v3/positionRisk"),
    read_executions=Call("GET", "/fapi/v1/userTrades"),
    look_up_stop=Call("GET", "/fapi/v1/algoOrder"),
)
EXCHANGES = (BINANCE,)
