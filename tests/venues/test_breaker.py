"""A dead exchange is asked rarely, what a position waits for once a second, writes always."""

from __future__ import annotations

import asyncio
import itertools
import random
from decimal import Decimal

import pytest

from tests.venues import bybit_scripted, scripted
from tests.venues.stage import CUT
from trailstop.domain.position import Leg, Role
from trailstop.domain.price import Side
from trailstop.errors import ReadFailed
from trailstop.ports import Acknowledged, StopRequest, Unknown
from trailstop.venues.breaker import FAILURES_MAX, TRIAL_MS_MAX, URGENT_MS, Breaker
from trailstop.venues.governor import urgent_reads


class Manual:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


def opened(now: Manual) -> Breaker:
    breaker = Breaker(now, random.Random(7))
    for _ in range(FAILURES_MAX):
        assert breaker.wait_ms(urgent=False) == 0, "a few failures shut nobody out"
        breaker.failed()
    return breaker


def trials(breaker: Breaker, now: Manual, seconds: int, *, urgent: bool) -> list[int]:
    """When reads went out, asked for every 100 ms while all of them fail."""
    went = []
    for _ in range(seconds * 10):
        now.now_ms += 100
        if breaker.wait_ms(urgent=urgent) == 0:
            went.append(now.now_ms)
            breaker.failed()
    return went


def test_trials_come_less_and_less_often_but_never_end():
    now = Manual()
    went = trials(opened(now), now, 600, urgent=False)
    gaps = [later - before for before, later in itertools.pairwise(went)]
    assert gaps[0] <= URGENT_MS
    assert max(gaps) <= TRIAL_MS_MAX + 100
    assert min(gaps[-5:]) >= TRIAL_MS_MAX // 2
    assert len(set(gaps[-5:])) > 1, "without jitter many would come back as one"
    assert 20 <= len(went) <= 60


def test_what_a_position_waits_for_is_tried_every_few_seconds():
    now = Manual()
    went = trials(opened(now), now, 60, urgent=True)
    assert len(went) == 60_000 // URGENT_MS


def test_one_success_of_anything_ends_it():
    now = Manual()
    breaker = opened(now)
    assert breaker.wait_ms(urgent=False) > 0
    breaker.succeeded()
    assert [breaker.wait_ms(urgent=False) for _ in range(9)] == [0] * 9
    assert (breaker.failures, breaker.open_since_ms) == (0, None)


def test_failures_with_a_success_between_them_open_nothing():
    now = Manual()
    breaker = Breaker(now, random.Random(1))
    for _ in range(50):
        for _ in range(FAILURES_MAX - 1):
            breaker.failed()
        breaker.succeeded()
    assert breaker.wait_ms(urgent=False) == 0


def test_the_same_seed_makes_the_same_trials():
    runs = []
    for _ in range(2):
        now = Manual()
        runs.append(trials(opened(now), now, 300, urgent=False))
    assert runs[0] == runs[1]


# --- at the exchanges -------------------------------------------------------------------------
BINANCE = StopRequest(
    Leg("main", "binance", "BTCUSDT"),
    Side.LONG,
    Role.WORKING,
    Decimal("60000.1"),
    Decimal("0.01"),
    "last",
    "ts-1",
)
BYBIT = StopRequest(
    Leg("main", "bybit", "BTCUSDT"),
    Side.LONG,
    Role.WORKING,
    Decimal("60000.1"),
    Decimal("0.5"),
    "last",
    "ts-1",
)
TAKEN = {
    "algoId": 77,
    "clientAlgoId": "ts-1",
    "orderType": "STOP_MARKET",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "positionSide": "BOTH",
    "quantity": "0.010",
    "algoStatus": "NEW",
    "triggerPrice": "60000.10",
    "reduceOnly": True,
    "createTime": 1_700_000_000_123,
}
PRICE = {"binance": "GET /fapi/v2/ticker/price", "bybit": "GET /v5/market/tickers"}
WRITE = {"binance": "POST /fapi/v1/algoOrder", "bybit": bybit_scripted.SET_STOP}
PLAY = {"binance": scripted.play_venue, "bybit": bybit_scripted.play_venue}
STOP = {"binance": BINANCE, "bybit": BYBIT}
SICK = {
    "binance": [(502, "<html>"), CUT, scripted.error(-1001, "Internal error", 500)],
    "bybit": [(502, "<html>"), CUT, bybit_scripted.refusal(10016, "Server error")],
}


async def ask(venue, seconds: float) -> int:
    """Ask for the price, patiently, every 100 ms; how often it failed."""
    failed = 0
    for _ in range(int(seconds * 10)):
        try:
            await venue.last_price("BTCUSDT")
        except ReadFailed:
            failed += 1
        await asyncio.sleep(0.1)
    return failed


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_dead_exchange_is_asked_once_a_second_and_told(name, kind):
    async def scenario(script, venue):
        script.answers[PRICE[name]] = [SICK[name][kind]]
        await ask(venue, 30)
        health = venue.health()
        return script.count(PRICE[name]), health

    asked, health = PLAY[name](scenario)
    # A kept-alive connection that is cut is replaced at once, for a read.
    sockets = 2 if SICK[name][kind] == CUT else 1
    assert FAILURES_MAX <= health.failures <= FAILURES_MAX + 31
    assert health.failures <= asked <= sockets * health.failures
    assert health.breaker_open_since_ms is not None
    assert health.last_error


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_stop_goes_out_however_dead_the_reads_are(name):
    async def scenario(script, venue):
        script.answers[PRICE[name]] = [SICK[name][0]]
        await ask(venue, 5)
        script.answers[WRITE[name]] = [TAKEN] if name == "binance" else [(502, "")]
        outcome = await venue.place_stop(STOP[name])
        before = script.count(PRICE[name])
        if name == "binance":
            # What the exchange answers to a write is a sign of life for the reads.
            script.answers[PRICE[name]] = [{"symbol": "BTCUSDT", "price": "61000"}]
            await venue.last_price("BTCUSDT")
            assert script.count(PRICE[name]) == before + 1
            assert venue.health().breaker_open_since_ms is None
        return outcome, script.count(WRITE[name])

    outcome, sent = PLAY[name](scenario)
    assert sent == 1
    assert isinstance(outcome, Acknowledged if name == "binance" else Unknown)


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_refusal_and_a_limit_are_no_sickness(name):
    refused = {
        "binance": scripted.error(-1121, "Invalid symbol."),
        "bybit": bybit_scripted.refusal(10001, "params error"),
    }

    async def scenario(script, venue):
        script.answers[PRICE[name]] = [refused[name]]
        failed = await ask(venue, 3)
        return failed, script.count(PRICE[name]), venue.health()

    failed, asked, health = PLAY[name](scenario)
    assert (failed, asked) == (30, 30)
    assert (health.breaker_open_since_ms, health.failures) == (None, 0)


def test_reads_nobody_waits_for_are_left_out_sooner():
    async def scenario(script, venue):
        script.answers["GET /fapi/v1/klines"] = [(503, "<html>")]
        for _ in range(300):
            try:
                with urgent_reads(False):
                    await venue.bars("BTCUSDT", 1, script.now_ms - 60_000, script.now_ms, "last")
            except ReadFailed:
                pass
            await asyncio.sleep(0.1)
        return script.count("GET /fapi/v1/klines")

    assert scripted.play_venue(scenario) <= FAILURES_MAX + 7
