"""The guard's process as the soak sees it, without ever waiting for it in real time.

The soak owns the virtual time that the guard follows: while it waited for a line the guard would
wait for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import aiohttp
import msgspec

from benchmarks.outside.processes import ROOT, SETTING_PREFIX
from trailstop.daemon.talk.client import ADDRESS_FILE, Address
from trailstop.daemon.talk.status import LegStatus, Status
from trailstop.timelink import HostLoop

LINE_MAX = 1 << 20
STOP_S = 10.0
SAID = 2_000
"""Last characters of what it said, in an error."""


class Charge:
    """One guard's process, linked to this loop."""

    def __init__(self, loop: HostLoop, file: Path, data: Path, keys: Mapping[str, str]) -> None:
        clean = {
            key: text for key, text in os.environ.items() if not key.startswith(SETTING_PREFIX)
        }
        self._loop = loop
        self._data = data
        self._log = file.parent / "guard.err"
        self._errors: IO[bytes] = self._log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.soaking.guard", str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=file.parent,
            env={**clean, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", **keys},
        )
        self._said = bytearray()
        self._ended = asyncio.Event()
        assert self._process.stdout is not None
        loop.add_reader(self._process.stdout.fileno(), self._hear)

    @property
    def ended(self) -> bool:
        """Whether it has closed its output, as at its end."""
        return self._ended.is_set()

    @property
    def last_words(self) -> str:
        """What it said last, where it has ended by itself."""
        return self._log.read_text()[-SAID:]

    async def legs(self) -> tuple[LegStatus, ...]:
        """What it says of its legs at this moment, by its status socket."""
        address = msgspec.json.decode((self._data / ADDRESS_FILE).read_bytes(), type=Address)
        url = f"http://{address.host}:{address.port}/status"
        headers = {"Authorization": f"Bearer {address.token}"}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            answer.raise_for_status()
            return msgspec.json.decode(await answer.read(), type=Status).legs

    async def end(self) -> dict[str, Any]:
        """Have it end as Ctrl-C does; its last line, empty where it had ended before."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._ended.wait()
        self._process.wait(STOP_S)
        lines = self._said.decode().splitlines()
        told: dict[str, Any] = json.loads(lines[-1]) if len(lines) > 1 else {}
        return told

    def kill(self) -> None:
        """Leave nothing behind, whatever has happened."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        part = os.read(self._process.stdout.fileno(), LINE_MAX)
        self._said += part
        if not part:
            self._loop.remove_reader(self._process.stdout.fileno())
            self._ended.set()
            # Else time would stand still for a guard that does not come again.
            self._loop.let_go()
