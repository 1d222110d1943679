"""The page: self-contained, complete, and drawn by a real browser where there is one."""

import dataclasses
import html
import json
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tests.lab.report.hand import LOST, WON, at, bars, result
from trailstop.domain.policy import Policy
from trailstop.lab.entries import every
from trailstop.lab.report.document import as_json, document
from trailstop.lab.report.grid import grid_document
from trailstop.lab.report.grid_page import sweep_page
from trailstop.lab.report.html import backtest_page, chosen, thinned
from trailstop.lab.report.page import asset
from trailstop.lab.report.paths import CANDLES_MOST, price_path
from trailstop.lab.report.statistics import EquityPoint
from trailstop.lab.series import Trades
from trailstop.lab.sweep import sweep
from trailstop.lab.terms import FillRule

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
BROWSER_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=5000", "--dump-dom",
)  # fmt: skip


needs_browser = pytest.mark.skipif(BROWSER is None, reason="no browser here")


@pytest.fixture(scope="module")
def page():
    return backtest_page(result())


def data_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_every_number_of_the_json_is_in_the_page(page):
    told = json.loads(as_json(document(result())))
    data = data_of(page)
    assert data["statistics"] == told["statistics"]
    for trade, row in zip(told["trades"], data["rows"], strict=True):
        shown = dict(zip(data["columns"], row, strict=True))
        moves, alarms = trade.pop("moves"), trade.pop("alarms")
        assert shown.pop("alarms") == "; ".join(alarms)
        assert shown == trade
        path = data["paths"][str(trade["number"])]
        assert path["moves"] == [
            [move["at_ms"], move["to_price"], move["kind"], move["reason"]] for move in moves
        ]


def test_nothing_is_asked_from_the_network(page):
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)\s*=\s*["\']?(https?:)?//', page.split("<script>")[0])
    for name in ("page.css", "common.js", "backtest.js"):
        assert "http" not in asset(name)
    assert not re.search(r"<(link|img|iframe|script)[^>]*\s(src|href)=", page)


def test_what_comes_from_elsewhere_cannot_become_markup(page):
    assert "breakout <b>" not in page
    assert "BTCUSDT-1m-&lt;2021&gt;.csv" in page
    assert data_of(page)["rows"][0][1] == "breakout <b>"
    # The reason that holds an end tag must not end the script.
    assert page.count("</script>") == 3


def test_warnings_and_what_was_assumed_stand_in_the_page_itself(page):
    box = page.split('class="warnings"')[1].split("</section>")[0]
    assert "take care" in box
    assert "3 holes" in box
    assert "line 77: price 0" in box
    text = html.unescape(page)
    assert "worst_case: open, against the position" in text
    assert "trailing begins at 1.5 % gain" in text
    assert "fees 0.05 % in and 0.05 % out, slippage 0 %, latency 250 ms" in text
    assert "tick 0.1" in text


def test_no_box_where_there_is_nothing_to_warn_of():
    quiet = result(warnings=())
    calm = type(quiet)(
        **{name: getattr(quiet, name) for name in quiet.__slots__}
        | {"prices": type(quiet.prices)(**{**_fields(quiet.prices), "refused": (), "notes": ()})}
    )
    assert 'class="warnings"' not in backtest_page(calm)


def _fields(thing) -> dict:
    return {name: getattr(thing, name) for name in thing.__slots__}


def test_too_many_trades_leave_their_paths_out_and_say_so():
    many = tuple(replace(WON, number=number) for number in range(1, 1_001))
    page = backtest_page(result(many))
    data = data_of(page)
    assert (len(data["rows"]), len(data["paths"])) == (1_000, 400)
    assert "in this page for 400 of 1000 positions" in page


def test_chosen_are_the_best_the_worst_and_others_of_all_times():
    trades = [replace(WON, number=number, net=Decimal(number * 7 % 101)) for number in range(101)]
    picked = chosen(trades, most=20)
    nets = sorted(trade.net for trade in trades)
    assert len({trade.number for trade in picked}) == 20
    assert {*nets[:5], *nets[-5:]} <= {trade.net for trade in picked}
    assert [trade.number for trade in picked] == sorted(trade.number for trade in picked)


def test_a_thinned_curve_keeps_its_extremes_and_its_end():
    points = [EquityPoint(at, float(at % 997), 0.0) for at in range(50_000)]
    kept = thinned(points)
    assert len(kept) <= 2_001
    assert max(point.sum_net_percent for point in kept) == 996
    assert kept[-1] == points[-1]
    assert [point.at_ms for point in kept] == sorted(point.at_ms for point in kept)


def test_the_path_holds_the_trade_and_the_true_extremes():
    series = bars(3_000)
    long_trade = replace(LOST, entry_ms=at(100), exit_ms=at(2_900))
    path = price_path(series, long_trade)
    assert path is not None
    assert len(path.open) <= CANDLES_MOST
    assert path.each_ms == 19 * 60_000
    ends = path.start_ms, path.start_ms + path.after_ms[-1]
    assert ends[0] < at(100) < at(2_900) < ends[1]
    assert path.base + max(path.high) == int(series.high.max())
    assert path.base + min(path.low) == int(series.low.min())


def test_ticks_become_candles_of_one_length():
    times = at(0) + np.array([0, 10, 20, 5_000, 9_000_000, 9_000_001], dtype=np.int64)
    prices = np.array([1_000, 1_010, 990, 1_005, 1_100, 1_090], dtype=np.int64)
    trades = Trades("BTCUSDT", Decimal("0.1"), times, prices)
    path = price_path(trades, replace(LOST, entry_ms=at(0), exit_ms=int(times[-1])))
    assert path is not None
    assert path.each_ms == 56_251
    assert path.after_ms == [0, 159 * 56_251]
    assert (path.open, path.close) == ([0, 100], [5, 90])
    assert (path.high, path.low) == ([10, 100], [-10, 90])


def test_prices_beyond_a_hole_do_not_press_a_trade_into_a_corner():
    series = bars(60)
    late = dataclasses.replace(
        series, open_ms=series.open_ms + np.where(np.arange(60) < 28, 0, at(800) - at(0))
    )
    path = price_path(late, replace(LOST, entry_ms=at(832), exit_ms=at(840)))
    assert path is not None
    assert path.start_ms >= at(828)


def test_the_unit_of_a_path_is_a_plain_number():
    fine = dataclasses.replace(bars(60), unit=Decimal("1E-7"))
    path = price_path(fine, LOST)
    assert path is not None
    assert path.unit == "0.0000001"


def test_a_trade_outside_the_prices_has_no_path():
    assert price_path(bars(0), WON) is None


def seen(page: str, folder: Path, script: str = "") -> str:
    """The page as a browser has drawn it, after a script of ours."""
    # Whatever fails while drawing shows in the title.
    told = (
        "<script>addEventListener('error', (e) => document.title = 'FAILED ' + e.message);</script>"
    )
    file = folder / "page.html"
    page = page.replace("<title>", f"{told}<title>", 1)
    file.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    done = subprocess.run(
        [str(BROWSER), *BROWSER_SWITCHES, f"--user-data-dir={folder / 'profile'}", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "<title>FAILED" not in done.stdout
    return done.stdout


@needs_browser
def test_a_browser_draws_it_and_a_click_shows_a_trade(page, tmp_path):
    by_result = (
        "[...document.querySelectorAll('th button')].find((b) => b.textContent === 'result')"
    )
    script = f"{by_result}.click(); document.querySelector('tbody tr.pick').click();"
    shown = seen(page, tmp_path, script)
    assert "+1.73" in shown
    assert "trailing stop" in shown
    assert len(re.findall(r"<div[^>]* js-plotly-plot", shown)) == 3
    told = shown.split('id="told"')[1].split("</p>")[0]
    assert "long 2: " in told
    assert "initial stop" in told
    chosen_moves = shown.split('id="tradechart"')[1]
    assert "initial stop: 2 % from entry 100.0" in chosen_moves
    assert "the price was beyond the stop at adoption" in shown


@needs_browser
def test_a_browser_draws_no_position_without_an_error(tmp_path):
    assert "No position was opened." in seen(backtest_page(result(())), tmp_path)


@needs_browser
def test_a_browser_draws_a_sweep(tmp_path):
    prices = bars(60)
    grid = sweep(
        prices,
        every(prices, 10),
        Policy(),
        activation=[Decimal("0.5"), Decimal("1.5")],
        distance=[Decimal("0.3"), Decimal("0.5")],
        breakeven=[None, Decimal("0.5")],
        rule=FillRule.WORST_CASE,
    )
    shown = seen(sweep_page(grid, grid_document(grid, prices)), tmp_path)
    assert "mean of its neighbours" in shown
    assert "(in force)" in shown
    assert "breakeven at 0.5 %" in shown
    assert len(re.findall(r"<div[^>]* js-plotly-plot", shown)) == 1
