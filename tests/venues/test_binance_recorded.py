"""The runner of recorded payloads: what it must find wrong, and how it counts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.fixtures import binance_payloads, bybit_payloads
from tests.fixtures.cases import OWN, Case, Listed, found

ROOT = Path(__file__).parents[2]
SAMPLES = {case.name: case for case in found(OWN)}
READ = {"binance": binance_payloads.read, "bybit": bybit_payloads.read}


def changed(name: str, change: Callable[[Any], object]) -> Case:
    case = SAMPLES[name]
    payload = json.loads(json.dumps(case.payload))
    change(payload)
    return msgspec.structs.replace(case, payload=payload)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("binance/rest-response/hedge-positions", lambda rows: rows[1].pop("positionAmt")),
        ("binance/rest-response/hedge-positions", lambda rows: rows[0].update(positionAmt="much")),
        ("binance/rest-response/hedge-positions", lambda rows: rows[0].update(positionSide="UP")),
        ("binance/rest-response/open-algo-orders", lambda rows: rows[1].pop("algoStatus")),
        ("binance/rest-response/open-algo-orders", lambda rows: rows[0].update(algoStatus="ODD")),
        ("binance/rest-response/exchange-info", lambda info: info.pop("symbols")),
        ("binance/rest-response/user-trades", lambda rows: rows[0].update(side="LEFT")),
        ("binance/ws-event/account-update", lambda event: event["a"].pop("m")),
        ("binance/ws-event/algo-update", lambda event: event["o"].update(tp="high")),
        ("binance/ws-event/order-update", lambda event: event["o"].update(l="much")),
        ("bybit/rest-response/hedge-positions", lambda body: body["result"]["list"][1].pop("side")),
        (
            "bybit/rest-response/hedge-positions",
            lambda body: body["result"]["list"][1].update(positionIdx=1),
        ),
        ("bybit/ws-event/order", lambda frame: frame["data"][0].update(orderStatus="ODD")),
        ("bybit/ws-event/order", lambda frame: frame["data"][0].update(triggerPrice="x")),
    ],
)
def test_a_payload_that_is_broken_is_neither_read_nor_listed(name, change):
    case = changed(name, change)
    with pytest.raises((AssertionError, ValueError, msgspec.MsgspecError)):
        READ[case.exchange](case)


def test_what_is_listed_says_why():
    with pytest.raises(Listed, match="does not call"):
        binance_payloads.read(SAMPLES["binance/rest-response/income"])


def test_a_payload_that_nobody_knows_is_not_listed():
    case = Case("binance/rest-response/x", "binance", "rest-response", payload={"never": "heard"})
    with pytest.raises(AssertionError, match="no group lists it"):
        binance_payloads.read(case)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no payload"),
        ('{"exchange": "kraken", "kind": "x", "payload": {}}', "not known"),
    ],
)
def test_a_file_that_is_no_case_is_a_problem_and_not_left_out(tmp_path, text, problem):
    path = tmp_path / "binance" / "rest-response" / "odd.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (case,) = found(tmp_path)
    assert problem in case.problem


def run_on(folder: Path) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/fixtures"]
    done = subprocess.run(
        [*command, "--fixtures", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.strip().splitlines()


def test_any_folder_is_counted_and_the_count_comes_last(tmp_path):
    target = tmp_path / "mine" / "binance" / "rest-response"
    target.mkdir(parents=True)
    for name in ("hedge-positions", "income"):
        text = (OWN / "binance" / "rest-response" / f"{name}.json").read_text()
        (target / f"{name}.json").write_text(text)
    status, lines = run_on(tmp_path)
    assert (status, lines[-2:]) == (0, ["1 listed", "1 passed, 0 failed"])
    assert any("does not call" in line for line in lines)
    (target / "broken.json").write_text("{")
    status, lines = run_on(tmp_path)
    assert (status, lines[-1]) == (1, "1 passed, 1 failed")


def test_a_folder_without_payloads_is_an_error(tmp_path):
    status, lines = run_on(tmp_path)
    assert status != 0
    assert not any("passed" in line for line in lines)
