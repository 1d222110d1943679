"""Faults that hit streams: messages late, twice, astray, lost, standing still; listen keys lost."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import WSServerHandshakeError

from tests.paper.bybit import stream_support as bybit
from tests.paper.server.support import START_US, SYMBOL, run, tape

START_MS = START_US // 1_000
TRADES = "/market/ws/btcusdt@aggTrade"
BOOK = "/public/ws/btcusdt@bookTicker"
LISTEN_KEY = "/fapi/v1/listenKey"


def every_second():
    """A price a second, each higher than the one before."""
    return [tape(range(100, 300), every_s=1)]


async def fault(client, **fields):
    answer = await client.control("POST", "faults", {"add": [fields]})
    assert "error" not in answer, answer


async def happened(client):
    return (await client.control("GET", "state"))["faults_happened"]


async def heard(client, socket, span_s):
    """Messages of so much virtual time, each with the time at which it came."""
    messages = []
    until_ms = client.now_ms + span_s * 1_000
    while client.now_ms < until_ms:
        try:
            left_s = max((until_ms - client.now_ms) / 1_000, 0.001)
            message = await socket.receive_json(timeout=left_s)
        except TimeoutError:
            break
        messages.append((client.now_ms, message))
    return messages


async def user_socket(client):
    key = (await client.call("POST", LISTEN_KEY, signed=False))["listenKey"]
    return key, await client.socket(f"/private/ws?listenKey={key}")


def test_late_messages_keep_their_order_and_others_come_in_time():
    async def scenario(client):
        trades, book = await client.socket(TRADES), await client.socket(BOOK)
        await fault(client, kind="late", event="aggTrade", delay_ms=2_500)
        return await heard(client, trades, 10), await heard(client, book, 5)

    trades, book = run(scenario, tapes=every_second())
    assert {came_ms - row["T"] for came_ms, row in trades} == {2_500}
    ids = [row["a"] for _, row in trades]
    assert ids == sorted(ids)
    assert len(ids) > 5
    # The book was read later, but what it said of the last seconds came when it was said.
    assert [came_ms - row["E"] for came_ms, row in book[-3:]] == [0, 0, 0]


def test_what_follows_late_messages_of_its_stream_does_not_overtake_them():
    async def scenario(client):
        trades = await client.socket(TRADES)
        until_ms = client.now_ms + 3_000
        await fault(client, kind="late", stream="market", delay_ms=5_000, until_ms=until_ms)
        return [row["a"] for _, row in await heard(client, trades, 15)]

    ids = run(scenario, tapes=every_second())
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) > 10


def test_each_message_comes_twice():
    async def scenario(client):
        trades = await client.socket(TRADES)
        await fault(client, kind="duplicated", stream="btcusdt@aggTrade", count=3)
        return [row["a"] for _, row in await heard(client, trades, 6)], await happened(client)

    ids, counted = run(scenario, tapes=every_second())
    first = ids[0]
    assert ids[:7] == [first, first, first + 1, first + 1, first + 2, first + 2, first + 3]
    assert counted == {"duplicated": 3}


def test_reordered_messages_overtake_each_other_the_same_way_in_each_run():
    async def scenario(client):
        trades = await client.socket(TRADES)
        await fault(client, kind="reordered", stream="market", delay_ms=4_000)
        return [row["a"] for _, row in await heard(client, trades, 30)]

    ids = run(scenario, tapes=every_second(), seed=3)
    assert ids != sorted(ids)
    assert len(set(ids)) == len(ids)
    assert run(scenario, tapes=every_second(), seed=3) == ids
    assert run(scenario, tapes=every_second(), seed=4) != ids


def test_a_share_of_the_messages_is_lost():
    async def scenario(client):
        trades = await client.socket(TRADES)
        await fault(client, kind="missing", stream="market", share=0.5)
        return [row["a"] for _, row in await heard(client, trades, 60)]

    ids = run(scenario, tapes=every_second())
    assert 15 < len(ids) < 45
    assert ids == sorted(ids)


def test_prices_stand_still_while_times_go_on():
    async def scenario(client):
        trades, book = await client.socket(TRADES), await client.socket(BOOK)
        from_ms = client.now_ms + 5_000
        await fault(client, kind="frozen", from_ms=from_ms, until_ms=from_ms + 10_000)
        return from_ms, await heard(client, trades, 20), await heard(client, book, 1)

    from_ms, trades, book = run(scenario, tapes=every_second())
    frozen = [row for _, row in trades if from_ms <= row["T"] < from_ms + 10_000]
    assert len(frozen) > 8
    assert len({row["p"] for row in frozen}) == 1
    assert len({row["T"] for row in frozen}) == len(frozen)
    assert len({row["a"] for row in frozen}) == len(frozen)
    others = [row["p"] for _, row in trades if row not in frozen]
    assert len(set(others)) == len(others) > 8
    assert len({row["b"] for _, row in book if from_ms <= row["T"] < from_ms + 10_000}) == 1


def test_a_field_of_an_event_is_changed_and_a_request_is_not():
    async def scenario(client):
        _, socket = await user_socket(client)
        await fault(client, kind="tamper", event="ACCOUNT_UPDATE", field="ep", value="0")
        await client.open_long()
        events = [row for _, row in await heard(client, socket, 2)]
        rows = await client.call("GET", "/fapi/v3/positionRisk")
        (update,) = [row for row in events if row["e"] == "ACCOUNT_UPDATE"]
        return update["a"]["P"][0]["ep"], rows[0]["entryPrice"] != "0"

    assert run(scenario) == ("0", True)


@pytest.mark.parametrize("events", [None, 0, 1, 2])
def test_a_listen_key_dies_before_its_time(events):
    async def scenario(client):
        key, socket = await user_socket(client)
        count = {} if events is None else {"count": events}
        from_ms = client.now_ms + 5_000
        await fault(client, kind="listen_key_expired", from_ms=from_ms, **count)
        await asyncio.sleep(6)
        extended = await client.call("PUT", LISTEN_KEY, signed=False)
        await client.open_long()
        told = [row for _, row in await heard(client, socket, 5)]
        fresh = (await client.call("POST", LISTEN_KEY, signed=False))["listenKey"]
        return key, extended["code"], told, fresh, socket.closed, await happened(client)

    key, extended, told, fresh, closed, counted = run(scenario)
    assert [(row["e"], row["listenKey"]) for row in told] == [("listenKeyExpired", key)] * (
        1 if events is None else events
    )
    assert (extended, closed, counted) == (-1125, False, {"listen_key_expired": 1})
    assert fresh != key


def test_a_deleted_listen_key_leaves_the_connection_open_and_silent():
    async def scenario(client):
        key, socket = await user_socket(client)
        await fault(client, kind="listen_key_deleted", account="long")
        await client.open_long()
        told = await heard(client, socket, 5)
        extended = await client.call("PUT", LISTEN_KEY, signed=False)
        return told, extended["code"], socket.closed, key

    told, code, closed, _ = run(scenario)
    assert (told, code, closed) == ([], -1125, False)


def test_a_fault_that_was_ended_does_not_begin():
    async def scenario(client):
        book = await client.socket(BOOK)
        await fault(client, kind="cut", from_ms=client.now_ms + 2_000)
        await client.control("POST", "faults", {"clear": "all"})
        await heard(client, book, 4)
        return book.closed

    assert run(scenario, tapes=every_second()) is False


# --- Bybit --------------------------------------------------------------------------------------


def test_private_topics_of_bybit_come_late_twice_or_changed_by_topic_and_account():
    async def scenario(client):
        own = await bybit.private(client, "position", "execution", "order")
        await fault(client, kind="late", event="position", delay_ms=3_000, account="long")
        await fault(client, kind="duplicated", stream="execution")
        await fault(client, kind="tamper", event="order", field="side", value="Hold")
        await fault(client, kind="missing", account="short")
        opened_ms = client.now_ms
        await client.open_long()
        return opened_ms, await heard(client, own.socket, 10)

    opened_ms, messages = bybit.run(scenario)
    came = {row["topic"]: came_ms - opened_ms for came_ms, row in messages}
    assert came["position"] >= 3_000 > came["order"]
    executions = [row for _, row in messages if row["topic"] == "execution"]
    assert len(executions) == 2
    assert executions[0] == executions[1]
    (order,) = [row for _, row in messages if row["topic"] == "order"]
    assert order["data"][0]["side"] == "Hold"


def test_bybit_prices_stand_still_while_times_go_on():
    async def scenario(client):
        public = await bybit.connect(client, bybit.PUBLIC)
        await public.subscribe(f"tickers.{SYMBOL}", f"publicTrade.{SYMBOL}")
        from_ms = client.now_ms + 5_000
        await fault(client, kind="frozen", from_ms=from_ms, until_ms=from_ms + 10_000)
        return from_ms, await heard(client, public.socket, 20)

    from_ms, messages = bybit.run(scenario, tapes=every_second())
    frozen = [row for _, row in messages if from_ms <= row["ts"] < from_ms + 10_000]
    trades = [row["data"][0] for row in frozen if row["topic"].startswith("publicTrade")]
    assert len(trades) > 8
    assert len({row["p"] for row in trades}) == 1
    assert len({row["i"] for row in trades}) == len(trades)
    lasts = {row["data"]["lastPrice"] for row in frozen if "lastPrice" in row["data"]}
    assert len(lasts) == 1
    after = {
        row["data"]["lastPrice"]
        for came_ms, row in messages
        if row["topic"].startswith("tickers")
        and "lastPrice" in row["data"]
        and came_ms > from_ms + 11_000
    }
    assert len(after) > 2


def test_maintenance_cuts_every_path_of_bybit():
    async def scenario(client):
        own = await bybit.private(client, "order")
        public = await bybit.connect(client, bybit.PUBLIC)
        trade = await bybit.connect(client, bybit.TRADE)
        await fault(client, kind="maintenance", until_ms=client.now_ms + 30_000)
        for stream in (own, public, trade):
            await stream.take(within_s=5)
        refused = 0
        for path in (bybit.PUBLIC, bybit.PRIVATE, bybit.TRADE):
            with pytest.raises(WSServerHandshakeError, match="503"):
                await bybit.connect(client, path)
            refused += 1
        return [own.closed, public.closed, trade.closed], refused, await happened(client)

    assert bybit.run(scenario) == ([True] * 3, 3, {"maintenance": 3})


@pytest.mark.parametrize(
    ("fields", "code", "rests"),
    [
        ({"kind": "rate_limited"}, 10006, False),
        ({"kind": "clock_refused"}, 10002, False),
        ({"kind": "tamper", "field": "retMsg", "value": "fine"}, 0, True),
        ({"kind": "truncated"}, None, True),
        ({"kind": "html"}, None, False),
    ],
)
def test_the_order_socket_meets_the_same_faults(fields, code, rests):
    async def scenario(client):
        await client.open_long()
        stream = await bybit.connect(client, bybit.TRADE)
        assert (await stream.authenticate())["retCode"] == 0
        await fault(client, path="order.create", count=1, **fields)
        header = {"X-BAPI-TIMESTAMP": str(client.now_ms), "X-BAPI-RECV-WINDOW": "5000"}
        stop = {
            "category": "linear", "symbol": SYMBOL, "side": "Sell", "orderType": "Market",
            "qty": "0.1", "triggerPrice": "90", "triggerDirection": 2, "reduceOnly": True,
        }  # fmt: skip
        await stream.send(reqId="r-1", header=header, op="order.create", args=[stop])
        try:
            answer = await stream.socket.receive_json()
        except ValueError:
            answer = {"retCode": None}
        await asyncio.sleep(0.1)
        open_stops = client.paper.exchange.world.open_conditionals(client.key)
        return answer["retCode"], answer.get("retMsg"), bool(open_stops)

    ret_code, text, open_stops = bybit.run(scenario)
    assert (ret_code, open_stops) == (code, rests)
    if "value" in fields:
        assert text == "fine"
