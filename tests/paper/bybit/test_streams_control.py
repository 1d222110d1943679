"""Control frames of the Bybit dialect: subscriptions, proofs, pings, limits and idle cuts."""

from __future__ import annotations

import pytest
from aiohttp import WSServerHandshakeError

from tests.paper.bybit.stream_fixtures import keys_of
from tests.paper.bybit.stream_support import PRIVATE, PUBLIC, TRADE, connect, private, run
from tests.paper.server.support import SYMBOL

TICKERS, TRADES = f"tickers.{SYMBOL}", f"publicTrade.{SYMBOL}"


def on(path, scenario, **more):
    """What a scenario with one connection returns."""

    async def play(client):
        return await scenario(await connect(client, path))

    return run(play, **more)


@pytest.mark.parametrize("request_id", [{"req_id": "sub-1"}, {"req_id": 1}, {}])
def test_a_subscription_is_confirmed_under_its_id(request_id):
    answer = on(PUBLIC, lambda stream: stream.subscribe(TICKERS, **request_id))
    conn_id = answer.pop("conn_id")
    assert conn_id
    named = {"req_id": str(request_id["req_id"])} if request_id else {}
    assert answer == {"success": True, "ret_msg": "", "op": "subscribe", **named}


@pytest.mark.parametrize(
    "topic",
    [
        "invalid.topic.BTCUSDT",
        "tickers",
        "tickers.NOSUCHUSDT",
        f"kline.7.{SYMBOL}",
        f"kline.{SYMBOL}",
        f"orderbook.2.{SYMBOL}",
        f"tickers.1.{SYMBOL}",
        "order",
        "",
    ],
)
def test_an_unknown_topic_refuses_the_whole_request(topic):
    async def scenario(stream):
        answer = await stream.subscribe(TRADES, topic)
        return answer, await stream.take_for(60)

    answer, messages = on(PUBLIC, scenario, prices=range(100, 200))
    assert (answer["success"], answer["ret_msg"]) == (False, f"Invalid topic: {topic}")
    assert messages == []


def test_the_shapes_of_the_answers_are_those_recorded():
    async def scenario(client):
        stream = await connect(client, PUBLIC)
        accepted = await stream.subscribe(TICKERS, req_id="1")
        ended = await stream.ask(op="unsubscribe", args=[TICKERS], req_id="3")
        refused = await stream.subscribe("invalid.topic.BTCUSDT")
        proven = await (await connect(client, PRIVATE)).authenticate()
        denied = await (await connect(client, TRADE)).authenticate(secret="wrong")
        return {
            "nt--ws-subscription-ack": accepted,
            "cx--handle-un-subscribe-1": ended,
            "nt--ws-subscription-failure": refused,
            "cx--handle-authenticate-1": proven,
            "nt--ws-auth-failure": denied,
        }

    for name, answer in run(scenario).items():
        assert keys_of(f"ws-event/{name}").names == set(answer), name


def test_a_topic_can_be_had_once_only():
    async def scenario(stream):
        await stream.subscribe(TICKERS)
        return await stream.subscribe(TRADES, TICKERS)

    answer = on(PUBLIC, scenario)
    assert not answer["success"]
    assert answer["ret_msg"] == f"error:already subscribed,topic:{TICKERS}"


def test_too_many_topics_for_one_connection_are_refused():
    names = [f"kline.{interval}.{SYMBOL}" for interval in ("1", "3", "5")]
    answer = on(PUBLIC, lambda stream: stream.subscribe(*names * 500))
    assert not answer["success"]


@pytest.mark.parametrize(
    "frame", [{"op": "subscribe"}, {"op": "subscribe", "args": "x"}, {"op": "nonsense"}, {}]
)
@pytest.mark.parametrize("path", [PUBLIC, PRIVATE])
def test_a_frame_that_cannot_be_understood_is_answered_and_ends_nothing(path, frame):
    async def scenario(stream):
        refused = await stream.ask(**frame)
        await stream.socket.send_str("nonsense")
        nonsense = await stream.until(lambda _: True)
        return refused, nonsense, await stream.ask(op="ping")

    refused, nonsense, pong = on(path, scenario)
    assert not refused["success"]
    assert not nonsense["success"]
    assert pong["conn_id"]


def test_each_path_answers_a_ping_in_its_own_shape():
    async def scenario(client):
        return [
            await (await connect(client, path)).ask(op="ping", req_id="7")
            for path in (PUBLIC, PRIVATE, TRADE)
        ], client.now_ms

    (public, own, trade), now_ms = run(scenario)
    for answer, name in ((public, "conn_id"), (own, "conn_id"), (trade, "connId")):
        assert answer.pop(name)
    assert public == {"success": True, "ret_msg": "pong", "req_id": "7", "op": "ping"}
    assert own == {"req_id": "7", "op": "pong", "args": [str(now_ms)]}
    assert trade == {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [str(now_ms)]}


def test_a_key_proves_itself_once():
    async def scenario(client):
        stream = await connect(client, PRIVATE)
        early = await stream.subscribe("order")
        return early, await stream.authenticate(), await stream.authenticate()

    early, proven, again = run(scenario)
    assert (early["success"], early["ret_msg"]) == (False, "Request not authorized")
    assert (proven["success"], proven["ret_msg"], proven["op"]) == (True, "", "auth")
    assert not again["success"]


@pytest.mark.parametrize(
    "wrong", [{"secret": "wrong"}, {"key": "unknown"}, {"in_ms": 0}, {"in_ms": -1}]
)
@pytest.mark.parametrize("path", [PRIVATE, TRADE])
def test_a_wrong_or_expired_proof_is_refused_and_a_right_one_follows(path, wrong):
    async def scenario(client):
        stream = await connect(client, path)
        return await stream.authenticate(**wrong), await stream.authenticate()

    refused, proven = run(scenario)
    assert refused["success"] is False
    assert refused["op"] == "auth"
    assert proven.get("success", proven.get("retCode") == 0)


@pytest.mark.parametrize("topics", [("order", "order.linear"), ("order.linear", "order")])
def test_plain_and_categorised_forms_are_not_mixed(topics):
    async def scenario(client):
        stream = await private(client)
        mixed = await stream.subscribe(*topics)
        return mixed, await stream.subscribe("order.linear", "position.linear", "wallet")

    mixed, apart = run(scenario)
    assert not mixed["success"]
    assert apart["success"]


@pytest.mark.parametrize(
    ("path", "query", "idle_s"),
    [
        (PUBLIC, "", 600),
        (PRIVATE, "", 600),
        (TRADE, "", 600),
        (PRIVATE, "?max_active_time=30s", 30),
        (PRIVATE, "?max_active_time=1m", 60),
        (PRIVATE, "?max_active_time=5s", 30),
        (PRIVATE, "?max_active_time=nonsense", 600),
    ],
)
def test_a_connection_whose_client_is_silent_is_cut(path, query, idle_s):
    async def scenario(client):
        silent, lively = await connect(client, path, query), await connect(client, path, query)
        began_ms = client.now_ms
        for _ in range(3):
            await lively.take_for(idle_s * 0.4)
            await lively.ask(op="ping")
        await silent.take_for(idle_s)
        assert silent.closed
        await lively.take_for(idle_s * 2)
        return client.now_ms - began_ms, lively.closed

    passed_ms, closed = run(scenario)
    assert closed
    assert passed_ms == pytest.approx(idle_s * 2_200, rel=0.01)


@pytest.mark.parametrize("path", ["/v5/public/spot", "/v5/nonsense", "/"])
def test_an_unknown_path_has_no_stream(path):
    async def scenario(client):
        with pytest.raises(WSServerHandshakeError) as refused:
            await connect(client, path)
        return refused.value.status

    assert run(scenario) == 404
