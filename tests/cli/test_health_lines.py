"""What the view tells of exchange, prices and this machine."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.cli.test_view import AT_MS, STATUS, text
from trailstop.daemon.talk.status import AccountStatus
from trailstop.feeds.health import Delays, FeedHealth
from trailstop.ports import VenueHealth

WELL = VenueHealth(None, 0, AT_MS, "", 240, 2_400, 3, 300, None, 12, 0)
FEED = FeedHealth(
    mode="stream", polling=False, delay_stream=Delays(count=60, mean_ms=52, max_ms=210)
)


def shown(width=120, *, exchange=WELL, feed=FEED, **changes):
    account = AccountStatus(
        name="main", venue="binance", connected=True, exchange=exchange, feed=feed
    )
    return text(replace(STATUS, accounts=(account,), legs=(), **changes), width)


def test_delay_and_use_of_the_limits_are_shown():
    line = next(line for line in shown().splitlines() if line.startswith("main on binance:"))
    assert "stream 52 ms late, at most 210 ms" in line
    assert "weight 10 %; orders 1 %; its clock +12 ms from ours" in line


@pytest.mark.parametrize(
    ("exchange", "feed", "words"),
    [
        ({"shut_until_ms": AT_MS}, {}, "wants silence until"),
        ({"breaker_open_since_ms": AT_MS, "last_error": "HTTP 502"}, {}, "no reads since"),
        ({}, {"polling": True}, "prices are asked for"),
        ({}, {"silent": ("BTCUSDT",)}, "silent for BTCUSDT"),
        ({}, {"frozen": ("A", "B", "C", "D", "E")}, "stands still for A, B, C and 2 more"),
        ({}, {"refused": {"BTCUSDT": {"late": 2, "absurd": 1}}}, "3 prices refused"),
    ],
)
def test_what_is_wrong_is_said(exchange, feed, words):
    assert words in shown(exchange=replace(WELL, **exchange), feed=replace(FEED, **feed))


def test_a_price_that_seems_to_come_early_comes_at_once():
    early = replace(FEED, delay_stream=Delays(count=3, mean_ms=-14, max_ms=-9))
    assert "stream 0 ms late, at most 0 ms" in shown(feed=early)


def test_asking_for_prices_is_no_worry_where_it_was_chosen():
    assert "asked for" not in shown(feed=replace(FEED, mode="poll", polling=True))


def test_a_store_that_fails_and_a_process_held_up_are_told():
    lines = shown(store_failure="the disk of ts.db is full; free some space", loop_lag_ms=900)
    assert "NOTHING IS RECORDED: the disk of ts.db is full" in lines
    assert "held up for 900 ms" in lines


@pytest.mark.parametrize("width", [100, 160])
def test_nothing_is_wider_than_the_terminal(width):
    feed = replace(FEED, frozen=("SYMBOL1USDT", "SYMBOL2USDT"), silent=("SYMBOL3USDT",))
    lines = shown(width, exchange=replace(WELL, breaker_open_since_ms=AT_MS), feed=feed)
    assert all(len(line) <= width for line in lines.splitlines())
