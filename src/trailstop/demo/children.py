"""The demo's two processes: started in groups of their own, ended with the demo.

Each child watches its standard input, which only the demo holds open, and ends when it
closes: so that none is left behind, not even by `kill -9` of the demo.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from trailstop.errors import TrailstopError

STOP_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.02
PREFIX: Final = "trailstop: "
PARENT_WATCH: Final = "--end-with-stdin"


class ChildFailed(TrailstopError):
    """A process of the demo ended by itself; the message ends with its own last words."""


class Child:
    """One `trailstop` process. What it prints goes to files named after it."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._errors = folder / f"{name}.err"
        self._output = folder / f"{name}.out"
        self._files: list[IO[bytes]] = [self._output.open("wb"), self._errors.open("wb")]
        self._process = subprocess.Popen(  # noqa: S603 - this very program, with our own arguments
            [sys.executable, "-m", "trailstop", *arguments, PARENT_WATCH],
            stdin=subprocess.PIPE,
            stdout=self._files[0],
            stderr=self._files[1],
            env=None if environ is None else dict(environ),
            # Ctrl-C goes to the demo alone, which then ends its children in their order.
            start_new_session=True,
        )

    def __enter__(self) -> Child:
        """Run within a `with`."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the process."""
        self.stop()

    def check(self) -> None:
        """Raises: ChildFailed when the process has ended."""
        status = self._process.poll()
        if status is None:
            return
        if status < 0:
            raise ChildFailed(f"the {self.name} was killed ({signal.Signals(-status).name})")
        raise ChildFailed(f"the {self.name} ended (status {status}): {self.last_words()}")

    def first_line(self, timeout_s: float) -> str:
        """The first line that it prints. Raises: ChildFailed."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            text = self._output.read_text(encoding="utf-8", errors="replace")
            if "\n" in text:
                return text.partition("\n")[0]
            self.check()
            time.sleep(POLL_SECONDS)
        raise ChildFailed(f"the {self.name} did not start within {timeout_s:.0f} s")

    def last_words(self) -> str:
        """The last line of its errors."""
        lines = self._errors.read_text(encoding="utf-8", errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1].removeprefix(PREFIX) if said else "it said nothing"

    def stop(self) -> None:
        """Ask it to end, and make it end when it does not."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        for file in self._files:
            file.close()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            self._process.wait()
