"""The demo as a person runs it: two real processes, a whole life, one result, no strays."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90


@pytest.fixture
def environ(tmp_path):
    own = {name: text for name, text in os.environ.items() if not name.startswith("TRAILSTOP")}
    return {**own, "PYTHONPATH": str(ROOT / "src"), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}


def demo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "trailstop", "demo", *arguments]


def play(environ, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        demo(*arguments),
        capture_output=True,
        text=True,
        env=environ,
        timeout=PATIENCE_S,
        check=False,
        cwd=environ["HOME"],
    )


def children_of(pid: int) -> list[int]:
    """Direct children, from the kernel's own list."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_a_whole_life_twice_the_same(environ):
    first, second = (play(environ, "--json", "--speed", "0") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert first.stdout.count("\n") == 1
    result = json.loads(first.stdout)
    assert sorted(row["side"] for row in result["positions"]) == ["long", "short"]
    for row in result["positions"]:
        assert row["cause"] not in ("open", "unknown"), "the default story tells whole lives"
        assert "waiting" in row["phases"]
        assert row["phases"][-1] == "triggered"
    assert any("active" in row["phases"] for row in result["positions"])
    assert result["unprotected_ms"] == result["loosened_ms"] == 0
    assert result["loosened"] == result["duplicates"] == 0
    assert 0 < result["first_stop_ms"] < 2_000
    assert list(Path(environ["TMPDIR"]).glob("trailstop-demo-*")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "accounts"),
    [
        ((), {"long", "short", "bybit-long", "bybit-short"}),
        (("--hedge",), {"both", "bybit-both"}),
    ],
    ids=["one-way", "hedge"],
)
def test_two_venues_live_the_same_lives_at_the_same_prices(environ, mode, accounts):
    venues = ("--venue", "binance", "--venue", "bybit")
    first, second = (play(environ, "--json", "--speed", "0", *venues, *mode) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    result = json.loads(first.stdout)
    assert {row["account"] for row in result["positions"]} == accounts
    lives = {
        venue: [
            (row["side"], row["entry"], row["cause"], row["moves"])
            for row in result["positions"]
            if row["venue"] == venue
        ]
        for venue in ("binance", "bybit")
    }
    assert lives["binance"] == lives["bybit"]
    assert sorted(side for side, *_ in lives["bybit"]) == ["long", "short"]
    assert [venue["venue"] for venue in result["venues"]] == ["binance", "bybit"]
    for venue in result["venues"]:
        assert venue["unprotected_ms"] == venue["loosened_ms"] == venue["loosened"] == 0
        assert venue["duplicates"] == venue["orphans"] == 0
        assert 0 < venue["first_stop_ms"] < 2_000


@pytest.mark.slow
def test_without_a_terminal_it_tells_one_line_a_fact_and_a_summary(environ):
    answer = play(environ, "--once", "--speed", "0")
    assert answer.returncode == 0, answer.stderr
    for words in ("generated prices", "adopted", "0 ms without a stop", "seed"):
        assert words in answer.stdout
    assert "\x1b" not in answer.stdout


@pytest.fixture
def running(environ):
    """A demo at its leisure, with both of its processes up."""
    process = subprocess.Popen(
        demo("--speed", "20"),
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=environ["HOME"],
        start_new_session=True,
    )
    assert wait_until(lambda: len(children_of(process.pid)) == 2)
    children = children_of(process.pid)
    yield process, children
    if process.poll() is None:
        process.kill()
        process.wait()
    assert wait_until(lambda: not any(map(is_alive, children))), "a process was left behind"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_it_leaves_no_process_behind(running, number, status):
    process, children = running
    process.send_signal(number)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert wait_until(lambda: not any(map(is_alive, children)))


@pytest.mark.slow
@pytest.mark.parametrize(("which", "name"), [(0, "paper exchange"), (1, "guard")])
def test_a_process_that_dies_is_told_in_one_line(running, which, name):
    process, children = running
    os.kill(children[which], signal.SIGKILL)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 1
    assert errors.splitlines() == [f"trailstop: the {name} was killed (SIGKILL)"]
