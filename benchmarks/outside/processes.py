"""The processes of one scene, in real time: paper exchange, guard, and clients written by others.

Real time throughout: an outside client cannot be linked to a virtual clock, and at speed 1 the
exchange's clock is the wall clock itself, so that a slow machine makes the figures worse, never
better.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
OPENER = ROOT / "tests" / "peers" / "clients" / "opener.py"
PEERS = "TRAILSTOP_PEERS_PYTHON"
SETTING_PREFIX = "TRAILSTOP__"
DIRECT = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
START_S = 30.0
STOP_S = 10.0
ANSWER_S = 15.0
POLL_S = 0.02
SAID = 2_000
"""Last characters of what a process said, in an error."""


class SceneError(Exception):
    """The scene cannot go on; the message says what did not answer."""


def wait_for(look: Callable[[], T | None], patience_s: float, what: str) -> T:
    """What `look` finds as soon as it finds something. Raises: SceneError."""
    deadline_s = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline_s:
            raise SceneError(f"{what}: nothing came within {patience_s:.0f} s")
        time.sleep(POLL_S)


class Process:
    """One process that answers in lines; it ends with its standard input."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, name: str, environ: Mapping[str, str]
    ) -> None:
        self._name = name
        self._log = folder / f"{name}.err"
        self._errors: IO[bytes] = self._log.open("wb")
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # No trailstop.toml nearby takes part.
            cwd=folder,
            env=dict(environ),
        )

    def line(self) -> Any:
        """The next line that it prints, decoded. Raises: SceneError when it has ended."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            raise SceneError(f"{self._name} has ended: {self._log.read_text()[-SAID:]}")
        return json.loads(text)

    def ask(self, wish: Mapping[str, Any]) -> Any:
        """The line that answers this one."""
        assert self._process.stdin is not None
        # Its last words say more than a broken pipe: `line` tells them.
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(wish).encode() + b"\n")
            self._process.stdin.flush()
        return self.line()

    def check(self) -> None:
        """Raise SceneError when it has ended."""
        if self._process.poll() is not None:
            raise SceneError(f"{self._name} has ended: {self._log.read_text()[-SAID:]}")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()


class Exchange:
    """The paper exchange in both dialects, and its control interface."""

    def __init__(self, folder: Path, accounts: Sequence[str], seed: int) -> None:
        ports = ["--binance-port", "0", "--bybit-port", "0", "--control-port", "0"]
        named = [part for name in accounts for part in ("--account", name)]
        self.process = _trailstop(
            ["paper", *ports, "--generate", str(seed), "--speed", "1", *named], folder, "exchange"
        )
        self.ready: dict[str, Any] = self.process.line()
        self.accounts: dict[str, dict[str, str]] = self.ready["accounts"]
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def address(self, venue: str) -> tuple[str, str]:
        """Where requests and streams of this venue go."""
        before = "" if venue == "binance" else f"{venue}_"
        return self.ready[f"{before}rest"], self.ready[f"{before}ws"]

    def state(self) -> dict[str, Any]:
        """The true state at this moment. Raises: SceneError."""
        try:
            with self._opener.open(self.ready["control"] + "/control/state", None, ANSWER_S) as got:
                state: dict[str, Any] = json.load(got)
        except (urllib.error.URLError, TimeoutError) as error:
            raise SceneError(f"the exchange does not answer: {error}") from error
        return state


def start_guard(folder: Path, exchange: Exchange, venues: Mapping[str, str]) -> Process:
    """A guard over these accounts, each with its venue; returns once it listens to all."""
    wishes = {"trailstop.data_dir": str(folder)}
    keys = {}
    for account, venue in venues.items():
        rest, ws = exchange.address(venue)
        wishes |= {
            f"accounts.{account}.venue": venue,
            f"accounts.{account}.rest_url": rest,
            f"accounts.{account}.ws_url": ws,
        }
        access = exchange.accounts[account]
        keys[f"TRAILSTOP_PAPER_KEY_{account.upper()}"] = access["key"]
        keys[f"TRAILSTOP_PAPER_SECRET_{account.upper()}"] = access["secret"]
    settings = [part for wish in wishes.items() for part in ("--set", "=".join(wish))]
    guard = _trailstop(["run", "--quiet", *settings], folder, "guard", keys)

    def is_listening() -> bool:
        guard.check()
        connections: dict[str, int] = exchange.state()["connections"]
        return connections.get("private", 0) >= len(venues)

    try:
        wait_for(is_listening, START_S, "the guard's account streams")
    except SceneError:
        guard.stop()
        raise
    return guard


def start_client(folder: Path, exchange: Exchange, client: str) -> Process:
    """The script that opens and closes by one client, waiting for what it is asked."""
    place = {**exchange.ready, "client": client}
    return Process(
        # Neither the user's packages nor the product's are within the client's reach.
        [peers_python(), "-s", "-E", str(OPENER), json.dumps(place)],
        folder,
        client.replace(" ", "-"),
        os.environ | DIRECT,
    )


def peers_python() -> str:
    """The Python that has the clients. Raises: SceneError where there is none."""
    python = os.environ.get(PEERS) or str(ROOT / ".env" / "peers" / "bin" / "python")
    if not Path(python).is_file():
        raise SceneError(
            f"the clients are not installed: start ./trailstop test once, or set {PEERS} to a "
            "Python with requirements/peers.txt"
        )
    return python


def _trailstop(
    arguments: Sequence[str], folder: Path, name: str, environ: Mapping[str, str] | None = None
) -> Process:
    clean = {key: text for key, text in os.environ.items() if not key.startswith(SETTING_PREFIX)}
    return Process(
        [sys.executable, "-m", "trailstop", *arguments, "--end-with-stdin"],
        folder,
        name,
        {**clean, "PYTHONPATH": str(ROOT / "src"), **(environ or {})},
    )
