"""The demo's result: the exchange's figures joined with the guard's memory."""

import io
from decimal import Decimal

import msgspec
import pytest
from rich.console import Console

from trailstop.daemon.talk.status import EpochSummary
from trailstop.demo.report import make_result
from trailstop.demo.result import join_positions
from trailstop.demo.settings import DemoSettings
from trailstop.demo.summary import render_summary
from trailstop.domain.position import Cause, Leg, Phase
from trailstop.domain.price import Side

START_US = 1_790_000_000_000_000
SECOND_US = 1_000_000


def closed(opened_s=10, closed_s=100, *, symbol="BTCUSDT", side="long", result="12.5"):
    return {
        "symbol": symbol,
        "side": side,
        "quantity": "0.5",
        "entry_price": "1000.10000000",
        "exit_price": "1030.2",
        "opened_us": START_US + opened_s * SECOND_US,
        "closed_us": START_US + closed_s * SECOND_US,
        "fees": "0.4",
        "funding": "0",
        "result": result,
    }


def still_open(opened_s=10, *, symbol="BTCUSDT", side="short"):
    return {
        "symbol": symbol,
        "position_side": "BOTH",
        "side": side,
        "amount": "-0.5",
        "entry_price": "1000.1",
        "opened_us": START_US + opened_s * SECOND_US,
        "fees": "0.2",
        "funding": "0",
    }


def remembered(opened_s=10, *, account="long", cause=Cause.TRAIL, side=Side.LONG, moves=3):
    return EpochSummary(
        leg=Leg(account, "binance", "BTCUSDT"),
        epoch=opened_s,
        side=side,
        entry_price=Decimal(1000),
        quantity=Decimal("0.5"),
        opened_at_ms=START_US // 1_000 + opened_s * 1_000,
        cause=cause,
        phases=(Phase.WAITING, Phase.ACTIVE, Phase.TRIGGERED),
        moves=moves,
        holds={"interval": 2},
    )


VENUES = {"long": "binance", "short": "binance", "bybit-long": "bybit", "bybit-short": "bybit"}


def account(*, ended=(), positions=(), stops=()):
    return {
        "epochs": list(ended),
        "positions": list(positions),
        "open_conditionals": list(stops),
    }


def accounts(*, ended=(), positions=(), name="long"):
    return {name: account(ended=ended, positions=positions)}


def leg_clocks(name, **clocks):
    plain = {
        "unprotected_ms": 0,
        "loosened_ms": 0,
        "first_stop_ms": None,
        "size_lag_ms": 0,
        "loosened": 0,
        "duplicates": 0,
    }
    return {"account": name, "symbol": "BTCUSDT", "position_side": "BOTH", **plain, **clocks}


def test_a_closed_life_has_the_exchange_s_money_and_the_guard_s_story():
    (row,) = join_positions(accounts(ended=[closed()]), VENUES, [remembered()])
    assert (row.entry, row.exit) == (Decimal("1000.1"), Decimal("1030.2"))
    assert str(row.entry) == "1000.1"
    assert (row.cause, row.moves, row.holds) == ("trail", 3, {"interval": 2})
    assert row.phases == ("waiting", "active", "triggered")
    assert (row.result_after_fees, row.result_percent) == (Decimal("12.5"), Decimal("2.50"))
    assert (row.opened_at, row.closed_at) == (
        "2026-09-21T14:13:30.000Z",
        "2026-09-21T14:15:00.000Z",
    )


def test_an_open_position_is_open_and_has_no_result():
    epochs = [remembered(account="short", cause=None, side=Side.SHORT)]
    (row,) = join_positions(accounts(positions=[still_open()], name="short"), VENUES, epochs)
    assert (row.cause, row.exit, row.result_after_fees) == ("open", None, None)
    assert row.quantity == Decimal("0.5")


@pytest.mark.parametrize(
    ("epochs", "cause", "moves"),
    [
        pytest.param([], "unknown", 0, id="the guard never saw it"),
        pytest.param([remembered(account="short")], "unknown", 0, id="another account's"),
        pytest.param([remembered(side=Side.SHORT)], "unknown", 0, id="the other side's"),
        pytest.param([remembered(opened_s=101)], "unknown", 0, id="the next life's"),
        pytest.param([remembered(opened_s=11)], "trail", 3, id="adopted a moment later"),
        pytest.param(
            [remembered(cause=None, moves=1), remembered(50, cause=Cause.CROSSED, moves=2)],
            "crossed",
            3,
            id="adopted twice: one life",
        ),
    ],
)
def test_lives_meet_their_memory(epochs, cause, moves):
    (row,) = join_positions(accounts(ended=[closed()]), VENUES, epochs)
    assert (row.cause, row.moves) == (cause, moves)


def test_positions_come_in_the_order_of_opening():
    rows = join_positions(
        {
            "short": {"epochs": [closed(50, 60, side="short")], "positions": []},
            "long": {"epochs": [closed(70, 80), closed(10, 40)], "positions": [still_open(90)]},
        },
        VENUES,
        [],
    )
    assert [row.opened_at[-9:-5] for row in rows] == ["3:30", "4:10", "4:30", "4:50"]


STATE = {
    "accounts": {
        **accounts(ended=[closed()], positions=[still_open(side="long")]),
        "short": account(),
    },
    "legs": [leg_clocks("long", loosened_ms=120, loosened=1, first_stop_ms=364)],
    "clocks": {
        "unprotected_ms": 0,
        "loosened_ms": 120,
        "first_stop_ms": 364,
        "size_lag_ms": 0,
        "loosened": 1,
        "duplicates": 0,
    },
    "settings": {
        "mark_window_us": 30_000_000,
        "second_reduce_only_stop": "refuse",
        "taker_fee": "0.0005",
        "maker_fee": "0.0002",
        "slippage_percent": "0.01",
        "spread_ticks": 1,
        "depth": "100000",
        "notional": "1000",
        "funding_rate": "0.0001",
    },
    "openings": {"opened": 2, "skipped": 5, "refused": 0},
    "sources": ["BTCUSDT-1m.csv"],
    "markets": {"BTCUSDT": {"refused_rows": 2}},
    "incidents": [],
    "data_over": True,
    "latency_ms": 0,
    "now_us": START_US + 200 * SECOND_US,
}


def test_the_json_object_holds_what_others_rely_on():
    result = make_result(DemoSettings(seed=3, speed=0.0, every=5), STATE, START_US, [remembered()])
    plain = msgspec.json.decode(msgspec.json.encode(result))
    for name, value in {
        "mode": "paper",
        "data": ["BTCUSDT-1m.csv"],
        "skipped": 5,
        "unprotected_ms": 0,
        "loosened_ms": 120,
        "first_stop_ms": 364,
        "size_lag_ms": 0,
        "loosened": 1,
        "duplicates": 0,
        "latency_ms": 0,
        "seed": 3,
        "speed": 0.0,
        "second_reduce_only_stop": "refuse",
        "taker_fee": "0.0005",
        "mark_source": "30 s mean of the last price",
        "virtual_seconds": 200,
    }.items():
        assert plain[name] == value
    first = plain["positions"][0]
    for name in ("symbol", "side", "entry", "exit", "cause", "phases", "moves", "holds"):
        assert name in first
    assert first["result_after_fees"] == "12.5"


def test_each_venue_has_clocks_and_orphans_of_its_own():
    stop = {"symbol": "BTCUSDT", "position_side": "BOTH"}
    state = STATE | {
        "accounts": {
            **accounts(ended=[closed()], positions=[still_open(side="long")]),
            "short": account(),
            "bybit-long": account(ended=[closed()], stops=[stop]),
            "bybit-short": account(positions=[still_open()], stops=[stop]),
        },
        "legs": [
            leg_clocks("long", loosened_ms=120, first_stop_ms=364),
            leg_clocks("bybit-long", unprotected_ms=7, first_stop_ms=90, duplicates=1),
            leg_clocks("bybit-short", unprotected_ms=3, first_stop_ms=200, size_lag_ms=5),
        ],
    }
    settings = DemoSettings(venues=("binance", "bybit"))
    result = make_result(settings, state, START_US, [remembered()])
    binance, bybit = result.venues
    assert (binance.venue, binance.loosened_ms, binance.first_stop_ms) == ("binance", 120, 364)
    assert (binance.unprotected_ms, binance.orphans) == (0, 0)
    assert (bybit.venue, bybit.unprotected_ms, bybit.first_stop_ms) == ("bybit", 10, 200)
    assert (bybit.duplicates, bybit.size_lag_ms) == (1, 5)
    assert bybit.orphans == result.orphans == 1, "a stop whose position is open is none"
    assert {row.venue for row in result.positions if row.account.startswith("bybit-")} == {"bybit"}
    text = summary(result)
    for words in (
        "binance: 0 ms without a stop, 120 ms with a looser",
        "bybit: 10 ms without a stop",
        "1 stop left behind",
        "bybit-short",
    ):
        assert words in text


def summary(result):
    console = Console(file=io.StringIO(), width=140, color_system=None)
    console.print(render_summary(result))
    return console.file.getvalue()


def test_the_summary_says_it_in_words():
    result = make_result(DemoSettings(seed=3, speed=0.0), STATE, START_US, [remembered()])
    text = summary(result)
    assert "binance" not in text, "one venue needs no naming"
    for words in (
        "trailing stop", "still open", "+12.50 (+2.50 %)", "5 openings skipped",
        "0 ms without a stop, 120 ms with a looser stop", "at most 364 ms after the fill",
        "no latency", "second reduce-only stop: refuse", "30 s mean",
    ):  # fmt: skip
        assert words in text
