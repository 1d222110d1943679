"""Faults of the exchange itself: orders that come to nothing, triggers that do not fire."""

from __future__ import annotations

import asyncio

import pytest

from tests.paper.bybit import stream_support as bybit
from tests.paper.bybit.support import Bybit
from tests.paper.server.support import SYMBOL, run

ALGO = "/fapi/v1/algoOrder"
ORDER = "/fapi/v1/order"
OPEN_ALGO = "/fapi/v1/openAlgoOrders"
LISTEN_KEY = "/fapi/v1/listenKey"
CREATE = "/v5/order/create"
TRADING_STOP = "/v5/position/trading-stop"


async def fault(client, **fields):
    answer = await client.control("POST", "faults", {"add": [fields]})
    assert "error" not in answer, answer


async def user_events(client, socket, span_s):
    events = []
    until_ms = client.now_ms + span_s * 1_000
    while client.now_ms < until_ms:
        try:
            left_s = max((until_ms - client.now_ms) / 1_000, 0.001)
            events.append(await socket.receive_json(timeout=left_s))
        except TimeoutError:
            break
    return events


async def user_socket(client):
    key = (await client.call("POST", LISTEN_KEY, signed=False))["listenKey"]
    return await client.socket(f"/private/ws?listenKey={key}")


@pytest.mark.parametrize(
    ("kind", "told"), [("dropped", ["NEW"]), ("rejected_later", ["NEW", "EXPIRED"])]
)
def test_an_acknowledged_stop_comes_to_nothing(kind, told):
    async def scenario(client):
        socket = await user_socket(client)
        await client.open_long()
        await fault(client, kind=kind, path=ALGO, method="POST", delay_ms=2_000, count=1)
        placed = await client.stop_order(98, "g-1")
        before = await client.call("GET", OPEN_ALGO)
        events = await user_events(client, socket, 3)
        after = await client.call("GET", OPEN_ALGO)
        await client.stop_order(98, "g-2")
        await asyncio.sleep(3)
        later = await client.call("GET", OPEN_ALGO)
        algo = [row["o"]["X"] for row in events if row["e"] == "ALGO_UPDATE"]
        return placed["algoStatus"], len(before), algo, len(after), len(later)

    assert run(scenario) == ("NEW", 1, told, 0, 1)


def test_the_protection_clock_runs_while_a_dropped_stop_is_missing():
    async def scenario(client):
        await client.open_long()
        await fault(client, kind="dropped", path=ALGO, delay_ms=1_000)
        await client.stop_order(98, "g-1")
        await asyncio.sleep(6)
        return (await client.control("GET", "state"))["clocks"]["unprotected_ms"]

    assert 4_000 < run(scenario) <= 5_100


def test_a_market_order_is_accepted_and_never_filled():
    async def scenario(client):
        socket = await user_socket(client)
        await client.open_long()
        await fault(client, kind="rejected_later", path=ORDER, delay_ms=1_000, count=1)
        placed = await client.call(
            "POST", ORDER, form=True, symbol=SYMBOL, side="SELL", type="MARKET",
            quantity="0.100", reduceOnly="true", newClientOrderId="g-close",
        )  # fmt: skip
        events = await user_events(client, socket, 3)
        states = [
            row["o"]["X"]
            for row in events
            if row["e"] == "ORDER_TRADE_UPDATE" and row["o"]["c"] == "g-close"
        ]
        rows = await client.call("GET", "/fapi/v3/positionRisk")
        return placed["status"], states, rows[0]["positionAmt"]

    assert run(scenario) == ("NEW", ["NEW", "EXPIRED"], "0.100")


@pytest.mark.parametrize(
    ("kind", "told"),
    [("dropped", ["Untriggered"]), ("rejected_later", ["Untriggered", "Rejected"])],
)
def test_an_acknowledged_stop_of_bybit_comes_to_nothing(kind, told):
    async def scenario(client):
        own = await bybit.private(client, "order")
        await client.open_long()
        await own.take_for(1)
        rest = Bybit(client)
        await fault(client, kind=kind, path=CREATE, delay_ms=2_000, count=1)
        placed = await rest.stop("95", orderLinkId="g-1")
        messages = await own.take_for(4)
        states = [row["orderStatus"] for row in bybit.rows(messages, "order")]
        return placed["retCode"], states, await rest.orders()

    assert bybit.run(scenario) == (0, told, [])


def test_a_positions_own_stop_vanishes_without_a_word():
    async def scenario(client):
        own = await bybit.private(client, "order")
        await client.open_long()
        rest = Bybit(client)
        await fault(client, kind="dropped", path=TRADING_STOP, delay_ms=2_000, count=1)
        await rest.trading_stop(stopLoss="95")
        held = (await rest.position())["stopLoss"]
        await own.take_for(1)
        messages = await own.take_for(4)
        return held, bybit.rows(messages, "order"), (await rest.position())["stopLoss"]

    assert bybit.run(scenario) == ("95", [], "")


@pytest.mark.parametrize("mark", [False, True])
def test_stops_do_not_fire_while_the_engine_is_stuck(mark):
    async def scenario(client):
        await client.open_long()
        working = {"workingType": "MARK_PRICE"} if mark else {}
        await client.stop_order(98, "g-1", **working)
        until_ms = client.now_ms + 60_000
        await fault(client, kind="no_trigger", symbol=SYMBOL, account="long", until_ms=until_ms)
        await asyncio.sleep(58)
        stuck = await client.call("GET", ALGO, clientAlgoId="g-1")
        await asyncio.sleep(30)
        fired = await client.call("GET", ALGO, clientAlgoId="g-1")
        return stuck["algoStatus"], fired["algoStatus"]

    assert run(scenario, [100, *[97] * 60]) == ("NEW", "FINISHED")


def test_stops_of_another_market_fire_all_the_same():
    async def scenario(client):
        await client.open_long()
        await client.stop_order(98, "g-1")
        await fault(client, kind="no_trigger", symbol="ETHUSDT")
        await asyncio.sleep(30)
        return (await client.call("GET", ALGO, clientAlgoId="g-1"))["algoStatus"]

    assert run(scenario, [100, *[97] * 60]) == "FINISHED"
