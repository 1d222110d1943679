"""Binance's own connector on the streams: events have the form of Binance's own specification."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client

pytestmark = pytest.mark.peers

KINDS = {"OrderTradeUpdate", "TradeLite", "AccountUpdate", "AlgoUpdate", "ListenKeyExpired"}


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("connector_streams.py")


@pytest.fixture(scope="module")
def told(understood: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = understood["account"]["told"]
    return rows


def test_no_event_deviates_from_the_connectors_models(understood, told):
    assert understood["complaints"] == []
    assert {row["kind"] for row in told} == KINDS


def test_prices_arrive_on_each_stream(understood):
    market = understood["market"]
    near = pytest.approx(50000, abs=1)
    assert float(market["trade"]["p"]) == near
    assert float(market["book"]["b"]) == near
    assert float(market["mark"]["p"]) == near
    assert float(market["candle"]["k"]["c"]) == near
    # A minute may have ended just then.
    assert market["candle"]["k"]["x"] is (market["candle"]["E"] > market["candle"]["k"]["T"])
    assert float(market["ticker"]["c"]) == near
    assert float(market["mini_ticker"]["c"]) == near


def test_the_listen_key_is_extended_and_its_end_told(understood, told):
    assert understood["account"]["same_key"]
    assert told[-1]["kind"] == "ListenKeyExpired"


def test_a_stop_goes_through_its_statuses_to_a_child(told):
    algo = stops(told, "peer-triggered")
    assert [row["X"] for row in algo] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert algo[0]["ai"] in (None, "")
    assert (algo[-1]["aq"], algo[-1]["act"]) == ("0.02", "MARKET")
    filled = closing(told)
    assert algo[-1]["ai"] == str(filled["i"])


def test_a_close_position_stop_expires_with_its_position(told):
    algo = stops(told, "peer-backstop")
    assert [row["X"] for row in algo] == ["NEW", "EXPIRED"]
    assert [(row["cp"], row["f"], row["q"]) for row in algo] == [(True, "GTE_GTC", "0")] * 2


def test_the_child_fills_reduce_only_under_the_stops_name(told):
    filled = closing(told)
    assert (filled["x"], filled["ot"], filled["S"], filled["R"]) == (
        "TRADE",
        "STOP_MARKET",
        "SELL",
        True,
    )
    assert float(filled["L"]) < 49500
    assert float(filled["rp"]) < 0 < float(filled["n"])


def test_the_account_is_told_its_position_and_that_it_closed(told):
    sizes = [
        float(row["pa"])
        for event in told
        if event["kind"] == "AccountUpdate"
        for row in event["a"]["P"]
    ]
    assert sizes == [0.02, 0.0]


def stops(told, client_id):
    algo = [row["o"] for row in told if row["kind"] == "AlgoUpdate"]
    return [row for row in algo if row["caid"] == client_id]


def closing(told):
    return next(
        row["o"]
        for row in told
        if row["kind"] == "OrderTradeUpdate"
        and row["o"]["c"] == "peer-triggered"
        and row["o"]["X"] == "FILLED"
    )
