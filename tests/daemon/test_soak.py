"""The soak is believed: a short one shows that it sees the guard's process alone, and what goes wrong."""

from __future__ import annotations

import json

import pytest

from benchmarks.soaking.health import WARM_UP_MS, Sample, read_samples, slope_percent
from benchmarks.soaking.scene import SO_FAR, Plan, Soak

FEW = 6
MINUTES_10 = 600_000


def test_a_short_soak_guards_from_a_process_of_its_own_and_holds(tmp_path):
    soak = Soak(Plan(hours=0.2, positions=FEW, seed=3, folder=tmp_path))
    result = soak.run()
    assert result["holds"], (result["judged"], result["unforeseen_first"], result["stuck"])
    assert result["positions"]["open"] > 0
    assert result["first_stop_ms"]["count"] >= FEW
    assert result["log_levels"]["info"] > 0, "the guard's log is counted in its own process"
    samples = read_samples(tmp_path / "data")
    assert [row.at_ms // MINUTES_10 for row in samples] == [0, 1]
    assert all(row.rss_kib > 0 and row.descriptors > 0 for row in samples)
    assert json.loads((tmp_path / SO_FAR).read_text())["seed"] == 3


def test_a_guard_that_dies_ends_the_soak_and_is_no_success(tmp_path, monkeypatch):
    soak = Soak(Plan(hours=0.2, positions=FEW, seed=3, folder=tmp_path))
    monkeypatch.setattr(
        "benchmarks.soaking.scene.Charge.ended", property(lambda charge: charge.kill() or True)
    )
    result = soak.run()
    assert "the guard has ended" in result["stuck"]
    assert not result["holds"]


def _row(at_ms, rss_kib):
    return Sample(
        at_ms=at_ms, rss_kib=rss_kib, descriptors=40, tasks=30, objects=1, journal_kib=1, cpu_s=1.0
    )


@pytest.mark.parametrize(("per_hour", "percent"), [(0, 0.0), (1_000, 1.0)])
def test_a_slope_counts_after_the_second_hour_alone(per_hour, percent):
    warm_up = [_row(step * MINUTES_10, 50_000 + 5_000 * step) for step in range(12)]
    after = [
        _row(WARM_UP_MS + step * MINUTES_10, 100_000 + per_hour * step // 6) for step in range(13)
    ]
    assert slope_percent([*warm_up, *after], "rss_kib") == pytest.approx(percent, abs=0.02)
    assert slope_percent(after[:3], "rss_kib") is None, "too short to say"
