"""The guard as a process: asked to end, stopped for a while, started twice, started in vain."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trailstop.daemon.process.starts import PAUSE_SECONDS, Starts
from trailstop.daemon.talk.client import DaemonClient
from trailstop.errors import NotRunning

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
POLL_S = 0.1
INTERRUPTED = 130
UNREACHABLE = 5
STOPPED_S = 12.0
"""Longer than any stream may be silent."""
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Pair:
    """A paper exchange and the guards of its one account, each a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._all: list[subprocess.Popen[str]] = []
        self.exchange = self._start(
            "paper", "--binance-port", "0", "--control-port", "0", "--generate", "1",
            "--symbol", "BTCUSDT", "--account", "main",
        )  # fmt: skip
        assert self.exchange.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.exchange.stdout.readline())

    def guard(self, *, port: int | None = None) -> subprocess.Popen[str]:
        """Start a guard, at another port than the exchange's where one is given."""
        settings = {
            "trailstop.data_dir": self.data,
            "accounts.main.rest_url": f"http://127.0.0.1:{port}" if port else self.ready["rest"],
            "accounts.main.ws_url": f"ws://127.0.0.1:{port}" if port else self.ready["ws"],
        }
        options = [
            word for name, value in settings.items() for word in ("--set", f"{name}={value}")
        ]
        return self._start("run", *options)

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        keys = getattr(self, "ready", {}).get("accounts", {}).get("main", {})
        process = subprocess.Popen(
            [sys.executable, "-m", "trailstop", *arguments, "--end-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "src"),
                "TRAILSTOP_PAPER_KEY_MAIN": keys.get("key", ""),
                "TRAILSTOP_PAPER_SECRET_MAIN": keys.get("secret", ""),
            },
            cwd=self.folder,
            start_new_session=True,
        )
        self._all.append(process)
        return process

    def ask(self, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        with DIRECT.open(f"{self.ready['control']}{path}", data, PATIENCE_S) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def open(self) -> None:
        self.ask("/control/positions", {"account": "main", "symbol": "BTCUSDT", "side": "long"})

    def protections(self) -> list[str]:
        try:
            status = DaemonClient(self.data, timeout_s=PATIENCE_S).status()
        except NotRunning:
            return []
        return [leg.protection for leg in status.legs]

    def guarded(self) -> subprocess.Popen[str]:
        """Open a position and have it guarded."""
        guard = self.guard()
        self.open()
        until(lambda: self.protections() == ["held"])
        return guard

    def stops(self) -> list[str]:
        """Stops that rest on the exchange."""
        rows = self.ask("/control/state")["accounts"]["main"]["open_conditionals"]
        return sorted(row["client_id"] for row in rows)

    def end(self) -> None:
        for process in reversed(self._all):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.communicate()


def words_of(process: subprocess.Popen[str]) -> str:
    """What a process has printed, once it has ended; its standard input stays open until then."""
    process.wait(PATIENCE_S)
    assert process.stdout is not None
    return process.stdout.read()


def until(happened: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(POLL_S)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    started = Pair(tmp_path)
    yield started
    started.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_end_leaves_the_stops_in_place(pair: Pair, number: signal.Signals) -> None:
    guard = pair.guarded()
    before = pair.stops()
    guard.send_signal(number)
    told = words_of(guard)
    assert len(before) == 2
    assert pair.stops() == before
    if number is not signal.SIGKILL:
        assert guard.returncode == 0, told
        assert "the stops stay on the exchange" in told


def test_a_second_ctrl_c_ends_it_at_once(pair: Pair) -> None:
    """The first one has it close its connections in order, and the exchange does not answer."""
    guard = pair.guarded()
    before = pair.stops()
    pair.exchange.send_signal(signal.SIGSTOP)
    guard.send_signal(signal.SIGINT)
    assert guard.stdout is not None
    while "stopping" not in (line := guard.stdout.readline()):
        assert line, "it ended before anybody could lose patience"
    asked_s = time.monotonic()
    guard.send_signal(signal.SIGINT)
    told = words_of(guard)
    assert time.monotonic() - asked_s < 5
    assert guard.returncode == INTERRUPTED
    assert told.endswith("trailstop: ended at once; the stops stay on the exchange\n")
    pair.exchange.send_signal(signal.SIGCONT)
    assert pair.stops() == before


@pytest.mark.slow
def test_a_guard_that_was_stopped_for_a_while_looks_before_it_decides(pair: Pair) -> None:
    guard = pair.guarded()
    before = pair.ask("/control/state")["clocks"]
    guard.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    guard.send_signal(signal.SIGCONT)
    until(lambda: pair.protections() == ["held"])
    time.sleep(2)
    after = pair.ask("/control/state")["clocks"]
    for kind in ("unprotected_ms", "loosened_ms", "loosened", "duplicates"):
        assert after[kind] == before[kind], kind
    guard.send_signal(signal.SIGTERM)
    told = words_of(guard)
    assert "stood_still" in told


def test_a_second_guard_of_one_database_is_refused_and_the_first_goes_on(pair: Pair) -> None:
    first = pair.guarded()
    second = pair.guard()
    told = words_of(second)
    assert second.returncode == 1
    assert "another Trailstop uses" in told.splitlines()[-1]
    assert first.poll() is None
    assert pair.protections() == ["held"]


def test_a_first_start_at_a_wrong_address_says_so(pair: Pair) -> None:
    guard = pair.guard(port=_free_port())
    told = words_of(guard)
    assert guard.returncode == UNREACHABLE
    assert "does not answer at" in told.splitlines()[-1]


def test_a_later_start_waits_for_its_exchange(pair: Pair) -> None:
    """Whoever starts a guard at night with positions open wants it there when all is back."""
    guard = pair.guarded()
    guard.send_signal(signal.SIGTERM)
    words_of(guard)
    again = pair.guard(port=_free_port())
    until(lambda: (pair.data / "daemon.json").exists() or again.poll() is not None)
    time.sleep(3)
    assert again.poll() is None
    (account,) = DaemonClient(pair.data, timeout_s=PATIENCE_S).status().accounts
    assert not account.connected
    again.send_signal(signal.SIGTERM)
    told = words_of(again)
    assert again.returncode == 0
    assert told.count("ALARM main") == 1


def test_starts_that_come_to_nothing_are_slowed_down(tmp_path: Path) -> None:
    pauses = [Starts(tmp_path).begin() for _ in range(12)]
    assert pauses == [*PAUSE_SECONDS, *(PAUSE_SECONDS[-1],) * (12 - len(PAUSE_SECONDS))]
    started = Starts(tmp_path)
    started.succeeded()
    assert Starts(tmp_path).begin() == 0
    (tmp_path / "starts").write_text("not a number")
    assert Starts(tmp_path).begin() == 0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
