"""pybit over REST: what Bybit's own library makes of the paper exchange's answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client
from tests.peers.exchange import PaperExchange

pytestmark = pytest.mark.peers

LAST = {"50000.0", "50000.1"}
MINUTE_MS = 60_000
STOP_FIELDS = ("stopOrderType", "triggerPrice", "qty")


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("pybit_rest.py")


def shapes(orders):
    return {tuple(row[field] for field in STOP_FIELDS) for row in orders}


def test_instruments_have_their_grids_and_limits(understood):
    rows = {row["symbol"]: row for row in understood["market"]["instruments"]}
    assert set(rows) == {"BTCUSDT", "ETHUSDT"}
    btc = rows["BTCUSDT"]
    assert btc["priceFilter"]["tickSize"] == "0.1"
    assert btc["lotSizeFilter"]["qtyStep"] == "0.001"
    assert (btc["status"], btc["contractType"]) == ("Trading", "LinearPerpetual")


def test_prices_are_read_from_every_page(understood):
    market = understood["market"]
    tickers = {row["symbol"]: row for row in market["tickers"]}
    assert tickers["BTCUSDT"]["lastPrice"] in LAST
    assert float(tickers["BTCUSDT"]["markPrice"]) == pytest.approx(50000, abs=1)
    assert market["candles"]["list"][0][4] in LAST
    assert int(market["candles"]["list"][0][0]) % MINUTE_MS == 0
    for name in ("mark_candles", "index_candles"):
        assert float(market[name]["list"][0][4]) == pytest.approx(50000, abs=1)
    assert float(market["book"]["b"][0][0]) < float(market["book"]["a"][0][0])
    assert {row["price"] for row in market["trades"]} <= LAST
    limits = market["price_limit"]
    assert float(limits["sellLmt"]) < 50000 < float(limits["buyLmt"])


def test_money_fees_and_modes_are_read(understood):
    account = understood["account"]
    (wallet,) = account["wallet"]
    assert (wallet["accountType"], float(wallet["totalEquity"])) == ("UNIFIED", 100_000)
    assert [row["coin"] for row in wallet["coin"]] == ["USDT"]
    assert account["fees"][0]["takerFeeRate"] == "0.0005"
    assert account["info"]["unifiedMarginStatus"] == 6
    assert account["key"]["readOnly"] == 0
    assert account["same_leverage"]["code"] == 110043
    (flat,) = account["flat"]
    assert (flat["size"], flat["side"], flat["leverage"]) == ("0", "", "7")


def test_a_market_order_is_filled_and_its_position_read(understood):
    opened = understood["long"]
    (order,) = opened["order"]
    assert order["orderId"] == opened["placed"]["orderId"]
    assert (order["orderStatus"], order["cumExecQty"]) == ("Filled", "0.02")
    (position,) = opened["own"]
    assert (position["side"], position["size"]) == ("Buy", "0.02")
    assert position["avgPrice"] == order["avgPrice"]
    assert float(position["breakEvenPrice"]) > float(position["avgPrice"])
    assert {(row["symbol"], row["side"]) for row in opened["all"]} == {
        ("BTCUSDT", "Buy"),
        ("ETHUSDT", "Sell"),
    }
    (fill,) = opened["fills"]
    assert float(fill["execFee"]) == pytest.approx(float(fill["execValue"]) * 0.0005)
    assert opened["twin"]["code"] == 110072


def test_the_positions_stop_is_moved_in_place(understood):
    stops = understood["position_stops"]
    assert shapes(stops["resting"]) == {("StopLoss", "49000", "0.02")}
    assert shapes(stops["resting_moved"]) == {("StopLoss", "49500", "0.02")}
    assert stops["resting"][0]["orderId"] == stops["resting_moved"][0]["orderId"]
    assert stops["resting"][0]["closeOnTrigger"] is True
    assert stops["same_again"]["code"] == 34040


def test_a_stop_that_makes_no_sense_is_refused(understood):
    stops = understood["position_stops"]
    for call in ("wrong_side", "wrong_index"):
        assert stops[call]["code"] == 10001
    assert "set for Buy position should lower than base_price" in stops["wrong_side"]["text"]


def test_stop_target_and_trailing_stop_rest_together(understood):
    stops = understood["position_stops"]
    # A trailing stop is an order only once its activation price is reached.
    assert {row["stopOrderType"] for row in stops["asleep"]} == {"StopLoss", "TakeProfit"}
    assert {row["stopOrderType"] for row in stops["all_three"]} == {
        "StopLoss",
        "TakeProfit",
        "TrailingStop",
    }
    (position,) = stops["on_the_position"]
    shown = [position[field] for field in ("stopLoss", "takeProfit", "trailingStop")]
    assert shown == ["49500", "52000", "900"]
    assert stops["removed"] == []


def test_partial_stops_add_up_and_are_amended_and_cancelled_one_by_one(understood):
    stops = understood["position_stops"]
    assert shapes(stops["partial"]) == {
        ("PartialStopLoss", "48000", "0.01"),
        ("PartialStopLoss", "48500", "0.01"),
    }
    assert {row["triggerPrice"] for row in stops["partial_amended"]} == {"48100", "48500"}
    assert stops["left"] == []


def test_conditional_orders_are_amended_in_place_and_cancelled(understood):
    kept = understood["conditionals"]
    assert shapes(kept["listed"]) == {("Stop", "49000", "0.02"), ("Stop", "48900", "0.02")}
    assert all(row["reduceOnly"] for row in kept["listed"])
    assert kept["amended"] == kept["first"]
    assert {row["triggerPrice"] for row in kept["after_amend"]} == {"49100", "48900"}
    (ended,) = kept["history"]
    assert (ended["orderStatus"], ended["cancelType"]) == ("Deactivated", "CancelByUser")
    assert len(kept["all_cancelled"]["list"]) == 1
    assert kept["left"] == []


@pytest.mark.parametrize(
    ("call", "code"), [("same_again", 10001), ("would_trigger", 110093), ("again", 110001)]
)
def test_a_conditional_order_that_makes_no_sense_is_refused(understood, call, code):
    assert understood["conditionals"][call]["code"] == code


def test_batches_are_answered_order_by_order(understood):
    limits = understood["limits"]
    for call in ("placed", "amended", "cancelled"):
        assert {row["code"] for row in limits[call]["retExtInfo"]["list"]} == {0}
    assert {float(row["price"]) for row in limits["resting"]} == {49650, 49700}
    assert limits["left"] == []


def test_a_quantity_of_nothing_closes_everything(understood):
    closed = understood["closed"]
    assert [row["symbol"] for row in closed["left"]] == ["ETHUSDT"]
    closing = closed["fills"][0]
    assert (closing["side"], closing["closedSize"], closing["execType"]) == (
        "Sell",
        "0.02",
        "Trade",
    )
    (result,) = closed["closed_pnl"]
    assert result["orderId"] == closed["placed"]["orderId"]
    fees = float(result["openFee"]) + float(result["closeFee"])
    gain = float(result["cumExitValue"]) - float(result["cumEntryValue"])
    assert float(result["closedPnl"]) == pytest.approx(gain - fees)
    assert {row["type"] for row in closed["log"]} == {"TRADE"}


def test_hedge_mode_is_switched_on_and_off_again(understood):
    hedge = understood["hedge"]
    assert hedge["blocked"]["code"] == 110024
    assert hedge["same_mode"]["code"] == 110025
    assert [row["positionIdx"] for row in hedge["flat"]] == [1, 2]
    assert hedge["without_index"]["code"] == 10001
    assert hedge["one_way"]["retCode"] == 0


def test_each_leg_has_its_position_and_its_stop_which_ends_with_it(understood):
    hedge = understood["hedge"]
    assert [(row["positionIdx"], row["side"], row["size"]) for row in hedge["positions"]] == [
        (1, "Buy", "0.02"),
        (2, "Sell", "0.01"),
    ]
    assert {(row["positionIdx"], row["side"], row["triggerPrice"]) for row in hedge["stops"]} == {
        (1, "Sell", "49000"),
        (2, "Buy", "51000"),
    }
    assert {row["size"] for row in hedge["left"]} == {"0"}
    assert hedge["stops_left"] == []


def test_stops_come_with_the_order_that_opens(understood):
    attached = understood["attached"]
    assert shapes(attached["stops"]) == {
        ("StopLoss", "51000", "0.01"),
        ("TakeProfit", "48000", "0.01"),
    }
    (position,) = attached["position"]
    assert (position["stopLoss"], position["takeProfit"]) == ("51500", "48000")


def test_the_positions_stop_is_amended_and_cancelled_as_an_order(understood):
    attached = understood["attached"]
    assert ("StopLoss", "51500", "0.01") in shapes(attached["amended"])
    assert shapes(attached["cancelled"]) == {("TakeProfit", "48000", "0.01")}
    assert attached["left"] == []


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("no_position", 10001),
        ("reduce_while_flat", 110017),
        ("too_small", 10001),
        ("unknown_order", 110001),
        ("unknown_symbol", 10001),
        ("bad_signature", 10004),
        ("unknown_key", 10003),
    ],
)
def test_a_refusal_carries_the_exchanges_code(understood, call, code):
    assert understood["refused"][call]["code"] == code


def test_the_exchange_holds_what_pybit_believes(understood, exchange: PaperExchange):
    state = exchange.state("long")
    assert [row["symbol"] for row in state["positions"]] == ["ETHUSDT"]
    assert state["open_conditionals"] == []
    assert state["open_orders"] == []
