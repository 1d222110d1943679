"""Public topics of the Bybit dialect, over real sockets in virtual time."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from aiohttp import WSServerHandshakeError

from tests.paper.bybit.stream_fixtures import keys_of
from tests.paper.bybit.stream_support import PUBLIC, connect, merged, rows, run
from tests.paper.server.support import SECOND_US, START_US, SYMBOL, market, tape
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import WorldSettings
from trailstop.paper.trouble.faults import Fault

TICKERS, TRADES = f"tickers.{SYMBOL}", f"publicTrade.{SYMBOL}"
TOPICS = (
    TICKERS,
    TRADES,
    f"orderbook.1.{SYMBOL}",
    f"orderbook.50.{SYMBOL}",
    f"kline.1.{SYMBOL}",
    f"kline.5.{SYMBOL}",
    f"priceLimit.{SYMBOL}",
)


def watch(topic, span_s=200, prices=range(100, 200), **more):
    """What one subscriber of a topic is sent."""

    async def scenario(client):
        stream = await connect(client, PUBLIC)
        await stream.send(op="subscribe", args=[topic])
        messages = await stream.take_for(span_s)
        return [message for message in messages if message.get("topic") == topic]

    return run(scenario, prices, **more)


def dense(prices, every_us):
    points = [
        Print(START_US + index * every_us, Decimal(price), Decimal("0.5"), index % 2 == 0)
        for index, price in enumerate(prices)
    ]
    return [Tape(market(), iter(points), "hand-made")]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_delivers_and_names_itself(topic):
    messages = watch(topic)
    assert len(messages) > 2
    assert {message["topic"] for message in messages} == {topic}
    assert [message["ts"] for message in messages] == sorted(row["ts"] for row in messages)


@pytest.mark.parametrize(
    ("topic", "fixture"),
    [
        (TICKERS, "ws-session/cxt--linear-tickers-snapshot-then-delta-2026-08-12"),
        (TRADES, "ws-event/cx--handle-trades-1"),
        (f"orderbook.1.{SYMBOL}", "ws-event/nt--ws-orderbook-snapshot"),
        (f"kline.5.{SYMBOL}", "ws-event/nt--ws-kline"),
    ],
)
def test_a_message_has_every_field_of_the_recorded_one(topic, fixture):
    recorded = keys_of(fixture, "received.0")
    message = watch(topic, span_s=20)[0]
    assert recorded.missing(message) == set()


def test_the_ticker_is_a_snapshot_and_then_only_what_changed():
    messages = watch(TICKERS, span_s=40)
    states = merged(messages)
    assert states[0]["lastPrice"] == "100"
    assert {state["lastPrice"] for state in states} == {"100", "101", "102"}
    for before, message in zip(states, messages[1:], strict=False):
        changed = {name for name, text in message["data"].items() if before[name] != text}
        # The mark is told every second, also where it rests.
        assert changed - {"markPrice"} == message["data"].keys() - {"symbol", "markPrice"}
    last = states[-1]
    assert (last["bid1Price"], last["highPrice24h"], last["volume24h"]) == ("102.0", "102", "1.5")


def test_the_mark_goes_on_between_two_trades():
    states = merged(watch(TICKERS, span_s=60, prices=[100, 130]))
    marks = [Decimal(state["markPrice"]) for state in states]
    assert marks == sorted(marks)
    assert marks[-1] == 130
    assert len(set(marks)) > 20


def test_the_ticker_comes_at_most_every_tenth_of_a_second_and_ends_right():
    prices = [100 + index % 7 for index in range(300)]
    messages = watch(TICKERS, span_s=10, tapes=dense(prices, 10_000))
    times = [message["ts"] for message in messages]
    gaps = [later - earlier for earlier, later in pairwise(times[1:])]
    assert min(gaps) >= 100
    assert merged(messages)[-1]["lastPrice"] == str(prices[-1])


def test_a_late_subscriber_gets_a_snapshot_to_which_the_next_delta_fits():
    async def scenario(client):
        first = await connect(client, PUBLIC)
        await first.send(op="subscribe", args=[TICKERS])
        await first.take_for(0.055)
        late = await connect(client, PUBLIC)
        await late.send(op="subscribe", args=[TICKERS])
        return await first.take_for(5), await late.take_for(5)

    prices = [100, 101, 100, 101, 100, 102, 100, 103] * 20
    first, late = run(scenario, tapes=dense(prices, 10_000))
    first, late = ([row for row in seen if "topic" in row] for seen in (first, late))
    assert late[0]["type"] == "snapshot"
    assert merged(late)[-1]["lastPrice"] == str(prices[-1])
    told = [row for row in late[1:] if row["ts"] <= first[-1]["ts"]]
    assert len(told) > 10
    assert told == first[-len(told) :]


@pytest.mark.parametrize("together", [1, 40])
def test_no_trade_is_lost_and_none_comes_twice(together):
    """Trades of one instant, too, come each once, with ids of their own, in their order."""
    count = 3_000
    points = [
        Print(START_US + index // together * 5_000, Decimal(100 + index % 9), Decimal(1), False)
        for index in range(count)
    ]
    messages = watch(TRADES, span_s=30, tapes=[Tape(market(), iter(points), "hand-made")])
    trades = rows(messages, TRADES)
    # What was traded before the subscription is not repeated.
    missed = count - len(trades)
    assert missed <= together
    assert len({trade["i"] for trade in trades}) == len(trades)
    assert [trade["p"] for trade in trades] == [str(row.price) for row in points[missed:]]
    assert max(len(message["data"]) for message in messages) <= 1_024


def test_a_burst_is_split_into_messages_of_bounded_length():
    points = [Print(START_US, Decimal(100), Decimal(1), False)] + [
        Print(START_US + SECOND_US, Decimal(100 + index % 3), Decimal(1), False)
        for index in range(2_500)
    ]
    messages = watch(TRADES, span_s=30, tapes=[Tape(market(), iter(points), "hand-made")])
    assert [len(message["data"]) for message in messages] == [1_024, 1_024, 452]


def test_the_taker_side_and_the_direction_of_a_trade():
    prices = [100, 101, 101, 99, 99]
    trades = rows(watch(TRADES, span_s=10, tapes=dense(prices, SECOND_US)), TRADES)
    assert [trade["S"] for trade in trades] == ["Buy", "Sell", "Buy", "Sell"]
    assert [trade["L"] for trade in trades][1:] == ["ZeroPlusTick", "MinusTick", "ZeroMinusTick"]


def test_the_best_level_comes_as_snapshots_and_again_after_three_seconds_of_silence():
    messages = watch(f"orderbook.1.{SYMBOL}", span_s=20)
    assert {message["type"] for message in messages} == {"snapshot"}
    quiet = [message for message in messages if message["data"]["u"] == 1]
    assert [row["ts"] - START_US // 1_000 for row in quiet] == [0, 3_000, 6_000, 9_000, 12_000]
    moved = messages[len(quiet)]
    assert (moved["data"]["u"], moved["data"]["b"][0][0]) == (2, "101.0")
    assert moved["ts"] == START_US // 1_000 + 15_000


def test_the_deltas_of_a_deep_book_lead_to_the_right_book():
    messages = watch(f"orderbook.50.{SYMBOL}", span_s=100, prices=[100, 101, 100, 97, 98, 120])
    sides = {"b": {}, "a": {}}
    for message in messages:
        assert message["type"] == ("delta" if sides["b"] else "snapshot")
        for side, levels in sides.items():
            for price, size in message["data"][side]:
                if Decimal(size):
                    levels[Decimal(price)] = size
                else:
                    del levels[Decimal(price)]
        assert max(sides["b"]) < min(sides["a"])
    assert [message["data"]["u"] for message in messages] == list(range(1, len(messages) + 1))
    assert (max(sides["b"]), min(sides["a"])) == (Decimal("120.0"), Decimal("120.1"))
    assert len(sides["b"]) == len(sides["a"]) == 50


@pytest.mark.parametrize(("interval", "minutes"), [("1", 1), ("5", 5)])
def test_every_candle_is_confirmed_once_at_its_end(interval, minutes):
    span_s = 590
    candles = rows(watch(f"kline.{interval}.{SYMBOL}", span_s=span_s), f"kline.{interval}.{SYMBOL}")
    closed = [row for row in candles if row["confirm"]]
    assert len(closed) == len({row["start"] for row in closed}) >= span_s // 60 // minutes
    for row in closed:
        assert row["timestamp"] == row["end"] + 1 == row["start"] + minutes * 60_000
        assert float(row["low"]) <= float(row["close"]) <= float(row["high"])
    ends = [row["end"] for row in candles]
    assert ends == sorted(ends)


def test_a_candle_without_a_trade_at_its_end_is_confirmed_all_the_same():
    messages = watch(f"kline.5.{SYMBOL}", span_s=500, tapes=[tape([100, 101], every_s=110)])
    closed = [row for row in rows(messages, f"kline.5.{SYMBOL}") if row["confirm"]]
    assert [(row["close"], row["end"] + 1) for row in closed] == [
        ("100", 1_700_000_100_000),
        ("101", 1_700_000_400_000),
    ]


def test_a_liquidation_is_told_to_everybody():
    async def scenario(client):
        stream = await connect(client, PUBLIC)
        await stream.subscribe(f"allLiquidation.{SYMBOL}")
        await client.open_long("40")
        return await stream.take(1, 400)

    (message,) = run(scenario, [100] * 5 + [70] * 20, world=WorldSettings(wallet=Decimal(1_000)))
    (row,) = message["data"]
    assert (row["s"], row["S"], row["v"]) == (SYMBOL, "Buy", "40")


def test_the_first_frame_may_come_before_the_answer():
    async def first_is_answer(client):
        stream = await connect(client, PUBLIC)
        await stream.send(op="subscribe", req_id="7", args=[TICKERS])
        first, second = await stream.take(2)
        assert {"success" in first, "success" in second} == {True, False}
        return "success" in first

    assert {run(first_is_answer, seed=seed) for seed in range(8)} == {True, False}


def test_what_was_unsubscribed_is_silent():
    async def scenario(client):
        stream = await connect(client, PUBLIC)
        await stream.subscribe(TICKERS, TRADES)
        gone = await stream.ask(op="unsubscribe", req_id="9", args=[TICKERS])
        return gone, await stream.take_for(60)

    gone, messages = run(scenario, range(100, 200))
    assert (gone["success"], gone["op"], gone["req_id"]) == (True, "unsubscribe", "9")
    assert {message["topic"] for message in messages} == {TRADES}


def test_a_silent_topic_says_nothing_while_the_others_go_on():
    from_ms = START_US // 1_000 + 30_000
    silence = Fault(kind="silence", stream=TRADES, from_ms=from_ms, until_ms=from_ms + 60_000)

    async def scenario(client):
        stream = await connect(client, PUBLIC)
        await stream.subscribe(TICKERS, TRADES)
        return await stream.take_for(150)

    messages = run(scenario, range(100, 200), faults=(silence,))
    trades = [row["T"] - from_ms for row in rows(messages, TRADES)]
    assert [time for time in trades if 0 <= time < 60_000] == []
    assert min(trades) < 0
    assert max(trades) >= 60_000
    tickers = [row for row in messages if row["topic"] == TICKERS]
    assert any(0 <= row["ts"] - from_ms < 60_000 for row in tickers)


@pytest.mark.parametrize("group", ["public", "market", ""])
def test_a_cut_ends_the_connection_and_refuses_new_ones(group):
    begin_ms = START_US // 1_000 + 20_000
    cut = Fault(kind="cut", stream=group, from_ms=begin_ms, until_ms=begin_ms + 10_000)

    async def scenario(client):
        stream = await connect(client, PUBLIC)
        await stream.subscribe(TRADES)
        await stream.take_for(25)
        with pytest.raises(WSServerHandshakeError) as refused:
            await connect(client, PUBLIC)
        await client.control("POST", "time", {"advance_ms": 10_000})
        again = await connect(client, PUBLIC)
        answer = await again.subscribe(TRADES)
        return stream.closed, refused.value.status, answer["success"]

    assert run(scenario, range(100, 200), faults=(cut,)) == (True, 503, True)
