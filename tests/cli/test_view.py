"""The table of positions as text: every figure is there, at 100 and at 160 columns."""

import io
from decimal import Decimal

import pytest
from msgspec.structs import replace
from rich.console import Console

from trailstop.daemon.talk.status import AccountStatus, Fact, LegStatus, Status
from trailstop.domain.position import Leg, Phase
from trailstop.domain.price import Side
from trailstop.view.table import render
from trailstop.view.words import average, fact_line, percent, price, span

AT_MS = 1_790_000_000_000
LONG = LegStatus(
    leg=Leg("main", "binance", "BTCUSDT"),
    epoch=AT_MS,
    side=Side.LONG,
    phase=Phase.ACTIVE,
    entry_price=Decimal("61234.50000000"),
    quantity=Decimal("0.016"),
    opened_at_ms=AT_MS - 125_000,
    protection="held",
    price=Decimal("62500.1"),
    peak=Decimal("62600.0"),
    exact_stop=Decimal("62287.0"),
    target_stop=Decimal("62250.3"),
    live_stop=Decimal("62200.2"),
    backstop=Decimal("58172.8"),
    distance_percent=Decimal("0.48"),
    gain_percent=Decimal("2.0669"),
    moves=7,
    hold_reason="interval",
    hold_text="waits 23 s of the 60 s between two moves",
)
SHORT = LegStatus(
    leg=Leg("main", "binance", "DOGEUSDT"),
    epoch=AT_MS,
    side=Side.SHORT,
    phase=Phase.INACTIVE,
    entry_price=Decimal("0.15973"),
    quantity=Decimal(6000),
    opened_at_ms=AT_MS - 400,
    protection="none",
    gain_percent=Decimal("-0.5"),
)
STATUS = Status(
    version="0.1.0",
    mode="paper",
    now_ms=AT_MS,
    started_at_ms=AT_MS - 60_000,
    accounts=(
        AccountStatus(
            name="main", venue="binance", connected=True, not_guarded=("main/binance/XRPUSDT",)
        ),
        AccountStatus(name="side", venue="binance", connected=False),
    ),
    legs=(LONG, SHORT),
    recent=("14:13:19 BTCUSDT stop 62100 → 62200.2 (trail)",),
)


def text(status: Status, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render(status, width))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [100, 160])
def test_every_figure_of_a_position_is_shown_whole(width):
    shown = text(STATUS, width)
    row = next(line for line in shown.splitlines() if line.startswith("long BTCUSDT "))
    for figure in (
        "TRAILING", "61 234.5", "62 500.1", "+2.07 %", "62 600.0", "62 287.0", "62 250.3",
        "62 200.2", "0.48 %",
    ):  # fmt: skip
        assert figure in row
    assert LONG.hold_text in shown
    assert all(len(line) <= width for line in shown.splitlines())
    assert "…" not in row


def test_a_wide_terminal_shows_backstop_moves_age_and_account_too():
    row = next(line for line in text(STATUS, 160).splitlines() if line.startswith("long BTC"))
    for figure in ("main", "58 172.8", " 7 ", "2 min 5 s"):
        assert figure in row


@pytest.mark.parametrize("width", [100, 160])
def test_what_is_wrong_is_said_in_words_not_in_colours(width):
    shown = text(STATUS, width)
    assert "PAPER" in shown
    assert "1 of 2 positions WITHOUT a known stop" in shown
    row = next(line for line in shown.splitlines() if line.startswith("short DOGEUSDT"))
    assert "NO STOP" in row
    assert "-0.50 %" in row
    assert "side: NOT CONNECTED" in shown
    assert "NOT GUARDED on main: main/binance/XRPUSDT" in shown
    assert "14:13:19 BTCUSDT stop" in shown


@pytest.mark.parametrize("width", [100, 160])
def test_the_venue_is_told_where_there_is_more_than_one(width):
    both = replace(
        STATUS,
        accounts=(*STATUS.accounts, AccountStatus(name="by", venue="bybit", connected=True)),
        legs=(*STATUS.legs, replace(LONG, leg=Leg("by", "bybit", "BTCUSDT"))),
    )
    lines = [line for line in text(both, width).splitlines() if line.startswith("long BTCUSDT ")]
    rows = [line for line in lines if not line.startswith("long BTCUSDT on ")]
    waits = [line.partition(":")[0] for line in lines if line not in rows]
    assert waits == ["long BTCUSDT on binance", "long BTCUSDT on bybit"]
    assert [next(word for word in ("binance", "bybit") if word in row) for row in rows] == [
        "binance", "bybit",
    ]  # fmt: skip
    assert all("61 234.5" in row and "0.48 %" in row and "…" not in row for row in rows)
    assert "bybit" not in text(STATUS, width)
    table = text(STATUS, width).split("NOT GUARDED")[0]
    assert "binance" not in table


def test_without_positions_it_says_so():
    empty = Status(version="1", mode="paper", now_ms=AT_MS, started_at_ms=AT_MS)
    assert "no open position" in text(empty, 100)


def test_numbers_in_words():
    assert price(None) == "–"
    assert price(Decimal("1E+3")) == "1 000"
    assert percent(Decimal("-0.004"), signed=True) == "-0.00 %"
    assert average(Decimal("65006.7000000000001")) == "65 006.7"
    assert average(Decimal("0.000123456789")) == "0.0001234568"
    assert [span(ms) for ms in (0, 850, 12_345, 245_000, 11_400_000, 198_000_000)] == [
        "0 ms", "850 ms", "12 s", "4 min 5 s", "3 h 10 min", "2 d 7 h",
    ]  # fmt: skip


def test_a_fact_is_one_line_with_its_time():
    fact = Fact(sequence=1, at_ms=AT_MS, kind="moved", text="long BTCUSDT stop", leg=LONG.leg)
    assert fact_line(fact) == "14:13:20 long BTCUSDT stop"
