"""Order entry over REST: refusals, the asynchronous life of an order, amendments, batches."""

from __future__ import annotations

import asyncio

import pytest

from tests.paper.bybit.support import run
from tests.paper.server.support import SYMBOL, market, tape
from trailstop.paper.bybit.limits import BybitLimits
from trailstop.paper.settings import WorldSettings

FLAT = "current position is zero, cannot fix reduce-only order qty"
OPENING = {"side": "Buy", "reduceOnly": None}
STOP = {"triggerPrice": "95", "triggerDirection": 2}

REFUSALS = [
    pytest.param({"symbol": "NOPEUSDT"}, 10001, "symbol", id="unknown symbol"),
    pytest.param({"category": "spot"}, 10001, "category", id="other category"),
    pytest.param({"side": "SELL"}, 10001, "Side", id="a side in the wrong spelling"),
    pytest.param({"orderType": "Stop"}, 10001, "orderType", id="unknown type"),
    pytest.param({"qty": None}, 10001, "Qty", id="no quantity"),
    pytest.param({"qty": "0"}, 10001, "Qty", id="quantity 0 without closeOnTrigger"),
    pytest.param({"qty": "abc"}, 10001, "qty", id="no number"),
    pytest.param({"qty": "0.1005"}, 10001, "Qty", id="off the step"),
    pytest.param({"qty": "0.0001"}, 10001, "Qty", id="too many decimals"),
    pytest.param({**OPENING, "qty": "121"}, 10001, "too large", id="above the largest order"),
    pytest.param({**OPENING, "qty": "0.04"}, 110094, "5USDT", id="below the least value"),
    pytest.param({"orderType": "Limit"}, 10001, "Price", id="limit without a price"),
    pytest.param({"orderType": "Limit", "price": "99.55"}, 10001, "Price", id="off the tick"),
    pytest.param({"timeInForce": "GTX"}, 10001, "timeInForce", id="unknown time in force"),
    pytest.param({"positionIdx": 1}, 10001, "position idx not match position mode",
                 id="hedge index in one-way mode"),
    pytest.param({"orderLinkId": "x" * 37}, 10001, "OrderLinkId", id="link id too long"),
    pytest.param({"side": "Buy"}, 110017, "same side", id="reduce-only that would add"),
    pytest.param({"triggerPrice": "95"}, 10001, "triggerDirection", id="no trigger direction"),
    pytest.param({**STOP, "triggerPrice": "95.05"}, 10001, "TriggerPrice",
                 id="trigger off the tick"),
    pytest.param({**STOP, "triggerBy": "Last"}, 10001, "triggerBy", id="unknown trigger source"),
    pytest.param({**STOP, "triggerPrice": "100"}, 110093,
                 "expect Falling, but trigger_price[1000000] >= current[1000000]??LastPrice",
                 id="trigger already fallen to"),
    pytest.param({**STOP, "triggerDirection": 1, "triggerBy": "MarkPrice"}, 110092,
                 "expect Rising, but trigger_price[950000] <= current[1000000]??MarkPrice",
                 id="trigger already risen to"),
    pytest.param({**OPENING, "qty": "100", "orderType": "Limit", "price": "102"}, 110003, "range",
                 id="limit price outside the band"),
    pytest.param({**OPENING, "qty": "119", "triggerPrice": None}, 110007, "not enough",
                 id="not enough margin"),
]  # fmt: skip


@pytest.mark.parametrize(("order", "code", "words"), REFUSALS)
def test_what_is_wrong_is_refused_at_once_in_the_exchanges_own_codes(order, code, words):
    async def scenario(bybit):
        await bybit.open()
        answer = await bybit.create(**order)
        await bybit.settle()
        return answer, bybit.status, await bybit.orders()

    answer, status, orders = run(scenario, world=WorldSettings(wallet=1_000))
    assert (status, answer["retCode"]) == (200, code)
    assert words in answer["retMsg"]
    assert orders == []


@pytest.mark.parametrize("order", [{}, STOP, {"qty": "0", "closeOnTrigger": True}])
def test_reduce_only_is_refused_while_flat(order):
    async def scenario(bybit):
        return await bybit.create(**order)

    answer = run(scenario)
    assert (answer["retCode"], answer["retMsg"]) == (110017, FLAT)


def test_an_order_is_accepted_first_and_takes_effect_later():
    async def scenario(bybit):
        await bybit.open()
        accepted = (await bybit.create(orderLinkId="close"))["result"]
        before = (await bybit.position())["size"], await bybit.orders(orderLinkId="close")
        await asyncio.sleep(0.3)
        after = (await bybit.position())["size"], await bybit.orders(orderLinkId="close")
        return accepted, before, after

    limits = BybitLimits(async_ms=200)
    accepted, before, after = run(scenario, latency_ms=10, bybit_limits=limits)
    assert accepted["orderLinkId"] == "close"
    assert before == ("0.1", [])
    assert after[0] == "0"
    (row,) = after[1]
    assert (row["orderId"], row["orderStatus"], row["cumExecQty"]) == (
        accepted["orderId"], "Filled", "0.1",
    )  # fmt: skip
    assert (row["createType"], row["rejectReason"], row["avgPrice"]) == (
        "CreateByUser", "EC_NoError", "99.9",
    )  # fmt: skip
    assert float(row["price"]) < float(row["avgPrice"]), "the price shows the slippage cap"


def test_effects_can_be_immediate():
    async def scenario(bybit):
        await bybit.open()
        await bybit.create()
        return (await bybit.position())["size"]

    assert run(scenario, latency_ms=0, bybit_limits=BybitLimits(async_ms=0)) == "0"


def test_what_only_the_engine_finds_out_ends_as_a_rejected_order():
    async def scenario(bybit):
        await bybit.open()
        post_only = await bybit.create(
            side="Buy", orderType="Limit", price="100.5", timeInForce="PostOnly", reduceOnly=None
        )
        # Two closes are accepted while there is a position; the second finds none.
        first = await bybit.create(orderLinkId="c-1")
        second = await bybit.create(orderLinkId="c-2")
        await bybit.settle()
        await asyncio.sleep(1)
        open_now = await bybit.orders()
        rows = await bybit.rows("order/history", symbol=SYMBOL)
        codes = [answer["retCode"] for answer in (post_only, first, second)]
        return codes, open_now, {row["orderLinkId"]: row for row in rows}

    limits = BybitLimits(async_ms=500)
    codes, open_now, rows = run(scenario, latency_ms=10, bybit_limits=limits)
    assert codes == [0, 0, 0]
    assert open_now == []
    told = {name: (row["orderStatus"], row["rejectReason"]) for name, row in rows.items()}
    assert told[""] == ("Rejected", "EC_PostOnlyWillTakeLiquidity")
    assert told["c-1"] == ("Filled", "EC_NoError")
    assert told["c-2"] == ("Rejected", "EC_NoEnoughQtyToFill")


def test_a_trigger_that_the_price_passes_on_the_way_is_rejected_later():
    async def scenario(bybit):
        await bybit.open()
        accepted = await bybit.stop("99", orderLinkId="late")
        await bybit.price("98")
        await asyncio.sleep(1)
        return accepted["retCode"], await bybit.orders(orderLinkId="late")

    code, rows = run(scenario, latency_ms=10, bybit_limits=BybitLimits(async_ms=500))
    assert code == 0
    assert [row["orderStatus"] for row in rows] == ["Rejected"]


@pytest.mark.parametrize("ended", ["resting", "cancelled", "filled", "rejected"])
def test_a_link_id_is_unique_for_ever(ended):
    async def scenario(bybit):
        await bybit.open("1.000")
        if ended == "filled":
            await bybit.create(orderLinkId="once")
        elif ended == "rejected":
            await bybit.create(
                side="Buy", reduceOnly=None, orderType="Limit", price="100.5",
                timeInForce="PostOnly", orderLinkId="once",
            )  # fmt: skip
        else:
            await bybit.stop(orderLinkId="once")
        await bybit.settle()
        if ended == "cancelled":
            await bybit.post("order/cancel", orderLinkId="once")
            await bybit.settle()
        refused = await bybit.create(orderLinkId="once")
        other = type(bybit)(bybit.client, "short")
        await other.open(side="short")
        allowed = await other.create(side="Buy", orderLinkId="once")
        return refused, allowed["retCode"]

    refused, allowed = run(scenario)
    assert (refused["retCode"], refused["retMsg"]) == (110072, "OrderLinkedID is duplicate")
    assert allowed == 0, "another account has ids of its own"


def test_a_refused_order_does_not_use_up_its_link_id():
    async def scenario(bybit):
        refused = await bybit.create(orderLinkId="again")
        await bybit.open()
        return refused["retCode"], (await bybit.create(orderLinkId="again"))["retCode"]

    assert run(scenario) == (110017, 0)


def test_a_conditional_order_keeps_its_id_when_it_triggers():
    async def scenario(bybit):
        await bybit.open()
        accepted = (await bybit.stop("95", orderLinkId="g-1"))["result"]
        await bybit.settle()
        waiting = await bybit.orders()
        await bybit.price("94")
        (done,) = await bybit.orders(orderId=accepted["orderId"])
        executions = await bybit.rows("execution/list", orderId=accepted["orderId"])
        return accepted, waiting, done, executions

    accepted, waiting, done, executions = run(scenario)
    assert [
        (row["orderId"], row["orderStatus"], row["stopOrderType"], row["triggerPrice"])
        for row in waiting
    ] == [(accepted["orderId"], "Untriggered", "Stop", "95")]
    assert (waiting[0]["triggerDirection"], waiting[0]["triggerBy"]) == (2, "LastPrice")
    assert (done["orderStatus"], done["orderLinkId"], done["cumExecQty"]) == (
        "Filled", "g-1", "0.1",
    )  # fmt: skip
    assert [(row["orderLinkId"], row["stopOrderType"]) for row in executions] == [("g-1", "Stop")]


def test_closing_everything_takes_the_quantity_of_the_position():
    async def scenario(bybit):
        await bybit.open("0.370")
        await bybit.create(qty="0", closeOnTrigger=True)
        await bybit.settle()
        return (await bybit.position())["size"]

    assert run(scenario) == "0"


def test_a_close_larger_than_one_order_may_be_is_split():
    async def scenario(bybit):
        await bybit.open("100.000")
        await bybit.open("100.000")
        answer = await bybit.create(qty="200", orderLinkId="big")
        await bybit.settle()
        return answer, (await bybit.position())["size"], await bybit.rows("order/history")

    answer, size, rows = run(scenario)
    assert answer["retCode"] == 0
    assert size == "0"
    closes = {row["orderLinkId"]: row["qty"] for row in rows if row["side"] == "Sell"}
    assert closes == {"big": "120", "": "80"}


def test_at_most_ten_conditional_orders_rest_on_a_symbol():
    async def scenario(bybit):
        await bybit.open("2.000")
        await bybit.trading_stop(stopLoss="80")
        codes = []
        for number in range(11):
            codes.append((await bybit.stop(str(95 - number)))["retCode"])
            await asyncio.sleep(0.2)
        return codes

    assert run(scenario) == [0] * 10 + [110009]


def test_an_order_is_cancelled_by_either_id_and_only_while_it_lives():
    async def scenario(bybit):
        await bybit.open()
        stop = (await bybit.stop("95", orderLinkId="s"))["result"]
        limit = (await bybit.create(orderType="Limit", price="110", orderLinkId="l"))["result"]
        await bybit.settle()
        answers = [
            await bybit.post("order/cancel", orderId=stop["orderId"]),
            await bybit.post("order/cancel", orderLinkId="l"),
        ]
        await bybit.settle()
        answers += [
            await bybit.post("order/cancel", orderLinkId="s"),
            await bybit.post("order/cancel", orderId="nobody"),
            await bybit.post("order/cancel"),
        ]
        rows = await bybit.rows("order/history", symbol=SYMBOL)
        return stop, limit, answers, rows, await bybit.orders()

    stop, limit, answers, rows, left = run(scenario)
    assert [answer["retCode"] for answer in answers] == [0, 0, 110001, 110001, 10001]
    assert [answer["result"] for answer in answers[:2]] == [stop, limit]
    ended = {row["orderLinkId"]: (row["orderStatus"], row["cancelType"]) for row in rows}
    assert ended["s"] == ("Deactivated", "CancelByUser")
    assert ended["l"] == ("Cancelled", "CancelByUser")
    assert left == []


def test_an_order_on_its_way_can_be_cancelled():
    async def scenario(bybit):
        await bybit.open()
        await bybit.stop("95", orderLinkId="s")
        answer = await bybit.post("order/cancel", orderLinkId="s")
        await asyncio.sleep(2)
        return answer["retCode"], await bybit.orders()

    limits = BybitLimits(async_ms=500)
    assert run(scenario, latency_ms=10, bybit_limits=limits) == (0, [])


def test_a_cancel_that_meets_a_fill_makes_a_second_filled_message():
    async def scenario(bybit):
        told = []
        bybit.client.paper.bybit.desk.on_order(lambda key, row, _: told.append((key, row)))
        await bybit.open()
        await bybit.create(orderType="Limit", price="101", orderLinkId="l")
        await asyncio.sleep(1)
        answer = await bybit.post("order/cancel", orderLinkId="l")
        await bybit.price("102")
        await asyncio.sleep(1)
        return answer["retCode"], told, bybit.key

    code, told, owner = run(scenario, latency_ms=10, bybit_limits=BybitLimits(async_ms=500))
    assert code == 0
    assert [(key, row["orderLinkId"], row["orderStatus"]) for key, row in told] == [
        (owner, "l", "Filled")
    ]
    assert told[0][1]["cancelType"] == "CancelByUser"
    assert told[0][1]["rejectReason"] == "EC_OrigClOrdIDDoesNotExist"


def test_an_order_is_amended_in_place():
    async def scenario(bybit):
        await bybit.open("1.000")
        stop = (await bybit.stop("95", orderLinkId="s"))["result"]
        await bybit.create(orderType="Limit", price="110", orderLinkId="l")
        await bybit.settle()
        codes = [
            (await bybit.post("order/amend", **change))["retCode"]
            for change in (
                # A number where a text is due, and a field of the client's own, as ccxt sends.
                {
                    "orderLinkId": "s",
                    "triggerPrice": 96,
                    "triggerBy": "MarkPrice",
                    "stopLossPrice": 1,
                },
                {"orderLinkId": "l", "price": "111", "qty": "0.2"},
            )
        ]
        await bybit.settle()
        return stop, codes, {row["orderLinkId"]: row for row in await bybit.orders()}

    stop, codes, rows = run(scenario)
    assert codes == [0, 0]
    assert rows["s"]["orderId"] == stop["orderId"]
    assert (rows["s"]["triggerPrice"], rows["s"]["triggerBy"]) == ("96", "MarkPrice")
    assert (rows["l"]["price"], rows["l"]["qty"]) == ("111", "0.2")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 10001),
        ({"triggerPrice": "95"}, 10001),
        ({"triggerPrice": "95.05"}, 10001),
        ({"triggerPrice": "101"}, 110093),
        ({"qty": "0.0001"}, 10001),
        ({"orderLinkId": "unknown", "triggerPrice": "94"}, 110001),
    ],
)
def test_an_amendment_that_changes_nothing_or_cannot_be_is_refused(change, code):
    async def scenario(bybit):
        await bybit.open()
        await bybit.stop("95", orderLinkId="s")
        await bybit.settle()
        answer = await bybit.post("order/amend", **{"orderLinkId": "s", **change})
        await bybit.settle()
        return answer["retCode"], [row["triggerPrice"] for row in await bybit.orders()]

    assert run(scenario) == (code, ["95"])


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({}, []),
        ({"orderFilter": "Order"}, ["Stop", "StopLoss"]),
        ({"orderFilter": "StopOrder"}, [""]),
        ({"orderFilter": "tpslOrder"}, ["", "Stop"]),
        ({"orderFilter": "StopOrder", "stopOrderType": "Stop"}, ["", "StopLoss"]),
    ],
)
def test_cancelling_all_takes_stops_too_unless_a_filter_spares_them(filters, left):
    async def scenario(bybit):
        await bybit.open("1.000")
        await bybit.trading_stop(stopLoss="90")
        await bybit.stop("95")
        await bybit.create(orderType="Limit", price="110")
        await bybit.settle()
        answer = await bybit.post("order/cancel-all", **filters)
        await bybit.settle()
        rows = await bybit.orders()
        return len(answer["result"]["list"]), sorted(row["stopOrderType"] for row in rows)

    assert run(scenario) == (3 - len(left), left)


def test_a_batch_answers_each_order_on_its_own():
    async def scenario(bybit):
        await bybit.open("1.000")
        order = {"symbol": SYMBOL, "side": "Sell", "orderType": "Limit", "qty": "0.1"}
        created = await bybit.post(
            "order/create-batch",
            request=[
                {**order, "price": "110", "orderLinkId": "b-1"},
                {**order, "price": "110.05", "orderLinkId": "b-2"},
                {**order, "price": "111", "orderLinkId": "b-3"},
            ],
        )
        await bybit.settle()
        name = {"symbol": SYMBOL, "orderLinkId": "b-1"}
        amended = await bybit.post("order/amend-batch", request=[{**name, "price": "112"}])
        await bybit.settle()
        prices = {row["orderLinkId"]: row["price"] for row in await bybit.orders()}
        cancelled = await bybit.post(
            "order/cancel-batch", request=[name, {**name, "orderLinkId": "b-2"}]
        )
        await bybit.settle()
        left = [row["orderLinkId"] for row in await bybit.orders()]
        many = await bybit.post("order/create-batch", request=[order] * 21)
        return created, amended, prices, cancelled, left, many["retCode"]

    limits = BybitLimits(orders=30)
    created, amended, prices, cancelled, left, many = run(scenario, bybit_limits=limits)
    assert [note["code"] for note in created["retExtInfo"]["list"]] == [0, 10001, 0]
    rows = created["result"]["list"]
    assert [bool(row["orderId"]) for row in rows] == [True, False, True]
    assert [bool(row["createAt"]) for row in rows] == [True, False, True]
    assert amended["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}]
    assert prices == {"b-1": "112", "b-3": "111"}
    assert [note["code"] for note in cancelled["retExtInfo"]["list"]] == [0, 110001]
    assert left == ["b-3"]
    assert many == 10001


def test_open_orders_are_filtered_and_come_in_pages():
    async def scenario(bybit):
        await bybit.open("1.000")
        await bybit.trading_stop(stopLoss="90", takeProfit="110")
        for number in range(3):
            await bybit.stop(str(95 - number), orderLinkId=f"s-{number}")
        await bybit.create(orderType="Limit", price="109", orderLinkId="l")
        await bybit.settle()
        names = {
            wanted: sorted(
                row["orderLinkId"] or row["stopOrderType"]
                for row in await bybit.orders(**({"orderFilter": wanted} if wanted else {}))
            )
            for wanted in ("", "Order", "StopOrder")
        }
        seen, cursor = [], ""
        while True:
            params = {"symbol": SYMBOL, "limit": 2} | ({"cursor": cursor} if cursor else {})
            result = (await bybit.get("order/realtime", **params))["result"]
            seen.append(len(result["list"]))
            cursor = result["nextPageCursor"]
            if not cursor:
                break
        nothing = await bybit.get("order/realtime")
        return names, seen, nothing["retCode"]

    names, seen, nothing = run(scenario)
    stops = ["StopLoss", "TakeProfit", "s-0", "s-1", "s-2"]
    assert names == {
        "": ["StopLoss", "TakeProfit", "l", *stops[2:]],
        "Order": ["l"],
        "StopOrder": stops,
    }
    assert seen == [2, 2, 2]
    assert nothing == 10001


def test_closed_orders_are_asked_for_with_open_only_1():
    async def scenario(bybit):
        await bybit.open()
        await bybit.create(orderLinkId="c")
        await bybit.settle()
        plain = await bybit.orders()
        closed = await bybit.orders(openOnly=1)
        filled = await bybit.rows("order/history", symbol=SYMBOL, orderStatus="Filled")
        cancelled = await bybit.rows("order/history", symbol=SYMBOL, orderStatus="Cancelled")
        return plain, closed, filled, cancelled

    plain, closed, filled, cancelled = run(scenario)
    assert plain == []
    assert closed[0]["orderLinkId"] == "c"
    assert closed == filled
    assert cancelled == []


def test_a_limit_that_must_fill_at_once_is_cancelled():
    async def scenario(bybit):
        await bybit.create(
            side="Buy", reduceOnly=None, orderType="Limit", price="90", timeInForce="IOC"
        )
        await bybit.settle()
        return await bybit.rows("order/history", symbol=SYMBOL)

    (row,) = run(scenario)
    assert (row["orderStatus"], row["rejectReason"]) == ("Cancelled", "EC_NoImmediateQtyToFill")


def test_an_order_may_bring_stops_for_the_position_that_it_opens():
    async def scenario(bybit):
        await bybit.create(side="Buy", reduceOnly=None, stopLoss="95", takeProfit="110")
        await bybit.settle()
        row = await bybit.position()
        (order,) = await bybit.rows("order/history", symbol=SYMBOL)
        return row, order

    row, order = run(scenario)
    assert (row["size"], row["stopLoss"], row["takeProfit"]) == ("0.1", "95", "110")
    assert (order["stopLoss"], order["takeProfit"]) == ("95", "110")


def test_orders_of_other_ways_in_have_ids_and_are_cancelled_like_ours():
    async def scenario(bybit):
        await bybit.open()
        await bybit.client.stop_order("95", "via-binance")
        (row,) = await bybit.orders()
        await bybit.post("order/cancel", orderId=row["orderId"])
        await bybit.settle()
        return row, await bybit.orders()

    row, left = run(scenario)
    assert (row["orderLinkId"], row["stopOrderType"]) == ("via-binance", "Stop")
    assert left == []


def test_a_halted_market_takes_no_orders_and_a_settling_one_only_closes():
    async def scenario(bybit):
        world = bybit.client.paper.exchange.world
        await bybit.open()
        world.halt(SYMBOL)
        halted = (await bybit.create())["retCode"]
        world.resume(SYMBOL)
        world.delist(SYMBOL)
        opening = (await bybit.create(**OPENING))["retCode"]
        closing = (await bybit.create())["retCode"]
        status = (await bybit.rows("market/instruments-info"))[0]["status"]
        return halted, opening, closing, status

    assert run(scenario) == (110074, 110023, 0, "Delivering")


@pytest.mark.parametrize(
    ("happens", "exec_type", "create_type"),
    [
        (lambda world, key: world.liquidate(key, SYMBOL), "BustTrade", "CreateByLiq"),
        (lambda world, key: world.deleverage(key, SYMBOL), "AdlTrade", "CreateByAdl_PassThrough"),
        (lambda world, key: world.settle(SYMBOL), "Delivery", "CreateBySettle"),
    ],
)
def test_what_the_exchange_does_to_a_position_has_its_own_cause(happens, exec_type, create_type):
    async def scenario(bybit):
        await bybit.open()
        await bybit.trading_stop(stopLoss="95")
        happens(bybit.client.paper.exchange.sync(), bybit.key)
        bybit.client.paper.exchange.tell()
        row = (await bybit.rows("execution/list", symbol=SYMBOL))[0]
        stops = await bybit.rows("order/history", symbol=SYMBOL, orderFilter="StopOrder")
        return row, stops, await bybit.position()

    row, stops, position = run(scenario)
    assert (row["execType"], row["createType"], row["closedSize"]) == (
        exec_type, create_type, "0.1",
    )  # fmt: skip
    assert row["orderLinkId"] == ""
    assert position["size"] == "0"
    assert [stop["orderStatus"] for stop in stops] == ["Cancelled"]


def test_a_close_by_hand_says_so():
    async def scenario(bybit):
        await bybit.open()
        await bybit.client.control("POST", "close", {"account": "long", "symbol": SYMBOL})
        return (await bybit.rows("execution/list", symbol=SYMBOL))[0]["createType"]

    assert run(scenario) == "CreateByClosing"


def test_an_order_that_the_engine_refuses_at_its_trigger_is_rejected():
    async def scenario(bybit):
        await bybit.open()
        await bybit.client.control("POST", "faults", {"add": [{"kind": "reject_at_trigger"}]})
        await bybit.trading_stop(stopLoss="95")
        await bybit.price("94")
        return await bybit.rows("order/history", orderFilter="StopOrder"), await bybit.position()

    (row,), position = run(scenario)
    assert row["orderStatus"] == "Rejected"
    assert row["rejectReason"] != "EC_NoError"
    assert position["size"] == "0.1"


def test_other_symbols_have_other_orders():
    other = "ETHUSDT"
    tapes = [tape([100] * 40), tape([100] * 40, symbol=other)]

    async def scenario(bybit):
        await bybit.open()
        await bybit.stop("95", orderLinkId="s")
        await bybit.settle()
        wrong = await bybit.post("order/cancel", symbol=other, orderLinkId="s")
        return wrong["retCode"], await bybit.rows("order/realtime", symbol=other)

    assert market(other).symbol == other
    assert run(scenario, tapes=tapes) == (110001, [])
