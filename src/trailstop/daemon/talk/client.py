"""The other end of the loopback socket, for commands: plain blocking requests.

It needs the standard library and msgspec alone, so that `trailstop status` starts quickly.
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from trailstop.daemon.talk.status import (
    ControlAnswer,
    ControlRefused,
    ControlRequest,
    EpochSummary,
    Fact,
    Status,
    TrailNow,
)
from trailstop.errors import NotRunning

T = TypeVar("T")

ADDRESS_FILE: Final = "daemon.json"
LOOPBACK: Final = "127.0.0.1"
TIMEOUT_S: Final = 10.0
EVENTS_LIMIT: Final = 1_000
HTTP_OK: Final = 200
HTTP_REFUSED: Final = 409
HTTP_FORBIDDEN: Final = 403


class Address(Struct, frozen=True):
    """Where the daemon listens and the token that it wants; a file that only its owner reads."""

    host: str
    port: int
    token: str
    pid: int


class ErrorBody(Struct, frozen=True):
    """The body of every answer that is not 200."""

    error: str


class DaemonClient:
    """Asks one running daemon. Every method raises NotRunning when it does not answer."""

    def __init__(self, data_dir: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self._file = data_dir / ADDRESS_FILE
        self._timeout_s = timeout_s

    def status(self) -> Status:
        """The daemon's state now."""
        return self._ask("GET", "/status", Status)

    def events(self, after: int = 0, limit: int = EVENTS_LIMIT) -> Sequence[Fact]:
        """Facts with a sequence above `after`, oldest first."""
        return self._ask("GET", f"/events?after={after}&limit={limit}", tuple[Fact, ...])

    def epochs(self) -> Sequence[EpochSummary]:
        """The life of every position, ended or open."""
        return self._ask("GET", "/epochs", tuple[EpochSummary, ...])

    def trails(self) -> Sequence[TrailNow]:
        """The trail of every open position, with its settings and all that it remembers."""
        return self._ask("GET", "/trails", tuple[TrailNow, ...])

    def control(self, request: ControlRequest) -> ControlAnswer:
        """Ask for an action on one leg. Raises: ControlRefused."""
        return self._ask("POST", "/control", ControlAnswer, msgspec.json.encode(request))

    def _address(self) -> Address:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Address)
        except FileNotFoundError:
            raise NotRunning(
                f"no Trailstop runs with {self._file.parent}; start it with: trailstop run"
            ) from None
        except (OSError, msgspec.MsgspecError) as error:
            raise NotRunning(
                f"{self._file} cannot be read ({error}); start Trailstop again"
            ) from None

    def _ask(self, method: str, path: str, kind: type[T], body: bytes | None = None) -> T:
        address = self._address()
        line = http.client.HTTPConnection(address.host, address.port, timeout=self._timeout_s)
        try:
            line.request(
                method, path, body=body, headers={"Authorization": f"Bearer {address.token}"}
            )
            answer = line.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            raise NotRunning(
                f"Trailstop does not answer at {address.host}:{address.port} (it has stopped, or "
                f"is busy); start it with: trailstop run"
            ) from None
        finally:
            line.close()
        return self._read(answer.status, content, kind)

    def _read(self, status: int, content: bytes, kind: type[T]) -> T:
        try:
            if status == HTTP_OK:
                return msgspec.json.decode(content, type=kind)
            text = msgspec.json.decode(content, type=ErrorBody).error
        except msgspec.MsgspecError:
            raise self._stranger() from None
        if status == HTTP_FORBIDDEN:
            raise self._stranger()
        raise ControlRefused(text)

    def _stranger(self) -> NotRunning:
        return NotRunning(
            f"what listens at the address of {self._file} is not this Trailstop; "
            f"start it with: trailstop run"
        )
