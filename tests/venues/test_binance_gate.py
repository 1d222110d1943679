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


def stop(role=Role.WORKING, side=Side.LONG, price="60000.1", quantity="0.01", client_id="ts-1"):
    return StopRequest(LEG, side, role, Decimal(price), Decimal(quantity), "last", client_id)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("role", [Role.WORKING, Role.BACKSTOP])
def test_stops_that_our_own_code_builds_pass(role, side):
    request = stop(role, side)
    assert gate.check_stop(orders.stop_params(request), request, BTC, "main") is None


@pytest.mark.parametrize("side", list(Side))
def test_closes_that_our_own_code_builds_pass(side):
    request = CloseRequest(LEG, side, Decimal("0.01"), "ts-1")
    assert gate.check_close(orders.close_params(request, BTC), request, BTC, "main") is None


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
        pytest.param({"positionSide": "LONG"}, "unexpected", id="hedge parameter"),
    ],
)
def test_a_mistake_in_a_working_stop_is_found(change, text):
    request = stop()
    params = orders.stop_params(request) | change
    params = {name: value for name, value in params.items() if value is not None}
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
        pytest.param(Leg("main", "binance", "BTCUSDT", "long"), "one-way", id="hedge leg"),
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
