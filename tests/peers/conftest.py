"""Fixtures of the tests that run clients written by others, each as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.exchange import PaperExchange, running_exchange

PEERS = "TRAILSTOP_PEERS_PYTHON"
CLIENTS = Path(__file__).parent / "clients"
PATIENCE_S = 60
QUICK_LATENCY_MS = 10
DIRECT = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

Client = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def peers_python() -> str:
    python = os.environ.get(PEERS)
    if not python:
        pytest.skip(f"{PEERS} is not set: run the tests by ./trailstop test, which sets it")
    return python


@pytest.fixture(scope="module")
def exchange(
    request: pytest.FixtureRequest, peers_python: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PaperExchange]:
    """One for each module, which may name its LATENCY_MS and its ACCOUNTS."""
    latency_ms = getattr(request.module, "LATENCY_MS", QUICK_LATENCY_MS)
    accounts = getattr(request.module, "ACCOUNTS", ())
    with running_exchange(tmp_path_factory.mktemp("exchange"), latency_ms, accounts) as running:
        yield running


@pytest.fixture(scope="module")
def run_client(peers_python: str, exchange: PaperExchange) -> Client:
    """Runs a script of `clients` against the exchange; gives what the client understood."""

    def run(script: str, account: str = "long", **wishes: Any) -> dict[str, Any]:
        place = exchange.ready | {"account": account, **exchange.accounts[account], **wishes}
        done = subprocess.run(
            # Neither the user's packages nor the product's are within the client's reach.
            [peers_python, "-s", "-E", str(CLIENTS / script), json.dumps(place)],
            env=os.environ | DIRECT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{script} failed: {done.stderr[-3000:]}"
        understood: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return understood

    return run
