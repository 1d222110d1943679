"""Order entry of the Bybit dialect over its socket."""

from __future__ import annotations

import pytest

from tests.paper.bybit.stream_fixtures import payload_of
from tests.paper.bybit.stream_support import TRADE, Stream, connect, post, private, rows, run
from tests.paper.server.support import SYMBOL
from trailstop.paper.trouble.faults import Fault

STOP = {
    "category": "linear",
    "symbol": SYMBOL,
    "side": "Sell",
    "orderType": "Market",
    "qty": "0.1",
    "triggerPrice": "90",
    "triggerDirection": 2,
    "reduceOnly": True,
    "positionIdx": 0,
}
UNKNOWN_OUTCOME = ("unknown", "internal", "timeout")


class Desk:
    """Sends order requests over one proven connection."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.sent = 0

    async def send(self, op, args, request_id=None, age_ms=0, header=None):
        self.sent += 1
        stamp = str(self.stream.client.now_ms - age_ms)
        if header is None:
            header = {"X-BAPI-TIMESTAMP": stamp, "X-BAPI-RECV-WINDOW": "5000"}
        request_id = f"r-{self.sent}" if request_id is None else request_id
        await self.stream.send(reqId=request_id, header=header, op=op, args=[args])

    async def ask(self, op, args, **more):
        await self.send(op, args, **more)
        return await self.stream.socket.receive_json()


async def desk(client):
    """A proven connection of an account with an open position."""
    await client.open_long()
    stream = await connect(client, TRADE)
    assert (await stream.authenticate())["retCode"] == 0
    return Desk(stream)


def entry(scenario, **more):
    """What a scenario with a desk returns."""

    async def play(client):
        return await scenario(client, await desk(client))

    return run(play, **more)


def resting(client):
    return client.paper.exchange.world.open_conditionals(client.key)


def test_the_proof_is_answered_in_this_paths_shape():
    async def scenario(client):
        stream = await connect(client, TRADE)
        return await stream.authenticate(), await stream.authenticate()

    proven, again = run(scenario)
    assert proven.pop("connId") == again["connId"]
    assert proven == {"retCode": 0, "retMsg": "OK", "op": "auth"}
    assert again["retCode"] == 20001


def test_a_stop_is_created_amended_and_cancelled():
    async def scenario(client, trade):
        created = await trade.ask("order.create", STOP | {"orderLinkId": "g-1"})
        ids = {"category": "linear", "symbol": SYMBOL, "orderId": created["data"]["orderId"]}
        placed = [str(row.trigger_price) for row in resting(client)]
        amended = await trade.ask("order.amend", ids | {"triggerPrice": "91"})
        await client.control("POST", "time", {"advance_ms": 100})
        moved = [str(row.trigger_price) for row in resting(client)]
        cancelled = await trade.ask("order.cancel", ids)
        await client.control("POST", "time", {"advance_ms": 100})
        return created, amended, cancelled, placed, moved, resting(client)

    created, amended, cancelled, placed, moved, left = entry(scenario)
    for answer, op in ((created, "create"), (amended, "amend"), (cancelled, "cancel")):
        assert (answer["retCode"], answer["retMsg"]) == (0, "OK")
        assert answer["op"] == f"order.{op}"
        assert answer["data"] == {"orderId": created["data"]["orderId"], "orderLinkId": "g-1"}
    assert (placed, moved, left) == (["90"], ["91"], [])
    assert created["reqId"] == "r-1"
    assert created.keys() == {
        "reqId", "retCode", "retMsg", "op", "data", "retExtInfo", "header", "connId",
    }  # fmt: skip
    assert created["header"].keys() == {
        "X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp",
        "Traceid", "Timenow",
    }  # fmt: skip


def test_a_batch_answers_each_order_for_itself():
    async def scenario(client, trade):
        orders = [dict(STOP), dict(STOP, triggerPrice="110"), dict(STOP, triggerPrice="91")]
        answer = await trade.ask("order.create-batch", {"category": "linear", "request": orders})
        await client.control("POST", "time", {"advance_ms": 100})
        return answer, len(resting(client))

    answer, count = entry(scenario)
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 110093, 0]
    assert len(answer["data"]["list"]) == 3
    assert count == 2


def test_what_follows_is_told_on_the_private_path():
    async def scenario(client, trade):
        own = await private(client, "order")
        placed = await trade.ask("order.create", dict(STOP))
        return placed["data"]["orderId"], await own.take_for(5)

    order_id, messages = entry(scenario)
    assert [(row["orderId"], row["orderStatus"]) for row in rows(messages, "order")] == [
        (order_id, "Untriggered")
    ]


@pytest.mark.parametrize(
    ("op", "args", "more", "code"),
    [
        ("order.create", STOP | {"qty": "nonsense"}, {}, 10001),
        ("order.create", {}, {}, 10001),
        ("order.create", STOP | {"triggerPrice": "110"}, {}, 110093),
        ("order.cancel", {"category": "linear", "symbol": SYMBOL, "orderId": "x"}, {}, 110001),
        ("order.create", STOP, {"age_ms": 6_000}, 10002),
        ("order.create", STOP, {"age_ms": -1_100}, 10002),
        ("order.create", STOP, {"header": {}}, 10002),
        ("order.nonsense", STOP, {}, 10404),
        ("position.trading-stop", STOP, {}, 10404),
    ],
)
def test_a_refused_request_says_why_and_does_nothing(op, args, more, code):
    async def scenario(client, trade):
        answer = await trade.ask(op, args, **more)
        await client.control("POST", "time", {"advance_ms": 100})
        return answer, resting(client)

    answer, stops = entry(scenario)
    assert (answer["retCode"], answer["op"], stops) == (code, op, [])
    assert answer["retMsg"]
    assert answer["reqId"] == "r-1"


def test_orders_need_a_proof():
    async def scenario(client):
        await client.open_long()
        trade = Desk(await connect(client, TRADE))
        return await trade.ask("order.create", STOP), resting(client)

    answer, stops = run(scenario)
    assert answer["retCode"] != 0
    assert stops == []


def test_a_request_id_is_taken_once_for_each_connection():
    async def scenario(client, trade):
        codes = [
            (await trade.ask("order.create", STOP, request_id=request_id))["retCode"]
            for request_id in ("a", "a", "b", "", "")
        ]
        other = Desk(await connect(client, TRADE))
        await other.stream.authenticate()
        codes.append((await other.ask("order.create", STOP, request_id="a"))["retCode"])
        return codes, len(resting(client))

    assert entry(scenario) == ([0, 20006, 0, 0, 0, 0], 5)


def test_the_limit_is_shared_with_rest():
    async def scenario(client, trade):
        for number in range(12):
            await trade.send("order.create", STOP | {"triggerPrice": str(60 + number)})
        answers = await trade.stream.take(12, 5)
        limited = next(row for row in answers if row["retCode"])
        return answers, limited, await post(client, "order/create", **STOP)

    answers, limited, over_rest = entry(scenario, latency_ms=0)
    assert [row["retCode"] for row in answers].count(10006) == 2
    assert limited["header"]["X-Bapi-Limit-Status"] == "0"
    assert int(limited["header"]["X-Bapi-Limit-Reset-Timestamp"]) > 0
    assert over_rest["retCode"] == 10006


def test_a_request_travels_both_ways_and_takes_effect_between():
    async def scenario(client, trade):
        began_ms = client.now_ms
        answer = await trade.ask("order.create", STOP)
        (stop,) = resting(client)
        return answer, stop.created_us // 1_000 - began_ms, client.now_ms - began_ms

    answer, effect_ms, answered_ms = entry(scenario, latency_ms=50, latency_spread=0.0)
    assert answer["retCode"] == 0
    # Ten milliseconds of the exchange's own pass between acceptance and effect.
    assert (effect_ms, answered_ms) == (60, 100)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("unknown", 10016),
        ("unavailable", 10019),
        ("overloaded", 10429),
        ("internal", 10000),
        ("timeout", 10000),
        ("too_many_requests", 10006),
        ("banned", 10403),
        ("forbidden", 10403),
    ],
)
@pytest.mark.parametrize("executed", [False, True])
def test_faults_are_answered_in_this_exchanges_codes(kind, code, executed):
    fault = Fault(kind=kind, method="WS", path="order.create", executed=executed, count=1)

    async def scenario(client, trade):
        answer = await trade.ask("order.create", STOP)
        await client.control("POST", "time", {"advance_ms": 100})
        return answer["retCode"], len(resting(client))

    done = int(executed and kind in UNKNOWN_OUTCOME)
    assert entry(scenario, faults=(fault,)) == (code, done)


@pytest.mark.parametrize(("kind", "done"), [("lost_request", 0), ("lost_answer", 1)])
@pytest.mark.parametrize("cut", [True, False])
def test_a_lost_request_or_answer_ends_the_connection_or_nothing(kind, done, cut):
    fault = Fault(kind=kind, method="WS", symbol=SYMBOL, client_id="g-", count=1, cut=cut)

    async def scenario(client, trade):
        await trade.send("order.create", STOP | {"orderLinkId": "g-1"})
        answers = await trade.stream.take_for(5)
        await client.control("POST", "time", {"advance_ms": 100})
        return answers, trade.stream.closed, len(resting(client))

    assert entry(scenario, faults=(fault,)) == ([], cut, done)


def test_a_request_can_be_held_and_is_counted():
    async def scenario(client, trade):
        held = {"method": "WS", "path": "order.create", "stage": "answer"}
        await client.control("POST", "hold", held)
        await trade.send("order.create", STOP)
        (arrival,) = (await client.control("GET", "arrivals?after=0"))["arrivals"]
        await client.control("POST", "release", {"arrival_id": arrival["arrival_id"]})
        answer = await trade.stream.socket.receive_json()
        return arrival["request"], answer, (await client.control("GET", "state"))["served"]

    request, answer, served = entry(scenario)
    assert (request["path"], request["account_name"], request["symbol"]) == (
        "order.create", "long", SYMBOL,
    )  # fmt: skip
    assert answer["retCode"] == 0
    assert served["WS order.create"] == 1


@pytest.mark.parametrize("name", ["create", "cancel", "edit"])
def test_the_frames_of_a_client_library_are_understood(name):
    """The recorded frames name prices and orders of another time; they are refused for that."""
    frames = payload_of(f"ccxt-ws-frame/cx--{name}-order-ws-default-hosts")["frames"]
    frame = frames[-1]["message"]

    async def scenario(_, trade):
        return await trade.ask(frame["op"], frame["args"][0], request_id=frame["reqId"])

    answer = entry(scenario)
    assert answer["retCode"] in {0, 110001, 110092, 110093}
    assert (answer["reqId"], answer["op"]) == (frame["reqId"], frame["op"])


def test_a_cut_of_the_order_path_drops_no_request_that_has_arrived():
    async def scenario(client, trade):
        await trade.send("order.create", STOP)
        await client.control("POST", "time", {"advance_ms": 60})
        client.paper.bybit.streams.cut("trade")
        answers = await trade.stream.take_for(5)
        return answers, trade.stream.closed, len(resting(client))

    assert entry(scenario) == ([], True, 1)
