"""pybit on the streams and the trade socket: prices arrive, orders are taken, fills are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("pybit_streams.py")


@pytest.fixture(scope="module")
def account(understood: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = understood["account"]
    return told


def test_prices_arrive_on_each_stream(understood):
    first = understood["market"]["first"]
    near = pytest.approx(50000, abs=1)
    assert float(first["ticker"]["lastPrice"]) == near
    assert float(first["trades"]["p"]) == near
    assert len(first["book"]["b"]) == 1
    assert float(first["deep_book"]["a"][-1][0]) > float(first["deep_book"]["a"][0][0])
    assert float(first["candles"]["close"]) == near
    assert first["candles"]["confirm"] is False
    assert float(first["limits"]["buyLmt"]) > 50000


def test_a_tickers_changes_are_merged_into_what_it_was(understood):
    merged = understood["market"]["merged"]
    assert merged["lastPrice"] == "50000.5"
    assert float(merged["markPrice"]) == pytest.approx(50000, abs=1)
    assert merged["fundingIntervalHour"] == "8"


def test_a_stream_is_given_up(understood):
    assert "tickers.BTCUSDT" not in understood["market"]["left"]
    assert "publicTrade.BTCUSDT" in understood["market"]["left"]


def test_the_trade_socket_takes_moves_and_cancels_orders(account):
    for call in ("open", "stop", "amend", "cancel", "batch", "batch_cancel"):
        assert account[call]["retCode"] == 0, account[call]
    assert account["twin"]["retCode"] == 110072
    assert account["cancel_again"]["retCode"] == 110001
    assert account["stop"]["header"]["X-Bapi-Limit"] == "10"
    assert {row["code"] for row in account["batch"]["retExtInfo"]["list"]} == {0}


def test_an_opened_position_is_told_on_every_stream(account):
    order = account["open"]["data"]["orderId"]
    assert (account["filled"]["orderId"], account["filled"]["cumExecQty"]) == (order, "0.02")
    assert (account["position"]["side"], account["position"]["size"]) == ("Buy", "0.02")
    assert account["position"]["entryPrice"] == account["filled"]["avgPrice"]
    assert (account["fill"]["orderId"], account["fill"]["isMaker"]) == (order, False)
    assert account["fast_fill"]["execId"] == account["fill"]["execId"]
    assert "execFee" not in account["fast_fill"]
    assert 99_999 < float(account["wallet"]["totalWalletBalance"]) < 100_000


def test_a_cancelled_stop_is_told_as_it_last_was(account):
    cancelled = account["cancelled"]
    assert cancelled["orderId"] == account["stop"]["data"]["orderId"]
    assert (cancelled["triggerPrice"], cancelled["cancelType"]) == ("49600", "CancelByUser")


def test_a_triggered_stop_keeps_its_id_and_closes_the_position(account):
    assert account["statuses"] == ["Untriggered", "Triggered", "Filled"]
    stopped = account["stopped"]
    assert stopped["orderId"] == account["own_stop"]["orderId"]
    assert (stopped["stopOrderType"], stopped["createType"]) == ("StopLoss", "CreateByStopLoss")
    assert float(stopped["execPrice"]) < 49500
    assert (account["flat"]["side"], account["flat"]["size"]) == ("", "0")
