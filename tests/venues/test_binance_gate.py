"""The last look at an outgoing order: one row a mistake."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Instrument, Side
from trailstop.ports import CloseRequest, StopRequest
from trailstop.venues.binance import gate, orders

BTC = Instrument("BTCUSDT", Decimal("0.1"), Decimal("0.001"), Decimal("0.001"), Decimal(120))
LEG = Leg("main", "binance", "BTCUSDT")
LONG = Leg("main", "binance", "BTCUSDT", "long")
SHORT = Leg("main", "binance", "BTCUSDT", "short")
LEGS = [(LEG, Side.LONG), (LEG, Side.SHORT), (LONG, Side.LONG), (SHORT, Side.SHORT)]


def stop(
    role=Role.WORKING,
    side=Side.LONG,
    price="60000.1",
    *,
    quantity="0.01",
    client_id="ts-1",
    leg=LEG,
):
    return StopRequest(leg, side, role, Decimal(price), Decimal(quantity), "last", client_id)


def changed(params, change):
    return {name: value for name, value in (params | change).items() if value is not None}


@pytest.mark.parametrize(("leg", "side"), LEGS)
@pytest.mark.parametrize("role", [Role.WORKING, Role.BACKSTOP])
def test_stops_that_our_own_code_builds_pass(role, leg, side):
    request = stop(role, side, leg=leg)
    assert gate.check_stop(orders.stop_params(request), request, BTC, "main") is None


@pytest.mark.parametrize(("leg", "side"), LEGS)
def test_closes_that_our_own_code_builds_pass(leg, side):
    request = CloseRequest(leg, side, Decimal("0.01"), "ts-1")
    assert gate.check_close(orders.close_params(request, BTC), request, BTC, "main") is None


FORM = ("side", "positionSide", "reduceOnly", "closePosition", "quantity")


@pytest.mark.parametrize(
    ("leg", "side", "role", "form"),
    [
        (LEG, Side.LONG, Role.WORKING, ("SELL", None, "true", None, "0.01")),
        (LEG, Side.SHORT, Role.WORKING, ("BUY", None, "true", None, "0.01")),
        (LEG, Side.LONG, Role.BACKSTOP, ("SELL", None, None, "true", None)),
        (LONG, Side.LONG, Role.WORKING, ("SELL", "LONG", None, None, "0.01")),
        (SHORT, Side.SHORT, Role.WORKING, ("BUY", "SHORT", None, None, "0.01")),
        (LONG, Side.LONG, Role.BACKSTOP, ("SELL", "LONG", None, "true", None)),
        (SHORT, Side.SHORT, Role.BACKSTOP, ("BUY", "SHORT", None, "true", None)),
    ],
)
def test_the_leg_decides_how_an_order_says_that_it_only_reduces(leg, side, role, form):
    params = orders.stop_params(stop(role, side, leg=leg))
    assert tuple(params.get(name) for name in FORM) == form
    if role is Role.WORKING:
        close = orders.close_params(CloseRequest(leg, side, Decimal("0.01"), "ts-1"), BTC)
        assert tuple(close.get(name) for name in FORM[:4]) == form[:4]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param({"side": "BUY"}, "adds to a long", id="opens more of the leg"),
        pytest.param({"positionSide": "SHORT"}, "not that of", id="opens the other leg"),
        pytest.param({"positionSide": "SHORT", "side": "BUY"}, "adds to a long", id="other leg"),
        pytest.param({"positionSide": "BOTH"}, "not that of", id="form of one-way mode"),
        pytest.param({"positionSide": None}, "not that of", id="leg left out"),
        pytest.param({"positionSide": "long"}, "not that of", id="small letters"),
        pytest.param(
            {"positionSide": None, "reduceOnly": "true"}, "not that of", id="flag for the leg"
        ),
    ],
)
@pytest.mark.parametrize("role", [Role.WORKING, Role.BACKSTOP])
def test_a_mistake_in_a_hedge_order_is_found(role, change, text):
    request = stop(role, leg=LONG)
    params = changed(orders.stop_params(request), change)
    assert text in (gate.check_stop(params, request, BTC, "main") or "")
    close = CloseRequest(LONG, Side.LONG, Decimal("0.01"), "ts-1")
    params = changed(orders.close_params(close, BTC), change)
    assert text in (gate.check_close(params, close, BTC, "main") or "")


@pytest.mark.parametrize("flag", ["true", "false"])
def test_hedge_mode_takes_no_flag(flag):
    request = CloseRequest(SHORT, Side.SHORT, Decimal("0.01"), "ts-1")
    params = changed(orders.close_params(request, BTC), {"reduceOnly": flag})
    assert "no reduceOnly" in (gate.check_close(params, request, BTC, "main") or "")


def test_a_leg_never_holds_the_other_side():
    request = CloseRequest(LONG, Side.SHORT, Decimal("0.01"), "ts-1")
    params = orders.close_params(request, BTC)
    assert "cannot hold a short" in (gate.check_close(params, request, BTC, "main") or "")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param({"side": "BUY"}, "adds to a long", id="side swapped"),
        pytest.param({"reduceOnly": None}, "not reduce-only", id="flag dropped"),
        pytest.param({"reduceOnly": "false"}, "not reduce-only", id="flag false"),
        pytest.param({"triggerPrice": "60000.15"}, "not the one asked", id="price changed"),
        pytest.param({"triggerPrice": "0"}, "above 0", id="price zero"),
        pytest.param({"triggerPrice": "-1"}, "above 0", id="price negative"),
        pytest.param({"triggerPrice": None}, "above 0", id="price missing"),
        pytest.param({"triggerPrice": "NaN"}, "above 0", id="price no number"),
        pytest.param({"quantity": "0.011"}, "exceeds the position", id="too large"),
        pytest.param({"quantity": "0.0095"}, "step grid", id="off the step"),
        pytest.param({"quantity": "0"}, "above 0", id="nothing"),
        pytest.param({"quantity": None}, "above 0", id="quantity missing"),
        pytest.param({"closePosition": "true"}, "no closePosition", id="both forms"),
        pytest.param({"clientAlgoId": "ts-2"}, "not the one asked", id="another id"),
        pytest.param({"symbol": "ETHUSDT"}, "symbol", id="another symbol"),
        pytest.param({"type": "TAKE_PROFIT_MARKET"}, "STOP_MARKET", id="take profit"),
        pytest.param({"workingType": "MARK_PRICE"}, "CONTRACT_PRICE", id="watches the mark"),
        pytest.param({"algoType": None}, "CONDITIONAL", id="algo type missing"),
        pytest.param({"priceProtect": "true"}, "priceProtect", id="protected from working"),
        pytest.param({"positionSide": "LONG"}, "one-way mode", id="hedge parameter"),
        pytest.param({"positionSide": "BOTH"}, "one-way mode", id="needless parameter"),
        pytest.param({"stopPrice": "1"}, "unexpected", id="parameter of the old route"),
    ],
)
def test_a_mistake_in_a_working_stop_is_found(change, text):
    request = stop()
    params = changed(orders.stop_params(request), change)
    assert text in (gate.check_stop(params, request, BTC, "main") or "")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        pytest.param(stop(price="60000.15"), "tick grid of 0.1", id="off the tick"),
        pytest.param(stop(client_id="x" * 37), "36 allowed", id="id too long"),
        pytest.param(stop(client_id="ts 1"), "36 allowed", id="id with a space"),
        pytest.param(stop(client_id=""), "36 allowed", id="id empty"),
        pytest.param(stop(role=Role.FOREIGN), "foreign", id="foreign role"),
    ],
)
def test_a_wrong_request_is_found(request_, text):
    params = orders.stop_params(request_)
    assert text in (gate.check_stop(params, request_, BTC, "main") or "")


@pytest.mark.parametrize(
    ("leg", "text"),
    [
        pytest.param(Leg("main", "bybit", "BTCUSDT"), "another exchange", id="exchange"),
        pytest.param(Leg("other", "binance", "BTCUSDT"), "another account", id="account"),
        pytest.param(Leg("main", "binance", "BTCUSDT", "up"), "cannot hold", id="unknown side"),
    ],
)
def test_a_leg_of_somewhere_else_is_found(leg, text):
    request = CloseRequest(leg, Side.LONG, Decimal("0.01"), "ts-1")
    params = orders.close_params(request, BTC)
    assert text in (gate.check_close(params, request, BTC, "main") or "")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param({"quantity": "0.01"}, "neither quantity", id="sized"),
        pytest.param({"reduceOnly": "true"}, "neither quantity", id="reduce-only as well"),
        pytest.param({"closePosition": "false"}, "without closePosition", id="flag false"),
    ],
)
def test_a_mistake_in_a_backstop_is_found(change, text):
    request = stop(Role.BACKSTOP)
    params = orders.stop_params(request) | change
    assert text in (gate.check_stop(params, request, BTC, "main") or "")
