"""ccxt.pro on the Bybit side: prices arrive, orders go by the trade socket, fills are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client

pytestmark = pytest.mark.peers

BTC = "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("bybit_ccxt_streams.py")


@pytest.fixture(scope="module")
def account(understood: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = understood["account"]
    assert told["errors"] == []
    return told


def test_prices_arrive_on_each_stream(understood):
    market = understood["market"]
    near = pytest.approx(50000, abs=1)
    assert market["trades"]["price"] == near
    assert market["bids_asks"][BTC]["bid"] == near
    assert market["book"]["asks"][0][0] == near
    assert market["candles"][4] == near
    assert (market["ticker"]["last"], market["ticker"]["markPrice"]) == (near, near)


def test_each_path_has_one_connection(understood):
    paths = {url.split("/", 3)[3] for url in understood["addresses"]}
    assert paths == {"v5/private", "v5/public/linear", "v5/trade"}


def test_opening_is_told_as_order_position_and_balance(account):
    assert (account["opened"]["status"], account["opened"]["filled"]) == ("closed", 0.02)
    assert account["opened"]["average"] == pytest.approx(50000, rel=0.001)
    assert (account["position"]["side"], account["position"]["contracts"]) == ("long", 0.02)
    assert 99_900 < account["balance"]["USDT"]["total"] < 100_000


def test_a_stop_by_the_trade_socket_is_placed_moved_and_cancelled(account):
    for name, level, status in (
        ("placed", 49500, "open"),
        ("edited", 49600, "open"),
        ("cancelled", 49600, "canceled"),
    ):
        told = account[name]
        assert (told["id"], told["clientOrderId"]) == (account["stop"]["id"], "peer-stop")
        assert (told["triggerPrice"], told["status"]) == (level, status)
        assert told["reduceOnly"] is True


def test_the_positions_stop_closes_it_under_its_own_id(account):
    assert account["own_stop"]["triggerPrice"] == 49500
    triggered = account["triggered"]
    assert triggered["id"] == account["own_stop"]["id"] == account["trade"]["order"]
    assert (triggered["side"], triggered["filled"]) == ("sell", 0.02)
    assert triggered["average"] < 49500
    assert account["flat"]["contracts"] == 0
