"""The guard beside outside clients, in real time: what they open has a stop at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.conftest import Client
from tests.peers.exchange import PaperExchange, Running, running_trailstop, wait_for

pytestmark = pytest.mark.peers

ACCOUNT, BYBIT_ACCOUNT = "long", "short"
LATENCY_MS = 50
"""The product's own default: within it the stop has to rest in time."""
FIRST_STOP_MS = 2_000
CONNECT_S = 20.0
SWEEP_S = 10.0


@pytest.fixture(scope="module")
def guard(exchange: PaperExchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("guard")
    wishes = {
        "trailstop.data_dir": folder,
        f"accounts.{ACCOUNT}.rest_url": exchange.rest,
        f"accounts.{ACCOUNT}.ws_url": exchange.ws,
        f"accounts.{BYBIT_ACCOUNT}.venue": "bybit",
        f"accounts.{BYBIT_ACCOUNT}.rest_url": exchange.ready["bybit_rest"],
        f"accounts.{BYBIT_ACCOUNT}.ws_url": exchange.ready["bybit_ws"],
    }
    arguments = [part for wish in wishes.items() for part in ("--set", "=".join(map(str, wish)))]
    keys = {}
    for account in (ACCOUNT, BYBIT_ACCOUNT):
        access = exchange.accounts[account]
        keys[f"TRAILSTOP_PAPER_KEY_{account.upper()}"] = access["key"]
        keys[f"TRAILSTOP_PAPER_SECRET_{account.upper()}"] = access["secret"]
    with running_trailstop(["run", "--quiet", *arguments], folder / "run", keys) as running:

        def is_listening() -> bool:
            running.check()
            connections: dict[str, int] = exchange.control("/control/state")["connections"]
            return connections["private"] >= len((ACCOUNT, BYBIT_ACCOUNT))

        wait_for(is_listening, CONNECT_S)
        yield running


@pytest.fixture(scope="module")
def understood(guard: Running, run_client: Client) -> dict[str, Any]:
    return run_client("ccxt_guarded.py", ACCOUNT)


@pytest.fixture(scope="module")
def told_pybit(guard: Running, run_client: Client) -> dict[str, Any]:
    return run_client("pybit_guarded.py", BYBIT_ACCOUNT)


@pytest.mark.parametrize("account", [ACCOUNT, BYBIT_ACCOUNT])
@pytest.mark.usefixtures("understood", "told_pybit")
def test_a_stop_rests_within_two_seconds_of_the_fill(account, exchange):
    legs = exchange.control("/control/state")["legs"]
    leg = next(row for row in legs if (row["account"], row["symbol"]) == (account, "BTCUSDT"))
    assert leg["first_stop_ms"] is not None
    assert leg["first_stop_ms"] < FIRST_STOP_MS
    assert leg["unprotected_ms"] == 0


def test_ccxt_sees_the_guards_stop_cover_its_position(understood):
    (position,) = understood["position"]
    working = [row for row in understood["stops"] if not row["info"]["closePosition"]]
    assert [row["amount"] for row in working] == [position["contracts"]]
    assert working[0]["reduceOnly"] is True
    assert working[0]["side"] == "sell"
    assert working[0]["triggerPrice"] < position["entryPrice"]


def test_no_stop_of_the_guard_is_left_when_ccxt_has_closed(understood, exchange):
    wait_for(lambda: not exchange.state(ACCOUNT)["open_conditionals"], SWEEP_S)
    assert understood["swept"]
    assert exchange.state(ACCOUNT)["positions"] == []


def test_pybit_sees_the_guards_stop_on_its_position(told_pybit):
    (stop,) = told_pybit["stops"]
    position = told_pybit["position"]
    assert (stop["stopOrderType"], stop["side"]) == ("StopLoss", "Buy")
    assert float(stop["triggerPrice"]) == float(position["stopLoss"])
    assert float(position["stopLoss"]) > float(position["avgPrice"])
    assert stop["qty"] == position["size"]


def test_the_stop_on_the_position_ends_with_it(told_pybit, exchange):
    assert told_pybit["swept"]
    assert exchange.state(BYBIT_ACCOUNT)["open_conditionals"] == []
