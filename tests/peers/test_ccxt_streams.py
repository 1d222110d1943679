"""ccxt.pro on the streams: prices arrive, and the account is told what becomes of its stop."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client

pytestmark = pytest.mark.peers

BTC = "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("ccxt_streams.py")


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
    assert market["mark_price"]["markPrice"] == near
    assert market["candles"][4] == near
    assert market["ticker"]["last"] == near


def test_streams_are_dialled_on_the_routed_paths(understood):
    paths = {url.split("/")[3] for url in understood["addresses"] if url.startswith("ws")}
    assert paths == {"market", "public", "private"}


def test_opening_is_told_as_order_and_position(account):
    assert (account["opened"]["status"], account["opened"]["filled"]) == ("closed", 0.02)
    assert account["opened"]["average"] == pytest.approx(50000, rel=0.001)
    assert (account["position"]["side"], account["position"]["contracts"]) == ("long", 0.02)


def test_a_placed_stop_is_told(account):
    placed = account["placed"]
    assert placed["id"] == account["stop"]["id"]
    assert (placed["status"], placed["triggerPrice"]) == ("open", 49500)
    assert placed["reduceOnly"] is True


def test_a_triggered_stop_names_its_child_and_what_that_filled(account):
    finished = account["finished"]["info"]
    assert (finished["aq"], finished["ai"]) == ("0.02", account["child"]["id"])
    assert account["algo_children"] == [account["child"]["id"]]
    assert account["algo_statuses"][0] == "NEW"
    assert account["algo_statuses"][-1] == "FINISHED"


def test_the_child_is_a_new_order_with_the_stops_own_name(account):
    child, stop = account["child"], account["stop"]
    assert child["id"] != stop["id"]
    assert child["clientOrderId"] == stop["clientOrderId"]
    assert (child["status"], child["side"], child["filled"]) == ("closed", "sell", 0.02)
    assert child["average"] < 49500
    assert account["trade"]["order"] == child["id"]
    assert account["trade"]["fee"]["currency"] == "USDT"


def test_the_closed_position_and_the_balance_are_told(account):
    assert account["flat"]["contracts"] == 0
    assert 99_900 < account["balance"]["USDT"]["total"] < 100_000
