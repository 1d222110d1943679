"""What an answer, or its absence, means: against a local Bybit in virtual time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
from decimal import Decimal

import msgspec
import pytest

from tests.venues.bybit_scripted import (
    CREATE,
    EXECUTIONS,
    HISTORY,
    INSTRUMENTS,
    POSITIONS,
    REALTIME,
    SET_STOP,
    instrument,
    listed,
    play,
    play_rest,
    play_venue,
    position,
    refusal,
)
from tests.venues.stage import CUT, HANG
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Side
from trailstop.engine.events import Refusal
from trailstop.errors import BadCredentials, ReadFailed, Unreachable
from trailstop.ports import (
    Acknowledged,
    CloseRequest,
    InstrumentChanged,
    LookedUp,
    OrderState,
    Refused,
    StopRequest,
    Unknown,
)
from trailstop.timelink import LoopClock
from trailstop.venues.bybit.venue import BybitVenue
from trailstop.venues.governor import TRAVEL_SPREAD_MS
from trailstop.venues.sending import FailureKind

LEG = Leg("main", "bybit", "BTCUSDT")
PRICE = Decimal("60000.1")
STOP = StopRequest(LEG, Side.LONG, Role.WORKING, PRICE, Decimal("0.5"), "last", "ts-1")
CLOSE = CloseRequest(LEG, Side.LONG, Decimal("0.5"), "ts-c")
SHOWN = listed(position(stopLoss="60000.10", updatedTime="1700000000555"))
BARE = listed(position(updatedTime="1699999999000"))
TAKEN = {"orderId": "77", "orderLinkId": "ts-c"}
LOWER = "StopLoss:60000100 set for Buy position should lower than base_price:59000000??LastPrice"
HIGHER = (
    "StopLoss:60000100 set for Sell position should greater than base_price:61000000??MarkPrice"
)
ZERO_POSITION = "can not set tp/sl/ts for zero position"


def placed(*answers, rows=(BARE,), stop=STOP, before=None):
    """Place a stop; `rows` are what position/list answers one after the other."""

    async def scenario(scripted, venue):
        scripted.answers[SET_STOP] = list(answers)
        scripted.answers[POSITIONS] = list(rows)
        if before is not None:
            before(scripted)
        started_ms = scripted.now_ms
        outcome = await venue.place_stop(stop)
        return outcome, scripted, scripted.now_ms - started_ms

    return play_venue(scenario)


# --- signing ------------------------------------------------------------------------------
def test_a_write_is_signed_over_its_exact_body():
    _, scripted, _ = placed({}, rows=(SHOWN,))
    at = [call for call, _ in scripted.asked].index(SET_STOP)
    headers, body = scripted.headers[at], scripted.asked[at][1]
    signed = f"{headers['X-BAPI-TIMESTAMP']}key2000{json.dumps(body, separators=(',', ':'))}"
    assert headers["X-BAPI-API-KEY"] == "key"
    assert (
        headers["X-BAPI-SIGN"] == hmac.new(b"secret", signed.encode(), hashlib.sha256).hexdigest()
    )


def test_a_read_is_signed_over_its_query_and_cursors_go_back_as_they_came():
    async def scenario(scripted, rest):
        paths = []

        def page(request):
            paths.append((request.path_qs, dict(request.headers)))
            return listed(position(), cursor="a%3A1%2Cb" if len(paths) == 1 else "")

        scripted.answers[POSITIONS] = [page]
        return await rest.positions("USDT"), paths

    rows, paths = play_rest(scenario)
    assert len(rows) == 2
    raw, headers = paths[1]
    query = raw.partition("?")[2]
    assert query.endswith("cursor=a%3A1%2Cb")
    signed = f"{headers['X-BAPI-TIMESTAMP']}key5000{query}"
    assert (
        headers["X-BAPI-SIGN"] == hmac.new(b"secret", signed.encode(), hashlib.sha256).hexdigest()
    )


# --- setting the stop ---------------------------------------------------------------------
def test_a_stop_sends_these_fields_and_no_others():
    _, scripted, _ = placed({}, rows=(SHOWN,))
    assert scripted.of(SET_STOP) == [
        {
            "category": "linear",
            "symbol": "BTCUSDT",
            "positionIdx": 0,
            "tpslMode": "Full",
            "stopLoss": "60000.1",
            "slTriggerBy": "LastPrice",
        }
    ]


def test_a_stop_is_acknowledged_when_the_stream_shows_it():
    def push_soon(scripted):
        async def later():
            await asyncio.sleep(0.02)
            await scripted.push("position", position(stopLoss="60000.10"))

        scripted.task = asyncio.create_task(later())

    outcome, scripted, took_ms = placed({}, before=push_soon)
    assert isinstance(outcome, Acknowledged)
    assert outcome.at_ms == 1_700_000_000_020
    assert took_ms < 100
    assert scripted.count(POSITIONS) == 0


def test_without_the_stream_it_is_acknowledged_when_the_position_shows_it():
    outcome, scripted, took_ms = placed({}, rows=(BARE, BARE, SHOWN))
    assert outcome == Acknowledged("", 1_700_000_000_555)
    assert scripted.count(SET_STOP) == 1
    assert took_ms < 1_000


def test_a_position_that_changed_since_and_shows_no_such_stop_is_not_waited_for():
    later = listed(position(stopLoss="59000.10", updatedTime="1700000000555"))
    outcome, _, took_ms = placed({}, rows=(later,))
    assert isinstance(outcome, Unknown)
    assert "has changed since" in outcome.text
    assert took_ms < 1_000


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param((BARE,), id="no stop"),
        pytest.param((listed(position(stopLoss="59000")),), id="another stop"),
        pytest.param(
            (listed(position(side="", size="0", updatedTime="1699999999000")),),
            id="flat, read from before",
        ),
        pytest.param((refusal(10016, "Server error."),), id="unreadable"),
        pytest.param((listed(position(stopLoss="abc")),), id="nonsense"),
    ],
)
def test_a_stop_that_is_never_shown_is_unknown(rows):
    outcome, scripted, took_ms = placed({}, rows=rows)
    assert isinstance(outcome, Unknown)
    assert scripted.count(SET_STOP) == 1
    assert took_ms <= 3_000


@pytest.mark.parametrize(
    "row",
    [{"side": "", "size": "0"}, {"side": "Sell"}],
    ids=["closed", "turned round"],
)
def test_a_stop_whose_position_ended_while_it_was_set_is_gone_with_it(row):
    ended = listed(position(**row, stopLoss="", updatedTime="1700000000555"))
    outcome, scripted, took_ms = placed({}, rows=(ended,))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.POSITION_GONE
    assert scripted.count(SET_STOP) == 1
    assert took_ms < 1_000, "a new position may wait for its stop"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(refusal(10001, LOWER), (Refusal.WOULD_TRIGGER, 10001), id="long would"),
        pytest.param(refusal(10001, HIGHER), (Refusal.WOULD_TRIGGER, 10001), id="short would"),
        pytest.param(refusal(10001, "Qty invalid"), (Refusal.OTHER, 10001), id="parameter"),
        pytest.param(
            refusal(10001, "position idx not match position mode"),
            (Refusal.OTHER, 10001),
            id="mode",
        ),
        pytest.param(refusal(110061), (Refusal.LIMIT, 110061), id="too many partial stops"),
        pytest.param(refusal(10003), (Refusal.OTHER, 10003), id="key"),
        pytest.param((403, "access too frequent"), (Refusal.TRANSIENT, 403), id="403"),
    ],
)
def test_a_definite_refusal_is_refused(answer, outcome):
    refused, scripted, _ = placed(answer)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.code) == outcome
    assert scripted.count(SET_STOP) == 1


def test_the_wrong_mode_is_refused_with_what_to_do():
    refused, _, _ = placed(refusal(10001, "position idx not match position mode"))
    assert "position mode" in refused.text
    assert "next pass" in refused.text


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(10000, "Server Timeout"), id="10000"),
        pytest.param(refusal(10016, "Server error."), id="10016"),
        pytest.param(refusal(10019), id="10019"),
        pytest.param(refusal(10429), id="10429"),
        pytest.param((500, "oops"), id="500"),
        pytest.param((502, ""), id="502"),
        pytest.param((503, "<h1>503</h1>"), id="503"),
        pytest.param((504, ""), id="504"),
        pytest.param((429, ""), id="429"),
        pytest.param((404, "not here"), id="page of somebody in between"),
        pytest.param((302, "", {"Location": "/elsewhere"}), id="redirect"),
        pytest.param((200, '{"retCode": 0, "resul'), id="truncated"),
        pytest.param(CUT, id="connection lost after sending"),
        pytest.param(HANG, id="no answer"),
    ],
)
def test_anything_that_proves_nothing_is_unknown(answer):
    outcome, scripted, _ = placed(answer)
    assert isinstance(outcome, Unknown)
    assert scripted.count(SET_STOP) == 1, "an unknown outcome is never repeated blindly"


def test_not_modified_is_a_success_where_the_stop_rests():
    outcome, _, _ = placed(refusal(34040, "not modified"), rows=(SHOWN,))
    assert outcome == Acknowledged("", 1_700_000_000_555)


@pytest.mark.parametrize("rows", [(BARE,), ((500, ""),)])
def test_not_modified_is_a_refusal_for_now_where_it_does_not(rows):
    outcome, _, _ = placed(refusal(34040, "not modified"), rows=rows)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.TRANSIENT


def test_a_position_that_the_exchange_does_not_know_is_gone_or_not_there_yet():
    outcome, scripted, took_ms = placed(refusal(10001, ZERO_POSITION))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.POSITION_GONE
    assert scripted.count(SET_STOP) == 1, "the guard knows whether it was closed"
    assert took_ms < 100


def test_hedge_legs_name_their_index():
    short = Leg("main", "bybit", "BTCUSDT", "short")
    stop = msgspec.structs.replace(STOP, leg=short, side=Side.SHORT, trigger="mark")
    rows = (
        listed(
            position(positionIdx=1, stopLoss="60000.1"),
            position(positionIdx=2, side="Sell", stopLoss="60000.1"),
        ),
    )
    outcome, scripted, _ = placed({}, rows=rows, stop=stop)
    assert isinstance(outcome, Acknowledged)
    (sent,) = scripted.of(SET_STOP)
    assert (sent["positionIdx"], sent["slTriggerBy"]) == (2, "MarkPrice")


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(msgspec.structs.replace(STOP, role=Role.BACKSTOP), id="backstop"),
        pytest.param(
            msgspec.structs.replace(STOP, leg=Leg("main", "bybit", "XUSDT")), id="not listed"
        ),
        pytest.param(msgspec.structs.replace(STOP, price=Decimal("60000.15")), id="off the tick"),
    ],
)
def test_what_the_gate_stops_is_not_sent(stop):
    outcome, scripted, _ = placed({}, stop=stop)
    assert isinstance(outcome, Refused)
    assert outcome.text.startswith("not sent")
    assert scripted.count(SET_STOP) == 0


def test_the_positions_stop_is_never_removed():
    async def scenario(scripted, venue):
        return await venue.cancel_stop(LEG, "77", ""), len(scripted.asked), scripted

    outcome, _, scripted = play_venue(scenario)
    assert isinstance(outcome, Refused)
    assert scripted.count(SET_STOP) == 0


# --- limits and clock ---------------------------------------------------------------------
def test_too_many_visits_are_waited_for_as_long_as_the_exchange_says():
    async def scenario(scripted, venue):
        until = str(scripted.now_ms + 700)
        reset = {"X-Bapi-Limit-Reset-Timestamp": until}
        scripted.answers[SET_STOP] = [refusal(10006, "Too many visits!", **reset), {}]
        scripted.answers[POSITIONS] = [SHOWN]
        first = await venue.place_stop(STOP)
        second = await venue.place_stop(STOP)
        sent = scripted.count(SET_STOP)
        await asyncio.sleep(0.7)
        return first, second, sent, await venue.place_stop(STOP)

    first, second, sent, third = play_venue(scenario)
    assert (first.reason, first.retry_after_ms) == (Refusal.TRANSIENT, 700)
    assert (second.reason, second.retry_after_ms, sent) == (Refusal.FULL, 700, 1)
    assert isinstance(third, Acknowledged)


def test_after_a_403_nothing_is_sent_for_ten_minutes():
    async def scenario(scripted, venue):
        scripted.answers[SET_STOP] = [(403, "access too frequent"), {}]
        first = await venue.place_stop(STOP)
        asked = len(scripted.asked)
        second = await venue.close_position(CLOSE)
        with pytest.raises(ReadFailed, match="silence"):
            await venue.snapshot(None)
        silent = len(scripted.asked) == asked
        await asyncio.sleep(600)
        scripted.answers[POSITIONS] = [SHOWN]
        return first, second, silent, await venue.place_stop(STOP)

    first, second, silent, third = play_venue(scenario)
    assert first.retry_after_ms == 600_000
    assert (second.reason, silent) == (Refusal.TRANSIENT, True)
    assert isinstance(third, Acknowledged)


def test_one_endpoint_sends_ten_a_second_and_the_account_the_rest_later():
    async def scenario(scripted, rest):
        scripted.answers[CREATE] = [TAKEN]
        outcomes = [await rest.create_order({"n": 1}) for _ in range(11)]
        other = await rest.set_stop({})
        await asyncio.sleep(1 + TRAVEL_SPREAD_MS / 1_000)
        return outcomes, other, await rest.create_order({"n": 1})

    outcomes, other, later = play_rest(scenario)
    kinds = [getattr(outcome, "kind", None) for outcome in outcomes]
    assert kinds == [None] * 10 + [FailureKind.FULL]
    assert outcomes[-1].retry_after_ms == 1_000 + TRAVEL_SPREAD_MS
    assert not hasattr(other, "kind")
    assert not hasattr(later, "kind")


def test_the_limit_that_the_answers_state_replaces_ours():
    async def scenario(scripted, rest):
        headers = {"X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "1"}
        body = {"retCode": 0, "retMsg": "OK", "result": TAKEN}
        scripted.answers[CREATE] = [(200, body, headers), TAKEN]
        return [await rest.create_order({}) for _ in range(3)]

    first, second, third = play_rest(scenario)
    assert not hasattr(first, "kind")
    assert not hasattr(second, "kind")
    assert third.kind is FailureKind.FULL, "nineteen others had been sent from elsewhere"


def test_reads_of_one_endpoint_wait_for_their_turn_and_leave_a_reserve():
    async def scenario(scripted, rest):
        await asyncio.gather(*(rest.positions_of("BTCUSDT") for _ in range(100)))
        timed = zip(scripted.asked, scripted.at_ms, strict=True)
        return [at for (call, _), at in timed if call == POSITIONS]

    at_ms = play_rest(scenario)
    assert len(at_ms) == 100
    for start in at_ms:
        assert sum(start <= at < start + 1_000 for at in at_ms) <= 40


def test_a_misjudged_clock_is_read_again_and_the_request_repeated_once():
    outcome, scripted, _ = placed(refusal(10002, "recv_window"), {}, rows=(SHOWN,))
    assert isinstance(outcome, Acknowledged)
    assert scripted.count(SET_STOP) == 2
    outcome, scripted, _ = placed(refusal(10002, "recv_window"))
    assert (outcome.reason, scripted.count(SET_STOP)) == (Refusal.TRANSIENT, 2)


def test_a_clock_that_cannot_be_read_leaves_the_refusal():
    async def scenario(scripted, rest):
        scripted.answers[CREATE] = [refusal(10002, "recv_window")]

        async def fails():
            raise ReadFailed("no")

        rest.server_time = fails
        return await rest.create_order({}), scripted.count(CREATE)

    failure, sent = play_rest(scenario)
    assert (failure.code, sent) == (10002, 1)


@pytest.mark.parametrize("reset", [{}, {"X-Bapi-Limit-Reset-Timestamp": "1"}])
def test_too_many_visits_without_a_time_are_over_in_a_second(reset):
    async def scenario(scripted, rest):
        scripted.answers[CREATE] = [refusal(10006, "Too many visits!", **reset)]
        return await rest.create_order({})

    assert play_rest(scenario).retry_after_ms == 1_000


def test_an_answer_of_another_form_proves_nothing():
    async def scenario(scripted, rest):
        scripted.answers[CREATE] = [{"orderLinkId": "ts-1"}]
        return await rest.create_order({})

    assert play_rest(scenario).kind is FailureKind.UNKNOWN


def test_a_request_without_its_headers_was_certainly_not_done():
    async def scenario(scripted, rest):
        scripted.answers[CREATE] = [(401, "")]
        return await rest.create_order({})

    assert play_rest(scenario).kind is FailureKind.REFUSED


def test_no_connection_is_a_refusal_that_may_be_repeated():
    async def scenario(scripted, rest):
        return await rest.create_order({"symbol": "BTCUSDT"})

    failure = play_rest(scenario, rest_url="http://127.0.0.1:9")
    assert failure.kind is FailureKind.TRANSIENT


# --- closing ------------------------------------------------------------------------------
def closed(*answers, close=CLOSE, rows=None):
    async def scenario(scripted, venue):
        scripted.answers[CREATE] = list(answers)
        scripted.answers.update(rows or {})
        return await venue.close_position(close), scripted

    return play_venue(scenario)


def test_a_close_is_a_reduce_only_market_order():
    outcome, scripted = closed(TAKEN)
    assert isinstance(outcome, Acknowledged)
    assert outcome.order_id == "77"
    assert scripted.of(CREATE) == [
        {
            "category": "linear",
            "symbol": "BTCUSDT",
            "side": "Sell",
            "orderType": "Market",
            "qty": "0.500",
            "positionIdx": 0,
            "reduceOnly": True,
            "orderLinkId": "ts-c",
        }
    ]


def test_a_close_above_the_largest_market_order_is_cut_to_it():
    _, scripted = closed(TAKEN, close=msgspec.structs.replace(CLOSE, quantity=Decimal(300)))
    assert scripted.of(CREATE)[0]["qty"] == "120.000"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(refusal(110017), Refusal.POSITION_GONE, id="flat"),
        pytest.param(refusal(110079), Refusal.TRANSIENT, id="being processed"),
        pytest.param(refusal(30208), Refusal.TRANSIENT, id="book too thin"),
        pytest.param(refusal(110020), Refusal.LIMIT, id="too many orders"),
        pytest.param(refusal(110007), Refusal.OTHER, id="balance"),
    ],
)
def test_a_refused_close_says_why(answer, reason):
    outcome, _ = closed(answer)
    assert outcome.reason is reason


@pytest.mark.parametrize("code", [110072, 10014])
def test_an_id_that_exists_is_the_order_asked_for(code):
    row = {
        "orderId": "55",
        "orderLinkId": "ts-c",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderStatus": "Filled",
        "orderType": "Market",
        "qty": "0.5",
        "cumExecQty": "0.5",
        "updatedTime": "1700000000777",
    }
    outcome, _ = closed(refusal(code), rows={HISTORY: [listed(row)]})
    assert outcome == Acknowledged("55", 1_700_000_000_777)
    outcome, _ = closed(refusal(code))
    assert isinstance(outcome, Unknown)


# --- looking up ---------------------------------------------------------------------------
def looked_up(rows, service, client_id="ts-x", **answers):
    async def scenario(scripted, venue):
        scripted.answers[POSITIONS] = list(rows)
        scripted.answers.update(answers.get("orders", {}))
        return await venue.look_up(LEG, client_id, service)

    return play_venue(scenario)


def test_a_stop_is_looked_up_in_the_position():
    found = looked_up([SHOWN], "stop")
    assert found == LookedUp(OrderState.RESTING, price=Decimal("60000.10"), at_ms=1_700_000_000_555)
    assert looked_up([BARE], "stop").state is OrderState.ABSENT
    assert looked_up([listed(position(side="", size="0"))], "stop").state is OrderState.ABSENT
    assert looked_up([listed()], "stop").state is OrderState.ABSENT
    with pytest.raises(ReadFailed):
        looked_up([(500, "")], "stop")


def unknown_then_looked_up(rows):
    async def scenario(scripted, venue):
        scripted.answers[SET_STOP] = [refusal(10016, "Server error.")]
        await venue.place_stop(STOP)
        scripted.answers[POSITIONS] = list(rows)
        started_ms = scripted.now_ms
        found = await venue.look_up(LEG, "ts-1", "stop")
        return found, scripted.now_ms - started_ms

    return play_venue(scenario)


def test_a_lost_stop_that_has_arrived_is_found_at_once():
    found, took_ms = unknown_then_looked_up([SHOWN])
    assert (found.price, took_ms) == (PRICE, 0)


@pytest.mark.parametrize("first", [BARE, listed(position(stopLoss="59000"))])
def test_a_lost_stop_may_arrive_until_its_window_is_over(first):
    found, took_ms = unknown_then_looked_up([first, SHOWN])
    assert found.price == PRICE
    assert 1_900 <= took_ms <= 2_100


def order(status, **changes):
    row = {
        "orderId": "55",
        "orderLinkId": "ts-x",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderStatus": status,
        "orderType": "Market",
        "price": "57000",
        "qty": "0.5",
        "cumExecQty": "0.2",
        "avgPrice": "60000",
        "updatedTime": "1700000000777",
    }
    return row | changes


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("New", OrderState.RESTING),
        ("Filled", OrderState.FILLED),
        ("Cancelled", OrderState.CANCELLED),
        ("Deactivated", OrderState.CANCELLED),
        ("Rejected", OrderState.REJECTED),
    ],
)
@pytest.mark.parametrize("place", [REALTIME, HISTORY])
def test_an_order_is_looked_up_among_the_present_and_the_past(status, state, place):
    found = looked_up([BARE], "order", orders={place: [listed(order(status))]})
    assert (found.state, found.order_id, found.filled) == (state, "55", Decimal("0.2"))
    assert (found.average_price, found.price) == (Decimal(60000), None)


def test_an_order_is_absent_only_when_it_can_no_longer_arrive():
    async def scenario(scripted, venue):
        scripted.answers[CREATE] = [CUT]
        outcome = await venue.close_position(CLOSE)
        sent_ms = scripted.now_ms
        found = await venue.look_up(LEG, "ts-c", "order")
        return outcome, found, scripted.now_ms - sent_ms, scripted

    outcome, found, took_ms, scripted = play_venue(scenario)
    assert isinstance(outcome, Unknown)
    assert found.state is OrderState.ABSENT
    assert took_ms >= 1_900
    assert (scripted.count(REALTIME), scripted.count(HISTORY)) == (2, 2)


def test_an_order_of_an_unknown_status_is_no_answer():
    with pytest.raises(ReadFailed, match="Paused"):
        looked_up([BARE], "order", orders={REALTIME: [listed(order("Paused"))]})


@pytest.mark.parametrize(
    "close",
    [
        pytest.param(
            msgspec.structs.replace(CLOSE, leg=Leg("main", "bybit", "XUSDT")), id="not listed"
        ),
        pytest.param(msgspec.structs.replace(CLOSE, client_id="no such id!"), id="id"),
    ],
)
def test_a_close_that_the_gate_stops_is_not_sent(close):
    outcome, scripted = closed(TAKEN, close=close)
    assert outcome.text.startswith("not sent")
    assert scripted.count(CREATE) == 0


def test_an_existing_id_that_cannot_be_looked_up_is_unknown():
    outcome, _ = closed(refusal(110072), rows={REALTIME: [(500, "")]})
    assert isinstance(outcome, Unknown)


# --- lists --------------------------------------------------------------------------------
def stop_order(number, **changes):
    row = {
        "orderId": f"o{number}",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderStatus": "Untriggered",
        "stopOrderType": "Stop",
        "triggerDirection": 2,
        "triggerPrice": "60500",
        "qty": "0.1",
        "reduceOnly": True,
        "createdTime": "1700000000001",
    }
    return row | changes


def test_a_snapshot_reads_all_pages_of_all_coins_and_the_stops_before_the_positions():
    async def scenario(scripted, venue):
        def stops(request):
            if request.query["settleCoin"] == "USDC":
                return listed()
            page = int(request.query.get("cursor", "0"))
            return listed(
                *(stop_order(page * 20 + n) for n in range(20)),
                cursor=str(page + 1) if page < 2 else "",
            )

        def positions(request):
            if request.query["settleCoin"] == "USDT":
                if "cursor" in request.query:
                    return listed()
                return listed(position(stopLoss="60000.1"), cursor="p")
            return listed(position(symbol="BTCPERP"))

        scripted.answers[REALTIME], scripted.answers[POSITIONS] = [stops], [positions]
        scripted.asked.clear()
        return await venue.snapshot(None), scripted

    snapshot, scripted = play_venue(scenario)
    assert {leg.symbol for leg in snapshot.positions} == {"BTCUSDT", "BTCPERP"}
    assert sum(not stop.shared for stop in snapshot.stops) == 60
    assert [stop.price for stop in snapshot.stops if stop.shared] == [PRICE]
    calls = [call for call, _ in scripted.asked]
    assert max(i for i, call in enumerate(calls) if call == REALTIME) < calls.index(POSITIONS)
    assert all(query["orderFilter"] == "StopOrder" for query in scripted.of(REALTIME))


@pytest.mark.parametrize("call", [REALTIME, POSITIONS])
@pytest.mark.parametrize("answer", [(500, ""), refusal(10000), HANG])
def test_a_page_that_fails_makes_the_read_fail(call, answer):
    async def scenario(scripted, venue):
        row = stop_order(1) if call == REALTIME else position()
        scripted.answers[call] = [listed(row, cursor="1"), answer]
        with pytest.raises(ReadFailed):
            await venue.snapshot(frozenset({"BTCUSDT"}))

    play_venue(scenario)


def test_a_list_that_never_ends_fails():
    async def scenario(scripted, venue):
        scripted.answers[POSITIONS] = [listed(position(), cursor="1")]
        with pytest.raises(ReadFailed, match="does not move on"):
            await venue.snapshot(frozenset({"BTCUSDT"}))

    play_venue(scenario)


def test_stops_are_read_by_symbol_or_coin_and_positions_always_of_everything():
    async def scenario(scripted, venue):
        scripted.answers[POSITIONS] = [listed(position(), position(symbol="ETHUSDT"))]
        one = await venue.snapshot(frozenset({"BTCUSDT"}))
        asked_one = scripted.of(REALTIME)[-1]
        scripted.answers[INSTRUMENTS] = [listed(instrument("ETHUSDT"))]
        await venue.snapshot(None)
        scripted.asked.clear()
        both = await venue.snapshot(frozenset({"BTCUSDT", "ETHUSDT"}))
        return one, asked_one, both, scripted.of(REALTIME), scripted.of(POSITIONS)

    one, asked_one, both, asked_both, positions = play_venue(scenario)
    assert asked_one["symbol"] == "BTCUSDT"
    assert [leg.symbol for leg in one.positions] == ["BTCUSDT"]
    assert [leg.symbol for leg in one.elsewhere] == ["ETHUSDT"]
    assert [query.get("settleCoin") for query in asked_both] == ["USDT"]
    assert {query.get("settleCoin") for query in positions} == {"USDT", "USDC"}
    assert (len(both.positions), both.elsewhere) == (2, frozenset())


@pytest.mark.parametrize("symbols", [frozenset(), frozenset({"ETHUSDT"})])
def test_a_read_of_some_symbols_tells_which_others_have_a_position(symbols):
    async def scenario(scripted, venue):
        scripted.answers[POSITIONS] = [listed(position())]
        return await venue.snapshot(symbols)

    snapshot = play_venue(scenario)
    assert snapshot.positions == {}
    assert {leg.symbol for leg in snapshot.elsewhere} == {"BTCUSDT"}


def fill(number, **changes):
    row = {
        "symbol": "BTCUSDT",
        "execId": f"e{number}",
        "orderId": f"o{number}",
        "orderLinkId": "ts-c",
        "side": "Sell",
        "execPrice": "60000",
        "execQty": "0.1",
        "execFee": "3.3",
        "execPnl": "-100",
        "execType": "Trade",
        "execTime": str(1_700_000_000_000 - number),
        "closedSize": "0.1",
        "seq": number,
    }
    return row | changes


def test_fills_are_read_in_weeks_and_pages_oldest_first_without_funding():
    week_ms = 7 * 86_400_000
    now_ms = 1_700_000_000_000

    async def scenario(scripted, venue):
        def page(request):
            start = int(request.query["startTime"])
            assert int(request.query["endTime"]) - start < week_ms
            if "cursor" in request.query:
                return listed(fill(3), fill(2), fill(1, execType="Funding"))
            if start + week_ms < now_ms:
                return listed(fill(week_ms + 5_000))
            return listed(fill(1, execId="e0", execTime=str(now_ms)), fill(2), cursor="next")

        scripted.answers[EXECUTIONS] = [page]
        return await venue.executions(LEG, now_ms - week_ms - 10_000)

    fills = play_venue(scenario)
    assert [each.execution_id for each in fills] == [f"e{week_ms + 5_000}", "e3", "e2", "e0"]
    assert fills[0].direction == "sell"


def test_in_hedge_mode_each_side_has_its_own_fills():
    rows = listed(
        fill(4, side="Buy", closedSize="0"),
        fill(3, side="Sell", closedSize="0"),
        fill(2, side="Sell", closedSize="0.1"),
        fill(1, side="Buy", closedSize="0.1"),
    )

    async def scenario(scripted, venue):
        scripted.answers[EXECUTIONS] = [rows]
        sides = ("long", "short", "both")
        legs = [msgspec.structs.replace(LEG, position_side=side) for side in sides]
        return [await venue.executions(leg, 1_699_999_999_000) for leg in legs]

    long, short, both = play_venue(scenario)
    assert [each.execution_id for each in long] == ["e4", "e2"]
    assert [each.execution_id for each in short] == ["e3", "e1"]
    assert len(both) == 4


def test_fills_that_make_no_sense_fail():
    async def scenario(scripted, venue):
        scripted.answers[EXECUTIONS] = [listed(fill(1, side="Hold"))]
        with pytest.raises(ReadFailed, match="Hold"):
            await venue.executions(LEG, 1_699_999_999_000)

    play_venue(scenario)


@pytest.mark.parametrize(("minutes", "since_ms", "text"), [(7, 0, "7 minutes"), (1, 0, "shorter")])
def test_candles_that_cannot_be_had_are_refused(minutes, since_ms, text):
    async def scenario(scripted, venue):
        with pytest.raises(ReadFailed, match=text):
            await venue.bars("BTCUSDT", minutes, since_ms, 10**13, "last")

    play_venue(scenario)


def test_an_answer_about_another_symbol_is_no_answer():
    async def scenario(scripted, venue):
        other = listed({"symbol": "ETHUSDT", "lastPrice": "1"})
        scripted.answers["GET /v5/market/tickers"] = [other]
        with pytest.raises(ReadFailed, match="BTCUSDT"):
            await venue.last_price("BTCUSDT")
        nonsense = listed({"symbol": "BTCUSDT", "lastPrice": "much"})
        scripted.answers["GET /v5/market/tickers"] = [nonsense]
        with pytest.raises(ReadFailed, match="much"):
            await venue.last_price("BTCUSDT")

    play_venue(scenario)


@pytest.mark.parametrize("row", [position(size="x"), position(positionIdx=7)])
def test_positions_that_make_no_sense_fail(row):
    async def scenario(scripted, venue):
        scripted.answers[POSITIONS] = [listed(row)]
        with pytest.raises(ReadFailed, match="BTCUSDT"):
            await venue.snapshot(None)

    play_venue(scenario)


def test_trades_are_given_oldest_first_and_refused_where_the_list_does_not_reach():
    def trade(at_ms, price):
        return {"execId": f"{at_ms}-{price}", "price": price, "time": str(at_ms), "seq": str(at_ms)}

    async def scenario(scripted, venue):
        call = "GET /v5/market/recent-trade"
        scripted.answers[call] = [listed(trade(30, "3"), trade(20, "2.5"), trade(20, "2"))]
        few = await venue.trades("BTCUSDT", 15, 25)
        scripted.answers[call] = [listed(*(trade(5_000 - n, "1") for n in range(1_000)))]
        many = await venue.trades("BTCUSDT", 4_500, 4_501)
        with pytest.raises(ReadFailed, match="candles"):
            await venue.trades("BTCUSDT", 4_000, 4_100)
        return few, many

    few, many = play_venue(scenario)
    assert [str(each.price) for each in few] == ["2", "2.5"]
    assert [each.at_ms for each in many] == [4_500, 4_501]


@pytest.mark.parametrize(("source", "path"), [("last", "kline"), ("mark", "mark-price-kline")])
def test_candles_are_read_in_pages_oldest_first(source, path):
    minute_ms, first = 60_000, 1_699_900_020_000

    async def scenario(scripted, venue):
        def page(request):
            start, end = int(request.query["start"]), int(request.query["end"])
            times = range(-(-start // minute_ms) * minute_ms, end + 1, minute_ms)
            rows = [[str(at), "1", "2", "0.5", "1.5"] for at in times]
            assert len(rows) <= int(request.query["limit"])
            return {"symbol": "BTCUSDT", "list": rows[::-1]}

        scripted.answers[f"GET /v5/market/{path}"] = [page]
        until = scripted.now_ms
        return await venue.bars("BTCUSDT", 1, first, until, source), until

    bars, until = play_venue(scenario)
    assert [bar.at_ms for bar in bars] == list(range(first, until + 1, minute_ms))
    assert len(bars) > 1_000
    assert [bar.closed for bar in bars[-2:]] == [True, False]


def test_fees_and_the_last_price_are_read():
    async def scenario(scripted, venue):
        rates = {"symbol": "BTCUSDT", "takerFeeRate": "0.00055", "makerFeeRate": "0.0002"}
        scripted.answers["GET /v5/account/fee-rate"] = [listed(rates)]
        scripted.answers["GET /v5/market/tickers"] = [
            listed({"symbol": "BTCUSDT", "lastPrice": "61000.5"}),
            listed({"symbol": "BTCUSDT", "lastPrice": ""}),
        ]
        fees, price = await venue.fees("BTCUSDT"), await venue.last_price("BTCUSDT")
        with pytest.raises(ReadFailed, match="no price"):
            await venue.last_price("BTCUSDT")
        return fees, price

    fees, price = play_venue(scenario)
    assert (fees.exit, price) == (Decimal("0.00055"), Decimal("61000.5"))


# --- instruments --------------------------------------------------------------------------
def changes_told(scenario_answers, seconds):
    async def scenario(scripted, venue):
        told = []

        async def listen():
            async for event in venue.events():
                told.extend([event] if isinstance(event, InstrumentChanged) else [])

        listener = asyncio.create_task(listen())
        scripted.answers[INSTRUMENTS] = scenario_answers
        await asyncio.sleep(seconds)
        listener.cancel()
        return told, venue.instrument("BTCUSDT")

    return play_venue(scenario)


def test_a_changed_grid_is_told_at_the_next_refresh():
    coarse = instrument(priceFilter={"tickSize": "1"})
    answers = [listed(coarse, cursor="2"), listed(instrument("BTCPERP"))]
    told, now = changes_told([*answers, listed(coarse, instrument("BTCPERP"))], 3_601)
    assert [(each.symbol, each.status) for each in told] == [("BTCUSDT", "trading")]
    assert now.tick_size == 1


def test_a_symbol_that_leaves_the_list_is_asked_for_by_itself():
    def answer(request):
        if "symbol" in request.query:
            return listed(instrument(status="Delivering"))
        return listed(instrument("BTCPERP"))

    told, _ = changes_told([answer], 1_801)
    assert [(each.symbol, each.status, each.text) for each in told] == [
        ("BTCUSDT", "settling", "Delivering")
    ]


def test_after_a_refused_parameter_the_next_attempt_goes_by_the_new_grid():
    async def scenario(scripted, venue):
        scripted.answers[SET_STOP] = [refusal(10001, "price precision error")]
        scripted.answers[INSTRUMENTS] = [listed(instrument(priceFilter={"tickSize": "0.5"}))]
        before = venue.instrument("BTCUSDT").tick_size
        for _ in range(3):
            await venue.place_stop(STOP)
        return before, venue.instrument("BTCUSDT").tick_size, scripted.count(INSTRUMENTS)

    before, after, reads = play_venue(scenario)
    assert (before, after) == (Decimal("0.1"), Decimal("0.5"))
    assert reads == 2, "one at the start, one after the refusal"


def test_a_position_on_a_symbol_that_no_longer_trades_has_its_grid():
    async def scenario(scripted, venue):
        scripted.answers[POSITIONS] = [listed(position(symbol="OLDUSDT"))]
        scripted.answers[INSTRUMENTS] = [listed(instrument("OLDUSDT", status="Delivering"))]
        await venue.snapshot(None)
        return venue.instrument("OLDUSDT")

    assert play_venue(scenario).symbol == "OLDUSDT"


@pytest.mark.parametrize("answer", [(500, ""), HANG, listed()])
def test_a_grid_that_cannot_be_read_anew_stays_as_it_was(answer):
    async def scenario(scripted, venue):
        scripted.answers[SET_STOP] = [refusal(10001, "price precision error")]
        scripted.answers[INSTRUMENTS] = [answer]
        started_ms = scripted.now_ms
        refused = await venue.place_stop(STOP)
        return refused, venue.instrument("BTCUSDT").tick_size, scripted.now_ms - started_ms

    refused, tick, took_ms = play_venue(scenario)
    assert (refused.reason, tick) == (Refusal.OTHER, Decimal("0.1"))
    assert took_ms <= 2_000


def test_a_symbol_that_the_exchange_knows_no_more_is_closed():
    def answer(request):
        return listed() if "symbol" in request.query else listed(instrument("BTCPERP"))

    told, now = changes_told([answer], 3_601)
    assert [(each.symbol, each.status) for each in told] == [("BTCUSDT", "closed")]
    assert now.symbol == "BTCUSDT"


def test_an_instrument_that_makes_no_sense_is_left_as_it_was():
    broken = instrument(priceFilter={"tickSize": "0"})
    told, now = changes_told([listed(broken, instrument("BTCPERP"))], 1_801)
    assert (told, now.tick_size) == ([], Decimal("0.1"))


@pytest.mark.parametrize("answer", [listed(), (500, "")])
def test_a_refresh_that_fails_is_repeated_a_minute_later(answer):
    coarse = instrument(priceFilter={"tickSize": "1"})
    told, _ = changes_told([answer, listed(coarse, instrument("BTCPERP"))], 1_801 + 60)
    assert [each.instrument.tick_size for each in told] == [Decimal(1)]


# --- start --------------------------------------------------------------------------------
def started(**answers):
    async def scenario(scripted, settings):
        scripted.answers.update(answers.get("answers", {}))
        settings = msgspec.structs.replace(settings, **answers.get("changes", {}))
        await BybitVenue(settings, LoopClock(scripted.loop), random.Random(1)).start()

    return play(scenario)


@pytest.mark.parametrize("code", [10003, 10004, 10005, 10010, 33004])
def test_a_refused_key_names_the_variables(code):
    with pytest.raises(BadCredentials, match="BYBIT_API_KEY and BYBIT_API_SECRET"):
        started(answers={"GET /v5/account/info": [refusal(code, "no")]})


def test_an_exchange_that_does_not_answer_is_named():
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        started(changes={"rest_url": "http://127.0.0.1:9"})
    with pytest.raises(Unreachable, match="main"):
        started(answers={"GET /v5/account/info": [refusal(10016, "Server error.")]})
