"""Binance's own connector over REST: answers have the form of Binance's own specification."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client

pytestmark = pytest.mark.peers

LAST = {"50000.0", "50000.1"}
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("connector_rest.py")


def test_no_answer_deviates_from_the_connectors_models(understood):
    assert understood["complaints"] == []


def test_the_market_has_its_filters(understood):
    info = understood["market"]["info"]
    rows = {row["symbol"]: row for row in info["symbols"]}
    assert set(rows) == {"BTCUSDT", "ETHUSDT"}
    filters = {row["filter_type"]: row for row in rows["BTCUSDT"]["filters"]}
    assert filters["PRICE_FILTER"]["tick_size"] == "0.1"
    assert filters["LOT_SIZE"]["step_size"] == "0.001"
    limits = {
        (row["rate_limit_type"], row["interval"]): row["limit"] for row in info["rate_limits"]
    }
    assert limits["REQUEST_WEIGHT", "MINUTE"] == 2400
    assert limits["ORDERS", "SECOND"] == 300


def test_prices_are_read_from_every_page(understood):
    market = understood["market"]
    assert market["price"]["price"] in LAST
    assert market["day"]["last_price"] in LAST
    assert market["day"]["close_time"] <= market["time"]["server_time"] + MINUTE_MS
    assert float(market["book"]["bid_price"]) < float(market["book"]["ask_price"])
    assert float(market["mark"]["mark_price"]) == pytest.approx(50000, abs=1)
    assert len(market["depth"]["bids"]) == 5
    assert {row["p"] for row in market["trades"]} <= LAST
    assert {row["price"] for row in market["recent"]} <= LAST
    assert market["candles"][-1][4] in LAST
    assert float(market["mark_candles"][-1][4]) == pytest.approx(50000, abs=1)


def test_money_and_modes_are_read(understood):
    account = understood["account"]
    (balance,) = account["balance"]
    assert (balance["asset"], float(balance["balance"])) == ("USDT", 100_000)
    assert float(account["account"]["total_wallet_balance"]) == 100_000
    assert float(account["account_v2"]["available_balance"]) == 100_000
    assert account["commission"]["taker_commission_rate"] == "0.0005"
    assert account["mode"]["dual_side_position"] is False
    assert account["config"]["dual_side_position"] is False
    assert account["symbol_config"][0]["margin_type"] == "CROSSED"
    assert account["leverage"]["leverage"] == 7
    assert {row["interval"] for row in account["order_limits"]} == {"SECOND", "MINUTE"}


def test_positions_of_both_hands_are_read(understood):
    position = understood["position"]
    rows = {row["symbol"]: row for row in position["positions"]}
    assert rows["BTCUSDT"]["position_amt"] == "0.02"
    assert float(rows["ETHUSDT"]["position_amt"]) == -1
    assert float(rows["BTCUSDT"]["break_even_price"]) > float(rows["BTCUSDT"]["entry_price"])
    assert position["positions_v2"][0]["leverage"] == "7"
    assert {row["symbol"] for row in position["account"]["positions"]} == set(rows)


def test_a_market_order_is_filled_and_its_price_queried(understood):
    position = understood["position"]
    assert position["opened"]["status"] == "FILLED"
    assert position["order"]["client_order_id"] == "peer-open"
    assert float(position["order"]["avg_price"]) == pytest.approx(50000, rel=0.001)
    (fill,) = position["fills"]
    assert fill["order_id"] == position["opened"]["order_id"]
    assert float(fill["commission"]) == pytest.approx(float(fill["quote_qty"]) * 0.0005)


def test_stops_rest_are_listed_and_found_by_name(understood):
    stops = understood["stops"]
    assert (stops["sized"]["algo_status"], stops["sized"]["quantity"]) == ("NEW", "0.02")
    assert stops["sized"]["reduce_only"] is True
    assert (stops["whole"]["close_position"], stops["whole"]["working_type"]) == (
        True,
        "MARK_PRICE",
    )
    assert (stops["whole"]["quantity"], stops["whole"]["time_in_force"]) == ("0", "GTE_GTC")
    assert float(stops["trailing"]["callback_rate"]) == 1.5
    placed = {stops[name]["algo_id"] for name in ("sized", "whole", "trailing")}
    assert {row["algo_id"] for row in stops["listed"]} == placed
    assert stops["listed_plain"] == []
    assert stops["queried"]["algo_id"] == stops["sized"]["algo_id"]
    assert float(stops["queried"]["trigger_price"]) == 49000
    assert stops["queried"]["actual_order_id"] == ""


def test_an_order_is_counted_in_the_headers(understood):
    counted = {(row["type"], row["interval"]) for row in understood["stops"]["counted"]}
    assert {("ORDERS", "SECOND"), ("ORDERS", "MINUTE"), ("REQUEST_WEIGHT", "MINUTE")} <= counted


def test_stops_are_cancelled_by_name_by_id_and_all_at_once(understood):
    stops, cancelled = understood["stops"], understood["cancelled"]
    assert (cancelled["by_name"]["code"], cancelled["by_name"]["msg"]) == ("200", "success")
    assert cancelled["by_id"]["algo_id"] == stops["whole"]["algo_id"]
    assert [row["algo_id"] for row in cancelled["left"]] == [stops["trailing"]["algo_id"]]
    assert cancelled["again"]["code"] == -2011
    assert cancelled["queried"]["algo_status"] == "CANCELED"
    assert {row["algo_status"] for row in cancelled["history"]} == {"CANCELED"}


def test_the_position_is_closed_and_its_result_told(understood):
    close = understood["close"]
    assert close["order"]["status"] == "FILLED"
    assert close["order"]["reduce_only"] is True
    assert close["positions"] == []
    assert {"COMMISSION", "REALIZED_PNL"} <= {row["income_type"] for row in close["income"]}
    assert [row["side"] for row in close["orders"]] == ["BUY", "SELL"]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("would_trigger", -2021),
        ("close_while_flat", -4509),
        ("old_route", -4120),
        ("too_precise", -1111),
        ("unknown_stop", -2013),
        ("bad_signature", -1022),
    ],
)
def test_a_refusal_carries_the_exchanges_code(understood, call, code):
    assert understood["refused"][call]["class"] == "BadRequestError"
    assert understood["refused"][call]["code"] == code


def test_a_second_close_position_stop_is_refused(understood):
    assert understood["stops"]["twin"]["code"] == -4130
