"""A paper exchange as a process of its own, in real time, with prices that stand still.

Still prices leave every trigger to the tests: what moves is what the control interface prints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

SOURCE = Path(__file__).resolve().parents[2] / "src"
PRICES = {"BTCUSDT": ("50000.0", "50000.1"), "ETHUSDT": ("2500.00", "2500.01")}
"""Two prices each, printed in turn; they also give the market its tick."""
QUANTITY = "0.001"
AHEAD_S = 1.0
"""How far the exchange's clock shall be ahead: a client may be late by five seconds, but early
only by one."""
AHEAD_ALLOWED_S = (-0.2, 2.5)
START_TAKES_S = 1.0
"""What a start takes on an idle machine. The clock begins with the first price, which is written
before the start, so that after a slower one the exchange is started again."""
STARTS = 4
PRINTED_S = 600
START_S = 30.0
STOP_S = 10.0
CONTROL_S = 10.0
POLL_S = 0.02
MS_PER_SECOND = 1_000
US_PER_SECOND = 1_000_000
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback is reached without the proxy that the environment may name."""
SETTING_PREFIX = "TRAILSTOP__"


class PaperExchange:
    """Where a started exchange is reached, and the hands on its control interface."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.rest: str = ready["rest"]
        self.ws: str = ready["ws"]
        self.accounts: dict[str, dict[str, str]] = ready["accounts"]

    def control(self, path: str, wish: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the control interface: POST with a wish, GET without."""
        request = urllib.request.Request(  # noqa: S310 - a loopback address of our own child
            self.ready["control"] + path,
            data=None if wish is None else json.dumps(wish).encode(),
        )
        with DIRECT.open(request, timeout=CONTROL_S) as answer:
            content: dict[str, Any] = json.load(answer)
        return content

    def ahead_s(self) -> float:
        """How far its clock is ahead of the clients'."""
        now_us: int = self.control("/control/state")["now_us"]
        return now_us / US_PER_SECOND - time.time()

    def state(self, account: str) -> dict[str, Any]:
        """The true state of one account."""
        state: dict[str, Any] = self.control("/control/state")["accounts"][account]
        return state


@contextmanager
def running_exchange(
    folder: Path, latency_ms: int, accounts: Sequence[str] = ()
) -> Iterator[PaperExchange]:
    """Start an exchange whose files are in the folder, and end it with the block."""
    lead_s = START_TAKES_S + AHEAD_S
    for number in range(STARTS):
        with _started_exchange(folder / str(number), latency_ms, accounts, lead_s) as exchange:
            ahead_s = exchange.ahead_s()
            if AHEAD_ALLOWED_S[0] <= ahead_s <= AHEAD_ALLOWED_S[1]:
                yield exchange
                return
            lead_s += AHEAD_S - ahead_s
    raise AssertionError(f"{STARTS} starts all took too differently long to set the clock right")


@contextmanager
def _started_exchange(
    folder: Path, latency_ms: int, accounts: Sequence[str], lead_s: float
) -> Iterator[PaperExchange]:
    folder.mkdir()
    begins_ms = int((time.time() + lead_s) * MS_PER_SECOND)
    files = [_write_prices(folder, symbol, begins_ms) for symbol in PRICES]
    data = [part for file in files for part in ("--data", str(file))]
    ports = ["--binance-port", "0", "--bybit-port", "0", "--control-port", "0"]
    arguments = ["paper", *ports, "--speed", "1", *data]
    arguments += [part for name in accounts for part in ("--account", name)]
    arguments += ["--set", f"paper.latency_ms={latency_ms}"]
    with running_trailstop(arguments, folder / "paper") as running:
        yield PaperExchange(json.loads(wait_for(running.first_line, START_S)))


class Running:
    """A `trailstop` process beside the test, and the file that it prints to."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    def first_line(self) -> str | None:
        """The first line that it has printed, None as long as there is none."""
        self.check()
        text, newline, _ = self._output.read_text().partition("\n")
        return text if newline else None

    def check(self) -> None:
        """Fail when it has ended."""
        status = self._process.poll()
        assert status is None, f"it ended with status {status}"


@contextmanager
def running_trailstop(
    arguments: list[str], folder: Path, environ: dict[str, str] | None = None
) -> Iterator[Running]:
    """Run one `trailstop` command beside the block."""
    folder.mkdir()
    output, errors = folder / "output", folder / "errors"
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            # It ends with its standard input, so that none outlives a test run that was killed.
            [sys.executable, "-m", "trailstop", *arguments, "--end-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            # Neither settings of the environment nor a trailstop.toml nearby take part.
            cwd=folder,
            env=_without_settings() | {"PYTHONPATH": str(SOURCE)} | (environ or {}),
        )
        try:
            yield Running(process, output)
        except AssertionError as error:
            error.add_note(f"trailstop {arguments[0]} said: {errors.read_text()[-2000:]}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdin is not None
            process.stdin.close()


def wait_for(look: Callable[[], T | None], patience_s: float) -> T:
    """What `look` finds as soon as it finds something; fails when patience ends."""
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        found = look()
        if found:
            return found
        time.sleep(POLL_S)
    raise AssertionError(f"nothing came within {patience_s:.0f} s")


def _without_settings() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(SETTING_PREFIX)}


def _write_prices(folder: Path, symbol: str, begins_ms: int) -> Path:
    """Trades of the next minutes, one each second."""
    pair = PRICES[symbol]
    rows = [
        f"{begins_ms + index * MS_PER_SECOND},{pair[index % 2]},{QUANTITY},buy"
        for index in range(PRINTED_S)
    ]
    file = folder / f"{symbol}-trades.csv"
    file.write_text("\n".join(["timestamp,price,qty,side", *rows]) + "\n")
    return file
