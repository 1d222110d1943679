"""kill -9 of the guard's process between a request's arrival and its answer, and elsewhere.

The whole of it is `./trailstop bench kills`; these are its first kills, in both ways in which
the exchange may answer a second stop.
"""

from __future__ import annotations

import json

import pytest

from benchmarks import kills
from benchmarks.crash.verdict import KINDS

KILLS = 6


@pytest.mark.slow
@pytest.mark.parametrize("second_stop", ["allow", "refuse"])
def test_nothing_is_lost_by_kills(second_stop: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = kills.main(["--kills", str(KILLS), "--second-stop", second_stop, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert {kind: result[kind] for kind in KINDS} == dict.fromkeys(KINDS, 0), result["failures"]
    assert status == 0
    assert result["kills"] == KILLS
    assert result["between_arrival_and_answer"] >= KILLS // 2
    assert sum(count for what, count in result["twin"].items() if what.startswith("equal")) > KILLS
