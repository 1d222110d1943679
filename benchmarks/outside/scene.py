"""One position after the other: opened from outside, protected by the guard, closed from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.outside.processes import (
    Exchange,
    Process,
    SceneError,
    start_client,
    start_guard,
    wait_for,
)

VENUES = {
    "connector": "binance",
    "python-binance": "binance",
    "ccxt binance": "binance",
    "ccxt bybit": "bybit",
    "pybit": "bybit",
    "pybit trade socket": "bybit",
}
"""The clients that can open positions, each with the venue that it speaks to."""
MODES = ("one_way", "hedge")
SIDES = ("long", "short")
SYMBOLS = {"BTCUSDT": "0.02", "ETHUSDT": "0.5"}
"""Markets, each with the size of a position."""
PROTECTED_S = 15.0
"""How long a stop is waited for; what comes later counts as never."""
CLOSED_S = 10.0
US_PER_MS = 1_000


@dataclass(frozen=True)
class Case:
    """One position: by which client, on which leg."""

    client: str
    mode: str
    side: str
    symbol: str

    @property
    def venue(self) -> str:
        """The venue that the client speaks to."""
        return VENUES[self.client]

    @property
    def account(self) -> str:
        """The account of this venue and mode."""
        return f"{self.venue}_{self.mode}"


@dataclass(frozen=True)
class Adoption:
    """What became of one position; times are the exchange's own."""

    case: Case
    first_stop_ms: int | None
    """From the fill that opened it to its first stop; None when none came."""


def cases(clients: Sequence[str], count: int) -> Iterator[Case]:
    """So many positions: the clients in turn, each on every kind of leg in turn."""
    kinds = list(product(SYMBOLS, MODES, SIDES))
    used = Counter[str]()
    for number in range(count):
        client = clients[number % len(clients)]
        # No two clients of one venue walk through the legs in step.
        symbol, mode, side = kinds[(used[client] + clients.index(client)) % len(kinds)]
        used[client] += 1
        yield Case(client, mode, side, symbol)


class Scene:
    """An exchange, a guard over all its accounts, and the clients; ends with its block."""

    def __init__(self, folder: Path, clients: Sequence[str], seed: int) -> None:
        self._folder = folder
        self._names = tuple(dict.fromkeys(clients))
        self._seed = seed
        self._ends = ExitStack()
        self._clients: dict[str, Process] = {}
        venues = {VENUES[name]: None for name in self._names}
        self._accounts = {f"{venue}_{mode}": venue for venue in venues for mode in MODES}

    def __enter__(self) -> Scene:
        with ExitStack() as ends:
            self.exchange = Exchange(self._folder, tuple(self._accounts), self._seed)
            ends.callback(self.exchange.process.stop)
            for name in self._names:
                self._clients[name] = start_client(self._folder, self.exchange, name)
                ends.callback(self._clients[name].stop)
            self._prepare()
            self.guard = start_guard(self._folder, self.exchange, self._accounts)
            ends.callback(self.guard.stop)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def adopt(self, case: Case) -> Adoption:
        """Open a position, wait for its stop, close it. Raises: SceneError."""
        wish = {
            "account": case.account,
            "symbol": case.symbol,
            "side": case.side,
            "hedge": case.mode == "hedge",
            "quantity": SYMBOLS[case.symbol],
        }
        client = self._clients[case.client]
        client.ask({"do": "open", **wish})
        try:
            first_stop_ms = wait_for(
                lambda: self._first_stop_ms(case), PROTECTED_S, f"a stop for {case}"
            )
        except SceneError:
            self.guard.check()
            first_stop_ms = None
        client.ask({"do": "close", **wish})
        wait_for(lambda: self._position(case) is None, CLOSED_S, f"the end of {case}")
        return Adoption(case, first_stop_ms)

    def _prepare(self) -> None:
        """Let one client of each venue put its second account into hedge mode."""
        for venue in dict.fromkeys(self._accounts.values()):
            name = next(name for name in self._names if VENUES[name] == venue)
            wish = {"account": f"{venue}_hedge", "symbols": tuple(SYMBOLS)}
            self._clients[name].ask({"do": "hold_both_ways", **wish})

    def _position(self, case: Case) -> dict[str, Any] | None:
        return _position(self.exchange.state()["accounts"][case.account], case)

    def _first_stop_ms(self, case: Case) -> int | None:
        account = self.exchange.state()["accounts"][case.account]
        position = _position(account, case)
        if position is None:
            # An order may be filled a moment after it was accepted.
            return None
        opened_us: int = position["opened_us"]
        created = [
            row["created_us"]
            for row in account["open_conditionals"]
            if (row["symbol"], row["position_side"]) == (case.symbol, position["position_side"])
            and row["side"] == ("SELL" if case.side == "long" else "BUY")
            and row["created_us"] >= opened_us
        ]
        # Rounded up, and at least 1: nothing is shown as sooner than it was.
        return max(1, -((opened_us - min(created)) // US_PER_MS)) if created else None


def _position(account: dict[str, Any], case: Case) -> dict[str, Any] | None:
    for row in account["positions"]:
        if (row["symbol"], row["side"]) == (case.symbol, case.side):
            found: dict[str, Any] = row
            return found
    return None
