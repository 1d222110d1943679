"""What goes out, and what the last look lets through."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Instrument, Side
from trailstop.engine.events import Refusal
from trailstop.errors import ConfigError
from trailstop.ports import CloseRequest, StopRequest
from trailstop.venues.bybit import codes, gate, orders
from trailstop.venues.bybit.settings import BybitSettings

BTC = Instrument("BTCUSDT", Decimal("0.1"), Decimal("0.001"), max_market_quantity=Decimal(120))
LEGS = {side: Leg("main", "bybit", "BTCUSDT", side) for side in ("both", "long", "short")}
SIDES = [("both", Side.LONG), ("both", Side.SHORT), ("long", Side.LONG), ("short", Side.SHORT)]


def stop(position_side="both", side=Side.LONG, **changes) -> StopRequest:
    request = StopRequest(
        LEGS[position_side], side, Role.WORKING, Decimal("60000.1"), Decimal(1), "last", "ts-1"
    )
    return msgspec.structs.replace(request, **changes)


def close(position_side="both", side=Side.LONG, **changes) -> CloseRequest:
    request = CloseRequest(LEGS[position_side], side, Decimal("0.5"), "ts-1")
    return msgspec.structs.replace(request, **changes)


@pytest.mark.parametrize(("position_side", "side"), SIDES)
@pytest.mark.parametrize("trigger", ["last", "mark"])
def test_every_stop_that_is_built_passes_the_gate(position_side, side, trigger):
    request = stop(position_side, side, trigger=trigger)
    assert gate.check_stop(orders.stop_body(request), request, BTC, "main") is None


@pytest.mark.parametrize(("position_side", "side"), SIDES)
@pytest.mark.parametrize("quantity", ["0.001", "120", "1800"])
def test_every_close_that_is_built_passes_the_gate(position_side, side, quantity):
    request = close(position_side, side, quantity=Decimal(quantity))
    body = orders.close_body(request, BTC)
    assert gate.check_close(body, request, BTC, "main") is None
    assert body["side"] == {Side.LONG: "Sell", Side.SHORT: "Buy"}[side]
    assert Decimal(body["qty"]) == min(Decimal(quantity), Decimal(120))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"takeProfit": "70000"}, "unexpected parameters takeProfit"),
        ({"trailingStop": "100"}, "unexpected parameters trailingStop"),
        ({"slSize": "1", "tpSize": "1"}, "unexpected parameters slSize, tpSize"),
        ({"tpslMode": "Partial"}, "tpslMode"),
        ({"stopLoss": "0"}, "removed"),
        ({"stopLoss": "60000.2"}, "not the one asked for"),
        ({"stopLoss": "near"}, "removed"),
        ({"stopLoss": "6e4"}, "not the one asked for"),
        ({"slTriggerBy": "MarkPrice"}, "slTriggerBy"),
        ({"slTriggerBy": ""}, "slTriggerBy"),
        ({"positionIdx": 1}, "positionIdx"),
        ({"positionIdx": "0"}, "positionIdx"),
        ({"positionIdx": False}, "positionIdx"),
        ({"symbol": "ETHUSDT"}, "symbol"),
        ({"category": "inverse"}, "category"),
    ],
)
def test_a_stop_that_is_not_the_one_asked_for_does_not_leave(change, text):
    request = stop()
    body = {**orders.stop_body(request), **change}
    assert text in gate.check_stop(body, request, BTC, "main")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (stop(role=Role.BACKSTOP), "one stop"),
        (stop(role=Role.FOREIGN), "one stop"),
        (stop(price=Decimal("60000.15")), "tick grid"),
        (stop(leg=Leg("main", "binance", "BTCUSDT")), "another exchange"),
        (stop(leg=Leg("other", "bybit", "BTCUSDT")), "another account"),
        (stop("long", Side.SHORT), "cannot hold a short"),
    ],
)
def test_a_stop_that_makes_no_sense_does_not_leave(request_, text):
    assert text in gate.check_stop(orders.stop_body(request_), request_, BTC, "main")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"reduceOnly": False}, "reduce-only"),
        ({"reduceOnly": "true"}, "reduce-only"),
        ({"side": "Buy"}, "adds to a long"),
        ({"orderType": "Limit"}, "orderType"),
        ({"qty": "0.501"}, "exceeds"),
        ({"qty": "0"}, "not above 0"),
        ({"qty": "0.0005"}, "step grid"),
        ({"positionIdx": 2}, "positionIdx"),
        ({"orderLinkId": "ts-2"}, "client id"),
        ({"closeOnTrigger": True}, "unexpected"),
    ],
)
def test_a_close_that_is_not_the_one_asked_for_does_not_leave(change, text):
    request = close()
    body = {**orders.close_body(request, BTC), **change}
    assert text in gate.check_close(body, request, BTC, "main")


@pytest.mark.parametrize("client_id", ["", "x" * 37, "ts:1", "ts 1"])
def test_a_client_id_that_the_exchange_would_not_take_does_not_leave(client_id):
    request = close(client_id=client_id)
    assert "36" in gate.check_close(orders.close_body(request, BTC), request, BTC, "main")


@pytest.mark.parametrize(
    ("code", "text", "reason", "by_grid"),
    [
        (
            10001,
            "StopLoss:68870000 set for Buy position should lower than base_price:68500000??LastPrice",
            Refusal.WOULD_TRIGGER,
            False,
        ),
        (10001, "can not set tp/sl/ts for zero position", Refusal.POSITION_GONE, False),
        (10001, "position idx not match position mode", Refusal.OTHER, False),
        (10001, "Qty invalid", Refusal.OTHER, True),
        (110017, "current position is zero", Refusal.POSITION_GONE, False),
        (110093, "expect Falling", Refusal.WOULD_TRIGGER, False),
        (110009, "", Refusal.LIMIT, False),
        (10002, "", Refusal.TRANSIENT, False),
        (99999, "new", Refusal.OTHER, False),
    ],
)
def test_what_a_code_means(code, text, reason, by_grid):
    assert codes.refused(code, text).reason is reason
    assert codes.is_grid(code, text) is by_grid


def test_settings_refuse_what_would_confuse_orders_and_keep_the_secret():
    fields = {
        "account": "main",
        "api_key": "K3Y",
        "api_secret": "S3CRET",
        "rest_url": "https://api.bybit.com",
        "ws_url": "wss://stream.bybit.com",
    }
    with pytest.raises(ConfigError, match="prefix"):
        BybitSettings(**fields, own_prefix="")
    with pytest.raises(ConfigError, match="coin"):
        BybitSettings(**fields, own_prefix="ts-", settle_coins=())
    shown = repr(BybitSettings(**fields, own_prefix="ts-"))
    assert "S3CRET" not in shown
    assert "K3Y" not in shown
