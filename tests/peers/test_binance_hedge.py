"""The clients of Binance in hedge mode: each leg has its position and its stops."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client

pytestmark = pytest.mark.peers

ACCOUNTS = ("ccxt", "pythonbinance", "connector")
CLIENTS = {"ccxt": "ccxt", "pythonbinance": "python-binance", "connector": "connector"}
LONG_STOPS = {("LONG", "SELL", 49000.0), ("LONG", "SELL", 48000.0)}
SHORT_STOPS = {("SHORT", "BUY", 51000.0), ("SHORT", "BUY", 52000.0)}


@pytest.fixture(scope="module", params=ACCOUNTS)
def understood(run_client: Client, request: pytest.FixtureRequest) -> dict[str, Any]:
    return run_client("binance_hedge.py", request.param, client=CLIENTS[request.param])


def test_both_legs_are_held_at_once(understood):
    assert understood["hedge"] is True
    assert understood["positions"] == [["LONG", 0.02, True], ["SHORT", 0.01, True]]


def test_the_stops_of_each_leg_rest_beside_the_others(understood):
    assert {tuple(row) for row in understood["stops"]} == LONG_STOPS | SHORT_STOPS


@pytest.mark.parametrize(
    ("call", "code"),
    [("same_mode", -4059), ("without_leg", -4061), ("reduce_only", -1106), ("held", -4067)],
)
def test_what_hedge_mode_forbids_is_refused(understood, call, code):
    assert str(code) in understood[call]


def test_closing_one_leg_leaves_the_other_its_position_and_its_stops(understood):
    half = understood["half"]
    assert half["positions"] == [["SHORT", 0.01, True]]
    assert {tuple(row) for row in half["stops"]} > SHORT_STOPS
    # The stop of the whole position ends with it.
    assert ["LONG", "SELL", 48000.0] not in half["stops"]
    assert understood["left"]["positions"] == []


def test_no_answer_deviates_from_the_clients_models(understood):
    assert understood["complaints"] == []
