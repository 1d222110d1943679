"""Payloads to domain: tables, and every recorded payload that is at hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.venues.stage import ACCOUNT
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Instrument, Side
from trailstop.engine.events import Refusal
from trailstop.ports import (
    CloseRequest,
    FundingBooked,
    InstrumentChanged,
    LastPrice,
    MarkPrice,
    OrderState,
    Origin,
    PositionReport,
    Quote,
    StopRequest,
)
from trailstop.venues.binance import codes, feed, listings, orders, translate, wire
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.decoding import Decoder, plain

LEG = Leg("main", "binance", "BTCUSDT")
SETTINGS = BinanceSettings(**ACCOUNT, rest_url="http://localhost", ws_url="ws://localhost")
FIXTURES = Path(__file__).parents[2].parent / "shared" / "exchange-fixtures" / "binance"


def algo(**changes) -> wire.AlgoOrder:
    fields = {
        "algoId": 2146760,
        "clientAlgoId": "ts-1",
        "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "positionSide": "BOTH",
        "quantity": "0.010",
        "algoStatus": "NEW",
        "triggerPrice": "60000.10",
        "closePosition": False,
        "reduceOnly": True,
        "createTime": 1750485492076,
    }
    return Decoder(wire.AlgoOrder)(json.dumps(fields | changes))


# --- error codes --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "reason", "overlap"),
    [
        (-2021, Refusal.WOULD_TRIGGER, False),
        (-4142, Refusal.WOULD_TRIGGER, False),
        (-2022, Refusal.POSITION_GONE, False),
        (-4509, Refusal.POSITION_GONE, False),
        (-1003, Refusal.TRANSIENT, False),
        (-1008, Refusal.TRANSIENT, False),
        (-1015, Refusal.TRANSIENT, False),
        (-1021, Refusal.TRANSIENT, False),
        (-5028, Refusal.TRANSIENT, False),
        (-4045, Refusal.LIMIT, False),
        (-4131, Refusal.TRANSIENT, False),
        (-4183, Refusal.BAND, False),
        (-4184, Refusal.BAND, False),
        (-4210, Refusal.BAND, False),
        (-4211, Refusal.BAND, False),
        (-4016, Refusal.BAND, False),
        (-4024, Refusal.BAND, False),
        (-4061, Refusal.OTHER, False),
        (-4130, Refusal.OTHER, True),
        (-1111, Refusal.OTHER, False),
        (-2019, Refusal.OTHER, False),
        (-4120, Refusal.OTHER, False),
    ],
)
def test_a_refusals_code_says_what_to_do(code, reason, overlap):
    refused = codes.refused(code, "words")
    assert (refused.reason, refused.overlap, refused.code) == (reason, overlap, code)


# --- stops --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "role", "side", "quantity"),
    [
        pytest.param({}, Role.WORKING, Side.LONG, Decimal("0.010"), id="ours, sized"),
        pytest.param({"side": "BUY"}, Role.WORKING, Side.SHORT, Decimal("0.010"), id="of a short"),
        pytest.param(
            {"closePosition": True, "quantity": "0"}, Role.BACKSTOP, Side.LONG, None, id="ours, whole"
        ),
        pytest.param(
            {"clientAlgoId": "web_1"}, Role.FOREIGN, Side.LONG, Decimal("0.010"), id="by hand, sized"
        ),
        pytest.param(
            {"clientAlgoId": "web_1", "closePosition": True, "reduceOnly": False},
            Role.FOREIGN, Side.LONG, None, id="by hand, whole",
        ),
        pytest.param(
            {"clientAlgoId": "web_1", "orderType": "STOP"},
            Role.FOREIGN, Side.LONG, Decimal("0.010"), id="stop-limit",
        ),
        pytest.param(
            {"clientAlgoId": "x", "positionSide": "LONG", "reduceOnly": False},
            Role.FOREIGN, Side.LONG, Decimal("0.010"), id="hedge mode reduces by its side",
        ),
        pytest.param(
            {"positionSide": "SHORT", "side": "BUY", "reduceOnly": False},
            Role.WORKING, Side.SHORT, Decimal("0.010"), id="ours, of a hedged short",
        ),
        pytest.param(
            {"positionSide": "LONG", "closePosition": True, "quantity": None},
            Role.BACKSTOP, Side.LONG, None, id="whole, without any quantity",
        ),
    ],
)  # fmt: skip
def test_what_counts_as_a_stop(changes, role, side, quantity):
    stop = translate.resting_stop("main", algo(**changes), "ts-")
    assert stop is not None
    assert (stop.role, stop.side, stop.quantity) == (role, side, quantity)
    assert (stop.price, stop.order_id) == (Decimal("60000.1"), "2146760")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"orderType": "TAKE_PROFIT_MARKET"}, id="take-profit"),
        pytest.param({"reduceOnly": False}, id="could open a position"),
        pytest.param({"positionSide": "LONG", "side": "BUY"}, id="adds to a hedge leg"),
        pytest.param(
            {"orderType": "TRAILING_STOP_MARKET", "triggerPrice": ""}, id="trailing, no price yet"
        ),
    ],
)
def test_what_does_not_count_as_a_stop(changes):
    assert translate.resting_stop("main", algo(**changes), "ts-") is None


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("NEW", None, OrderState.RESTING),
        ("WORKING", None, OrderState.RESTING),
        ("TRIGGERING", "", OrderState.TRIGGERED),
        ("TRIGGERED", "0", OrderState.TRIGGERED),
        ("FINISHED", "0.010", OrderState.FILLED),
        ("FINISHED", "0.004", OrderState.FILLED),
        ("FINISHED", "0.000", OrderState.CANCELLED),
        ("CANCELED", None, OrderState.CANCELLED),
        ("EXPIRED", None, OrderState.CANCELLED),
        ("REJECTED", None, OrderState.REJECTED),
    ],
)
def test_finished_is_filled_only_where_something_was_filled(status, filled, state):
    order = algo(algoStatus=status, actualQty=filled, actualPrice="59990.0" if filled else "")
    assert translate.looked_up_stop(order).state is state


def test_a_status_never_heard_of_is_an_error():
    with pytest.raises(ValueError, match="STRANGE"):
        translate.looked_up_stop(algo(algoStatus="STRANGE"))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({}, None, id="as sent"),
        pytest.param({"triggerPrice": "60000.1"}, None, id="zeros do not matter"),
        pytest.param({"reduceOnly": False}, "not reduce-only", id="flag lost"),
        pytest.param({"closePosition": True}, "not reduce-only", id="another form"),
        pytest.param({"side": "BUY"}, "side is BUY", id="side swapped"),
        pytest.param({"triggerPrice": "60000.2"}, "trigger price is 60000.2", id="price"),
        pytest.param({"quantity": "0.02"}, "quantity is 0.02", id="quantity"),
        pytest.param({"workingType": "MARK_PRICE"}, "working type", id="watches the mark"),
        pytest.param({"priceProtect": True}, "price protection", id="protected"),
        pytest.param({"symbol": "ETHUSDT"}, "symbol is ETHUSDT", id="symbol"),
    ],
)
def test_an_answer_must_repeat_what_was_sent(changes, text):
    request = StopRequest(
        LEG, Side.LONG, Role.WORKING, Decimal("60000.1"), Decimal("0.01"), "last", "ts-1"
    )
    found = orders.wrong_echo(request, algo(**changes))
    assert found is None if text is None else text in (found or "")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({}, None, id="as sent"),
        pytest.param({"reduceOnly": False}, None, id="the leg says it, not the flag"),
        pytest.param({"positionSide": "SHORT"}, "position side is SHORT", id="the other leg"),
        pytest.param({"positionSide": "BOTH"}, "position side is BOTH", id="no leg"),
        pytest.param({"side": "BUY"}, "side is BUY", id="side swapped"),
        pytest.param({"closePosition": True}, "not reduce-only", id="another form"),
    ],
)
def test_an_answer_in_hedge_mode_must_name_the_leg(changes, text):
    leg = Leg("main", "binance", "BTCUSDT", "long")
    request = StopRequest(
        leg, Side.LONG, Role.WORKING, Decimal("60000.1"), Decimal("0.01"), "last", "ts-1"
    )
    found = orders.wrong_echo(request, algo(**({"positionSide": "LONG"} | changes)))
    assert found is None if text is None else text in (found or "")


@pytest.mark.parametrize(
    ("changes", "reduces"),
    [
        ({"reduceOnly": True}, True),
        ({"closePosition": True}, True),
        ({}, False),
        ({"positionSide": "LONG"}, True),
        ({"positionSide": "SHORT", "side": "BUY"}, True),
        ({"positionSide": "LONG", "side": "BUY"}, False),
        ({"positionSide": "SHORT"}, False),
    ],
)
def test_which_plain_orders_can_only_reduce(changes, reduces):
    fields = {
        "orderId": 1, "clientOrderId": "x", "symbol": "BTCUSDT", "side": "SELL", "status": "NEW",
    }  # fmt: skip
    order = Decoder(wire.Order)(json.dumps(fields | changes))
    assert translate.can_only_reduce(order) is reduces


# --- positions ----------------------------------------------------------------------------
def row(**changes) -> wire.PositionRow:
    fields = {
        "symbol": "BTCUSDT",
        "positionSide": "BOTH",
        "positionAmt": "0.009",
        "entryPrice": "67445.9",
        "liquidationPrice": "64846.9",
        "updateTime": 1722161166529,
    }
    return Decoder(wire.PositionRow)(json.dumps(fields | changes))


def test_the_amounts_sign_is_the_side():
    found = translate.positions("main", [row(), row(symbol="ETHUSDT", positionAmt="-2")])
    assert [(leg.symbol, p.side, p.quantity) for leg, p in found.items()] == [
        ("BTCUSDT", Side.LONG, Decimal("0.009")),
        ("ETHUSDT", Side.SHORT, Decimal(2)),
    ]


def test_hedge_rows_are_legs_of_their_own():
    rows = [row(positionSide="LONG"), row(positionSide="SHORT", positionAmt="-0.5")]
    assert {leg.position_side for leg in translate.positions("main", rows)} == {"long", "short"}


def test_no_liquidation_price_is_none():
    (found,) = translate.positions("main", [row(liquidationPrice="0")]).values()
    assert found.liquidation_price is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"entryPrice": "0"}, id="no entry price"),
        pytest.param({"entryPrice": "NaN"}, id="entry price no number"),
        pytest.param({"positionAmt": "NaN"}, id="amount no number"),
        pytest.param({"positionSide": "LEFT"}, id="side not known"),
    ],
)
def test_a_row_that_makes_no_sense_is_an_error_and_never_flat(changes):
    with pytest.raises(ValueError, match="BTCUSDT"):
        translate.positions("main", [row(**changes)])


def test_a_row_without_an_amount_cannot_be_decoded():
    with pytest.raises(msgspec.DecodeError):
        Decoder(wire.PositionRow)('{"symbol":"BTCUSDT","positionSide":"BOTH"}')


# --- instruments, closes ------------------------------------------------------------------
def test_the_grid_comes_from_the_filters_and_not_from_the_precision():
    info = Decoder(wire.ExchangeInfo)("""{"symbols":[
        {"symbol":"BTCUSDT","status":"TRADING","pricePrecision":2,"filters":[
            {"filterType":"PRICE_FILTER","tickSize":"0.10","minPrice":"556.80"},
            {"filterType":"LOT_SIZE","stepSize":"0.001","minQty":"0.001","maxQty":"1000"},
            {"filterType":"MARKET_LOT_SIZE","stepSize":"0.001","minQty":"0.001","maxQty":"120"},
            {"filterType":"MIN_NOTIONAL","notional":"50"}]},
        {"symbol":"ODDUSDT","status":"TRADING","filters":[]}]}""")
    (listing,) = listings.listings(info).values()
    assert listing == listings.Listing(
        Instrument(
            "BTCUSDT", Decimal("0.1"), Decimal("0.001"), Decimal("0.001"), Decimal(120), Decimal(50)
        ),
        "TRADING",
    )


def listing(tick="0.1", status="TRADING", band=("0.95", "1.05"), largest="120"):
    grid = Instrument(
        "BTCUSDT", Decimal(tick), Decimal("0.001"), Decimal("0.001"), Decimal(largest)
    )
    return listings.Listing(grid, status, *map(Decimal, band))


@pytest.mark.parametrize(
    ("now", "status", "text"),
    [
        (listing(status="HALT"), "halted", "HALT"),
        (listing(status="BREAK"), "halted", "BREAK"),
        (listing(status="PENDING_TRADING"), "halted", "PENDING_TRADING"),
        (listing(status="NEVER_HEARD"), "halted", "NEVER_HEARD"),
        (listing(status="PRE_SETTLE"), "settling", "PRE_SETTLE"),
        (listing(status="SETTLING"), "settling", "SETTLING"),
        (listing(status="DELIVERING"), "settling", "DELIVERING"),
        (listing(status="CLOSE"), "closed", "CLOSE"),
        (listing(status="DELIVERED"), "closed", "DELIVERED"),
        (listing(tick="0.5"), "trading", "tick size 0.1 to 0.5"),
        (listing(largest="12"), "trading", "largest market order 120 to 12"),
    ],
)
def test_what_has_changed_of_an_instrument_is_told_once(now, status, text):
    kept, changed = listings.renewed({"BTCUSDT": listing()}, {"BTCUSDT": now})
    assert changed == [InstrumentChanged("BTCUSDT", now.instrument, status, text)]
    assert listings.renewed(kept, {"BTCUSDT": now}) == (kept, [])


def test_a_symbol_that_leaves_the_exchange_is_closed_and_keeps_its_grid():
    kept, changed = listings.renewed({"BTCUSDT": listing()}, {})
    assert [(event.status, event.text) for event in changed] == [("closed", listings.GONE)]
    assert kept["BTCUSDT"].instrument == listing().instrument
    assert listings.renewed(kept, {})[1] == []


def test_what_is_listed_anew_or_read_first_is_no_change():
    assert listings.renewed({}, {"BTCUSDT": listing()})[1] == []


@pytest.mark.parametrize(
    ("price", "mark", "above", "nearest"),
    [
        pytest.param("90", "100.07", False, "95.1", id="a long's stop comes up"),
        pytest.param("110", "100.07", True, "105.0", id="a short's stop comes down"),
        pytest.param("96", "100", False, None, id="inside by now, below"),
        pytest.param("104", "100", True, None, id="inside by now, above"),
        pytest.param("90", "0", False, None, id="no mark"),
        pytest.param("90", "NaN", False, None, id="mark is no number"),
    ],
)
def test_the_nearest_price_in_the_band_is_a_tick_inside(price, mark, above, nearest):
    found = listings.nearest_in_band(listing(), Decimal(price), Decimal(mark), above=above)
    assert found == (None if nearest is None else Decimal(nearest))


def test_without_a_band_there_is_no_nearest_price():
    bare = listings.Listing(listing().instrument, "TRADING")
    assert listings.nearest_in_band(bare, Decimal(90), Decimal(100), above=False) is None


def test_a_close_larger_than_the_largest_market_order_is_cut_to_it():
    instrument = Instrument(
        "BTCUSDT", Decimal("0.1"), Decimal("0.001"), Decimal("0.001"), Decimal(120)
    )
    request = CloseRequest(LEG, Side.SHORT, Decimal(500), "ts-1")
    params = orders.close_params(request, instrument)
    assert (params["quantity"], params["side"], params["reduceOnly"]) == ("120.000", "BUY", "true")


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("1E+2"), "100"), (Decimal("1E-7"), "0.0000001"), (Decimal("60000.10"), "60000.10")],
)
def test_numbers_go_out_without_an_exponent(value, text):
    assert plain(value) == text


# --- pushes -------------------------------------------------------------------------------
def account_event(body: dict) -> list:
    return list(feed.account_events(body["e"], json.dumps(body), SETTINGS))


def algo_update(**changes) -> dict:
    order = {
        "caid": "ts-1", "aid": 7, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": "BTCUSDT",
        "S": "SELL", "ps": "BOTH", "f": "GTC", "q": "0.010", "X": "NEW", "tp": "60000.1",
        "cp": False, "R": True,
    }  # fmt: skip
    return {"e": "ALGO_UPDATE", "T": 1_000, "E": 1_001, "o": order | changes}


def test_a_rejection_at_the_trigger_carries_the_exchanges_reason():
    (report,) = account_event(algo_update(X="REJECTED", rm="Reduce Only reject"))
    assert (report.state, report.text) == (OrderState.REJECTED, "Reduce Only reject")
    assert (report.stop.leg, report.stop.role, report.at_ms) == (LEG, Role.WORKING, 1_000)


def test_a_triggered_stop_still_covers():
    (report,) = account_event(algo_update(X="TRIGGERED", aq="0"))
    assert (report.state, report.stop.triggered) == (OrderState.TRIGGERED, True)


def test_take_profits_are_not_told_as_stops():
    assert account_event(algo_update(o="TAKE_PROFIT_MARKET", caid="web")) == []


def test_position_and_funding_in_one_account_event():
    reports = account_event(
        {
            "e": "ACCOUNT_UPDATE", "T": 5, "E": 6,
            "a": {
                "m": "FUNDING_FEE",
                "B": [{"a": "USDT", "wb": "1", "cw": "1", "bc": "-0.25"}],
                "P": [{"s": "BTCUSDT", "pa": "-0.5", "ep": "100", "ps": "BOTH"}],
            },
        }
    )  # fmt: skip
    assert reports == [
        PositionReport(LEG, Decimal("-0.5"), Decimal(100), "funding_fee", 5),
        FundingBooked(LEG, Decimal("0.25"), 5),
    ]


def account_update(rows, reason="ORDER", **changes):
    columns = ("ps", "pa", "ep")
    listed = [{"s": "BTCUSDT"} | dict(zip(columns, row, strict=True)) for row in rows]
    return {"e": "ACCOUNT_UPDATE", "T": 5, "E": 6, "a": {"m": reason, "P": listed} | changes}


HEDGED = [("BOTH", "0", "0"), ("LONG", "0.3", "100"), ("SHORT", "-0.1", "101")]


def test_in_hedge_mode_the_empty_row_of_one_way_mode_is_no_news():
    reports = account_event(account_update(HEDGED))
    assert [(report.leg.position_side, report.quantity) for report in reports] == [
        ("long", Decimal("0.3")),
        ("short", Decimal("-0.1")),
    ]


def test_in_one_way_mode_an_empty_row_says_flat():
    (report,) = account_event(account_update([("BOTH", "0", "0")]))
    assert (report.leg, report.quantity) == (LEG, 0)


def test_funding_of_two_legs_is_shared_by_their_size():
    paid = {"S": "BTCUSDT", "B": [{"a": "USDT", "bc": "-0.2"}]}
    reports = account_event(account_update(HEDGED, "FUNDING_FEE", **paid))
    booked = [report for report in reports if isinstance(report, FundingBooked)]
    assert [(told.leg.position_side, told.paid) for told in booked] == [
        ("long", Decimal("0.3")),
        ("short", Decimal("-0.1")),
    ]


def test_funding_of_two_equal_legs_belongs_to_neither():
    rows = [("LONG", "0.1", "100"), ("SHORT", "-0.1", "101")]
    paid = {"S": "BTCUSDT", "B": [{"a": "USDT", "bc": "0"}]}
    reports = account_event(account_update(rows, "FUNDING_FEE", **paid))
    assert {type(report) for report in reports} == {PositionReport}


@pytest.mark.parametrize("kind", ["ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL", "TRADE_LITE"])
def test_events_that_tell_nothing_of_a_leg_do_not_disturb(kind):
    body = {"e": kind, "E": 6, "T": 5, "ac": {"s": "BTCUSDT", "l": 25}, "s": "BTCUSDT"}
    assert account_event(body) == []


@pytest.mark.parametrize(
    ("client_id", "origin"),
    [
        ("autoclose-1596107620040000020", Origin.LIQUIDATION),
        ("adl_autoclose", Origin.ADL),
        ("adl_autoclose-7", Origin.ADL),
        ("settlement_autoclose-BTCUSDT", Origin.SETTLEMENT),
        ("web_autoclose-1", Origin.ORDER),
        ("ts-1", Origin.ORDER),
        ("", Origin.ORDER),
    ],
)
def test_the_exchanges_own_orders_are_known_by_their_ids(client_id, origin):
    body = {
        "e": "ORDER_TRADE_UPDATE", "T": 5, "E": 6,
        "o": {
            "s": "BTCUSDT", "c": client_id, "S": "SELL", "x": "TRADE", "X": "FILLED", "i": 1,
            "T": 5, "ps": "LONG", "l": "0.1", "L": "99",
        },
    }  # fmt: skip
    (report,) = account_event(body)
    assert (report.leg.position_side, report.execution.origin) == ("long", origin)
    fields = {
        "id": 1, "orderId": 1, "symbol": "BTCUSDT", "side": "SELL", "price": "99", "qty": "0.1",
        "commission": "0", "commissionAsset": "USDT", "time": 5, "positionSide": "LONG",
    }  # fmt: skip
    fill = Decoder(wire.UserTrade)(json.dumps(fields))
    assert translate.execution(fill, client_id).origin is origin


def test_funding_of_a_cross_position_names_its_symbol_alone():
    body = {"m": "FUNDING_FEE", "S": "BTCUSDT", "B": [{"a": "USDT", "bc": "0.1"}]}
    reports = account_event({"e": "ACCOUNT_UPDATE", "T": 5, "E": 6, "a": body})
    assert reports == [FundingBooked(LEG, Decimal("-0.1"), 5)]


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (
            '{"e":"aggTrade","E":9,"a":5933014,"s":"BTCUSDT","p":"0.001","q":"100","T":7,"m":true}',
            LastPrice("BTCUSDT", Decimal("0.001"), 5933014, 7),
        ),
        (
            '{"stream":"x","data":{"e":"bookTicker","u":4,"E":9,"T":8,"s":"B","b":"1","a":"2"}}',
            Quote("B", Decimal(1), Decimal(2), 8),
        ),
        (
            '{"e":"markPriceUpdate","E":9,"s":"B","p":"11.5","i":"1","T":99}',
            MarkPrice("B", Decimal("11.5"), 9),
        ),
        ('{"result":null,"id":1}', None),
        ('{"e":"kline","s":"B"}', None),
    ],
)
def test_market_frames(frame, event):
    assert feed.market_event(frame) == event


def test_a_refused_subscription_is_an_error():
    with pytest.raises(ValueError, match="Invalid request"):
        feed.market_event('{"error":{"code":2,"msg":"Invalid request"},"id":1}')


# --- recorded payloads --------------------------------------------------------------------
def recorded(kind: str, name: str):
    path = FIXTURES / kind / f"{name}.json"
    if not path.exists():
        pytest.skip("the recorded payloads are not at hand")
    return json.loads(path.read_text())["payload"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nt--open-algo-orders", list[wire.AlgoOrder]),
        ("bn--account-trade-list", list[wire.UserTrade]),
        ("nt--http-futures-account-trades", list[wire.UserTrade]),
        ("bn--position-information-v3", list[wire.PositionRow]),
        ("bn--position-information-v2", list[wire.PositionRow]),
        ("cxt--one-way-long-btcusdt", list[wire.PositionRow]),
        ("cx--fetch-positions-risk-1", list[wire.PositionRow]),
        ("nt--http-futures-account-positions-one-way", list[wire.PositionRow]),
        ("bn--user-commission-rate", wire.CommissionRate),
        ("nt--http-futures-wallet-commission-rate-btcusdt", wire.CommissionRate),
        ("bn--query-order", wire.Order),
        ("nt--order-response", wire.Order),
        ("cxt--gtx-limit-order", wire.Order),
        ("bn--current-all-open-orders", list[wire.Order]),
        ("bn--all-orders", list[wire.Order]),
        ("nt--http-futures-account-orders", list[wire.Order]),
        ("cx--parse-order-22-cancelorder-linear-swap-conditional", wire.AlgoCancelled),
        ("nt--http-futures-market-klines", list[wire.Kline]),
        ("nt--http-futures-market-mark-price-klines", list[wire.Kline]),
        ("nt--http-futures-market-ticker-price", wire.PriceTicker),
    ],
)
def test_recorded_answers_are_understood(name, kind):
    assert Decoder(kind)(json.dumps(recorded("rest-response", name)))


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("nt--ws-futures-algo-update-triggering", OrderState.TRIGGERED),
        ("nt--ws-futures-algo-update-triggered", OrderState.TRIGGERED),
        ("nt--ws-futures-algo-update-finished", OrderState.FILLED),
        ("nt--ws-futures-algo-update-finished-canceled", OrderState.CANCELLED),
    ],
)
def test_recorded_life_of_a_stop(name, state):
    frame = recorded("ws-event", name)
    settings = msgspec.structs.replace(SETTINGS, own_prefix="O-20251211")
    (report,) = feed.account_events("ALGO_UPDATE", json.dumps(frame["data"]), settings)
    assert (report.state, report.stop.side, report.stop.price) == (
        state, Side.SHORT, Decimal("0.13855"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "origin", "quantity"),
    [
        ("nt--order-update-trade", Origin.ORDER, Decimal("0.001")),
        ("nt--order-update-calculated", Origin.LIQUIDATION, Decimal("0.014")),
        ("nt--ws-futures-order-update-liquidation", Origin.LIQUIDATION, Decimal("0.100")),
        ("nt--ws-futures-order-update-adl", Origin.ADL, Decimal(1)),
        ("nt--ws-futures-order-update-adl-filled", Origin.ADL, Decimal(1)),
    ],
)
def test_recorded_fills_tell_who_closed(name, origin, quantity):
    frame = recorded("ws-event", name)
    body = frame.get("data", frame)
    (report,) = feed.account_events("ORDER_TRADE_UPDATE", json.dumps(body), SETTINGS)
    assert (report.execution.origin, report.execution.quantity) == (origin, quantity)


@pytest.mark.parametrize("name", ["nt--order-update-new", "nt--order-update-calculated-pending"])
def test_recorded_order_events_without_a_fill_tell_none(name):
    body = recorded("ws-event", name)
    assert not feed.account_events("ORDER_TRADE_UPDATE", json.dumps(body), SETTINGS)


def test_recorded_position_event():
    (report,) = account_event(recorded("ws-event", "cx--handle-positions-1"))
    assert (report.quantity, report.entry_price) == (Decimal("-0.089"), Decimal("19700.03933"))


@pytest.mark.parametrize("name", ["nt--book-ticker-stream", "nt--mark-price-stream"])
def test_recorded_prices(name):
    assert feed.market_event(json.dumps(recorded("ws-event", name))) is not None


def test_every_recorded_push_is_read_or_left_alone():
    paths = sorted((FIXTURES / "ws-event").glob("nt--*.json"))
    if not paths:
        pytest.skip("the recorded payloads are not at hand")
    for path in paths:
        body = json.loads(path.read_text())["payload"]
        body = body.get("data", body)
        list(feed.account_events(body.get("e", ""), json.dumps(body), SETTINGS))
