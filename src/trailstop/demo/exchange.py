"""The demo's line to the paper exchange: its first words, and its control interface."""

from __future__ import annotations

import http.client
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from trailstop.errors import Unreachable

TIMEOUT_S: Final = 30.0
HTTP_OK: Final = 200


class PaperKeys(Struct, frozen=True):
    """The keys of one account of the paper exchange."""

    key: str
    secret: str


class PaperAddress(Struct, frozen=True):
    """The line that `trailstop paper` prints when it is ready."""

    rest: str
    ws: str
    """Binance's protocol."""
    control: str
    link: str
    now_us: int
    sources: tuple[str, ...]
    accounts: dict[str, PaperKeys]
    bybit_rest: str | None = None
    bybit_ws: str | None = None

    def of(self, venue: str) -> tuple[str | None, str | None]:
        """Where requests and streams of a venue go; None where it is not served.

        Raises: KeyError for a venue that the paper exchange does not know.
        """
        return {
            "binance": (self.rest, self.ws),
            "bybit": (self.bybit_rest, self.bybit_ws),
        }[venue]


class Control:
    """Blocking requests to the control interface."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 0

    def state(self) -> dict[str, Any]:
        """The true state with its clocks. Raises: Unreachable."""
        return self.ask("GET", "/control/state")

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """One request. Raises: Unreachable."""
        line = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        content = None if body is None else msgspec.json.encode(body)
        try:
            line.request(method, path, content, {"Content-Type": "application/json"})
            answer = line.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the paper exchange does not answer ({error})") from None
        finally:
            line.close()
        if answer.status != HTTP_OK:
            raise Unreachable(f"the paper exchange refuses {path}: {text.decode(errors='replace')}")
        plain: dict[str, Any] = msgspec.json.decode(text)
        return plain
