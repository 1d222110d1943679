"""ccxt over REST on the Bybit side: what it makes of the paper exchange's answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client
from tests.peers.exchange import PaperExchange

pytestmark = pytest.mark.peers

BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"
PRICES = (50000.0, 50000.1)


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("bybit_ccxt_rest.py")


def levels(orders):
    return {(row["triggerPrice"], row["amount"]) for row in orders}


def test_markets_have_their_grids_and_limits(understood):
    market = understood["market"]["markets"][BTC]
    assert set(understood["market"]["markets"]) == {BTC, ETH}
    assert (market["id"], market["type"], market["linear"]) == ("BTCUSDT", "swap", True)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.001)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.001, 5.0)
    assert market["active"]


def test_prices_are_read_from_every_page(understood):
    market = understood["market"]
    assert market["ticker"]["last"] in PRICES
    assert market["ticker"]["markPrice"] == pytest.approx(50000, abs=1)
    assert set(market["tickers"]) == {BTC, ETH}
    assert 0 < market["bids_asks"][BTC]["ask"] - market["bids_asks"][BTC]["bid"] < 1
    assert market["funding"]["fundingRate"] == 0.0001
    assert market["funding"]["fundingTimestamp"] > market["time"]
    assert market["candles"][-1][4] in PRICES
    assert market["mark_candles"][-1][4] == pytest.approx(50000, abs=1)
    assert {row["price"] for row in market["trades"]} <= set(PRICES)
    assert market["book"]["bids"][0][0] < market["book"]["asks"][0][0]


def test_balance_fees_and_leverage_are_read(understood):
    account = understood["account"]
    assert account["balance"]["USDT"]["free"] == account["balance"]["USDT"]["total"] == 100_000
    assert (account["fee"]["maker"], account["fee"]["taker"]) == (0.0002, 0.0005)
    assert account["leverage"]["longLeverage"] == 7
    assert '"retCode":110043' in account["same_leverage"]["text"]
    assert account["margin_mode"] is None


def test_its_own_positions_are_read(understood):
    position = understood["position"]
    assert (position["opening"]["status"], position["opening"]["filled"]) == ("closed", 0.02)
    assert position["acknowledged"]["id"] == position["opened"]["id"]
    own = position["own"]
    assert (own["side"], own["contracts"], own["hedged"]) == ("long", 0.02, False)
    assert own["entryPrice"] == position["opening"]["average"]
    found = {row["symbol"]: row for row in position["all"]}
    assert (found[ETH]["side"], found[ETH]["contracts"]) == ("short", 1.0)
    assert found[ETH]["liquidationPrice"] > found[ETH]["entryPrice"]
    (trade,) = position["trades"]
    assert trade["order"] == position["opened"]["id"]
    assert trade["fee"]["cost"] == pytest.approx(trade["cost"] * 0.0005)


def test_the_positions_stop_is_moved_in_place(understood):
    stops = understood["position_stops"]
    assert levels(stops["resting"]) == {(49000, 0.02)}
    assert levels(stops["moved"]) == {(49500, 0.02)}
    assert stops["moved"][0]["id"] == stops["resting"][0]["id"]
    assert stops["position"]["stopLossPrice"] == 49500
    assert '"retCode":34040' in stops["same_again"]["text"]
    assert '"retCode":10001' in stops["wrong_side"]["text"]


def test_a_trailing_stop_stands_beside_it(understood):
    trailing = understood["position_stops"]["trailing"]
    assert trailing["info"]["trailingStop"] == "500"
    assert trailing["stopLossPrice"] == 49500


def test_stops_come_with_the_order_that_opens_and_end_with_the_position(understood):
    attached = understood["attached"]
    assert levels(attached["stops"]) == {(51000, 0.01), (48000, 0.01)}
    position = attached["position"]
    assert (position["stopLossPrice"], position["takeProfitPrice"]) == (51000, 48000)
    assert attached["left"] == []


def test_a_stop_with_an_amount_is_one_more_and_all_are_cancelled_at_once(understood):
    stops = understood["position_stops"]
    assert levels(stops["all_forms"]) == {(49500, 0.02), (48000, 0.01)}
    assert stops["left"] == []


def test_a_conditional_stop_is_edited_in_place(understood):
    kept = understood["conditionals"]
    assert levels(kept["listed"]) == {(49000, 0.02), (48900, 0.02)}
    assert all(row["reduceOnly"] for row in kept["listed"])
    assert kept["one"]["clientOrderId"] == "peer-stop"
    assert kept["edited"]["id"] == kept["after_edit"]["id"] == kept["placed"]["id"]
    assert kept["after_edit"]["triggerPrice"] == 49100
    assert kept["after_edit"]["info"]["triggerBy"] == "MarkPrice"


def test_conditional_stops_are_cancelled_by_id_and_all_at_once(understood):
    kept = understood["conditionals"]
    assert kept["cancelled"]["id"] == kept["placed"]["id"]
    assert kept["left"] == []
    ended = {row["id"]: row["status"] for row in kept["history"]}
    assert ended[kept["placed"]["id"]] == ended[kept["second"]["id"]] == "canceled"


@pytest.mark.parametrize(
    ("call", "kind", "code"),
    [
        ("twin", "InvalidOrder", 110072),
        ("would_trigger", "InvalidOrder", 110093),
        ("again", "OrderNotFound", 110001),
    ],
)
def test_a_refused_stop_becomes_the_class_that_ccxt_has_for_it(understood, call, kind, code):
    refused = understood["conditionals"][call]
    assert refused["class"] == kind
    assert f'"retCode":{code}' in refused["text"]


def test_a_quantity_of_nothing_closes_everything(understood):
    closed = understood["closed"]
    assert [row["id"] for row in closed["resting"]] == [closed["limit"]["id"]]
    assert (closed["closing"]["status"], closed["closing"]["filled"]) == ("closed", 0.02)
    assert [row["symbol"] for row in closed["left"]] == [ETH]
    (result,) = closed["closed_pnl"]
    assert (result["symbol"], result["side"], result["contracts"]) == (BTC, "long", 0.02)
    assert result["realizedPnl"] < 0
    assert {row["type"] for row in closed["ledger"]} == {"trade"}
    assert [row["side"] for row in closed["trades"]] == ["buy", "sell"]


def test_hedge_mode_holds_both_legs_with_their_stops(understood):
    hedge = understood["hedge"]
    assert [(row["side"], row["contracts"], row["hedged"]) for row in hedge["positions"]] == [
        ("long", 0.02, True),
        ("short", 0.01, True),
    ]
    stops = {
        (row["info"]["positionIdx"], row["side"], row["triggerPrice"]) for row in hedge["stops"]
    }
    assert stops == {(1, "sell", 49000), (2, "buy", 51000), (1, "sell", 48900)}


def test_the_positions_own_stops_end_with_it_and_conditional_ones_stay(understood):
    assert levels(understood["hedge"]["stops_left"]) == {(48900, 0.02)}


@pytest.mark.parametrize(
    ("call", "code"),
    [("blocked", 110024), ("same_mode", 110025), ("without_index", 10001), ("with_orders", 110028)],
)
def test_a_mode_that_cannot_be_is_refused(understood, call, code):
    assert f'"retCode":{code}' in understood["hedge"][call]["text"]


@pytest.mark.parametrize(
    ("call", "kind", "code"),
    [
        ("no_position", "BadRequest", 10001),
        ("reduce_while_flat", "InvalidOrder", 110017),
        ("unknown_order", "OrderNotFound", 110001),
        ("bad_signature", "AuthenticationError", 10004),
        ("unknown_key", "AuthenticationError", 10003),
        ("late", "InvalidNonce", 10002),
    ],
)
def test_an_error_becomes_the_class_that_ccxt_has_for_it(understood, call, kind, code):
    refused = understood["refused"][call]
    assert refused["class"] == kind
    assert f'"retCode":{code}' in refused["text"]


def test_the_exchange_counts_what_ccxt_has_used(understood):
    assert int(understood["headers"]["X-Bapi-Limit-Status"]) < int(
        understood["headers"]["X-Bapi-Limit"]
    )


def test_the_exchange_holds_what_ccxt_believes(understood, exchange: PaperExchange):
    state = exchange.state("long")
    assert [row["symbol"] for row in state["positions"]] == ["ETHUSDT"]
    assert state["open_conditionals"] == []
    assert state["open_orders"] == []
    assert state["hedge_symbols"].get("BTCUSDT", False) is False
