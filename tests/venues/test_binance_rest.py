"""What an answer, or its absence, means: against a local server in virtual time."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest

from tests.venues.scripted import error, play, play_rest, play_venue
from tests.venues.stage import CUT, HANG
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Side
from trailstop.engine.events import Refusal
from trailstop.errors import BadCredentials, ReadFailed, Unreachable
from trailstop.ports import (
    Acknowledged,
    CloseRequest,
    Gone,
    OrderState,
    Refused,
    StopRequest,
    Unknown,
)
from trailstop.timelink import LoopClock
from trailstop.venues.binance.venue import BinanceVenue
from trailstop.venues.sending import Failure, FailureKind, signature

LEG = Leg("main", "binance", "BTCUSDT")
STOP = StopRequest(
    LEG, Side.LONG, Role.WORKING, Decimal("60000.1"), Decimal("0.01"), "last", "ts-1"
)
POST = "POST /fapi/v1/algoOrder"
GET = "GET /fapi/v1/algoOrder"
DELETE = "DELETE /fapi/v1/algoOrder"
TAKEN = {
    "algoId": 77,
    "clientAlgoId": "ts-1",
    "orderType": "STOP_MARKET",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "positionSide": "BOTH",
    "quantity": "0.010",
    "algoStatus": "NEW",
    "triggerPrice": "60000.10",
    "reduceOnly": True,
    "createTime": 1_700_000_000_123,
}


def placed(*answers, stop=STOP):
    async def scenario(scripted, venue):
        scripted.answers[POST] = list(answers)
        scripted.answers.setdefault(DELETE, [{"algoId": 77, "code": "200", "msg": "success"}])
        return await venue.place_stop(stop), scripted

    return play_venue(scenario)


def test_the_exchanges_own_signature_example():
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    payload = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        "&recvWindow=5000&timestamp=1591702613943"
    )
    assert signature(secret, payload) == (
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    )


def test_a_stop_that_is_taken_is_acknowledged_with_the_exchanges_time():
    outcome, scripted = placed(TAKEN)
    assert outcome == Acknowledged("77", 1_700_000_000_123)
    (sent,) = [query for call, query in scripted.asked if call == POST]
    assert {name: sent[name] for name in ("side", "reduceOnly", "clientAlgoId")} == {
        "side": "SELL",
        "reduceOnly": "true",
        "clientAlgoId": "ts-1",
    }
    assert list(sent)[-1] == "signature"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(error(-2021), (Refusal.WOULD_TRIGGER, -2021), id="would trigger"),
        pytest.param(error(-2022), (Refusal.POSITION_GONE, -2022), id="reduce-only refused"),
        pytest.param(error(-4509), (Refusal.POSITION_GONE, -4509), id="no position"),
        pytest.param(error(-4045), (Refusal.LIMIT, -4045), id="too many stops"),
        pytest.param(error(-4130), (Refusal.OTHER, -4130), id="twin"),
        pytest.param(error(-1111), (Refusal.OTHER, -1111), id="precision"),
        pytest.param(error(-1008, status=503), (Refusal.TRANSIENT, -1008), id="overloaded"),
        pytest.param(
            error(-1001, "Service Unavailable.", 503), (Refusal.TRANSIENT, -1001), id="unavailable"
        ),
        pytest.param((403, "<html>"), (Refusal.TRANSIENT, 403), id="firewall"),
        pytest.param(
            error(-1003, "", 429, **{"Retry-After": "7"}), (Refusal.TRANSIENT, -1003), id="429"
        ),
        pytest.param(
            error(-1003, "", 418, **{"Retry-After": "7"}), (Refusal.TRANSIENT, -1003), id="418"
        ),
    ],
)
def test_a_definite_refusal_is_refused(answer, outcome):
    refused, _ = placed(answer)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.code) == outcome
    assert refused.overlap == (refused.code == -4130)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(error(-1000, "Unknown error, please check", 503), id="503 unknown"),
        pytest.param((503, "<h1>503 Service Temporarily Unavailable</h1>"), id="503 page"),
        pytest.param((500, "oops"), id="500"),
        pytest.param((502, ""), id="502"),
        pytest.param(error(-1007, "", 408), id="408"),
        pytest.param(error(-1000), id="-1000"),
        pytest.param(error(-1001), id="-1001"),
        pytest.param(error(-1006), id="-1006"),
        pytest.param(error(-1007), id="-1007"),
        pytest.param((302, "", {"Location": "/elsewhere"}), id="redirect"),
        pytest.param((200, {"code": -1021, "msg": "?"}), id="200 with a definite code"),
        pytest.param((404, "not here"), id="page of somebody in between"),
        pytest.param((200, '{"algoId": 77, "clien'), id="truncated answer"),
        pytest.param((200, {"code": -1000, "msg": "?"}), id="200 with an error"),
        pytest.param(CUT, id="connection lost after sending"),
        pytest.param(HANG, id="no answer"),
    ],
)
def test_anything_that_proves_nothing_is_unknown(answer):
    outcome, scripted = placed(answer)
    assert isinstance(outcome, Unknown)
    assert scripted.count(POST) == 1, "an unknown outcome is never repeated blindly"


def test_no_connection_is_a_refusal_that_may_be_repeated():
    async def scenario(scripted, rest):
        return await rest.new_algo_order({"symbol": "BTCUSDT"})

    failure = play_rest(scenario, rest_url="http://127.0.0.1:9")
    assert failure.kind is FailureKind.TRANSIENT


def test_after_a_ban_nothing_is_sent_until_it_is_over():
    async def scenario(scripted, venue):
        scripted.answers[POST] = [error(-1003, "", 429, **{"Retry-After": "7"}), TAKEN]
        first = await venue.place_stop(STOP)
        second = await venue.place_stop(STOP)
        sent_in_between = scripted.count(POST)
        before_ms = scripted.now_ms
        scripted.answers["GET /fapi/v2/ticker/price"] = [{"symbol": "BTCUSDT", "price": "5"}]
        await venue.last_price("BTCUSDT")
        waited_ms = scripted.now_ms - before_ms
        return first, second, sent_in_between, waited_ms, await venue.place_stop(STOP)

    first, second, sent, waited_ms, third = play_venue(scenario)
    assert first.retry_after_ms == 7_000
    assert (second.reason, second.retry_after_ms, sent) == (Refusal.TRANSIENT, 7_000, 1)
    assert waited_ms >= 7_000
    assert third == Acknowledged("77", 1_700_000_000_123)


def test_an_overflow_of_orders_closes_orders_only():
    async def scenario(scripted, venue):
        scripted.answers[POST] = [error(-1015, "Too many new orders", 429), TAKEN]
        scripted.answers[DELETE] = [{"algoId": 77, "code": "200", "msg": "success"}]
        return (
            await venue.place_stop(STOP),
            await venue.place_stop(STOP),
            await venue.cancel_stop(LEG, "77", "ts-1"),
        )

    first, second, cancelled = play_venue(scenario)
    assert isinstance(cancelled, Acknowledged)
    assert (first.reason, second.reason) == (Refusal.TRANSIENT, Refusal.FULL)
    assert 0 < first.retry_after_ms <= 10_000


@pytest.mark.parametrize("code", [-1021, -5028])
def test_a_misjudged_clock_is_read_again_and_the_same_order_sent_once_more(code):
    async def scenario(scripted, venue):
        scripted.answers[POST] = [error(code), TAKEN]
        before = scripted.count("GET /fapi/v1/time")
        outcome = await venue.place_stop(STOP)
        ids = [query["clientAlgoId"] for call, query in scripted.asked if call == POST]
        return outcome, ids, scripted.count("GET /fapi/v1/time") - before

    outcome, ids, readings = play_venue(scenario)
    assert isinstance(outcome, Acknowledged)
    assert ids == ["ts-1", "ts-1"]
    assert readings == 3


def test_a_clock_that_stays_wrong_is_tried_once_only():
    outcome, scripted = placed(error(-1021))
    assert outcome.reason is Refusal.TRANSIENT
    assert scripted.count(POST) == 2


def test_a_stop_that_is_not_what_was_asked_for_is_cancelled_at_once():
    outcome, scripted = placed(TAKEN | {"reduceOnly": False})
    assert (outcome.reason, "not reduce-only" in outcome.text) == (Refusal.OTHER, True)
    assert scripted.asked[-1][0] == DELETE
    assert scripted.asked[-1][1]["algoId"] == "77"


def test_a_stop_that_ended_at_once_is_refused():
    outcome, _ = placed(TAKEN | {"algoStatus": "EXPIRED"})
    assert isinstance(outcome, Refused)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        pytest.param(TAKEN, Acknowledged("77", 1_700_000_000_123), id="it rests"),
        pytest.param(error(-2013), None, id="it cannot be found"),
        pytest.param((500, ""), None, id="nobody knows"),
    ],
)
def test_an_id_that_exists_already_is_looked_up(found, outcome):
    async def scenario(scripted, venue):
        scripted.answers[POST] = [error(-4116)]
        scripted.answers[GET] = [found]
        return await venue.place_stop(STOP)

    answer = play_venue(scenario)
    assert answer == outcome if outcome else isinstance(answer, Unknown)


def test_the_gate_keeps_a_wrong_order_here():
    outcome, scripted = placed(TAKEN, stop=msgspec.structs.replace(STOP, price=Decimal("60000.15")))
    assert "not sent" in outcome.text
    assert scripted.count(POST) == 0


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"algoId": 77, "clientAlgoId": "ts-1", "code": "200", "msg": "success"}, Acknowledged),
        (error(-2011), Gone),
        (error(-2013), Gone),
        (error(-1000, "", 503), Unknown),
        (error(-1008, "", 503), Refused),
        (CUT, Unknown),
    ],
)
def test_what_became_of_a_cancel(answer, kind):
    async def scenario(scripted, venue):
        scripted.answers[DELETE] = [answer]
        return await venue.cancel_stop(LEG, None, "ts-1")

    assert isinstance(play_venue(scenario), kind)


def test_a_foreign_order_is_never_cancelled():
    async def scenario(scripted, venue):
        return await venue.cancel_stop(LEG, "5", "web_abc"), scripted.count(DELETE)

    outcome, sent = play_venue(scenario)
    assert (type(outcome), sent) == (Refused, 0)


def test_a_close_is_a_reduce_only_market_order():
    async def scenario(scripted, venue):
        scripted.answers["POST /fapi/v1/order"] = [
            {
                "orderId": 5, "clientOrderId": "ts-9", "symbol": "BTCUSDT", "side": "BUY",
                "status": "NEW", "updateTime": 44,
            }
        ]  # fmt: skip
        outcome = await venue.close_position(CloseRequest(LEG, Side.SHORT, Decimal("0.01"), "ts-9"))
        return outcome, scripted.asked[-1][1]

    outcome, sent = play_venue(scenario)
    assert outcome == Acknowledged("5", 44)
    assert (sent["side"], sent["type"], sent["reduceOnly"]) == ("BUY", "MARKET", "true")


# --- look-ups -----------------------------------------------------------------------------
def test_absent_is_said_only_when_the_lost_request_can_no_longer_arrive():
    async def scenario(scripted, venue):
        scripted.answers[POST] = [CUT]
        scripted.answers[GET] = [error(-2013)]
        sent_ms = scripted.now_ms
        await venue.place_stop(STOP)
        found = await venue.look_up(LEG, "ts-1", "stop")
        return found.state, scripted.now_ms - sent_ms

    state, waited_ms = play_venue(scenario)
    assert state is OrderState.ABSENT
    assert waited_ms >= 2_000


def test_a_request_that_arrives_late_is_found():
    async def scenario(scripted, venue):
        scripted.answers[POST] = [CUT]
        scripted.answers[GET] = [error(-2013), TAKEN]
        await venue.place_stop(STOP)
        return await venue.look_up(LEG, "ts-1", "stop")

    assert play_venue(scenario).state is OrderState.RESTING


def test_an_id_never_sent_is_absent_at_once():
    async def scenario(scripted, venue):
        scripted.answers[GET] = [error(-2011)]
        before_ms = scripted.now_ms
        found = await venue.look_up(LEG, "ts-8", "stop")
        return found.state, scripted.now_ms - before_ms

    assert play_venue(scenario) == (OrderState.ABSENT, 0)


@pytest.mark.parametrize(
    "answer",
    [error(-1000, "", 503), (404, "page"), (200, "[]"), CUT, error(-2015, "", 401), error(-1021)],
)
def test_a_look_up_without_an_answer_is_no_absence(answer):
    async def scenario(scripted, venue):
        scripted.answers[GET] = [answer]
        return await venue.look_up(LEG, "ts-1", "stop")

    with pytest.raises(ReadFailed):
        play_venue(scenario)


# --- reads --------------------------------------------------------------------------------
POSITION = {
    "symbol": "BTCUSDT",
    "positionSide": "BOTH",
    "positionAmt": "0.01",
    "entryPrice": "61000",
    "liquidationPrice": "0",
}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([POSITION, {"symbol": "ETHUSDT"}], id="a row without an amount"),
        pytest.param([POSITION, POSITION | {"symbol": "E", "entryPrice": "x"}], id="no number"),
        pytest.param({"code": -1000, "msg": "error"}, id="200 with an error"),
        pytest.param((200, '[{"symbol":"BTCUSDT","posi'), id="truncated"),
        pytest.param((500, ""), id="500"),
        pytest.param(CUT, id="cut"),
        pytest.param(HANG, id="no answer"),
    ],
)
def test_a_partial_read_is_failed_and_never_flat(rows):
    async def scenario(scripted, venue):
        scripted.answers["GET /fapi/v1/openAlgoOrders"] = [[]]
        scripted.answers["GET /fapi/v1/openOrders"] = [[]]
        scripted.answers["GET /fapi/v3/positionRisk"] = [rows]
        return await venue.snapshot(None)

    with pytest.raises(ReadFailed):
        play_venue(scenario)


def test_a_full_snapshot_finds_the_working_child_of_a_triggered_stop():
    child = {
        "orderId": 900, "clientOrderId": "ts-1", "symbol": "BTCUSDT", "side": "SELL",
        "status": "PARTIALLY_FILLED", "reduceOnly": True,
    }  # fmt: skip
    take_profit = child | {"orderId": 901, "clientOrderId": "web_1", "status": "NEW"}

    async def scenario(scripted, venue):
        scripted.answers["GET /fapi/v1/openAlgoOrders"] = [[]]
        scripted.answers["GET /fapi/v1/openOrders"] = [[child, take_profit]]
        scripted.answers["GET /fapi/v3/positionRisk"] = [[POSITION]]
        triggered = TAKEN | {"algoStatus": "TRIGGERED", "actualOrderId": "900"}
        scripted.answers[GET] = [
            lambda request: triggered if request.query["clientAlgoId"] == "ts-1" else error(-2013)
        ]
        await venue.snapshot(None)
        return await venue.snapshot(None), scripted.count(GET)

    snapshot, asked = play_venue(scenario)
    assert [(stop.client_id, stop.triggered) for stop in snapshot.stops] == [("ts-1", True)]
    assert asked == 2, "who is whose child is asked once"


@pytest.mark.parametrize(("symbols", "lists"), [(1, 1), (39, 39), (40, 1), (60, 1)])
def test_the_lighter_way_of_reading_is_taken(symbols, lists):
    wanted = frozenset(f"S{number}USDT" for number in range(symbols))

    async def scenario(scripted, venue):
        scripted.answers["GET /fapi/v1/openAlgoOrders"] = [[]]
        scripted.answers["GET /fapi/v3/positionRisk"] = [[POSITION]]
        return await venue.snapshot(wanted), scripted.count("GET /fapi/v1/openAlgoOrders")

    snapshot, asked = play_venue(scenario)
    assert (asked, snapshot.positions, snapshot.symbols) == (lists, {}, wanted)
    assert {leg.symbol for leg in snapshot.elsewhere} == {POSITION["symbol"]}


def test_reads_wait_for_the_next_minute_while_stops_still_go_out():
    async def scenario(scripted, venue):
        price = {"symbol": "BTCUSDT", "price": "5"}
        scripted.answers["GET /fapi/v2/ticker/price"] = [
            (200, price, {"X-MBX-USED-WEIGHT-1M": "1950"})
        ]
        scripted.answers[POST] = [TAKEN]
        await venue.last_price("BTCUSDT")
        before_ms = scripted.now_ms
        outcome = await venue.place_stop(STOP)
        stop_ms = scripted.now_ms - before_ms
        scripted.answers["GET /fapi/v1/openAlgoOrders"] = [[]]
        scripted.answers["GET /fapi/v3/positionRisk"] = [[POSITION]]
        await venue.snapshot(frozenset({"BTCUSDT"}), urgent=True)
        urgent_ms = scripted.now_ms - before_ms
        assert urgent_ms == 0
        await venue.snapshot(frozenset({"BTCUSDT"}))
        return outcome, stop_ms, scripted.now_ms // 60_000 - before_ms // 60_000

    outcome, stop_ms, minutes = play_venue(scenario)
    assert (type(outcome), stop_ms, minutes) == (Acknowledged, 0, 1)


def test_fills_over_several_pages_come_once_and_in_order_with_their_orders_ids():
    def fill(number: int, at_ms: int) -> dict:
        return {
            "id": number, "orderId": number // 1_000, "symbol": "BTCUSDT", "side": "SELL",
            "price": "1", "qty": "1", "commission": "0.1", "commissionAsset": "USDT",
            "realizedPnl": "0", "positionSide": "BOTH", "time": at_ms,
        }  # fmt: skip

    async def scenario(scripted, venue):
        start_ms = venue.exchange_ms() - 86_400_000
        pages = [[fill(n, start_ms + n) for n in range(k, min(k + 1_000, 2_500))]
                 for k in (0, 1_000, 2_000)]  # fmt: skip
        scripted.answers["GET /fapi/v1/userTrades"] = list(pages)
        scripted.answers["GET /fapi/v1/order"] = [
            lambda request: {
                "orderId": int(request.query["orderId"]),
                "clientOrderId": f"id-{request.query['orderId']}",
                "symbol": "BTCUSDT", "side": "SELL", "status": "FILLED",
            }
        ]  # fmt: skip
        fills = await venue.executions(LEG, start_ms)
        await venue.executions(LEG, start_ms + 5_000)
        return fills, scripted.count("GET /fapi/v1/order")

    fills, asked = play_venue(scenario)
    assert [fill.execution_id for fill in fills] == [str(number) for number in range(2_500)]
    assert [fills[0].client_id, fills[-1].client_id] == ["id-0", "id-2"]
    assert asked == 3


def test_trades_are_read_by_the_hour_and_by_the_page():
    async def scenario(scripted, venue):
        start_ms = 1_600_000_000_000
        trades = [{"a": n, "p": "1.5", "T": start_ms + n * 3_000, "q": "1"} for n in range(3_000)]

        def answer(request):
            query = request.query
            if "fromId" in query:
                found = trades[int(query["fromId"]) :]
            else:
                first, last = int(query["startTime"]), int(query["endTime"])
                assert last - first < 3_600_000
                found = [trade for trade in trades if first <= trade["T"] <= last]
            return (200, found[:1_000])

        scripted.answers["GET /fapi/v1/aggTrades"] = [answer]
        return await venue.trades("BTCUSDT", start_ms, start_ms + 2_600 * 3_000)

    trades = play_venue(scenario)
    assert [trade.trade_id for trade in trades] == list(range(2_601))


def test_the_last_candle_is_still_open():
    async def scenario(scripted, venue):
        minute = scripted.now_ms // 60_000 * 60_000
        scripted.answers["GET /fapi/v1/markPriceKlines"] = [
            (200, [[at, "1", "2", "0.5", "1.5", "0", at + 59_999, "0", 1, "0", "0", "0"]
                   for at in (minute - 60_000, minute)])
        ]  # fmt: skip
        return await venue.bars("BTCUSDT", 1, minute - 60_000, minute, "mark")

    assert [bar.closed for bar in play_venue(scenario)] == [True, False]


# --- start --------------------------------------------------------------------------------
def started(change):
    async def scenario(scripted, settings):
        settings = change(scripted, settings) or settings
        venue = BinanceVenue(settings, LoopClock(scripted.loop), random.Random(1))
        await venue.start()

    return play(scenario)


def test_a_refused_key_names_the_variables_to_check():
    def change(scripted, _):
        scripted.answers["GET /fapi/v1/accountConfig"] = [error(-2015, "Invalid API-key", 401)]

    with pytest.raises(BadCredentials, match="BINANCE_API_KEY and BINANCE_API_SECRET"):
        started(change)


def test_an_address_where_nobody_answers_is_unreachable():
    def change(_, settings):
        return msgspec.structs.replace(settings, rest_url="http://127.0.0.1:9")

    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        started(change)


def test_an_account_stream_that_does_not_open_is_unreachable():
    def change(_, settings):
        return msgspec.structs.replace(settings, ws_url="ws://127.0.0.1:9")

    with pytest.raises(Unreachable, match="account stream"):
        started(change)


def test_secrets_stay_out_of_whatever_is_printed():
    async def scenario(_, settings):
        return repr(settings)

    assert "secret" not in play(scenario)


def test_no_answer_in_time_proves_nothing():
    async def scenario(scripted, rest):
        scripted.answers["GET /fapi/v1/algoOrder"] = [HANG]
        return await rest.algo_order("ts-1")

    failure = play_rest(scenario)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.text) == (FailureKind.UNKNOWN, "no answer in time")


@pytest.mark.parametrize(
    ("accounts", "symbols", "seconds"), [(1, 1, 0), (1, 60, 1), (2, 60, 4), (3, 60, 6), (3, 1, 0)]
)
def test_accounts_behind_one_address_look_more_rarely_together(accounts, symbols, seconds):
    async def scenario(scripted, rest):
        for number in range(1, accounts):
            rest.governor.address.accounts.add(f"other{number}")
        return rest.pass_seconds(symbols)

    least = play_rest(scenario)
    assert seconds <= least < seconds + 1
    used = 60 / least * accounts * (min(symbols, 40) + 5) + 85 * accounts
    assert used <= 2_400 * 0.6 + 1
