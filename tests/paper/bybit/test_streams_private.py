"""Private topics of the Bybit dialect: orders, positions, executions and the wallet."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from aiohttp import WSServerHandshakeError

from tests.paper.bybit.stream_fixtures import keys_of
from tests.paper.bybit.stream_support import PRIVATE, connect, post, private, rows, run
from tests.paper.bybit.support import Bybit
from tests.paper.server.support import START_US, SYMBOL
from trailstop.paper.settings import WorldSettings
from trailstop.paper.trouble.faults import Fault

ALL = ("order", "position", "execution", "execution.fast", "wallet")
STOP = "position/trading-stop"
CREATE, AMEND, CANCEL = "order/create", "order/amend", "order/cancel"


async def set_stop(client, **legs):
    answer = await post(client, STOP, **{"positionIdx": 0, "tpslMode": "Full", **legs})
    assert answer["retCode"] == 0, answer
    return answer


async def conditional(client, trigger="95", **changes):
    body = {
        "side": "Sell",
        "orderType": "Market",
        "qty": "0.100",
        "triggerPrice": trigger,
        "triggerDirection": 2,
        "reduceOnly": True,
        "positionIdx": 0,
        **changes,
    }
    answer = await post(client, CREATE, **body)
    assert answer["retCode"] == 0, answer
    return answer["result"]


def told(scenario, *topics, prices=(100,) * 400, span_s=20, **more):
    """What one account with these topics is told during and after a scenario."""

    async def play(client):
        stream = await private(client, *(topics or ALL))
        result = await scenario(client)
        return result, await stream.take_for(span_s)

    return run(play, prices, **more)


async def open_and_stop(client):
    await client.open_long()
    await set_stop(client, stopLoss="97")


def test_an_opening_is_told_by_every_topic():
    async def scenario(client):
        await client.open_long()

    _, messages = told(scenario)
    (order,), (execution,), (fast,) = (rows(messages, name) for name in ALL[:1] + ALL[2:4])
    (wallet,) = rows(messages, "wallet")
    position = rows(messages, "position")[-1]
    assert (order["orderStatus"], order["cumExecQty"], order["side"]) == ("Filled", "0.1", "Buy")
    assert (position["side"], position["size"]) == ("Buy", "0.1")
    assert position["entryPrice"] == order["avgPrice"] == execution["execPrice"]
    assert (execution["orderId"], execution["execType"]) == (order["orderId"], "Trade")
    assert (fast["execId"], "execFee" in fast) == (execution["execId"], False)
    assert Decimal(wallet["coin"][0]["walletBalance"]) == 100_000 - Decimal(execution["execFee"])


def test_the_rows_have_every_field_of_the_recorded_ones():
    _, messages = told(open_and_stop)
    for topic, name, inner in (
        ("order", "nt--ws-account-order-stop-loss", "data.0"),
        ("position", "nt--ws-account-position-with-open-time", ""),
        ("execution", "nt--ws-account-execution", "data.0"),
        ("execution.fast", "nt--ws-account-execution-fast", "data.0"),
        ("wallet", "cx--handle-balance-2-unified", "data.0"),
    ):
        recorded = keys_of(f"ws-event/{name}", inner)
        assert recorded.missing(rows(messages, topic)[-1]) == set(), topic


def test_messages_have_an_id_of_their_own_except_the_fast_ones():
    _, messages = told(open_and_stop)
    ids = [message.get("id") for message in messages if message["topic"] != "execution.fast"]
    assert None not in ids
    assert len(set(ids)) == len(ids)
    fast = [message for message in messages if message["topic"] == "execution.fast"]
    assert [message.keys() for message in fast] == [{"topic", "creationTime", "data"}]


def test_nothing_is_told_of_what_was_before_the_subscription():
    async def scenario(client):
        await open_and_stop(client)
        stream = await private(client, *ALL)
        return await stream.take_for(60)

    assert run(scenario) == []


def test_another_account_hears_nothing():
    async def scenario(client):
        other = client.paper.accounts["short"]
        stream = await connect(client, PRIVATE)
        proven = await stream.authenticate(key=other["key"], secret=other["secret"])
        await stream.subscribe(*ALL)
        await open_and_stop(client)
        return proven["success"], await stream.take_for(60)

    assert run(scenario) == (True, [])


def test_a_position_stop_is_an_order_and_a_field_of_the_position():
    _, messages = told(open_and_stop)
    stop = rows(messages, "order")[-1]
    assert (stop["stopOrderType"], stop["orderStatus"]) == ("StopLoss", "Untriggered")
    assert (stop["triggerPrice"], stop["qty"], stop["orderLinkId"]) == ("97", "0.100", "")
    assert (stop["createType"], stop["tpslMode"]) == ("CreateByStopLoss", "Full")
    assert (stop["reduceOnly"], stop["closeOnTrigger"]) == (True, True)
    assert rows(messages, "position")[-1]["stopLoss"] == "97"


def test_a_moved_position_stop_keeps_its_id_and_a_removed_one_ends():
    async def scenario(client):
        await open_and_stop(client)
        await set_stop(client, stopLoss="98")
        await set_stop(client, stopLoss="0")

    _, messages = told(scenario)
    _, *stops = rows(messages, "order")
    assert [(row["orderStatus"], row["triggerPrice"]) for row in stops] == [
        ("Untriggered", "97"), ("Untriggered", "98"), ("Cancelled", "98"),
    ]  # fmt: skip
    assert len({row["orderId"] for row in stops}) == 1
    assert [row["stopLoss"] for row in rows(messages, "position")] == ["", "97", "98", ""]


def test_the_position_is_told_with_every_order_though_it_has_not_changed():
    async def scenario(client):
        await client.open_long()
        before = await conditional(client)
        await post(client, AMEND, orderId=before["orderId"], triggerPrice="96")
        await client.control("POST", "time", {"advance_ms": 100})
        await post(client, CANCEL, orderId=before["orderId"])

    _, messages = told(scenario, "order", "position")
    _, *orders = rows(messages, "order")
    positions = rows(messages, "position")
    assert [(row["orderStatus"], row["triggerPrice"]) for row in orders] == [
        ("Untriggered", "95"), ("Untriggered", "96"), ("Deactivated", "96"),
    ]  # fmt: skip
    assert [row["size"] for row in positions] == ["0.1"] * 4
    numbers = [row["seq"] for row in positions]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("latency_ms", [0, 50])
def test_a_position_that_is_read_is_no_older_than_what_was_told_of_it(latency_ms):
    async def scenario(client):
        stream = await private(client, "position")
        await client.open_long()
        for trigger in ("94", "95", "96"):
            await conditional(client, trigger)
        await asyncio.sleep(1)
        echoed = rows(await stream.take(4), "position")
        first, second = [await Bybit(client).position() for _ in range(2)]
        return echoed, first, second

    echoed, first, second = run(scenario, latency_ms=latency_ms)
    assert len(echoed) == 4
    assert echoed[-1]["seq"] <= first["seq"] <= second["seq"]


def test_a_stop_that_fires_keeps_its_id_and_leaves_the_position_flat():
    _, messages = told(open_and_stop, prices=[100, 100, 96, 96], span_s=60)
    _, *steps = rows(messages, "order")
    assert [row["orderStatus"] for row in steps] == ["Untriggered", "Triggered", "Filled"]
    assert len({row["orderId"] for row in steps}) == 1
    assert {row["qty"] for row in steps} == {"0.100"}
    execution = rows(messages, "execution")[-1]
    assert execution["orderId"] == steps[0]["orderId"]
    assert (execution["stopOrderType"], execution["createType"]) == (
        "StopLoss",
        "CreateByStopLoss",
    )
    assert (execution["closedSize"], execution["leavesQty"]) == ("0.1", "0")
    flat = rows(messages, "position")[-1]
    assert (flat["size"], flat["side"], flat["stopLoss"]) == ("0", "", "")
    assert flat["seq"] >= execution["seq"]


def test_an_ordinary_stop_that_fires_keeps_both_of_its_ids():
    async def scenario(client):
        await client.open_long()
        return await conditional(client, "97", orderLinkId="g-1")

    placed, messages = told(scenario, prices=[100, 100, 96, 96], span_s=60)
    _, *steps = rows(messages, "order")
    assert [row["orderStatus"] for row in steps] == ["Untriggered", "Triggered", "Filled"]
    assert {(row["orderId"], row["orderLinkId"]) for row in steps} == {(placed["orderId"], "g-1")}
    assert rows(messages, "execution")[-1]["orderLinkId"] == "g-1"


def test_a_position_stop_follows_the_size_and_ends_with_the_position():
    async def scenario(client):
        await open_and_stop(client)
        await client.open_long("0.200")
        await client.control("POST", "close", {"account": "long", "symbol": SYMBOL})

    _, messages = told(scenario)
    stops = [row for row in rows(messages, "order") if row["stopOrderType"] == "StopLoss"]
    assert [(row["orderStatus"], row["qty"], row["cancelType"]) for row in stops] == [
        ("Untriggered", "0.100", "UNKNOWN"),
        ("Untriggered", "0.300", "UNKNOWN"),
        ("Cancelled", "0.300", "CancelByTpSlTsClear"),
    ]


def test_both_stops_of_a_position_are_told_apart():
    async def scenario(client):
        await client.open_long()
        await set_stop(client, stopLoss="95", trailingStop="2")

    _, messages = told(scenario, prices=[100, 105, 102.9, 102.9], span_s=60)
    steps = [
        (row["stopOrderType"], row["orderStatus"])
        for row in rows(messages, "order")
        if row["stopOrderType"]
    ]
    assert ("TrailingStop", "Filled") in steps
    assert steps[-1] == ("StopLoss", "Cancelled") or ("StopLoss", "Cancelled") in steps
    assert rows(messages, "execution")[-1]["createType"] == "CreateByTrailingStop"


def test_the_order_of_topics_is_left_to_chance_and_the_same_for_a_seed():
    def topics(seed):
        async def scenario(client):
            await client.open_long()

        _, messages = told(scenario, seed=seed)
        return tuple(message["topic"] for message in messages)

    seen = {seed: topics(seed) for seed in range(8)}
    assert len({*seen.values()}) > 3
    assert all(sorted(names) == sorted(ALL) for names in seen.values())
    assert topics(3) == seen[3]


def test_rows_of_one_moment_come_in_one_message_or_apart():
    def messages_of_trigger(seed):
        _, messages = told(open_and_stop, "order", prices=[100, 100, 96, 96], span_s=60, seed=seed)
        return len(messages)

    assert {messages_of_trigger(seed) for seed in range(8)} == {3, 4}


def test_the_categorised_form_has_its_own_name():
    names = ("order.linear", "position.linear", "execution.linear", "wallet")
    _, messages = told(open_and_stop, *names)
    assert {message["topic"] for message in messages} == set(names)


def test_the_form_of_another_category_is_accepted_and_stays_silent():
    _, messages = told(open_and_stop, "order.spot", "position.inverse", "greeks", "dcp.future")
    assert messages == []


def test_a_stop_that_the_engine_refuses_at_its_trigger_is_told():
    refuse = Fault(kind="reject_at_trigger")

    async def scenario(client):
        await client.open_long()
        await conditional(client, "97")

    _, messages = told(scenario, prices=[100, 100, 96, 96], span_s=60, faults=(refuse,))
    last = rows(messages, "order")[-1]
    assert last["orderStatus"] in {"Rejected", "Cancelled"}
    assert last["rejectReason"].startswith("EC_")
    assert last["rejectReason"] != "EC_NoError"
    assert rows(messages, "position")[-1]["size"] == "0.1"


def test_an_order_that_the_engine_refuses_is_told_under_its_id():
    async def scenario(client):
        body = {"side": "Buy", "orderType": "Limit", "qty": "0.1", "price": "101"}
        answer = await post(client, CREATE, timeInForce="PostOnly", positionIdx=0, **body)
        return answer["result"]

    placed, messages = told(scenario, span_s=5)
    (refused,) = rows(messages, "order")
    assert refused["orderId"] == placed["orderId"]
    assert refused["orderStatus"] in {"Rejected", "Cancelled"}
    assert refused["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"
    assert rows(messages, "execution") == []


def test_a_cancel_that_meets_the_fill_gives_two_filled_messages():
    async def scenario(client):
        stream = await private(client, "order")
        body = {"side": "Buy", "orderType": "Limit", "qty": "0.1", "price": "99"}
        placed = (await post(client, CREATE, positionIdx=0, **body))["result"]
        fill_us = START_US + 30_000_000
        await client.control(
            "POST", "time", {"advance_ms": (fill_us - 5_000) // 1_000 - client.now_ms}
        )
        answer = await post(client, CANCEL, orderId=placed["orderId"])
        return answer, await stream.take_for(30)

    answer, messages = run(scenario, [100, 100, 98, 98], latency_ms=0)
    assert answer["retCode"] == 0
    new, filled, again = rows(messages, "order")
    assert [row["orderStatus"] for row in (new, filled, again)] == ["New", "Filled", "Filled"]
    assert (filled["cancelType"], again["cancelType"]) == ("UNKNOWN", "CancelByUser")
    assert again["rejectReason"] == "EC_OrigClOrdIDDoesNotExist"


def test_funding_is_an_execution_and_changes_the_wallet():
    async def scenario(client):
        stream = await private(client, "execution", "wallet")
        await client.open_long()
        for _ in range(15):
            await stream.send(op="ping")
            await client.control("POST", "time", {"advance_ms": 8 * 60_000})
        return await stream.take(within_s=1)

    messages = run(scenario, [100] * 2_000)
    opening, funding = rows(messages, "execution")
    assert (opening["execType"], funding["execType"]) == ("Trade", "Funding")
    before, after = (Decimal(row["coin"][0]["walletBalance"]) for row in rows(messages, "wallet"))
    assert after == before - Decimal(funding["execFee"])
    assert after < before


def test_a_silent_topic_says_nothing_while_the_others_go_on():
    _, messages = told(open_and_stop, faults=(Fault(kind="silence", stream="order"),))
    assert rows(messages, "order") == []
    assert rows(messages, "position")


def test_a_cut_of_the_private_path_spares_the_public_one():
    begin_ms = START_US // 1_000 + 20_000
    cut = Fault(kind="cut", stream="private", from_ms=begin_ms, until_ms=begin_ms + 10_000)

    async def scenario(client):
        own = await private(client, "order")
        public = await connect(client, "/v5/public/linear")
        await public.subscribe(f"tickers.{SYMBOL}")
        await own.take_for(25)
        with pytest.raises(WSServerHandshakeError):
            await connect(client, PRIVATE)
        counted = client.paper.bybit.streams.connections
        return own.closed, counted

    closed, counted = run(scenario, faults=(cut,))
    assert closed
    assert counted == {"public": 1, "private": 0, "trade": 0}


def test_each_leg_of_a_hedged_market_has_rows_of_its_own():
    async def scenario(client):
        await client.open_long()
        await Bybit(client).open("0.300", side="short")
        await set_stop(client, positionIdx=1, stopLoss="95")
        await set_stop(client, positionIdx=2, stopLoss="105")

    _, messages = told(scenario, hedge=True)
    stops = [row for row in rows(messages, "order") if row["stopOrderType"]]
    assert [(row["positionIdx"], row["side"], row["qty"]) for row in stops] == [
        (1, "Sell", "0.100"),
        (2, "Buy", "0.300"),
    ]
    legs = {row["positionIdx"]: row for row in rows(messages, "position")}
    assert {index: (row["side"], row["size"], row["stopLoss"]) for index, row in legs.items()} == {
        1: ("Buy", "0.1", "95"),
        2: ("Sell", "0.3", "105"),
    }


def test_a_liquidation_ends_the_stops_first_and_names_its_cause():
    async def scenario(client):
        await client.open_long("40")
        await set_stop(client, stopLoss="1")

    _, messages = told(
        scenario,
        prices=[100] * 3 + [70] * 20,
        span_s=200,
        world=WorldSettings(wallet=Decimal(1_000)),
    )
    stop = next(row for row in rows(messages, "order") if row["orderStatus"] == "Cancelled")
    assert (stop["stopOrderType"], stop["cancelType"]) == ("StopLoss", "CancelByPrepareLiq")
    bust = rows(messages, "execution")[-1]
    assert (bust["execType"], bust["createType"]) == ("BustTrade", "CreateByLiq")
    assert rows(messages, "position")[-1]["size"] == "0"
    assert len(rows(messages, "execution.fast")) == 1
