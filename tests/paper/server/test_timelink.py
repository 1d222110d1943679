"""Two processes on one virtual clock."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trailstop.errors import LinkLost, PortInUse
from trailstop.timelink import HostLoop, LoopClock, run_hosted, run_linked

START_US = 1_700_000_000_000_000
PROGRAMS = str(Path(__file__).with_name("programs.py"))
PROCESS_TIMEOUT_S = 60


def start(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, PROGRAMS, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def play_both() -> tuple[str, str]:
    host = start("host")
    assert host.stdout is not None
    link, http = host.stdout.readline().split()
    guard = start("guard", link, http)
    guard_trace, _ = guard.communicate(timeout=PROCESS_TIMEOUT_S)
    host_trace, _ = host.communicate(timeout=PROCESS_TIMEOUT_S)
    return guard_trace, host_trace


def test_two_processes_give_the_same_trace_twice_and_answers_arrive_a_latency_later():
    first, second = play_both(), play_both()
    assert first == second
    guard_trace, host_trace = first
    lines = guard_trace.splitlines()
    times = [int(line.split()[0]) for line in lines]
    assert times == sorted(times)
    # Sent at 0, answered one latency of the host later, to the microsecond.
    assert "37124 answer a-0 37124" in lines
    # Work in threads takes no virtual time at all.
    assert lines[:2] == ["0 thread done", "0 written"]
    assert sum("timer" in line for line in lines) == 100
    # The fifth timer's period is a third of a second; each of the 20 ends on a whole microsecond.
    assert "6666680 timer 4" in lines
    assert host_trace.count("got") == 21
    assert host_trace.splitlines()[0] == "0 got a-0"


def test_a_killed_guard_unlinks_at_once_time_stops_and_a_new_one_goes_on():
    async def scenario(loop: HostLoop) -> None:
        port = loop.listen("127.0.0.1", 0)
        first = start("sleeper", port)
        await until(lambda: loop.links == 1)
        await asyncio.sleep(3)
        reached_us = loop.now_us
        first.kill()
        first.wait()
        await until(lambda: loop.links == 0)
        stopped_us = loop.now_us
        still = asyncio.ensure_future(asyncio.sleep(1))
        await real_pause(0.05)
        assert not still.done()
        assert loop.now_us == stopped_us
        await loop.grant(1_000_000)
        assert loop.now_us == stopped_us + 1_000_000
        assert still.done()
        second = start("sleeper", port)
        await until(lambda: loop.links == 1)
        await asyncio.sleep(2)
        assert loop.now_us >= reached_us + 3_000_000
        second.kill()
        second.wait()

    run_hosted(scenario, HostLoop(START_US, waits_for_guard=True))


def test_a_guard_whose_exchange_has_gone_ends_with_one_clear_line():
    async def scenario(loop: HostLoop) -> subprocess.Popen[str]:
        guard = start("sleeper", loop.listen("127.0.0.1", 0))
        await until(lambda: loop.links == 1)
        await asyncio.sleep(2.5)
        return guard

    guard = run_hosted(scenario, HostLoop(START_US, waits_for_guard=True))
    output, _ = guard.communicate(timeout=PROCESS_TIMEOUT_S)
    assert guard.returncode == 7
    *seconds, message = output.splitlines()
    assert len(seconds) >= 2
    assert message == "the paper exchange has gone; start it again, then the guard"


def test_nobody_keeps_the_time():
    async def never(clock: LoopClock) -> None:
        raise AssertionError("not reached")

    with pytest.raises(LinkLost, match="start it first"):
        run_linked(never, "127.0.0.1", 1)


def test_an_occupied_port_is_named():
    async def scenario(loop: HostLoop) -> None:
        port = loop.listen("127.0.0.1", 0)
        with pytest.raises(PortInUse, match=str(port)):
            loop.listen("127.0.0.1", port)

    run_hosted(scenario, HostLoop(START_US))


def test_time_moves_in_whole_microseconds_through_awkward_timers():
    async def scenario(loop: HostLoop) -> list[int]:
        fired = []
        for offset_us in (1, 2, 3, 999_999, 1_000_001, 10_000_000_000_003):
            loop.call_at_us(START_US + offset_us, lambda: fired.append(loop.now_us - START_US))
        await asyncio.sleep(10_000_001)
        return fired

    fired = run_hosted(scenario, HostLoop(START_US))
    assert fired == [1, 2, 3, 999_999, 1_000_001, 10_000_000_000_003]


def test_a_speed_is_an_upper_bound_against_the_wall_clock():
    async def scenario(loop: HostLoop) -> None:
        await asyncio.sleep(3)

    began = time.monotonic()
    run_hosted(scenario, HostLoop(START_US, speed=30))
    assert time.monotonic() - began >= 0.1


def test_a_late_guard_is_not_followed_by_a_burst():
    async def scenario(loop: HostLoop) -> float:
        await asyncio.sleep(1)
        time.sleep(0.5)  # noqa: ASYNC251 - the host is busy for half a second of the wall clock.
        began = time.monotonic()
        for _ in range(10):
            await asyncio.sleep(2)
        return time.monotonic() - began

    # 20 virtual seconds at speed 50 are 0.4 s; only 0.1 s of the delay may be made up for.
    assert run_hosted(scenario, HostLoop(START_US, speed=50)) >= 0.25


def test_held_time_stands_still_but_for_what_is_granted():
    async def scenario(loop: HostLoop) -> None:
        loop.hold()
        late = asyncio.ensure_future(asyncio.sleep(5))
        await loop.grant(4_999_999)
        assert not late.done()
        await loop.grant(1)
        await late
        loop.release()
        await asyncio.sleep(100)
        assert loop.now_us == START_US + 105_000_000

    run_hosted(scenario, HostLoop(START_US))


async def until(true) -> None:
    """Wait by the wall clock, whatever virtual time does."""
    deadline = time.monotonic() + PROCESS_TIMEOUT_S
    while not true():
        assert time.monotonic() < deadline
        await real_pause(0.005)


async def real_pause(seconds: float) -> None:
    await asyncio.to_thread(time.sleep, seconds)


def test_in_real_time_a_guard_has_the_exchanges_time_without_taking_turns():
    async def scenario(loop: HostLoop) -> tuple[int, int]:
        guard = start("sleeper", loop.listen("127.0.0.1", 0))
        assert guard.stdout is not None
        said_ms = int(await asyncio.to_thread(guard.stdout.readline))
        here_ms = loop.now_us // 1000
        guard.kill()
        guard.wait()
        return said_ms, here_ms

    said_ms, here_ms = run_hosted(scenario, HostLoop(START_US, speed=1))
    assert said_ms >= START_US // 1000 + 1_000
    assert 0 <= here_ms - said_ms < 2_000
