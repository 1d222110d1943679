"""Bybit's sockets: against a scripted local server, in virtual time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable
from decimal import Decimal

import pytest

from tests.venues.bybit_sockets import (
    ACCEPTED,
    BTC,
    PRIVATE,
    PUBLIC,
    START_MS,
    Server,
    fill,
    heard,
    of,
    payloads,
    play,
    position,
    push,
    recorded,
    stop,
    ticker,
    ups,
)
from trailstop.errors import BadCredentials, Unreachable
from trailstop.ports import (
    LastPrice,
    MarkPrice,
    PositionReport,
    StreamState,
)
from trailstop.venues.bybit import frames
from trailstop.venues.bybit.feed import Feed

D = Decimal
REFUSED = {"op": "auth", "success": False, "retCode": 10003, "retMsg": "Invalid apikey"}
BUSY = {"op": "auth", "success": False, "retCode": 10016, "retMsg": "Server error."}


# --- the log-in ---------------------------------------------------------------------------
def test_the_account_stream_logs_in_before_it_subscribes():
    async def scenario(server: Server, feed: Feed):
        return server.told, await heard(feed, 1)

    told, events = play(scenario)
    (first, login), (second, subscription) = told
    assert first == second == PRIVATE
    key, expires_ms, signature = login["args"]
    payload = f"GET/realtime{expires_ms}".encode()
    assert (login["op"], key) == ("auth", "key")
    assert signature == hmac.new(b"secret", payload, hashlib.sha256).hexdigest()
    assert START_MS < expires_ms <= START_MS + 60_000
    assert subscription["op"] == "subscribe"
    assert set(subscription["args"]) == {"order", "position", "execution"}
    assert ups(events, "private") == [True]


def test_a_refused_key_says_which_variables_to_check():
    def prepare(server: Server) -> None:
        server.answers[f"auth {PRIVATE}"] = [[REFUSED]] * 9

    async def scenario(server: Server, feed: Feed) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(BadCredentials, match=r"Invalid apikey.*BYBIT_API_KEY and BYBIT_API_SECRET"):
        play(scenario, prepare)


def test_a_server_that_is_busy_at_the_start_is_asked_again():
    def prepare(server: Server) -> None:
        server.answers[f"auth {PRIVATE}"] = [[BUSY], [BUSY]]

    async def scenario(server: Server, feed: Feed):
        return server.count(PRIVATE), await heard(feed, 1)

    sockets, told = play(scenario, prepare)
    assert sockets == 3
    assert ups(told, "private") == [False, True]


@pytest.mark.parametrize("op", ["auth", "subscribe"])
def test_without_an_answer_the_account_stream_is_not_up(op: str):
    def prepare(server: Server) -> None:
        server.answers[f"{op} {PRIVATE}"] = [[]] * 99

    async def scenario(server: Server, feed: Feed) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(Unreachable, match="does not open"):
        play(scenario, prepare)


def test_an_answer_to_something_else_is_no_log_in():
    def prepare(server: Server) -> None:
        server.answers[f"auth {PRIVATE}"] = [[{"op": "pong", "args": ["1"]}, REFUSED]]

    async def scenario(server: Server, feed: Feed) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(BadCredentials):
        play(scenario, prepare)


def test_refused_account_topics_leave_the_stream_down():
    def prepare(server: Server) -> None:
        refusal = {"success": False, "ret_msg": "Invalid topic: order", "op": "subscribe"}
        server.answers[f"subscribe {PRIVATE}"] = [[refusal]]

    async def scenario(server: Server, feed: Feed):
        return await heard(feed, 5)

    told = play(scenario, prepare)
    assert ups(told, "private") == [False, True]
    assert "Invalid topic: order" in of(StreamState, told)[0].text


def test_what_comes_before_the_subscription_is_answered_is_not_lost():
    early = {"topic": "position", "creationTime": START_MS, "data": [position()]}

    def prepare(server: Server) -> None:
        server.answers[f"subscribe {PRIVATE}"] = [[early, ACCEPTED | {"op": "subscribe"}]]

    async def scenario(server: Server, feed: Feed):
        return await heard(feed, 1)

    told = play(scenario, prepare)
    assert [type(event) for event in told] == [StreamState, PositionReport]


# --- staying connected --------------------------------------------------------------------
def test_both_sockets_are_pinged_and_neither_kind_of_pong_is_news():
    async def scenario(server: Server, feed: Feed):
        feed.watch(frozenset({"BTCUSDT"}))
        for _ in range(65):
            await asyncio.sleep(1)
            await ticker(server, "snapshot", markPrice="7")
        return server, await heard(feed, 1)

    server, told = play(scenario)
    assert len(server.asked("ping")) == len(server.asked("ping", PRIVATE)) == 3
    assert (server.count(PUBLIC), server.count(PRIVATE)) == (1, 1)
    assert ups(told, "market") == ups(told, "private") == [True]


def test_a_quiet_account_stream_is_no_loss_but_one_that_hides_a_write_is():
    async def scenario(server: Server, feed: Feed):
        await asyncio.sleep(3_600)
        before = server.count(PRIVATE)
        feed.expect_account_event(asyncio.get_running_loop().time())
        await asyncio.sleep(9)
        await push(server, "position", position())
        feed.expect_account_event(asyncio.get_running_loop().time() - 1)
        await asyncio.sleep(30)
        answered = server.count(PRIVATE)
        # Pongs go on; they say nothing of the write.
        feed.expect_account_event(asyncio.get_running_loop().time())
        await asyncio.sleep(30)
        return before, answered, server.count(PRIVATE)

    assert play(scenario) == (1, 1, 2)


def test_tickers_that_fall_silent_are_a_loss_although_pongs_come():
    async def scenario(server: Server, feed: Feed):
        feed.watch(frozenset({"BTCUSDT"}))
        for _ in range(18):
            await asyncio.sleep(1)
            await ticker(server, "snapshot", markPrice="7")
        await asyncio.sleep(9)
        before = server.count(PUBLIC)
        told = await heard(feed, 3)
        return before, server, told

    before, server, told = play(scenario)
    assert before == 1
    assert server.count(PUBLIC) == 2
    assert ups(told, "market") == [True, False, True]
    names = ["publicTrade.BTCUSDT", "tickers.BTCUSDT"]
    assert [message["args"] for message in server.asked("subscribe")] == [names, names]


def test_a_cut_account_stream_says_so_and_logs_in_again():
    async def scenario(server: Server, feed: Feed):
        await server.last(PRIVATE).close()
        return await heard(feed, 5), server

    told, server = play(scenario)
    assert ups(told, "private") == [True, False, True]
    assert len(server.asked("auth", PRIVATE)) == len(server.asked("subscribe", PRIVATE)) == 2


def test_log_ins_that_fail_become_rarer_and_stay_bounded():
    async def scenario(server: Server, feed: Feed):
        server.answers[f"auth {PRIVATE}"] = [[REFUSED]] * 9_999
        await server.last(PRIVATE).close()
        await asyncio.sleep(300)
        return server.count(PRIVATE)

    assert 20 <= play(scenario) <= 60


def test_a_socket_is_replaced_in_time_without_a_gap_or_a_double():
    async def scenario(server: Server, feed: Feed):
        feed.watch(frozenset({"BTCUSDT"}))
        for second in range(30):
            await asyncio.sleep(1)
            # Both sockets of a change tell everything.
            for path, socket in server.sockets:
                if path == PUBLIC and not socket.closed:
                    data = {"T": second, "s": "BTCUSDT", "p": "7", "i": f"uuid-{second}"}
                    frame = {"topic": "publicTrade.BTCUSDT", "data": [data]}
                    await socket.send_str(json.dumps(frame))
        return await heard(feed, 1), server

    told, server = play(scenario, rotate_seconds=10.5)
    assert server.count(PUBLIC) >= 3
    assert server.count(PRIVATE) >= 3
    assert [trade.at_ms for trade in of(LastPrice, told)] == list(range(30))
    assert ups(told, "market") == ups(told, "private") == [True]


def test_symbols_are_subscribed_to_one_by_one_and_given_up():
    async def scenario(server: Server, feed: Feed):
        refusal = {"success": False, "ret_msg": "Invalid topic: tickers.AUSDT", "op": "subscribe"}
        server.answers[f"subscribe {PUBLIC}"] = [[refusal]]
        feed.watch(frozenset({"BTCUSDT", "AUSDT"}))
        await asyncio.sleep(1)
        await ticker(server, "snapshot", markPrice="7")
        feed.watch(frozenset({"BTCUSDT"}))
        return await heard(feed, 1), server

    told, server = play(scenario)
    asked = [message["args"] for message in server.asked("subscribe")]
    given_up = [message["args"] for message in server.asked("unsubscribe")]
    assert asked == [[f"{name}.{symbol}" for name in ("publicTrade", "tickers")]
                     for symbol in ("AUSDT", "BTCUSDT")]  # fmt: skip
    assert given_up == [["publicTrade.AUSDT", "tickers.AUSDT"]]
    assert of(MarkPrice, told) == [MarkPrice("BTCUSDT", D(7), START_MS)]
    assert ups(told, "market") == [True]


# --- what cannot be read ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("topic", "row"),
    [
        ("position", position(size="many")),
        ("position", position(positionIdx=7)),
        ("order", stop(orderStatus="Sleeping")),
        ("order", {"category": "linear", "symbol": "BTCUSDT"}),
        ("execution", fill(side="")),
        ("execution", {"category": "linear"}),
    ],
)
def test_a_row_that_makes_no_sense_hides_no_other_and_asks_for_a_full_pass(topic: str, row: dict):
    async def scenario(server: Server, feed: Feed):
        await push(server, topic, row)
        await push(server, "position", position("nonsense"), position("0.9"))
        return await heard(feed, 1), server.count(PRIVATE)

    told, sockets = play(scenario)
    assert ups(told, "private") == [True, False, True, False, True]
    assert [report.quantity for report in of(PositionReport, told)] == [D("0.9")]
    assert sockets == 1


def test_a_torn_account_frame_asks_for_a_full_pass():
    async def scenario(server: Server, feed: Feed):
        await server.last(PRIVATE).send_str('{"topic":"order","data":[{"symb')
        return await heard(feed, 1)

    assert ups(play(scenario), "private") == [True, False, True]


def test_other_products_are_left_alone():
    async def scenario(server: Server, feed: Feed):
        await push(server, "position", position(category="inverse"))
        await push(server, "order", {"category": "spot"})
        await push(server, "wallet", {"accountType": "UNIFIED"})
        return await heard(feed, 1)

    assert [type(event) for event in play(scenario)] == [StreamState]


# --- waiting for a stop -------------------------------------------------------------------
PRICE = D(48_000)


async def later(seconds: float, work: Awaitable[None]) -> None:
    await asyncio.sleep(seconds)
    await work


@pytest.mark.parametrize(
    ("topic", "row"),
    [
        ("order", stop(updatedTime=str(START_MS + 7))),
        ("position", position(stopLoss="48000.00")),
    ],
)
@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_a_stop_is_seen_by_either_topic_before_or_after_one_waits(
    topic: str, row: dict, delay: float
):
    async def scenario(server: Server, feed: Feed):
        coming = asyncio.create_task(
            later(delay, push(server, topic, row, at_ms=START_MS + 7)),
        )
        await asyncio.sleep(0.1)
        seen_ms = await feed.await_stop(BTC, PRICE, 0.5)
        await coming
        return seen_ms

    assert play(scenario) == START_MS + 7


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(stop(triggerPrice="48000.1"), id="another price"),
        pytest.param(stop(positionIdx=1), id="another leg"),
        pytest.param(stop(stopOrderType="TakeProfit"), id="a take profit"),
        pytest.param(stop(tpslMode="Partial", stopOrderType="PartialStopLoss"), id="a partial one"),
        pytest.param(stop(stopOrderType="Stop"), id="a stop of somebody else"),
        pytest.param(stop(orderStatus="Cancelled"), id="an ended one"),
    ],
)
def test_nothing_else_proves_the_stop(row: dict):
    async def scenario(server: Server, feed: Feed):
        await push(server, "order", row)
        begun = asyncio.get_running_loop().time()
        found = await feed.await_stop(BTC, PRICE, 0.5)
        return found, asyncio.get_running_loop().time() - begun

    found, waited = play(scenario)
    assert found is None
    assert waited == pytest.approx(0.5)


def test_a_stop_that_has_gone_again_or_was_seen_long_ago_proves_nothing():
    async def scenario(server: Server, feed: Feed):
        await push(server, "order", stop())
        await push(server, "order", stop(orderStatus="Cancelled", cancelType="CancelByUser"))
        await asyncio.sleep(0.1)
        gone = await feed.await_stop(BTC, PRICE, 0.5)
        await push(server, "order", stop(orderId="s2"))
        await asyncio.sleep(60)
        old = await feed.await_stop(BTC, PRICE, 0.5)
        return gone, old

    assert play(scenario) == (None, None)


def test_the_end_of_an_older_order_does_not_hide_the_stop_that_followed_it():
    async def scenario(server: Server, feed: Feed):
        await push(server, "order", stop(triggerPrice="47000"))
        await push(server, "order", stop(orderId="s2"))
        await push(server, "order", stop(triggerPrice="47000", orderStatus="Cancelled"))
        await asyncio.sleep(0.1)
        return await feed.await_stop(BTC, PRICE, 0.5)

    assert play(scenario) == START_MS


def test_what_the_exchange_dates_before_the_write_does_not_prove_it():
    async def scenario(server: Server, feed: Feed):
        await push(server, "order", stop())
        await asyncio.sleep(0.1)
        return await feed.await_stop(BTC, PRICE, 0.5, since_ms=START_MS + 1)

    assert play(scenario) is None


def test_what_the_venue_reads_itself_comes_in_the_same_queue():
    async def scenario(server: Server, feed: Feed):
        await feed.emit(MarkPrice("BTCUSDT", D(7), 1))
        return await heard(feed, 1)

    assert play(scenario)[-1] == MarkPrice("BTCUSDT", D(7), 1)


# --- recorded frames ----------------------------------------------------------------------
@recorded
@pytest.mark.parametrize(
    "payload",
    payloads("ws-event/*auth*")
    + payloads("ws-event/*subscri*")
    + payloads("ws-event/*pong*")
    + payloads("ws-event/*error-message*"),
)
def test_recorded_answers_say_yes_or_no(payload: dict):
    frame = frames.FRAME(json.dumps(payload))
    if "success" in payload:
        assert frame.refused is not payload["success"]
    assert frame.topic == ""
