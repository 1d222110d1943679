"""`trailstop paper`: one exchange that speaks two protocols over the same accounts."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from trailstop.cli import main

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(address: str):
    with DIRECT.open(address, timeout=PATIENCE_S) as answer:
        return json.load(answer)


@pytest.fixture
def started(tmp_path):
    """Start it with these options; gives its first line. It ends with its standard input."""
    running = []

    def start(*options: str):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "trailstop", "paper", "--end-with-stdin"),
                *("--binance-port", "0", "--control-port", "0", "--generate", "1"),
                *options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")},
            cwd=tmp_path,
        )
        running.append(process)
        return json.loads(process.stdout.readline())

    yield start
    for process in running:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()


def test_both_protocols_serve_the_same_prices(started):
    ready = started("--bybit-port", "0", "--symbol", "BTCUSDT")
    price = get(f"{ready['rest']}/fapi/v2/ticker/price?symbol=BTCUSDT")["price"]
    assert ready["bybit_ws"].removeprefix("ws") == ready["bybit_rest"].removeprefix("http")
    path = "/v5/market/tickers?category=linear&symbol=BTCUSDT"
    (row,) = get(f"{ready['bybit_rest']}{path}")["result"]["list"]
    # Prices may have gone on between the two requests, by a little.
    assert float(row["lastPrice"]) == pytest.approx(float(price), rel=0.01)
    served = get(f"{ready['control']}/control/state")["served"]
    assert served["GET /fapi/v2/ticker/price"] == served["GET /v5/market/tickers"] == 1


def test_accounts_can_be_named_and_begin_in_hedge_mode(started):
    ready = started("--hedge", "--account", "mine", "--account", "yours")
    assert list(ready["accounts"]) == ["mine", "yours"]
    assert ready["bybit_rest"] is None
    accounts = get(f"{ready['control']}/control/state")["accounts"]
    assert {name: row["hedge"] for name, row in accounts.items()} == {"mine": True, "yours": True}


def test_two_accounts_of_one_name_are_a_usage_error(capsys):
    assert main(["paper", "--account", "a", "--account", "a"]) == 2
    assert "a name of its own" in capsys.readouterr().err
