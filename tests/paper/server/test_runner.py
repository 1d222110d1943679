"""The paper exchange as a process, with a guard as another."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = str(Path(__file__).with_name("runner_programs.py"))
TIMEOUT_S = 60
SYMBOL = "BTCUSDT"
LONG = {"account": "long", "symbol": SYMBOL, "side": "long"}


def start(role, content, **files):
    command = [sys.executable, PROGRAMS, role, json.dumps(content)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **files)


@contextmanager
def paper(**settings):
    process = start("paper", {"generate": 7, "speed": 0, "waits_for_guard": True} | settings)
    ready = json.loads(process.stdout.readline())
    try:
        yield ready
    finally:
        control(ready, "stop", {})
        assert process.wait(TIMEOUT_S) == 0


def control(ready, path, content=None):
    return fetch(f"{ready['control']}/control/{path}", content)


def fetch(url, content=None):
    data = None if content is None else json.dumps(content).encode()
    # The address is the one that the started process printed.
    with urllib.request.urlopen(url, data, timeout=TIMEOUT_S) as response:  # noqa: S310
        return json.load(response)


SCHEDULE = {
    "legs": [LONG, {"account": "short", "symbol": SYMBOL, "side": "short"}],
    "first_ms": 5_000,
    "every_ms": 300_000,
}


def guarded_run():
    build = {"schedule": SCHEDULE, "latency_ms": 50}
    with paper(for_us=1_800_000_000, build=build) as ready:
        guard = start("guard", ready)
        state = control(ready, "finished")
    output, _ = guard.communicate(timeout=TIMEOUT_S)
    return output, state


def test_two_runs_of_two_processes_tell_the_same_story():
    first, second = guarded_run(), guarded_run()
    assert first == second
    output, state = first
    assert output.count("aggTrade") >= 100
    assert output.count("placed") >= 20
    assert state["finished"] is True
    assert state["openings"]["opened"] >= 2
    assert state["latency_ms"] == 50


def test_a_termination_ends_it_in_order():
    process = start("paper", {"generate": 7})
    assert json.loads(process.stdout.readline())["generated_seed"] == 7
    process.terminate()
    assert process.wait(TIMEOUT_S) == 0


def test_a_guard_is_killed_between_arrival_and_answer_and_another_goes_on():
    with paper() as ready:
        control(ready, "positions", LONG)
        control(ready, "hold", {"method": "POST", "path": "/fapi/v1/algoOrder", "stage": "answer"})
        guard = start("guard", ready)
        (arrival,) = control(ready, "arrivals?after=0")["arrivals"]
        guard.kill()
        guard.wait()
        wait_for(lambda: control(ready, "state")["links"] == 0)
        held_us = control(ready, "state")["now_us"]
        control(ready, "release", {"arrival_id": arrival["arrival_id"]})
        time.sleep(0.05)
        stands_us = control(ready, "state")["now_us"]
        passed_us = control(ready, "time", {"advance_ms": 30_000})["now_us"]
        state = control(ready, "state")
        second = start("guard", ready)
        wait_for(lambda: control(ready, "state")["now_us"] > passed_us + 60_000_000)
        second.kill()
        second.wait()
    assert held_us == stands_us
    assert passed_us == held_us + 30_000_000
    # The request had arrived, so its stop rests although nobody ever heard of it.
    assert len(state["accounts"]["long"]["open_conditionals"]) == 1


def test_real_time_serves_the_present():
    with paper(speed=1) as ready:
        server_ms = fetch(f"{ready['rest']}/fapi/v1/time")["serverTime"]
    assert abs(server_ms - time.time() * 1000) < 5_000
    assert ready["sources"] == ["generated, seed 7"] * 2
    assert set(ready["accounts"]) == {"long", "short"}


def test_an_occupied_port_is_one_clear_line():
    with paper() as ready:
        port = int(ready["rest"].rpartition(":")[2])
        second = start("paper", {"generate": 7, "build": {"binance_port": port}},
                       stderr=subprocess.PIPE)  # fmt: skip
        output, errors = second.communicate(timeout=TIMEOUT_S)
    assert second.returncode == 1
    assert output == ""
    assert errors == f"port {port} is in use; choose another or 0 for a free one\n"


def test_an_unreadable_file_is_one_clear_line():
    process = start("paper", {"data": ["no-such-file.csv"]}, stderr=subprocess.PIPE)
    output, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, output) == (1, "")
    assert "no-such-file.csv" in errors
    assert errors.count("\n") == 1


def wait_for(true):
    deadline = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
