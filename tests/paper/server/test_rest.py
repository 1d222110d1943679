"""What a client sees of the REST endpoints, through real requests in virtual time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.paper.server.support import START_US, SYMBOL, run, tape
from trailstop.paper.settings import WorldSettings


async def placed_and_listed(client):
    await client.open_long()
    placed = await client.stop_order("98.5", "g-1")
    listed = await client.call("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL)
    queried = await client.call("GET", "/fapi/v1/algoOrder", clientAlgoId="g-1")
    cancelled = await client.call("DELETE", "/fapi/v1/algoOrder", algoId=placed["algoId"])
    gone = await client.call("DELETE", "/fapi/v1/algoOrder", algoId=placed["algoId"])
    after = await client.call("GET", "/fapi/v1/algoOrder", algoId=placed["algoId"])
    return placed, listed, queried, cancelled, gone, after


def test_a_stop_is_placed_listed_queried_and_cancelled():
    placed, listed, queried, cancelled, gone, after = run(placed_and_listed)
    assert placed["algoStatus"] == "NEW"
    assert placed["orderType"] == "STOP_MARKET"
    assert (placed["triggerPrice"], placed["quantity"]) == ("98.5", "0.100")
    assert placed["workingType"] == "CONTRACT_PRICE"
    assert placed["reduceOnly"] is True
    assert [row["clientAlgoId"] for row in listed] == ["g-1"]
    assert queried["actualOrderId"] == ""
    assert cancelled == {
        "algoId": placed["algoId"],
        "clientAlgoId": "g-1",
        "code": "200",
        "msg": "success",
    }
    assert gone["code"] == -2011
    assert after["algoStatus"] == "CANCELED"


REFUSALS = [
    pytest.param({"trigger": 101}, -2021, id="a stop that would trigger at once"),
    pytest.param({"trigger": "98.55"}, -1111, id="too many decimals"),
    pytest.param({"trigger": 98, "type": None}, -1102, id="no type"),
    pytest.param({"trigger": None, "stopPrice": 98}, -1102, id="stopPrice for triggerPrice"),
    pytest.param({"trigger": 98, "quantity": None}, -1102, id="no quantity"),
    pytest.param({"trigger": 98, "symbol": "NOPEUSDT"}, -1121, id="unknown symbol"),
    pytest.param({"trigger": 98, "side": "UP"}, -1117, id="invalid side"),
    pytest.param({"trigger": 98, "type": "MARKET"}, -1116, id="no conditional type"),
    pytest.param({"trigger": 98, "clientAlgoId": "x" * 40}, -4015, id="client id too long"),
    pytest.param({"trigger": 98, "closePosition": "true", "reduceOnly": None}, -4137,
                 id="close position with a quantity"),
    pytest.param({"trigger": 98, "positionSide": "LONG", "reduceOnly": None}, -4061,
                 id="hedge side in one-way mode"),
    pytest.param({"trigger": "abc"}, -1130, id="no number"),
]  # fmt: skip


@pytest.mark.parametrize(("order", "code"), REFUSALS)
def test_a_conditional_order_is_refused_in_the_exchanges_own_codes(order, code):
    async def scenario(client):
        await client.open_long()
        return await place(client, order)

    assert run(scenario)["code"] == code


async def place(client, order):
    values = {
        "algoType": "CONDITIONAL",
        "symbol": SYMBOL,
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.100",
        "reduceOnly": "true",
        "triggerPrice": order["trigger"],
    } | {name: value for name, value in order.items() if name != "trigger"}
    values = {name: value for name, value in values.items() if value is not None}
    answer = await client.call("POST", "/fapi/v1/algoOrder", **values)
    assert client.status == 400
    return answer


def test_whole_position_stops_need_a_position_and_are_single():
    async def scenario(client):
        whole = {"closePosition": "true", "quantity": None, "reduceOnly": None}
        flat = await client.stop_order(95, **whole)
        await client.open_long()
        first = await client.stop_order(95, **whole)
        twin = await client.stop_order(94, **whole)
        return flat, first, twin

    flat, first, twin = run(scenario)
    assert flat["code"] == -4509
    assert (first["timeInForce"], first["quantity"], first["closePosition"]) == (
        "GTE_GTC", "0", True,
    )  # fmt: skip
    assert twin["code"] == -4130


@pytest.mark.parametrize(("switch", "refused"), [("allow", False), ("refuse", True)])
def test_a_second_reduce_only_stop_is_a_switch(switch, refused):
    async def scenario(client):
        await client.open_long()
        await client.stop_order(97, "g-1")
        return await client.stop_order(98, "g-2")

    answer = run(scenario, world=WorldSettings(second_reduce_only_stop=switch))
    assert (answer.get("code") == -4130) is refused
    if refused:
        assert answer["msg"] == "An open reduce-only stop order in the direction is existing."


def test_the_old_route_points_to_the_algo_service():
    async def scenario(client):
        return await client.call(
            "POST", "/fapi/v1/order", symbol=SYMBOL, side="SELL", type="STOP_MARKET",
            stopPrice=98, closePosition="true",
        )  # fmt: skip

    assert run(scenario)["code"] == -4120


def test_a_market_order_fills_its_answer_has_no_average_price_and_history_has_all():
    async def scenario(client):
        order = await client.call(
            "POST", "/fapi/v1/order", form=True, symbol=SYMBOL, side="BUY", type="MARKET",
            quantity="0.200", newClientOrderId="me-1",
        )  # fmt: skip
        queried = await client.call(
            "GET", "/fapi/v1/order", symbol=SYMBOL, origClientOrderId="me-1"
        )
        trades = await client.call("GET", "/fapi/v1/userTrades", symbol=SYMBOL)
        position, *others = await client.call("GET", "/fapi/v3/positionRisk")
        assert not others
        over = await client.call(
            "POST", "/fapi/v1/order", symbol=SYMBOL, side="BUY", type="MARKET",
            quantity="0.200", reduceOnly="true",
        )  # fmt: skip
        income = await client.call("GET", "/fapi/v1/income", incomeType="COMMISSION")
        return order, queried, trades, position, over, income

    order, queried, trades, position, over, income = run(scenario)
    assert (order["status"], order["executedQty"]) == ("FILLED", "0.200")
    assert "avgPrice" not in order
    assert Decimal(queried["avgPrice"]) == Decimal(trades[0]["price"])
    assert trades[0]["orderId"] == order["orderId"]
    assert Decimal(position["positionAmt"]) == Decimal("0.2")
    assert position["positionSide"] == "BOTH"
    assert Decimal(position["breakEvenPrice"]) > Decimal(position["entryPrice"])
    assert over["code"] == -2022
    assert Decimal(income[0]["income"]) == -Decimal(trades[0]["commission"])


def test_a_limit_order_rests_and_is_cancelled_and_algo_orders_survive():
    async def scenario(client):
        await client.open_long()
        await client.stop_order(97, "g-1")
        limit = await client.call(
            "POST", "/fapi/v1/order", symbol=SYMBOL, side="BUY", type="LIMIT", quantity="0.100",
            price=90, timeInForce="GTC",
        )  # fmt: skip
        resting = await client.call("GET", "/fapi/v1/openOrders")
        await client.call("DELETE", "/fapi/v1/allOpenOrders", symbol=SYMBOL)
        left = await client.call("GET", "/fapi/v1/openOrders", symbol=SYMBOL)
        algo = await client.call("GET", "/fapi/v1/openAlgoOrders")
        gone = await client.call(
            "DELETE", "/fapi/v1/order", symbol=SYMBOL, orderId=limit["orderId"]
        )
        return limit, resting, left, algo, gone

    limit, resting, left, algo, gone = run(scenario)
    assert [row["orderId"] for row in resting] == [limit["orderId"]]
    assert left == []
    assert [row["clientAlgoId"] for row in algo] == ["g-1"]
    assert gone["code"] == -2011


def test_a_batch_answers_for_each_order():
    async def scenario(client):
        order = '{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.100"}'
        stop = '{"symbol":"BTCUSDT","side":"SELL","type":"STOP_MARKET","stopPrice":"90"}'
        return await client.call("POST", "/fapi/v1/batchOrders", batchOrders=f"[{order},{stop}]")

    filled, refused = run(scenario)
    assert filled["status"] == "FILLED"
    assert refused["code"] == -4120


def test_a_triggered_stop_becomes_an_order_with_a_new_id_and_the_same_client_id():
    async def scenario(client):
        await client.open_long()
        placed = await client.stop_order(98, "g-1")
        await client.control("POST", "time", {"advance_ms": 60_000})
        algo = await client.call("GET", "/fapi/v1/algoOrder", algoId=placed["algoId"])
        child = await client.call(
            "GET", "/fapi/v1/order", symbol=SYMBOL, orderId=algo["actualOrderId"]
        )
        return algo, child, await client.call("GET", "/fapi/v3/positionRisk")

    algo, child, positions = run(scenario, [100, 99, 97, 97, 97, 97])
    assert algo["algoStatus"] == "FINISHED"
    assert (algo["actualQty"], algo["actualType"]) == ("0.100", "MARKET")
    assert child["clientOrderId"] == "g-1"
    assert child["status"] == "FILLED"
    assert positions == []


def test_modes_and_settings_answer_like_the_exchange():
    async def scenario(client):
        dual = "/fapi/v1/positionSide/dual"
        before = await client.call("GET", dual)
        same = await client.call("POST", dual, dualSidePosition="false")
        changed = await client.call("POST", dual, dualSidePosition="true")
        config = await client.call("GET", "/fapi/v1/accountConfig")
        leverage = await client.call("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=7)
        margin = await client.call(
            "POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="CROSSED"
        )
        symbol = await client.call("GET", "/fapi/v1/symbolConfig", symbol=SYMBOL)
        fees = await client.call("GET", "/fapi/v1/commissionRate", symbol=SYMBOL)
        return before, same, changed, config, leverage, margin, symbol, fees

    before, same, changed, config, leverage, margin, symbol, fees = run(scenario)
    assert before == {"dualSidePosition": False}
    assert same["code"] == -4059
    assert changed == {"code": 200, "msg": "success"}
    assert config["dualSidePosition"] is True
    assert leverage["leverage"] == 7
    assert margin["code"] == -4046
    assert symbol[0]["leverage"] == 7
    assert Decimal(fees["takerCommissionRate"]) == Decimal("0.0005")


def test_market_data_needs_no_key_and_the_last_candle_is_open():
    async def scenario(client):
        await client.control("POST", "time", {"advance_ms": 150_000})
        get = client.call
        rows = await get(
            "GET", "/fapi/v1/klines", signed=False, symbol=SYMBOL, interval="1m", limit=2
        )
        marks = await get(
            "GET", "/fapi/v1/markPriceKlines", signed=False, symbol=SYMBOL, interval="1m"
        )
        trades = await get("GET", "/fapi/v1/aggTrades", signed=False, symbol=SYMBOL, limit=3)
        book = await get("GET", "/fapi/v1/depth", signed=False, symbol=SYMBOL, limit=5)
        wrong = await get("GET", "/fapi/v1/klines", signed=False, symbol=SYMBOL, interval="1s")
        price = await get("GET", "/fapi/v2/ticker/price", signed=False, symbol=SYMBOL)
        return rows, marks, trades, book, wrong, price, client.now_ms

    rows, marks, trades, book, wrong, price, now_ms = run(scenario, range(100, 160))
    assert rows[-1][6] > now_ms
    assert marks
    assert len(trades) == 3
    assert trades[-1]["p"] == price["price"]
    assert len(book["bids"]) == 5
    assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])
    assert wrong["code"] == -1120


def test_exchange_info_describes_the_market_and_the_limits():
    async def scenario(client):
        return await client.call("GET", "/fapi/v1/exchangeInfo", signed=False)

    info = run(scenario, tapes=[tape([100]), tape([100], symbol="ETHUSDT")])
    assert [row["symbol"] for row in info["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    filters = {row["filterType"]: row for row in info["symbols"][0]["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.1"
    assert filters["LOT_SIZE"]["stepSize"] == "0.001"
    assert {(row["rateLimitType"], row["limit"]) for row in info["rateLimits"]} == {
        ("REQUEST_WEIGHT", 2400), ("ORDERS", 1200), ("ORDERS", 300),
    }  # fmt: skip


def test_the_dead_mans_switch_removes_stops_too():
    async def scenario(client):
        await client.open_long()
        await client.stop_order(97, "g-1")
        await client.call("POST", "/fapi/v1/countdownCancelAll", symbol=SYMBOL, countdownTime=3000)
        before = await client.call("GET", "/fapi/v1/openAlgoOrders")
        await client.control("POST", "time", {"advance_ms": 5_000})
        return before, await client.call("GET", "/fapi/v1/openAlgoOrders")

    before, after = run(scenario)
    assert len(before) == 1
    assert after == []


def test_an_unknown_path_is_not_found():
    async def scenario(client):
        answer = await client.call("GET", "/fapi/v1/nothing")
        return client.status, answer

    status, answer = run(scenario)
    assert status == 404
    assert answer["code"] == -5000


def test_a_request_takes_effect_a_latency_later_and_is_answered_as_much_later():
    async def scenario(client):
        sent_us = client.paper.exchange.loop.now_us
        answer = await client.call("GET", "/fapi/v1/time", signed=False)
        return sent_us, answer["serverTime"], client.paper.exchange.loop.now_us

    for _ in range(2):
        sent_us, effect_ms, answered_us = run(scenario, latency_ms=80)
        one_way_us = (answered_us - sent_us) // 2
        assert 40_000 <= one_way_us <= 120_000
        assert effect_ms == (sent_us + one_way_us) // 1000
        assert run(scenario, latency_ms=80)[2] == answered_us
    _, _, at_once_us = run(scenario, latency_ms=0)
    assert at_once_us == START_US
