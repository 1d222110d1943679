"""The processes of one side: an exchange whose time the drill grants, and its guard."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec

from benchmarks.crash.history import History
from benchmarks.crash.scenario import LegName, Scenario, SideName
from trailstop.daemon.talk.client import DaemonClient
from trailstop.daemon.talk.status import LegStatus
from trailstop.domain.position import Leg
from trailstop.domain.price import Side
from trailstop.errors import NotRunning

ROOT = Path(__file__).resolve().parents[2]
ANSWER_SECONDS = 120.0
POLL_SECONDS = 0.005
LINK_SECONDS = 30.0
STOP_SECONDS = 10.0
OK = 200
BAD_REQUEST = 400
US_PER_MS = 1_000
BRAKE_PATH = "/fapi/v1/ping"
"""A request that no guard makes, of Binance's dialect, which is always served: while it is held, time passes only by grants."""


class DrillError(Exception):
    """The drill itself cannot go on; the message says what did not answer."""


class Declined(DrillError):
    """The exchange would not do what somebody asked for; nothing has changed."""


def _start(
    module: str, *arguments: str, errors: IO[bytes], environ: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a module of this package; its standard input ends it when the drill ends."""
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**(os.environ if environ is None else environ), "PYTHONPATH": paths},
        start_new_session=True,
    )


class ExchangeProcess:
    """A paper exchange whose virtual time stands still but for what is granted."""

    def __init__(self, folder: Path, name: str, scenario: Scenario, *, trader: bool) -> None:
        self.scenario = scenario
        self._errors = (folder / f"{name}.err").open("wb")
        self._history = folder / f"{name}.json"
        self._process = _start(
            "benchmarks.crash.exchange",
            msgspec.json.encode(scenario).decode(),
            "trader" if trader else "quiet",
            str(self._history),
            errors=self._errors,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DrillError(f"the exchange did not start; see {folder / name}.err")
        ready = json.loads(line)
        self.rest, self.ws, self.link = ready["rest"], ready["ws"], ready["link"]
        self._brake_rest: str = ready["brake"]
        self.accounts: dict[str, dict[str, str]] = ready["accounts"]
        control = urlsplit(ready["control"])
        self._line = http.client.HTTPConnection(
            control.hostname or "", control.port, timeout=ANSWER_SECONDS
        )
        self._seen_arrival = 0
        self._brake: tuple[int, socket.socket] | None = None
        self.now_us = 0
        self.brake()

    # --- control ---------------------------------------------------------------------------
    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """One request to the control interface. Raises: Declined, DrillError."""
        content = None if body is None else msgspec.json.encode(body)
        try:
            self._line.request(method, path, content)
            answer = self._line.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._line.close()
            raise DrillError(f"{method} {path}: {error!r}") from error
        if answer.status == BAD_REQUEST:
            raise Declined(f"{method} {path}: {text.decode()}")
        if answer.status != OK:
            raise DrillError(f"{method} {path}: {text.decode()}")
        plain: dict[str, Any] = msgspec.json.decode(text)
        return plain

    def open(self, leg: LegName, quantity: str | None = None) -> None:
        """Open a position, or add to it, as the user. Raises: Declined."""
        wish = {"account": leg.account, "symbol": leg.symbol, "side": leg.side}
        if quantity is not None:
            wish["quantity"] = quantity
        self.ask("POST", "/control/positions", wish)

    def close(self, leg: LegName) -> None:
        """Close a position as the user. Raises: Declined."""
        side = self.scenario.position_side(leg.side)
        wish = {"account": leg.account, "symbol": leg.symbol, "position_side": side}
        self.ask("POST", "/control/close", wish)

    def state(self) -> dict[str, Any]:
        """The true state at this moment."""
        state = self.ask("GET", "/control/state")
        self.now_us = state["now_us"]
        return state

    def grant(self, duration_ms: int) -> None:
        """Let so much virtual time pass."""
        if duration_ms > 0:
            self.now_us = self.ask("POST", "/control/time", {"advance_ms": duration_ms})["now_us"]

    def run_to(self, at_ms: int) -> None:
        """Let time pass until then."""
        self.grant(at_ms - self.now_us // US_PER_MS)

    def hold(self, **wanted: object) -> None:
        """Hold the next request that fits."""
        self.ask("POST", "/control/hold", wanted)

    def arrival(self, timeout_s: float) -> dict[str, Any] | None:
        """The next request that is held, waiting for it; None after so many seconds."""
        self._line.close()
        self._line.timeout = timeout_s
        try:
            found = self.ask("GET", f"/control/arrivals?after={self._seen_arrival}")["arrivals"]
        except DrillError:
            return None
        finally:
            self._line.close()
            self._line.timeout = ANSWER_SECONDS
        self._seen_arrival = found[0]["arrival_id"]
        first: dict[str, Any] = found[0]
        return first

    def release(self, arrival_id: int) -> None:
        """Let a held request go on."""
        self.ask("POST", "/control/release", {"arrival_id": arrival_id})

    def is_holding(self) -> bool:
        """Whether a request is being held, besides the brake's own."""
        return len(self.state()["held"]) > 1

    def forget_holds(self) -> None:
        """Drop every hold and fault, let what is held go on, and put the brake on again."""
        self.ask("POST", "/control/faults", {"clear": "all"})
        self.ask("POST", "/control/release", {"all": True})
        if self._brake is not None:
            self._brake[1].close()
        self._brake = None
        self.brake()

    def brake(self) -> None:
        """Let time stand still but for grants."""
        if self._brake is not None:
            return
        self.hold(path=BRAKE_PATH)
        parts = urlsplit(self._brake_rest)
        line = socket.create_connection((parts.hostname or "", parts.port or 0))
        line.sendall(f"GET {BRAKE_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while True:
            arrived = self.arrival(ANSWER_SECONDS)
            if arrived is None:
                raise DrillError("the brake does not hold")
            if arrived["request"]["path"] == BRAKE_PATH:
                break
        self._brake = (arrived["arrival_id"], line)
        self.now_us = self.ask("POST", "/control/time", {"advance_ms": 0})["now_us"]

    def let_run(self) -> None:
        """Let time run as fast as it goes."""
        assert self._brake is not None
        number, line = self._brake
        self._brake = None
        self.release(number)
        line.close()

    def stop(self) -> History:
        """End the process and read what it had of orders."""
        with contextlib.suppress(DrillError):
            self.ask("POST", "/control/stop")
        self._process.wait(STOP_SECONDS * 6)
        self._line.close()
        self._errors.close()
        return msgspec.json.decode(self._history.read_bytes(), type=History)

    def kill(self) -> None:
        """End the process however it is."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class GuardProcess:
    """A guard on one database, started again and again."""

    def __init__(self, exchange: ExchangeProcess, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self._exchange = exchange
        self._log = (folder / f"{name}.log").open("wb")
        self._environ = dict(os.environ)
        self._settings = [
            f"trailstop.data_dir={self.folder}",
            f"paper.link={exchange.link}",
            "trailstop.log_level=info",
        ]
        for account, keys in exchange.accounts.items():
            self._environ[f"TRAILSTOP_PAPER_KEY_{account.upper()}"] = keys["key"]
            self._environ[f"TRAILSTOP_PAPER_SECRET_{account.upper()}"] = keys["secret"]
            self._settings += [
                f"accounts.{account}.venue={exchange.scenario.venue}",
                f"accounts.{account}.rest_url={exchange.rest}",
                f"accounts.{account}.ws_url={exchange.ws}",
            ]
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = self._prepare()

    def _prepare(self) -> subprocess.Popen[bytes]:
        return _start("benchmarks.crash.guard", errors=self._log, environ=self._environ)

    def go(self) -> None:
        """Start the guard that stands ready; another one takes its place."""
        assert self._process is None
        self._process = self._ready
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._settings).encode() + b"\n")
        self._process.stdin.flush()
        self._ready = self._prepare()

    def start(self) -> None:
        """Start it and wait until it keeps the exchange's time. Raises: DrillError."""
        self.go()
        self.wait_linked()

    def wait_linked(self) -> None:
        """Wait until it keeps the exchange's time. Raises: DrillError."""
        deadline_s = time.monotonic() + LINK_SECONDS
        while self._exchange.state()["links"] == 0:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise DrillError(f"the guard did not start; see {self._log.name}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """kill -9, and wait until the exchange has noticed that its link is gone."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None
        while self._exchange.state()["links"] != 0:
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raises: DrillError when it has ended by itself."""
        if self._process is None or self._process.poll() is not None:
            raise DrillError(f"the guard ended by itself; see {self._log.name}")

    def legs(self) -> dict[Leg, LegStatus] | None:
        """What it says of its legs; None where it does not answer."""
        try:
            status = DaemonClient(self.folder, timeout_s=ANSWER_SECONDS).status()
        except NotRunning:
            return None
        return {row.leg: row for row in status.legs}

    def by_name(self) -> dict[LegName, LegStatus] | None:
        """The same by what the exchange calls the position."""
        legs = self.legs()
        if legs is None:
            return None
        return {
            LegName(leg.account, leg.symbol, side_name(row.side)): row for leg, row in legs.items()
        }

    def stop(self) -> None:
        """End everything, in order where it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._ready.kill()
        self._ready.wait()
        self._log.close()


def side_name(side: Side) -> SideName:
    """A side as the exchange's true state spells it."""
    return "long" if side is Side.LONG else "short"


def database_copy(folder: Path) -> Path:
    """A copy of the database as it lies on the disk, to be read without touching the original."""
    target = Path(tempfile.mkdtemp(dir=folder))
    for file in folder.glob("trailstop-paper.db*"):
        shutil.copy(file, target / file.name)
    return target / "trailstop-paper.db"
