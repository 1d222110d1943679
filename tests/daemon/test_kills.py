"""kill -9 of the guard's process between a request's arrival and its answer, and elsewhere.

The whole of it is `./trailstop bench kills`; these are its first kills, on both exchanges, in
both modes, with and without people and a second bot, and in both ways in which Binance may answer
a second stop.
"""

from __future__ import annotations

import json

import pytest

from benchmarks import kills
from benchmarks.crash.verdict import KINDS

KILLS = 6
HEDGE = ["--mode", "hedge"]
BYBIT = ["--venue", "bybit"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--second-stop", "allow"], id="binance"),
        pytest.param(["--second-stop", "refuse"], id="binance, one stop only"),
        pytest.param(BYBIT, id="bybit"),
        pytest.param([*BYBIT, *HEDGE], id="bybit, hedge"),
        pytest.param([*HEDGE, "--others"], id="binance, hedge, with others"),
        pytest.param([*BYBIT, "--others"], id="bybit, with others"),
    ],
)
def test_nothing_is_lost_by_kills(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status = kills.main(["--kills", str(KILLS), "--json", *arguments])
    result = json.loads(capsys.readouterr().out)
    assert {kind: result[kind] for kind in KINDS} == dict.fromkeys(KINDS, 0), result["failures"]
    assert status == 0
    assert result["kills"] == KILLS
    assert result["between_arrival_and_answer"] >= KILLS // 2
    if "--others" in arguments:
        assert sum(result["others"].values()) > KILLS // 2
    else:
        equal = [count for what, count in result["twin"].items() if what.startswith("equal")]
        assert sum(equal) > KILLS
