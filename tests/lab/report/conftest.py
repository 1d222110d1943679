"""A folder of one's own, and ten hours of prices in it."""

import os

import pytest

from tests.lab.report.hand import MINUTE_MS, START_MS

BARS = 600


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder and none of the caller's settings."""
    for name in list(os.environ):
        if name.startswith("TRAILSTOP"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def prices(folder):
    """Minutes that rise by 3 % and fall back, over and over."""
    file = folder / "BTCUSDT-1m-2021.csv"
    rows = ["timestamp,open,high,low,close,volume"]
    before = 10_000
    for minute in range(BARS):
        way = minute % 120
        close = 10_000 + 5 * min(way, 120 - way)
        high, low = max(before, close) + 2, min(before, close) - 2
        at_ms = START_MS + minute * MINUTE_MS
        rows.append(f"{at_ms},{before}.0,{high}.0,{low}.0,{close}.0,1.250")
        before = close
    file.write_text("\n".join(rows) + "\n")
    return file
