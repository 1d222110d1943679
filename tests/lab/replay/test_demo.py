"""The demo's two processes leave a database, and it is decided again like any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from trailstop.lab.replay import replay
from trailstop.lab.whatif import what_if
from trailstop.storage.journals import open_journal

SOURCE = Path(__file__).parents[3] / "src"
VENUES = ("--venue", "binance", "--venue", "bybit")
SETTINGS = (
    "policy.distance=atr", "policy.atr_length=3", "policy.atr_timeframe_minutes=1",
    "policy.activation_percent=0.5", "policy.update_interval_seconds=5",
)  # fmt: skip


def test_all_decisions_of_a_demo_are_identical_and_its_positions_can_be_judged(tmp_path):
    asked = [part for setting in SETTINGS for part in ("--set", setting)]
    played = subprocess.run(
        [sys.executable, "-m", "trailstop", "demo", *VENUES, "--hedge", "--once",
         "--speed", "0", "--json", "--keep", *asked],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    positions = json.loads(played.stdout)["positions"]
    (file,) = tmp_path.glob("trailstop-demo-*/*.db")
    with open_journal(file) as journal:
        found = replay(journal)
        other = what_if(journal, ())
    assert found.is_identical, found
    assert found.epochs == len(positions)
    assert found.moves == sum(position["moves"] for position in positions)
    assert len(other.trades) == len(positions)
