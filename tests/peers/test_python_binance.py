"""python-binance, a third client: its re-routed stops and its user socket."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("python_binance.py")


def test_market_and_account_are_read(understood):
    look = understood["look"]
    assert [row["symbol"] for row in look["info"]["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    assert float(look["price"]["price"]) == pytest.approx(50000, abs=1)
    assert float(look["mark"]["markPrice"]) == pytest.approx(50000, abs=1)
    assert float(look["candles"][-1][4]) == pytest.approx(50000, abs=1)
    assert [row["asset"] for row in look["balance"]] == ["USDT"]
    assert look["commission"]["takerCommissionRate"] == "0.0005"
    assert look["mode"]["dualSidePosition"] is False
    assert float(understood["streamed"]["data"]["b"]) == pytest.approx(50000, abs=1)


def test_its_own_position_is_read(understood):
    assert understood["opened"]["status"] == "FILLED"
    assert [row["positionAmt"] for row in understood["positions"]] == ["0.02"]


def test_conditional_types_reach_the_algo_service(understood):
    stops = understood["stops"]
    assert stops["sized"]["clientAlgoId"] == "peer-sized"
    assert (stops["sized"]["algoStatus"], stops["sized"]["reduceOnly"]) == ("NEW", True)
    assert stops["whole"]["closePosition"] is True
    placed = {stops["sized"]["algoId"], stops["whole"]["algoId"]}
    assert {row["algoId"] for row in stops["listed"]} == placed
    assert float(stops["queried"]["triggerPrice"]) == 49000
    assert stops["twin"]["code"] == -4130
    assert stops["would_trigger"]["code"] == -2021


def test_stops_are_cancelled_by_name_and_all_at_once(understood):
    stops = understood["stops"]
    assert stops["cancelled"]["code"] == "200"
    assert stops["all_cancelled"]["code"] == 200
    assert stops["left"] == []


def test_the_user_socket_tells_trigger_fill_and_flat_position(understood):
    told = understood["told"]
    statuses = [row["o"]["X"] for row in told if row["e"] == "ALGO_UPDATE" and is_triggered(row)]
    assert statuses == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    (filled,) = [
        row["o"]
        for row in told
        if row["e"] == "ORDER_TRADE_UPDATE"
        and row["o"]["c"] == "peer-triggered"
        and row["o"]["X"] == "FILLED"
    ]
    assert (filled["S"], filled["R"]) == ("SELL", True)
    accounts = [row["a"] for row in told if row["e"] == "ACCOUNT_UPDATE"]
    assert float(accounts[-1]["P"][0]["pa"]) == 0
    assert understood["left"] == []


def is_triggered(event):
    return event["o"]["caid"] == "peer-triggered"
