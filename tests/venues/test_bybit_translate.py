"""From Bybit's payloads to the domain, by tables."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.venues.bybit_scripted import instrument, position
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Side
from trailstop.ports import OrderState, Origin
from trailstop.venues.bybit import translate, wire
from trailstop.venues.bybit.transport import read_answer
from trailstop.venues.decoding import Decoder, plain, whole

FIXTURES = Path(__file__).parents[3] / "shared" / "exchange-fixtures" / "bybit"
BOTH, LONG, SHORT = (Leg("main", "bybit", "BTCUSDT", side) for side in ("both", "long", "short"))


def decoded(kind, row):
    return Decoder(kind)(json.dumps(row))


def position_row(**changes) -> wire.PositionRow:
    return decoded(wire.PositionRow, position(**changes))


def order_row(**changes) -> wire.OrderRow:
    row = {
        "orderId": "55",
        "orderLinkId": "",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderStatus": "Untriggered",
        "stopOrderType": "Stop",
        "tpslMode": "",
        "positionIdx": 0,
        "qty": "0.5",
        "triggerPrice": "60000",
        "triggerDirection": 2,
        "lastPriceOnCreated": "61000",
        "reduceOnly": True,
        "closeOnTrigger": False,
        "createdTime": "1700000000001",
        "updatedTime": "1700000000002",
    }
    return decoded(wire.OrderRow, row | changes)


def execution_row(**changes) -> wire.ExecutionRow:
    row = {
        "symbol": "BTCUSDT",
        "execId": "e1",
        "orderId": "o1",
        "orderLinkId": "ts-1",
        "side": "Sell",
        "execPrice": "60000.5",
        "execQty": "0.5",
        "execFee": "16.5",
        "execPnl": "-250",
        "execType": "Trade",
        "execTime": "1700000000003",
        "closedSize": "0.5",
        "stopOrderType": "UNKNOWN",
        "createType": "CreateByUser",
        "feeCurrency": "",
        "seq": 7,
    }
    return decoded(wire.ExecutionRow, row | changes)


# --- positions ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "leg", "side"),
    [
        ({"positionIdx": 0, "side": "Buy"}, BOTH, Side.LONG),
        ({"positionIdx": 0, "side": "Sell"}, BOTH, Side.SHORT),
        ({"positionIdx": 1, "side": "Buy"}, LONG, Side.LONG),
        ({"positionIdx": 2, "side": "Sell"}, SHORT, Side.SHORT),
    ],
)
def test_a_position_lies_on_the_leg_of_its_index(changes, leg, side):
    found = translate.positions("main", [position_row(**changes)])
    assert list(found) == [leg]
    assert (found[leg].side, found[leg].quantity, found[leg].entry_price) == (
        side,
        Decimal("0.5"),
        Decimal(61000),
    )


@pytest.mark.parametrize(
    ("changes", "opened_at_ms", "liquidation"),
    [
        ({"openTime": 0, "liqPrice": ""}, None, None),
        ({"openTime": "", "liqPrice": "0"}, None, None),
        ({"openTime": 1_700_000_000_123, "liqPrice": "45000"}, 1_700_000_000_123, Decimal(45000)),
        ({"openTime": "1700000000123", "liqPrice": "0.00"}, 1_700_000_000_123, None),
    ],
)
def test_the_opening_time_is_never_that_of_the_first_position_ever(
    changes, opened_at_ms, liquidation
):
    (held,) = translate.positions("main", [position_row(**changes)]).values()
    assert (held.opened_at_ms, held.liquidation_price) == (opened_at_ms, liquidation)


def test_a_missing_opening_time_is_unknown():
    row = position()
    del row["openTime"]
    (held,) = translate.positions("main", [decoded(wire.PositionRow, row)]).values()
    assert held.opened_at_ms is None


def test_flat_rows_are_no_positions_and_a_repeated_row_counts_once():
    flat = position_row(side="", size="0", avgPrice="0")
    assert translate.positions("main", [flat]) == {}
    rows = [position_row(size="0.5"), position_row(size="0.4")]
    assert [held.quantity for held in translate.positions("main", rows).values()] == [
        Decimal("0.4")
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "NaN"},
        {"size": "-1"},
        {"size": "half"},
        {"avgPrice": "", "markPrice": ""},
        {"avgPrice": "0", "markPrice": "0"},
        {"side": "None"},
        {"positionIdx": 3},
        {"positionIdx": 1, "side": "Sell"},
        {"liqPrice": "x"},
    ],
)
def test_a_row_that_makes_no_sense_is_no_flat_account(changes):
    with pytest.raises(ValueError, match="BTCUSDT"):
        translate.positions("main", [position_row(**changes)])


@pytest.mark.parametrize("unset", ["", "0", "x", None])
def test_an_entry_that_is_not_stated_is_the_mark_and_said_to_be_unknown(unset):
    (position,) = translate.positions(
        "main", [position_row(avgPrice=unset, markPrice="61000")]
    ).values()
    assert (position.entry_price, position.entry_known) == (Decimal(61000), False)


# --- the key ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("read_only", "permissions", "lacks", "withdraws"),
    [
        (0, {"ContractTrade": ["Order", "Position"]}, "", False),
        (0, {"Derivatives": ["DerivativesTrade"]}, "", False),
        (0, {"ContractTrade": ["Order"]}, "neither ContractTrade", False),
        (0, {"Spot": ["SpotTrade"]}, "neither ContractTrade", False),
        (1, {"ContractTrade": ["Order", "Position"]}, "readOnly", False),
        (0, {"Derivatives": ["DerivativesTrade"], "Wallet": ["Withdraw"]}, "", True),
        (0, {"Derivatives": ["DerivativesTrade"], "Wallet": ["AccountTransfer"]}, "", False),
    ],
)
def test_what_a_key_lacks_and_whether_it_may_withdraw(read_only, permissions, lacks, withdraws):
    body = msgspec.json.encode({"readOnly": read_only, "permissions": permissions})
    rights = translate.key_rights(msgspec.json.decode(body, type=wire.KeyInfo, strict=False))
    assert lacks in rights.lacks
    assert bool(lacks) == bool(rights.lacks)
    assert rights.withdraws is withdraws


# --- stops --------------------------------------------------------------------------------
@pytest.mark.parametrize("unset", ["", "0", "0.00", None])
def test_an_unset_stop_is_none(unset):
    assert translate.position_stop("main", position_row(stopLoss=unset), []) is None


def test_the_positions_own_stop_is_shared_and_takes_id_and_time_of_its_order():
    row = position_row(stopLoss="60000.0", updatedTime="1700000000100")
    own = order_row(stopOrderType="StopLoss", tpslMode="Full", orderLinkId="x")
    others = [
        order_row(orderId="1", stopOrderType="StopLoss", tpslMode="Full", positionIdx=1),
        order_row(orderId="2", stopOrderType="StopLoss", tpslMode="Full", triggerPrice="59999"),
        order_row(orderId="3", stopOrderType="PartialStopLoss", tpslMode="Partial"),
    ]
    bare = translate.position_stop("main", row, others)
    full = translate.position_stop("main", row, [*others, own])
    for stop in (bare, full):
        assert (stop.leg, stop.side, stop.price) == (BOTH, Side.LONG, Decimal(60000))
        assert (stop.role, stop.client_id, stop.shared, stop.quantity) == (
            Role.FOREIGN,
            "",
            True,
            None,
        )
    assert (bare.order_id, bare.created_at_ms) == ("", 1_700_000_000_100)
    assert (full.order_id, full.created_at_ms) == ("55", 1_700_000_000_002)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, (Side.LONG, "55", Decimal("0.5")), id="conditional"),
        pytest.param({"orderLinkId": "bot-1"}, (Side.LONG, "bot-1", Decimal("0.5")), id="link id"),
        pytest.param(
            {"side": "Buy", "triggerDirection": 1}, (Side.SHORT, "55", Decimal("0.5")), id="short"
        ),
        pytest.param({"qty": "0"}, (Side.LONG, "55", None), id="whole position"),
        pytest.param(
            {"reduceOnly": False, "closeOnTrigger": True},
            (Side.LONG, "55", Decimal("0.5")),
            id="close on trigger",
        ),
        pytest.param(
            {"stopOrderType": "PartialStopLoss", "tpslMode": "Partial", "qty": "0.1"},
            (Side.LONG, "55", Decimal("0.1")),
            id="partial stop loss",
        ),
        pytest.param(
            {"stopOrderType": "TrailingStop", "tpslMode": "Full"},
            (Side.LONG, "55", Decimal("0.5")),
            id="active trailing stop",
        ),
        pytest.param(
            {"stopOrderType": "TrailingStop", "triggerPrice": "62000"}, None, id="waits to trail"
        ),
        pytest.param(
            {"stopOrderType": "TrailingStop", "triggerPrice": ""}, None, id="trails from nowhere"
        ),
        pytest.param({"reduceOnly": False}, None, id="may open"),
        pytest.param({"triggerDirection": 1}, None, id="takes a profit"),
        pytest.param({"triggerDirection": None}, None, id="direction not known"),
        pytest.param({"stopOrderType": "TakeProfit", "triggerDirection": 1}, None, id="tp"),
        pytest.param({"stopOrderType": "PartialTakeProfit"}, None, id="partial tp"),
        pytest.param({"stopOrderType": ""}, None, id="plain"),
        pytest.param({"stopOrderType": "UNKNOWN"}, None, id="unknown"),
        pytest.param({"triggerPrice": ""}, None, id="no trigger"),
        pytest.param(
            {"positionIdx": 1, "reduceOnly": False},
            (Side.LONG, "55", Decimal("0.5")),
            id="hedge long",
        ),
        pytest.param({"positionIdx": 2}, None, id="opens a short"),
    ],
)
def test_which_orders_are_stops_of_others(changes, expected):
    stop = translate.resting_stop("main", order_row(**changes))
    if expected is None:
        assert stop is None
    else:
        assert (stop.side, stop.client_id, stop.quantity) == expected
        assert (stop.role, stop.shared, stop.triggered) == (Role.FOREIGN, False, False)


def test_whether_a_trailing_stop_is_active_is_judged_by_the_price_of_now():
    row = order_row(stopOrderType="TrailingStop", triggerPrice="62000")
    assert translate.resting_stop("main", row, Decimal(63000)).price == 62000
    assert translate.resting_stop("main", row, Decimal(61500)) is None


def test_the_order_of_the_positions_stop_is_shared_and_may_have_triggered():
    row = {"stopOrderType": "StopLoss", "tpslMode": "Full", "orderLinkId": "x"}
    for status, triggered in (("Untriggered", False), ("Triggered", True), ("New", True)):
        stop = translate.resting_stop("main", order_row(**row, orderStatus=status))
        assert (stop.shared, stop.client_id, stop.quantity) == (True, "", None)
        assert stop.triggered is triggered


def test_the_price_of_a_market_order_is_only_its_cap():
    found = translate.looked_up_order(
        order_row(orderStatus="Filled", orderType="Market", price="57000", avgPrice="60010")
    )
    assert (found.state, found.price, found.average_price) == (
        OrderState.FILLED,
        None,
        Decimal(60010),
    )


# --- fills --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({}, Origin.ORDER),
        ({"createType": None, "stopOrderType": None}, Origin.ORDER),
        ({"stopOrderType": "Stop"}, Origin.ORDER),
        ({"stopOrderType": "TakeProfit", "createType": "CreateByTakeProfit"}, Origin.ORDER),
        ({"stopOrderType": "StopLoss", "createType": "CreateByStopLoss"}, Origin.POSITION_STOP),
        ({"stopOrderType": "StopLoss", "createType": ""}, Origin.POSITION_STOP),
        ({"createType": "CreateByStopLoss"}, Origin.POSITION_STOP),
        ({"stopOrderType": "PartialStopLoss"}, Origin.FOREIGN_STOP),
        ({"createType": "CreateByPartialStopLoss"}, Origin.FOREIGN_STOP),
        ({"stopOrderType": "TrailingStop"}, Origin.FOREIGN_STOP),
        ({"execType": "BustTrade"}, Origin.LIQUIDATION),
        ({"createType": "CreateByLiq"}, Origin.LIQUIDATION),
        ({"createType": "CreateByTakeOver_PassThrough"}, Origin.LIQUIDATION),
        ({"execType": "AdlTrade"}, Origin.ADL),
        ({"createType": "CreateByAdl_PassThrough"}, Origin.ADL),
        ({"execType": "Settle"}, Origin.SETTLEMENT),
        ({"execType": "Delivery"}, Origin.SETTLEMENT),
        ({"createType": "CreateBySettle"}, Origin.SETTLEMENT),
    ],
)
def test_what_brought_a_fill_about(changes, origin):
    assert translate.execution(execution_row(**changes), "both").origin is origin


def test_a_fill_as_it_was_booked():
    fill = translate.execution(execution_row(), "both")
    assert (fill.direction, fill.price, fill.quantity) == (
        "sell",
        Decimal("60000.5"),
        Decimal("0.5"),
    )
    assert (fill.fee, fill.realized, fill.at_ms) == (Decimal("16.5"), -250, 1_700_000_000_003)
    assert fill.client_id == "ts-1"


@pytest.mark.parametrize(
    ("side", "closed", "expected"),
    [
        ("Buy", "0", "long"),
        ("Buy", "", "long"),
        ("Sell", "0.5", "long"),
        ("Sell", "0", "short"),
        ("Buy", "0.1", "short"),
    ],
)
def test_the_side_of_a_fill_in_hedge_mode(side, closed, expected):
    assert translate.hedge_side(execution_row(side=side, closedSize=closed)) == expected


def test_a_fill_that_does_not_say_what_it_closed_has_no_side():
    with pytest.raises(ValueError, match="closedSize"):
        translate.hedge_side(execution_row(closedSize=None))


def test_funding_is_no_fill():
    assert not translate.is_fill(execution_row(execType="Funding"))
    assert translate.is_fill(execution_row(execType="AdlTrade"))


# --- instruments, numbers -----------------------------------------------------------------
def test_an_instrument_takes_its_grid_and_limits():
    info = decoded(wire.InstrumentInfo, instrument())
    found = translate.instrument(info)
    assert (found.tick_size, found.quantity_step, found.min_quantity) == (
        Decimal("0.1"),
        Decimal("0.001"),
        Decimal("0.001"),
    )
    assert (found.max_market_quantity, found.min_notional) == (120, 5)
    lot = {"qtyStep": "1", "minOrderQty": "", "maxMktOrderQty": "0"}
    bare = translate.instrument(decoded(wire.InstrumentInfo, instrument(lotSizeFilter=lot)))
    assert (bare.min_quantity, bare.max_market_quantity, bare.min_notional) == (0, None, None)
    with pytest.raises(ValueError, match="BTCUSDT"):
        translate.instrument(
            decoded(wire.InstrumentInfo, instrument(priceFilter={"tickSize": "0"}))
        )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Trading", "trading"),
        ("PreLaunch", "halted"),
        ("Settling", "settling"),
        ("Delivering", "settling"),
        ("Closed", "closed"),
        ("Paused", "halted"),
    ],
)
def test_what_a_status_means(word, status):
    assert translate.status(word) == status


def test_times_and_numbers_come_in_many_spellings():
    assert [whole(text) for text in ("12", 12, "", None, "-1", "1.5", "²")] == [12, 12] + [None] * 5
    assert plain(Decimal("1E+3")) == "1000"


# --- recorded payloads --------------------------------------------------------------------
READS = {
    "nt--http-get-positions": wire.Listed[wire.PositionRow],
    "nt--http-get-orders-realtime": wire.Listed[wire.OrderRow],
    "nt--http-get-orders-history": wire.Listed[wire.OrderRow],
    "nt--http-get-order-partially-filled-rejected": wire.Listed[wire.OrderRow],
    "cx--fetch-canceled-and-closed-orders-1": wire.Listed[wire.OrderRow],
    "cx--fetch-my-trades-1": wire.Listed[wire.ExecutionRow],
    "nt--http-get-instruments-linear": wire.Listed[wire.InstrumentInfo],
    "nt--http-get-fee-rate": wire.Listed[wire.FeeRate],
    "nt--http-get-trades-recent": wire.Listed[wire.RecentTrade],
    "cx--fetch-ohlcv-1": wire.Listed[wire.Kline],
    "cx--fetch-ticker-1": wire.Listed[wire.Ticker],
    "cx--fetch-time-1": wire.ServerTime,
    "nt--http-get-account-info": wire.AccountInfo,
    "cx--edit-order-1": wire.OrderIds,
}
TRANSLATED = {
    wire.PositionRow: lambda row: translate.position("main", row),
    wire.OrderRow: lambda row: (
        translate.resting_stop("main", row),
        translate.looked_up_order(row),
    ),
    wire.ExecutionRow: lambda row: translate.execution(row, "both"),
    wire.InstrumentInfo: translate.instrument,
    wire.RecentTrade: translate.trade,
    wire.Kline: lambda row: translate.bar(row, 1, 0),
}


@pytest.mark.skipif(not FIXTURES.exists(), reason="the recorded payloads are not here")
@pytest.mark.parametrize("name", READS)
def test_recorded_answers_are_read_and_understood(name):
    case = json.loads((FIXTURES / "rest-response" / f"{name}.json").read_text())
    answer = read_answer(200, json.dumps(case["payload"]).encode(), Decoder(READS[name]))
    for row in getattr(answer.payload, "rows", ()):
        TRANSLATED.get(type(row), lambda row: row)(row)
