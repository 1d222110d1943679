"""What each outside client opens has a stop within two seconds of its fill, in real time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from benchmarks.outside.report import WITHIN_MS, distribution, exchange_clocks
from benchmarks.outside.scene import MODES, SIDES, VENUES, Adoption, Case, Scene, cases

CLIENTS = tuple(VENUES)
SEED = 1


@pytest.fixture(scope="module")
def scene(peers_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(tmp_path_factory.mktemp("scene"), CLIENTS, SEED) as running:
        yield running


@pytest.mark.peers
@pytest.mark.parametrize(("client", "mode", "side"), list(product(CLIENTS, MODES, SIDES)))
def test_a_position_has_its_stop_within_two_seconds(scene, client, mode, side):
    adopted = scene.adopt(Case(client, mode, side, "BTCUSDT"))
    assert adopted.first_stop_ms is not None
    assert adopted.first_stop_ms <= WITHIN_MS


@pytest.mark.peers
def test_the_exchange_counted_no_unprotected_time(scene):
    clocks = exchange_clocks(scene.exchange.state())
    assert clocks["unprotected_ms"] == 0
    assert clocks["loosened_ms"] == 0
    assert clocks["longest_first_stop_ms"] <= WITHIN_MS


def test_every_client_opens_every_kind_of_leg():
    drawn = list(cases(CLIENTS, len(CLIENTS) * 8))
    assert len(set(drawn)) == len(drawn)


def test_a_position_without_a_stop_leaves_the_tail_open():
    case = Case("pybit", "one_way", "long", "BTCUSDT")
    rows = [Adoption(case, ms) for ms in (*range(1, 100), None)]
    assert distribution(rows) == {
        "positions": 100,
        "min": 1,
        "median": 50,
        "p90": 90,
        "p99": 99,
        "max": None,
        "within_2000_ms": "99.0%",
        "late": 1,
    }


def test_a_late_stop_is_counted_as_late():
    case = Case("pybit", "one_way", "long", "BTCUSDT")
    rows = [Adoption(case, WITHIN_MS), Adoption(case, WITHIN_MS + 1)]
    assert distribution(rows)["late"] == 1
