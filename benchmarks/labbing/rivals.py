"""The other backtesters, each a process in an environment of its own that waits for its turn."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from trailstop.errors import TrailstopError

HERE = Path(__file__).parent
PYTHONS = {
    "vectorbt": "TRAILSTOP_RIVALS_PYTHON",
    "hftbacktest": "TRAILSTOP_RIVALS_PYTHON",
    "nautilus": "TRAILSTOP_NAUTILUS_PYTHON",
}


class Rival:
    """One of them: asked for a run, it answers with the CPU seconds that it took."""

    def __init__(self, name: str, folder: Path) -> None:
        python = os.environ.get(PYTHONS[name])
        if python is None:
            raise TrailstopError("start this as ./trailstop bench lab, which installs the others")
        self.name = name
        self._process = subprocess.Popen(
            [python, str(HERE / f"rival_{name}.py"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
        self.version = self._answer()["version"]

    def run(self, distances: list[float], **more: object) -> dict[str, Any]:
        """One run; `distances` are fractions, several of them are columns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"distances": distances, **more}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise TrailstopError(f"{self.name} ended without an answer; its error stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer
