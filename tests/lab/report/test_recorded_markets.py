"""The default policy on recorded markets: crash days, holes, a zero price, ticks of all kinds."""

import json
from pathlib import Path

import pytest

from trailstop.cli import main

DATA = Path(__file__).parents[4] / "shared" / "market-data"
FILES = sorted([*DATA.glob("ohlcv/*.csv.gz"), *DATA.glob("ticks/*.csv.gz")])
FEW = "2000"
"""A position each so many prices: what is tried is the data, not the market."""

pytestmark = pytest.mark.skipif(not FILES, reason="the recorded markets are not here")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".csv.gz"))
def test_a_backtest_runs_and_writes_its_report(file, folder, capsys):
    symbol = ("--symbol", "SOLUSDT") if file.name.count("USDT-") > 1 else ()
    every = "10" if file.stat().st_size < 20_000 else FEW
    status = main(
        ["backtest", str(file), *symbol, "--every", every, "--html", "report.html", "--json"]
    )
    told = capsys.readouterr()
    assert status == 0
    report = json.loads(told.out)
    assert report["statistics"]["trades"] > 0
    assert "</html>" in (folder / "report.html").read_text()[-20:]
    if "-quote_" in file.name:
        assert "(best bid)" in report["data"]["prices"]
    if "TRXUSDT" in file.name:
        assert len(report["data"]["refused"]) == 1
    if "LTCUSDT" in file.name:
        assert "too many for statistics" in report["data"]["notes"][0]
