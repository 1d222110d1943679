"""Market and user data streams on their routed paths."""

from __future__ import annotations

import pytest

from tests.paper.server.support import START_US, SYMBOL, run

QUIET_S = 100


async def take(socket, count, within_s=QUIET_S):
    """So many messages, fewer where nothing more comes."""
    messages = []
    while len(messages) < count:
        try:
            messages.append(await socket.receive_json(timeout=within_s))
        except TimeoutError:
            break
    return messages


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("/market/ws/btcusdt@aggTrade", "aggTrade"),
        ("/market/ws/btcusdt@markPrice@1s", "markPriceUpdate"),
        ("/market/ws/btcusdt@markPrice", "markPriceUpdate"),
        ("/market/ws/btcusdt@kline_1m", "kline"),
        ("/market/ws/btcusdt@kline_5m", "kline"),
        ("/market/ws/btcusdt@miniTicker", "24hrMiniTicker"),
        ("/market/ws/btcusdt@ticker", "24hrTicker"),
        ("/public/ws/btcusdt@bookTicker", "bookTicker"),
        ("/public/ws/!bookTicker", "bookTicker"),
        ("/public/ws/btcusdt@depth5@100ms", "depthUpdate"),
        ("/ws/btcusdt@bookTicker", "bookTicker"),
    ],
)
def test_a_stream_delivers_on_its_own_path(path, event):
    async def scenario(client):
        socket = await client.socket(path)
        return await take(socket, 2)

    messages = run(scenario, range(100, 200))
    assert [message["e"] for message in messages] == [event, event]
    assert {message["s"] for message in messages} == {SYMBOL}


@pytest.mark.parametrize(
    "path", ["/public/ws/btcusdt@aggTrade", "/market/ws/btcusdt@bookTicker", "/ws/btcusdt@aggTrade"]
)
def test_a_stream_of_another_path_stays_silent(path):
    async def scenario(client):
        socket = await client.socket(path)
        return await take(socket, 1), socket.closed

    assert run(scenario, range(100, 200)) == ([], False)


def test_the_combined_form_names_the_stream():
    async def scenario(client):
        socket = await client.socket("/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m")
        return await take(socket, 2)

    messages = run(scenario, range(100, 200))
    assert {message["stream"] for message in messages} == {
        "btcusdt@aggTrade", "btcusdt@kline_1m",
    }  # fmt: skip
    assert {message["data"]["e"] for message in messages} == {"aggTrade", "kline"}


def test_subscribing_listing_and_unsubscribing():
    async def scenario(client):
        socket = await client.socket("/market/ws/0")
        await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 7})
        answer = await socket.receive_json()
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 8})
        listed = await socket.receive_json()
        trade = await socket.receive_json()
        await socket.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 9})
        gone = await socket.receive_json()
        await socket.send_str("nonsense")
        nonsense = await socket.receive_json()
        return answer, listed, trade, gone, nonsense, await take(socket, 1)

    answer, listed, trade, gone, nonsense, rest = run(scenario, range(100, 200))
    assert answer == {"result": None, "id": 7}
    assert listed == {"result": ["0", "btcusdt@aggTrade"], "id": 8}
    assert trade["p"] == "101"
    assert gone == {"result": None, "id": 9}
    assert nonsense["error"]["code"] == 2
    assert rest == []


def test_more_than_ten_messages_a_second_end_the_connection():
    async def scenario(client):
        socket = await client.socket("/market/ws")
        for number in range(11):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        while not socket.closed:
            await socket.receive()
        return socket.close_code

    assert run(scenario) == 1008


async def user_socket(client, query=""):
    key = (await client.call("POST", "/fapi/v1/listenKey", signed=False))["listenKey"]
    return key, await client.socket(f"/private/ws?listenKey={key}{query}")


def test_a_position_and_its_stop_are_told_to_their_account_alone():
    async def scenario(client):
        _, socket = await user_socket(client)
        await client.open_long()
        placed = await client.stop_order(98, "g-1")
        return placed, await take(socket, 5)

    placed, messages = run(scenario)
    assert [message["e"] for message in messages] == [
        "ORDER_TRADE_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE",
    ]  # fmt: skip
    new, _, trade, account, algo = messages
    assert (new["o"]["x"], trade["o"]["x"], trade["o"]["X"]) == ("NEW", "TRADE", "FILLED")
    assert account["a"]["m"] == "ORDER"
    assert account["a"]["P"][0]["pa"] == "0.100"
    assert algo["o"]["aid"] == placed["algoId"]
    assert (algo["o"]["X"], algo["o"]["caid"], algo["o"]["tp"]) == ("NEW", "g-1", "98")


def life_of_a_triggered_stop(seed):
    async def scenario(client):
        _, socket = await user_socket(client)
        await client.open_long()
        await client.stop_order(98, "g-1")
        return await take(socket, 50)

    messages = run(scenario, [100, 100, 97, 97, 97], seed=seed)
    triggered_ms = START_US // 1000 + 30_000
    return [row for row in messages if row["E"] == triggered_ms and row["e"] != "TRADE_LITE"]


def test_a_trigger_is_told_by_both_services_in_an_order_left_to_chance():
    orders = set()
    for seed in range(12):
        messages = life_of_a_triggered_stop(seed)
        assert messages == life_of_a_triggered_stop(seed)
        algo = [row["o"] for row in messages if row["e"] == "ALGO_UPDATE"]
        child = [row["o"] for row in messages if row["e"] == "ORDER_TRADE_UPDATE"]
        assert [row["X"] for row in algo] == ["TRIGGERING", "TRIGGERED", "FINISHED"]
        assert [row["x"] for row in child] == ["NEW", "TRADE"]
        assert {row["c"] for row in child} == {"g-1"}
        assert algo[1]["ai"] == str(child[0]["i"])
        assert (algo[2]["aq"], child[1]["z"]) == ("0.100", "0.100")
        orders.add(tuple(row["e"] for row in messages))
    assert len(orders) >= 2


def test_the_filter_of_events_is_kept():
    async def scenario(client):
        _, socket = await user_socket(client, "&events=ALGO_UPDATE")
        await client.open_long()
        await client.stop_order(98, "g-1")
        return await take(socket, 3)

    assert [message["e"] for message in run(scenario)] == ["ALGO_UPDATE"]


def test_a_listen_key_lives_an_hour_is_extended_and_ends_with_an_event():
    async def scenario(client):
        key, socket = await user_socket(client)
        again = await client.call("POST", "/fapi/v1/listenKey", signed=False)
        await client.control("POST", "time", {"advance_ms": 50 * 60_000})
        await client.call("PUT", "/fapi/v1/listenKey", signed=False)
        await client.control("POST", "time", {"advance_ms": 50 * 60_000})
        living = await take(socket, 1, within_s=1)
        ended_ms = client.now_ms
        expired = await socket.receive_json()
        dead = await client.call("PUT", "/fapi/v1/listenKey", signed=False)
        await client.open_long()
        silent = await take(socket, 1, within_s=5)
        fresh = await client.call("POST", "/fapi/v1/listenKey", signed=False)
        return key, again, living, ended_ms, expired, dead, silent, fresh

    key, again, living, ended_ms, expired, dead, silent, fresh = run(scenario)
    assert len(key) == 64
    assert again == {"listenKey": key}
    assert living == []
    assert expired["e"] == "listenKeyExpired"
    assert expired["listenKey"] == key
    assert expired["E"] - ended_ms < 10 * 60_000
    assert dead["code"] == -1125
    assert silent == []
    assert fresh["listenKey"] != key


def test_a_candle_is_closed_once_at_its_end():
    async def scenario(client):
        socket = await client.socket("/market/ws/btcusdt@kline_1m")
        return await take(socket, 12)

    candles = [row["k"] for row in run(scenario, range(100, 200))]
    closed = [row for row in candles if row["x"]]
    assert len(closed) >= 2
    assert len({row["t"] for row in closed}) == len(closed)
    for row in closed:
        assert float(row["l"]) <= float(row["o"]) <= float(row["h"])
