"""What Bybit's private topics tell: positions, stops, executions, each once."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import msgspec
import pytest

from tests.venues.bybit_sockets import (
    BTC,
    FLAT,
    LONG,
    PRIVATE,
    SHORT,
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
)
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Side
from trailstop.ports import (
    ExecutionReport,
    FundingBooked,
    OrderState,
    Origin,
    StopReport,
)
from trailstop.venues.bybit import frames, wire
from trailstop.venues.bybit.account_events import AccountRows, stop_report
from trailstop.venues.bybit.feed import Feed

D = Decimal


def taken(rows: AccountRows, topic: str, *given: dict) -> list:
    """The events that rows lead to."""
    found: list = []
    for row in given:
        found += rows.take(topic, json.dumps(row).encode(), START_MS).events
    return found


# --- positions ----------------------------------------------------------------------------
def test_a_position_is_told_when_it_changes_and_not_at_every_echo():
    reports = taken(
        AccountRows("main"),
        "position",
        position(),
        position(stopLoss="48000"),
        position("0.7"),
        position("0.7"),
        FLAT,
        FLAT,
        position("0.7", "Sell"),
    )
    assert [report.quantity for report in reports] == [D("0.5"), D("0.7"), 0, D("-0.7")]
    assert {report.leg for report in reports} == {BTC}
    assert [report.entry_price for report in reports] == [50_000, 50_000, 0, 50_000]
    assert reports[0].at_ms == START_MS


def test_a_position_opened_anew_at_the_same_size_and_price_is_told():
    rows = AccountRows("main")
    taken(rows, "position", position(openTime=1))
    assert len(taken(rows, "position", position(openTime=2))) == 1
    rows.forget_positions()
    assert len(taken(rows, "position", position(openTime=2))) == 1


def test_after_a_reconnect_a_position_is_told_whether_or_not_it_has_changed():
    async def scenario(server: Server, feed: Feed):
        await push(server, "position", position())
        await push(server, "position", position())
        await server.last(PRIVATE).close()
        await asyncio.sleep(2)
        await push(server, "position", position())
        return await heard(feed, 1)

    told = [type(event).__name__ for event in play(scenario)]
    assert told == [
        "StreamState",
        "PositionReport",
        "StreamState",
        "StreamState",
        "PositionReport",
    ]


def test_both_legs_of_a_hedged_symbol_are_told_apart():
    reports = taken(
        AccountRows("main"),
        "position",
        position(positionIdx=1),
        position("0.2", "Sell", positionIdx=2),
        position("0", "", positionIdx=1),
    )
    assert [(report.leg, report.quantity) for report in reports] == [
        (LONG, D("0.5")),
        (SHORT, D("-0.2")),
        (LONG, 0),
    ]


def test_liquidation_and_adl_are_named():
    rows = AccountRows("main")
    given = (position(), position("0.4", positionStatus="Adl"), FLAT | {"positionStatus": "Liq"})
    assert [report.cause for report in taken(rows, "position", *given)] == [
        "position",
        "adl",
        "liquidation",
    ]


# --- stops --------------------------------------------------------------------------------
def test_the_position_stop_is_shared_and_covers_everything():
    (report,) = taken(AccountRows("main"), "order", stop())
    found = report.stop
    assert report.state is OrderState.RESTING
    assert (found.leg, found.side, found.price) == (BTC, Side.LONG, 48_000)
    assert (found.shared, found.quantity, found.client_id) == (True, None, "")
    assert found.role is Role.FOREIGN


def test_a_stop_of_somebody_else_is_foreign_and_has_a_size():
    row = stop(stopOrderType="Stop", tpslMode="", orderLinkId="hers", qty="0.2", positionIdx=1)
    (report,) = taken(AccountRows("main"), "order", row)
    found = report.stop
    assert (found.leg, found.shared, found.client_id) == (LONG, False, "hers")
    assert (found.quantity, found.role) == (D("0.2"), Role.FOREIGN)


@pytest.mark.parametrize(
    ("changes", "state", "text"),
    [
        ({"orderStatus": "Untriggered"}, OrderState.RESTING, ""),
        ({"orderStatus": "Triggered"}, OrderState.TRIGGERED, ""),
        ({"orderStatus": "New"}, OrderState.TRIGGERED, ""),
        ({"orderStatus": "PartiallyFilled"}, OrderState.TRIGGERED, ""),
        ({"orderStatus": "Filled"}, OrderState.FILLED, ""),
        ({"orderStatus": "Deactivated"}, OrderState.CANCELLED, ""),
        ({"orderStatus": "Cancelled"}, OrderState.CANCELLED, ""),
        (
            {"orderStatus": "Cancelled", "rejectReason": "EC_PerCancelRequest"},
            OrderState.CANCELLED,
            "",
        ),
        (
            {
                "orderStatus": "Cancelled",
                "cancelType": "CancelByTpSlTsClear",
                "rejectReason": "EC_Others",
            },
            OrderState.CANCELLED,
            "",
        ),
        (
            {"orderStatus": "Cancelled", "rejectReason": "EC_NoImmediateQtyToFill"},
            OrderState.REJECTED,
            "EC_NoImmediateQtyToFill",
        ),
        (
            {"orderStatus": "Rejected", "rejectReason": "EC_NoEnoughQtyToFill"},
            OrderState.REJECTED,
            "EC_NoEnoughQtyToFill",
        ),
    ],
)
def test_what_became_of_a_stop(changes: dict, state: OrderState, text: str):
    (report,) = taken(AccountRows("main"), "order", stop(**changes))
    assert (report.state, report.text) == (state, text)


def test_a_stop_is_told_once_however_often_its_end_comes():
    rows = AccountRows("main")
    again = {"cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
    states = [
        report.state
        for report in taken(
            rows,
            "order",
            stop(),
            stop(qty="0.7"),
            stop(orderStatus="Triggered"),
            stop(),
            stop(orderStatus="Filled"),
            stop(orderStatus="Filled", **again),
            stop(orderStatus="Untriggered"),
        )
    ]
    assert states == [OrderState.RESTING, OrderState.TRIGGERED, OrderState.FILLED]


def test_a_moved_stop_is_told_and_an_older_row_about_it_is_not():
    moved = stop(triggerPrice="48500", updatedTime=str(START_MS + 9))
    reports = taken(AccountRows("main"), "order", stop(), moved, stop())
    assert [report.stop.price for report in reports] == [48_000, 48_500]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"stopOrderType": "TakeProfit"}, id="take profit"),
        pytest.param({"stopOrderType": "", "triggerPrice": ""}, id="plain order"),
        pytest.param({"stopOrderType": "Stop", "triggerDirection": 1}, id="on the gaining side"),
    ],
)
def test_what_is_no_stop_is_no_report(changes: dict):
    assert taken(AccountRows("main"), "order", stop(**changes)) == []


# --- executions ---------------------------------------------------------------------------
def test_an_execution_is_told_once_also_after_a_reconnect():
    async def scenario(server: Server, feed: Feed):
        await push(server, "position", position())
        await push(server, "execution", fill(), fill())
        await server.last(PRIVATE).close()
        await asyncio.sleep(2)
        await push(server, "execution", fill(), fill(execId="e2"))
        return await heard(feed, 1)

    told = of(ExecutionReport, play(scenario))
    assert [report.execution.execution_id for report in told] == ["e1", "e2"]
    first = told[0]
    assert first.leg == BTC
    assert (first.execution.quantity, first.execution.realized) == (D("0.5"), -500)


def test_the_origin_of_a_fill_is_told():
    rows = AccountRows("main")
    taken(rows, "position", position())
    row = fill(stopOrderType="StopLoss", createType="CreateByStopLoss")
    (report,) = taken(rows, "execution", row)
    assert report.execution.origin is Origin.POSITION_STOP


def test_a_fill_waits_for_the_row_that_tells_its_leg():
    rows = AccountRows("main")
    assert taken(rows, "execution", fill()) == []
    report, execution = taken(rows, "position", position("0", "", positionIdx=1))
    assert report.leg == execution.leg == LONG
    assert execution.execution.position_side == "long"


def test_a_fill_of_an_order_that_was_told_has_the_leg_of_the_order():
    rows = AccountRows("main")
    given = stop(stopOrderType="", triggerPrice="", orderId="o1", positionIdx=2, side="Buy")
    taken(rows, "order", given)
    (report,) = taken(rows, "execution", fill(side="Buy", closedSize=None))
    assert report.leg == SHORT


@pytest.mark.parametrize(
    ("side", "closed", "leg"),
    [("Sell", "0.5", LONG), ("Buy", "0", LONG), ("Buy", "0.5", SHORT), ("Sell", "0", SHORT)],
)
def test_in_hedge_mode_a_fill_belongs_to_the_leg_that_it_opens_or_closes(
    side: str, closed: str, leg: Leg
):
    rows = AccountRows("main")
    rows.know(LONG)
    (report,) = taken(rows, "execution", fill(side=side, closedSize=closed))
    assert report.leg == leg


@pytest.mark.parametrize(
    ("known", "side", "leg"), [(BTC, "Sell", BTC), (LONG, "Buy", LONG), (LONG, "Sell", SHORT)]
)
def test_funding_is_booked_on_the_leg_of_its_side(known: Leg, side: str, leg: Leg):
    rows = AccountRows("main")
    rows.know(known)
    row = fill(execType="Funding", execFee="-0.3", side=side, closedSize="0")
    assert taken(rows, "execution", row, row) == [FundingBooked(leg, D("-0.3"), START_MS)]


def test_legs_that_were_read_place_what_waited():
    async def scenario(server: Server, feed: Feed):
        await push(server, "execution", fill())
        await asyncio.sleep(1)
        await feed.know([BTC])
        return await heard(feed, 1)

    assert [report.leg for report in of(ExecutionReport, play(scenario))] == [BTC]


# --- recorded frames ----------------------------------------------------------------------
@recorded
@pytest.mark.parametrize(
    "payload", payloads("ws-event/*account-order*") + payloads("ws-event/*account-execution.json")
)
def test_recorded_account_frames_are_read(payload: dict):
    frame = frames.FRAME(json.dumps(payload))
    rows = AccountRows("main")
    expected = [row for row in payload["data"] if row["category"] == "linear"]
    found = frames.linear_rows(frame.data)
    assert len(found) == len(expected)
    for row in found:
        rows.take(frame.topic, row, frame.created_ms)


@recorded
def test_the_recorded_stop_loss_is_the_position_stop():
    payload = payloads("ws-event/*order-stop-loss.json")[0].values[0]
    row = msgspec.convert(payload["data"][0], wire.OrderRow, strict=False)
    report = stop_report("main", row, payload["creationTime"])
    assert isinstance(report, StopReport)
    assert (report.stop.shared, report.stop.price) == (True, D("48000.00"))
