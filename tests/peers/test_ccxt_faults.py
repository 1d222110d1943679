"""ccxt while the exchange fails it: each failure is the error that ccxt has for it, and a look-up
by the client id tells whether the stop took effect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Client
from tests.peers.exchange import PaperExchange

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def understood(run_client: Client) -> dict[str, Any]:
    return run_client("ccxt_faults.py")


@pytest.mark.parametrize(
    ("fault", "kind", "took_effect"),
    [
        ("too_many_requests", "DDoSProtection", False),
        ("overloaded", "ExchangeError", False),
        ("unavailable", "OperationFailed", False),
        ("unknown_not_executed", "OperationFailed", False),
        ("unknown_executed", "OperationFailed", True),
        ("timeout_executed", "RequestTimeout", True),
        ("lost_request", "NetworkError", False),
        ("lost_answer", "NetworkError", True),
    ],
)
def test_a_failed_placement_is_an_error_and_a_look_up_tells_its_outcome(
    understood, fault, kind, took_effect
):
    assert (understood[fault]["class"], understood[fault]["found"]) == (kind, took_effect)


def test_a_ban_holds_for_what_is_asked_next(understood):
    assert understood["banned"]["class"] == "DDoSProtection"
    assert understood["banned"]["found"] is None


def test_what_ccxt_found_is_what_rests(understood, exchange: PaperExchange):
    found = {row["client_id"] for row in understood.values() if row["found"]}
    resting = {row["client_id"] for row in exchange.state("long")["open_conditionals"]}
    assert resting == found
    assert len(found) == 3
