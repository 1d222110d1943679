"""ccxt over REST: what it makes of the paper exchange's answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client
from tests.peers.exchange import PaperExchange

pytestmark = pytest.mark.peers

BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"
PRICES = (50000.0, 50000.1)
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("ccxt_rest.py")


def test_markets_have_their_grids_and_limits(understood):
    market = understood["market"]["markets"][BTC]
    assert set(understood["market"]["markets"]) == {BTC, ETH}
    assert (market["id"], market["type"], market["linear"]) == ("BTCUSDT", "swap", True)
    assert (market["base"], market["settle"], market["contractSize"]) == ("BTC", "USDT", 1)
    assert market["active"]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.001)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.001, 5.0)


def test_tickers_carry_the_price_and_no_future(understood):
    market = understood["market"]
    assert market["ticker"]["last"] in PRICES
    assert market["ticker"]["timestamp"] <= market["time"] + MINUTE_MS
    assert set(market["tickers"]) == {BTC, ETH}
    assert market["last_prices"][BTC]["price"] in PRICES
    quote = market["bids_asks"][BTC]
    assert 0 < quote["ask"] - quote["bid"] < 1
    assert market["mark"]["markPrice"] == pytest.approx(50000, abs=1)
    assert market["funding"]["fundingRate"] == 0.0001
    assert market["funding"]["fundingTimestamp"] > market["time"]


def test_candles_trades_and_book_are_read(understood):
    market = understood["market"]
    begins_ms, _, high, low, close, volume = market["candles"][-1]
    assert begins_ms % MINUTE_MS == 0
    assert {high, low, close} <= set(PRICES)
    assert volume > 0
    assert market["mark_candles"][-1][4] == pytest.approx(50000, abs=1)
    assert {row["price"] for row in market["trades"]} <= set(PRICES)
    assert {row["side"] for row in market["trades"]} == {"buy"}
    assert market["book"]["bids"][0][0] < market["book"]["asks"][0][0]


def test_balance_fees_and_modes_are_read(understood):
    account = understood["account"]
    assert account["balance"]["USDT"] == {"free": 100000.0, "used": 0.0, "total": 100000.0}
    assert (account["fee"]["maker"], account["fee"]["taker"]) == (0.0002, 0.0005)
    assert account["mode"]["hedged"] is False
    assert account["leverages"][BTC]["longLeverage"] == 5
    assert account["leverage"]["longLeverage"] == 7
    assert account["leverage"]["marginMode"] == "cross"
    assert account["same_margin_mode"]["class"] == "MarginModeAlreadySet"


def test_its_own_market_order_is_filled(understood):
    position = understood["position"]
    assert position["opened"]["status"] == "closed"
    assert position["opened"]["filled"] == 0.02
    # Place answers lost their average price in 2026-07; a query still has it.
    assert position["opened"]["average"] is None
    assert position["opening"]["average"] == pytest.approx(50000, rel=0.001)
    (trade,) = position["trades"]
    assert trade["order"] == position["opened"]["id"]
    assert trade["fee"]["cost"] == pytest.approx(trade["cost"] * 0.0005)


@pytest.mark.parametrize("way", ["own", "legacy", "by_account"])
def test_its_own_position_is_read_in_each_form(understood, way):
    (position,) = understood["position"][way]
    assert (position["side"], position["contracts"]) == ("long", 0.02)
    assert position["entryPrice"] == pytest.approx(50000, rel=0.001)
    assert position["notional"] == pytest.approx(1000, rel=0.001)
    assert position["hedged"] is False
    assert position["marginMode"] == "cross"


def test_a_position_of_the_control_interface_is_read_beside_it(understood):
    found = {row["symbol"]: row for row in understood["position"]["all"]}
    assert set(found) == {BTC, ETH}
    assert (found[ETH]["side"], found[ETH]["contracts"]) == ("short", 1.0)
    assert found[ETH]["entryPrice"] == pytest.approx(2500, rel=0.001)
    # Far enough above that ccxt can tell a short's liquidation from a long's.
    assert found[ETH]["liquidationPrice"] > found[ETH]["entryPrice"]


def test_a_sized_stop_rests_as_it_was_asked_for(understood):
    stop = understood["stops"]["sized"]
    assert stop["status"] == "open"
    assert (stop["side"], stop["amount"], stop["triggerPrice"]) == ("sell", 0.02, 49000)
    assert stop["reduceOnly"] is True
    assert stop["clientOrderId"] == "peer-sized"
    assert understood["stops"]["queried"]["id"] == stop["id"]
    assert understood["stops"]["queried"]["status"] == "open"


def test_a_stop_of_the_whole_position_has_no_size(understood):
    stop = understood["stops"]["whole"]
    assert stop["info"]["closePosition"] is True
    assert stop["timeInForce"] == "GTE_GTC"
    assert (stop["triggerPrice"], stop["reduceOnly"], stop["status"]) == (48000, True, "open")


def test_stops_are_listed_with_conditional_orders_alone(understood):
    stops = understood["stops"]
    placed = [stops[name]["id"] for name in ("sized", "second", "whole", "trailing")]
    assert sorted(row["id"] for row in stops["listed"]) == sorted(placed)
    assert stops["listed_plain"] == []


def test_a_second_close_position_stop_is_refused(understood):
    assert '"code":-4130' in understood["stops"]["twin"]["text"]


def test_stops_are_cancelled_by_id_by_name_and_all_at_once(understood):
    stops, cancelled = understood["stops"], understood["cancelled"]
    assert cancelled["by_id"]["id"] == stops["second"]["id"]
    assert cancelled["by_name"]["id"] == stops["sized"]["id"]
    left = {row["id"] for row in cancelled["left"]}
    assert left == {stops["whole"]["id"], stops["trailing"]["id"]}
    assert cancelled["again"]["class"] == "OrderNotFound"
    assert cancelled["none_left"] == []
    assert cancelled["queried"]["status"] == "canceled"
    assert {row["status"] for row in cancelled["history"]} == {"canceled"}


def test_the_position_is_closed_and_its_result_told(understood):
    close = understood["close"]
    assert [row["id"] for row in close["resting"]] == [close["limit"]["id"]]
    assert close["cancelled"]["status"] == "canceled"
    assert close["closed"]["status"] == "closed"
    assert close["closing"]["average"] == pytest.approx(50000, rel=0.001)
    assert close["left"] == []
    assert {"trade", "commission"} <= {row["type"] for row in close["ledger"]}
    assert len(close["all_orders"]) == 3


def test_the_exchange_holds_what_ccxt_believes(understood, exchange: PaperExchange):
    state = exchange.state("long")
    assert [row["symbol"] for row in state["positions"]] == ["ETHUSDT"]
    assert state["open_conditionals"] == []
    assert state["open_orders"] == []


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("would_trigger", -2021),
        ("old_route", -4120),
        ("close_while_flat", -4509),
        ("reduce_while_flat", -2022),
    ],
)
def test_a_refused_order_carries_the_exchanges_code(understood, call, code):
    # On hosts that it does not know ccxt has one class for all of these.
    refused = understood["refused"][call]
    assert refused["class"] == "ExchangeError"
    assert f'"code":{code}' in refused["text"]


@pytest.mark.parametrize(
    ("call", "kind", "code"),
    [
        ("unknown_stop", "OrderNotFound", -2013),
        ("unknown_order", "OrderNotFound", -2011),
        ("unknown_symbol", "BadSymbol", -1121),
        ("bad_signature", "AuthenticationError", -1022),
        ("unknown_key", "AuthenticationError", -2015),
        ("malformed_key", "AuthenticationError", -2014),
        ("late", "InvalidNonce", -1021),
    ],
)
def test_an_error_becomes_the_class_that_ccxt_has_for_it(understood, call, kind, code):
    refused = understood["refused"][call]
    assert refused["class"] == kind
    assert f'"code":{code}' in refused["text"]


def test_the_exchange_counts_what_ccxt_has_used(understood):
    assert int(understood["headers"]["X-MBX-USED-WEIGHT-1M"]) > 0
