"""How often in a row this process died before it had looked at every account.

A service manager starts what dies again and again. The stops rest on the exchange meanwhile; what
must not happen is that each start costs requests until the exchange bans the address. So starts
that came to nothing make the next one wait before its first request.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import structlog

_log = structlog.get_logger("trailstop.guard")

FILE = "starts"
PAUSE_SECONDS = (0.0, 0.0, 0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""What a start waits by the number of failed ones before it; the last one repeats."""


class Starts:
    """The count, in a file of its own: the database may be what kills the process."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / FILE

    def begin(self) -> float:
        """Count this start; gives the seconds that it has to wait before its first request."""
        failed = self._read()
        self._write(failed + 1)
        pause_seconds = PAUSE_SECONDS[min(failed, len(PAUSE_SECONDS) - 1)]
        if pause_seconds:
            _log.warning(
                "waits_to_start",
                seconds=pause_seconds,
                note=f"the last {failed} starts ended before every account was read; stops rest",
            )
        return pause_seconds

    def succeeded(self) -> None:
        """Every account was looked at, or the process ends in order."""
        self._write(0)

    def _read(self) -> int:
        try:
            return max(0, int(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return 0

    def _write(self, count: int) -> None:
        # A count that cannot be kept must not keep anything from being guarded.
        with contextlib.suppress(OSError):
            self._file.write_text(f"{count}\n", encoding="utf-8")
