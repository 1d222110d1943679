"""The position's own stops over REST, and hedge mode."""

from __future__ import annotations

import asyncio

import pytest

from tests.paper.bybit.support import run
from tests.paper.server.support import SYMBOL
from trailstop.paper.settings import WorldSettings

ZERO = "can not set tp/sl/ts for zero position"
MISMATCH = "position idx not match position mode"


def test_a_full_stop_is_moved_in_place_and_follows_the_size():
    async def scenario(bybit):
        await bybit.open("0.100")
        first = await bybit.trading_stop(stopLoss="95")
        (before,) = await bybit.orders()
        await bybit.trading_stop(stopLoss="96", slTriggerBy="MarkPrice")
        await bybit.open("0.200")
        (after,) = await bybit.orders()
        return first, before, after, await bybit.position()

    first, before, after, position = run(scenario)
    assert (first["retCode"], first["result"]) == (0, {})
    assert (before["stopOrderType"], before["tpslMode"], before["createType"]) == (
        "StopLoss", "Full", "CreateByStopLoss",
    )  # fmt: skip
    assert (before["reduceOnly"], before["closeOnTrigger"], before["orderLinkId"]) == (
        True, True, "",
    )  # fmt: skip
    assert after["orderId"] == before["orderId"]
    assert (before["qty"], after["qty"]) == ("0.100", "0.300")
    assert (after["triggerPrice"], after["triggerBy"]) == ("96", "MarkPrice")
    assert position["stopLoss"] == "96"


def test_legs_that_are_left_out_stay_and_0_removes_one():
    async def scenario(bybit):
        await bybit.open()
        await bybit.trading_stop(stopLoss="95", takeProfit="110", trailingStop="4")
        seen = []
        for change in ({"stopLoss": "94"}, {"takeProfit": "0"}, {"stopLoss": "0"}):
            await bybit.trading_stop(**change)
            row = await bybit.position()
            seen.append((row["stopLoss"], row["takeProfit"], row["trailingStop"]))
        return seen, await bybit.position()

    seen, row = run(scenario)
    assert seen == [("94", "110", "4"), ("94", "", "4"), ("", "", "4")]
    assert int(row["updatedTime"]) > int(row["openTime"])


@pytest.mark.parametrize(
    ("side", "stops", "words"),
    [
        ("long", {"stopLoss": "101"},
         "StopLoss:1010000 set for Buy position should lower than base_price:1000000??LastPrice"),
        ("short", {"stopLoss": "99", "slTriggerBy": "MarkPrice"},
         "StopLoss:990000 set for Sell position should greater than base_price:1000000??MarkPrice"),
        ("long", {"takeProfit": "99"},
         "TakeProfit:990000 set for Buy position should greater than base_price:"),
        ("long", {"tpslMode": "Partial", "stopLoss": "101", "slSize": "0.05", "tpSize": "0.05"},
         "PartialStopLoss:1010000 set for Buy position should lower than base_price:1000000"),
        ("long", {"stopLoss": "95.05"}, "stopLoss invalid"),
        ("long", {"stopLoss": "95", "tpslMode": "Half"}, "tpslMode invalid"),
        ("long", {"stopLoss": "95", "positionIdx": 1}, MISMATCH),
    ],
)  # fmt: skip
def test_a_stop_that_cannot_be_is_refused_in_words(side, stops, words):
    async def scenario(bybit):
        await bybit.open(side=side)
        answer = await bybit.trading_stop(**stops)
        return answer, await bybit.orders()

    answer, orders = run(scenario)
    assert answer["retCode"] == 10001
    assert answer["retMsg"].startswith(words)
    assert orders == []


@pytest.mark.parametrize("again", [{"stopLoss": "95"}, {}, {"takeProfit": "0"}])
def test_nothing_new_is_34040(again):
    async def scenario(bybit):
        await bybit.open()
        await bybit.trading_stop(stopLoss="95")
        return await bybit.trading_stop(**again)

    answer = run(scenario)
    assert (answer["retCode"], answer["retMsg"]) == (34040, "not modified")


def test_a_flat_position_has_no_stops_and_a_new_one_not_at_once():
    async def scenario(bybit):
        flat = await bybit.trading_stop(stopLoss="95")
        await bybit.open()
        early = await bybit.trading_stop(stopLoss="95")
        await asyncio.sleep(0.6)
        return flat, early, await bybit.trading_stop(stopLoss="95")

    flat, early, late = run(scenario, latency_ms=20, world=WorldSettings(zero_position_ms=500))
    assert (flat["retCode"], flat["retMsg"]) == (10001, ZERO)
    assert (early["retCode"], early["retMsg"]) == (10001, ZERO)
    assert late["retCode"] == 0


def test_stops_end_with_their_position():
    async def scenario(bybit):
        await bybit.open()
        await bybit.trading_stop(stopLoss="95", takeProfit="110")
        await bybit.create()
        await bybit.settle()
        rows = await bybit.rows("order/history", symbol=SYMBOL, orderFilter="StopOrder")
        return rows, await bybit.orders(), await bybit.position()

    rows, left, position = run(scenario)
    assert {(row["orderStatus"], row["cancelType"]) for row in rows} == {
        ("Cancelled", "CancelByTpSlTsClear")
    }
    assert len(rows) == 2
    assert left == []
    assert (position["stopLoss"], position["size"]) == ("", "0")


def test_a_trailing_stop_is_an_order_once_it_trails():
    async def scenario(bybit):
        await bybit.open()
        await bybit.trading_stop(trailingStop="2", activePrice="103")
        waiting = await bybit.orders()
        distance = (await bybit.position())["trailingStop"]
        await bybit.price("104")
        (trailing,) = await bybit.orders()
        await bybit.price("101.9")
        execution = (await bybit.rows("execution/list", symbol=SYMBOL))[0]
        return waiting, distance, trailing, execution

    waiting, distance, trailing, execution = run(scenario)
    assert waiting == []
    assert distance == "2"
    assert (trailing["stopOrderType"], float(trailing["triggerPrice"])) == ("TrailingStop", 102.0)
    assert execution["createType"] == "CreateByTrailingStop"


def test_partial_stops_add_up_and_are_changed_as_orders():
    async def scenario(bybit):
        await bybit.open("1.000")
        part = {"tpslMode": "Partial", "slSize": "0.3", "tpSize": "0.3"}
        codes = [
            (await bybit.trading_stop(stopLoss=price, **part))["retCode"] for price in ("95", "94")
        ]
        rows = await bybit.orders()
        await bybit.post("order/amend", orderId=rows[0]["orderId"], triggerPrice="93")
        await bybit.settle()
        changed = await bybit.orders()
        sizeless = await bybit.trading_stop(tpslMode="Partial", stopLoss="95")
        return codes, rows, changed, sizeless["retCode"], await bybit.position()

    codes, rows, changed, sizeless, position = run(scenario)
    assert codes == [0, 0]
    assert {(row["stopOrderType"], row["tpslMode"], row["qty"]) for row in rows} == {
        ("PartialStopLoss", "Partial", "0.3")
    }
    assert sorted(row["triggerPrice"] for row in changed) == ["93", "95"]
    assert sizeless == 110058
    assert position["stopLoss"] == "", "only a stop for the whole position shows there"


def test_what_ccxt_sends_for_the_close_and_the_trailing_stop_is_understood():
    async def scenario(bybit):
        await bybit.open()
        trailing = await bybit.post(
            "position/trading-stop", activePrice="105", trailingStop="5", positionIdx=0
        )
        no_quantity = await bybit.create(qty=None, closeOnTrigger=True, positionIdx=0)
        return trailing["retCode"], no_quantity["retCode"]

    assert run(scenario) == (0, 10001)


def test_hedge_mode_has_two_legs_with_stops_of_their_own():
    async def scenario(bybit):
        await bybit.post("position/switch-mode", mode=3)
        opened = [
            (await bybit.create(side=side, positionIdx=index, reduceOnly=None, qty=qty))["retCode"]
            for side, index, qty in (("Buy", 1, "0.1"), ("Sell", 2, "0.2"))
        ]
        await bybit.settle()
        codes = [
            (await bybit.trading_stop(positionIdx=index, stopLoss=price))["retCode"]
            for index, price in ((1, "95"), (2, "105"))
        ]
        rows = await bybit.rows("position/list", symbol=SYMBOL)
        orders = {row["positionIdx"]: row for row in await bybit.orders()}
        return opened, codes, rows, orders

    opened, codes, rows, orders = run(scenario)
    assert opened == [0, 0]
    assert codes == [0, 0]
    assert [(row["positionIdx"], row["side"], row["size"], row["stopLoss"]) for row in rows] == [
        (1, "Buy", "0.1", "95"),
        (2, "Sell", "0.2", "105"),
    ]
    assert (orders[1]["side"], orders[2]["side"]) == ("Sell", "Buy")


def test_hedge_mode_shows_both_legs_flat_and_closes_one_without_the_other():
    async def scenario(bybit):
        await bybit.post("position/switch-mode", mode=3)
        flat = [row["positionIdx"] for row in await bybit.rows("position/list", symbol=SYMBOL)]
        for side, index in (("Buy", 1), ("Sell", 2)):
            await bybit.create(side=side, positionIdx=index, reduceOnly=None)
        await bybit.settle()
        closed = await bybit.create(side="Sell", positionIdx=1, reduceOnly=True)
        await bybit.settle()
        again = await bybit.create(side="Sell", positionIdx=1, reduceOnly=True)
        rows = await bybit.rows("position/list", symbol=SYMBOL)
        held = await bybit.rows("position/list", settleCoin="USDT")
        return flat, closed, again, rows, held

    flat, closed, again, rows, held = run(scenario)
    assert flat == [1, 2]
    assert closed["retCode"] == 0
    assert again["retCode"] == 110017
    assert [row["size"] for row in rows] == ["0", "0.1"]
    assert [row["positionIdx"] for row in held] == [2]


@pytest.mark.parametrize("index", [0, None])
def test_hedge_mode_wants_the_leg_to_be_named(index):
    async def scenario(bybit):
        await bybit.post("position/switch-mode", mode=3)
        order = await bybit.create(side="Buy", positionIdx=index, reduceOnly=None)
        stop = await bybit.trading_stop(positionIdx=index, stopLoss="95")
        return order, stop

    for answer in run(scenario):
        assert (answer["retCode"], answer["retMsg"]) == (10001, MISMATCH)


def test_a_conditional_stop_of_a_hedge_leg_reduces_and_fires():
    async def scenario(bybit):
        await bybit.post("position/switch-mode", mode=3)
        await bybit.create(side="Buy", positionIdx=1, reduceOnly=None)
        await bybit.settle()
        await bybit.stop("95", positionIdx=1, orderLinkId="s")
        await bybit.settle()
        (row,) = await bybit.orders()
        await bybit.price("94")
        rows = await bybit.rows("position/list", symbol=SYMBOL)
        return row, rows

    row, rows = run(scenario)
    assert (row["positionIdx"], row["reduceOnly"]) == (1, True)
    assert [leg["size"] for leg in rows] == ["0", "0"]
