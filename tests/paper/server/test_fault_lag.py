"""Reads that lag behind the truth, each endpoint by itself."""

from __future__ import annotations

import asyncio

import pytest

from tests.paper.bybit import support as bybit_support
from tests.paper.server.support import SYMBOL, run

ALGO = "/fapi/v1/algoOrder"
OPEN_ALGO = "/fapi/v1/openAlgoOrders"
ORDER = "/fapi/v1/order"
OPEN_ORDERS = "/fapi/v1/openOrders"
POSITIONS = "/fapi/v3/positionRisk"
TRADES = "/fapi/v1/userTrades"
LAG_MS = 3_000


async def lagging(client, path, **fields):
    fault = {"kind": "lagging", "path": path, "lag_ms": LAG_MS, **fields}
    answer = await client.control("POST", "faults", {"add": [fault]})
    assert "error" not in answer, answer


async def count(client, path):
    return len(await client.call("GET", path, symbol=SYMBOL))


@pytest.mark.parametrize("path", [POSITIONS, OPEN_ALGO, OPEN_ORDERS, TRADES])
def test_each_endpoint_lags_by_itself(path):
    async def scenario(client):
        await lagging(client, path)
        await asyncio.sleep(5)
        await client.open_long()
        await client.stop_order(98, "g-1")
        await client.call(
            "POST", ORDER, form=True, symbol=SYMBOL, side="BUY", type="LIMIT",
            quantity="0.100", price="90", timeInForce="GTC",
        )  # fmt: skip
        seen = []
        for pause_s in (1, 1, 3):
            await asyncio.sleep(pause_s)
            seen.append([await count(client, at) for at in (POSITIONS, OPEN_ALGO, OPEN_ORDERS)])
            seen[-1].append(await count(client, TRADES))
        return seen

    order = [POSITIONS, OPEN_ALGO, OPEN_ORDERS, TRADES]
    late = [0 if at == path else 1 for at in order]
    assert run(scenario) == [late, late, [1] * 4]


def test_a_single_order_is_not_found_yet_and_then_still_waits():
    async def scenario(client):
        await client.open_long()
        await lagging(client, ALGO, method="GET")
        await asyncio.sleep(5)
        await client.stop_order(98, "g-1")
        unknown = await client.call("GET", ALGO, clientAlgoId="g-1")
        await asyncio.sleep(5)
        await client.call("DELETE", ALGO, clientAlgoId="g-1")
        waits = await client.call("GET", ALGO, clientAlgoId="g-1")
        await asyncio.sleep(5)
        ended = await client.call("GET", ALGO, clientAlgoId="g-1")
        return unknown["code"], waits["algoStatus"], ended["algoStatus"]

    assert run(scenario) == (-2013, "NEW", "CANCELED")


def test_what_was_true_before_the_fault_is_the_oldest_that_is_shown():
    async def scenario(client):
        await client.open_long()
        await lagging(client, POSITIONS, until_ms=client.now_ms + 10_000)
        before = await count(client, POSITIONS)
        await client.control("POST", "close", {"account": "long", "symbol": SYMBOL})
        during = await count(client, POSITIONS)
        await asyncio.sleep(10)
        return before, during, await count(client, POSITIONS)

    assert run(scenario) == (1, 1, 0)


def test_a_read_that_lags_changes_nothing():
    async def scenario(client):
        await client.open_long()
        await lagging(client, "")
        await asyncio.sleep(5)
        await client.stop_order(98, "g-1")
        for path in (POSITIONS, OPEN_ALGO, OPEN_ORDERS, TRADES, "/fapi/v3/account"):
            await client.call("GET", path, symbol=SYMBOL)
        state = await client.control("GET", "state")
        account = state["accounts"]["long"]
        return len(account["positions"]), len(account["open_conditionals"]), client.status

    assert run(scenario) == (1, 1, 200)


# --- Bybit --------------------------------------------------------------------------------------


def test_bybit_positions_lag_with_the_sequence_of_their_time():
    async def scenario(bybit):
        await bybit.open()
        await lagging(bybit.client, "/v5/position/list")
        await asyncio.sleep(5)
        await bybit.trading_stop(stopLoss="95")
        moved_ms = bybit.now_ms
        (row,) = await bybit.rows("position/list", symbol=SYMBOL)
        (order,) = await bybit.orders()
        await asyncio.sleep(4)
        (later,) = await bybit.rows("position/list", symbol=SYMBOL)
        return (
            row["stopLoss"],
            row["seq"] // 1_000 <= moved_ms - LAG_MS + 200,
            order["triggerPrice"],
            later["stopLoss"],
            later["seq"] > row["seq"],
        )

    assert bybit_support.run(scenario) == ("", True, "95", "95", True)


def test_bybit_orders_and_executions_lag_apart():
    async def scenario(bybit):
        await bybit.open()
        await lagging(bybit.client, "/v5/order/realtime")
        await lagging(bybit.client, "/v5/execution/list")
        await asyncio.sleep(5)
        await bybit.stop("95", orderLinkId="g-1")
        await bybit.create(orderLinkId="g-close")
        await bybit.settle()
        position = (await bybit.position())["size"]
        unknown = await bybit.orders(orderLinkId="g-1")
        executed = len(await bybit.rows("execution/list", symbol=SYMBOL))
        await asyncio.sleep(4)
        known = await bybit.orders(orderLinkId="g-1")
        return (
            position,
            unknown,
            executed,
            [row["orderLinkId"] for row in known],
            len(await bybit.rows("execution/list", symbol=SYMBOL)),
        )

    assert bybit_support.run(scenario) == ("0", [], 1, ["g-1"], 2)
