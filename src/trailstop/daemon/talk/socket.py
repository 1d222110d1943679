"""The daemon's loopback socket: status, events, epochs and control, over HTTP with a token.

The address and a fresh token lie in `daemon.json` of the data directory, readable by its
owner alone. Only this machine can reach the socket, and only who can read that file is heard.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from trailstop.daemon.talk.client import (
    ADDRESS_FILE,
    EVENTS_LIMIT,
    HTTP_FORBIDDEN,
    HTTP_OK,
    HTTP_REFUSED,
    LOOPBACK,
    Address,
    ErrorBody,
)
from trailstop.daemon.talk.status import ControlRefused, ControlRequest, DaemonFacade
from trailstop.errors import StoreError

TOKEN_BYTES: Final = 24
OWNER_ONLY: Final = 0o600
HTTP_BAD_REQUEST: Final = 400
SHUTDOWN_SECONDS: Final = 1.0
KEEP_ALIVE_SECONDS: Final = 0.0
"""Commands ask once and go; a kept connection would only leave timers in virtual time."""


class StatusSocket:
    """Serves one daemon until it is closed."""

    def __init__(self, facade: DaemonFacade, data_dir: Path) -> None:
        self._facade = facade
        self._file = data_dir / ADDRESS_FILE
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._runner: web.AppRunner | None = None

    async def start(self) -> Address:
        """Listen on a free loopback port and publish the address. Raises: StoreError."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/status", self._status),
                web.get("/events", self._events),
                web.get("/epochs", self._epochs),
                web.get("/trails", self._trails),
                web.post("/control", self._control),
            ]
        )
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
        )
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0).start()
        self._runner = runner
        address = Address(LOOPBACK, int(runner.addresses[0][1]), self._token, os.getpid())
        try:
            _publish(self._file, address)
        except OSError as error:
            await runner.cleanup()
            raise StoreError(
                f"cannot write {self._file} ({error.strerror}); make it writable"
            ) from error
        return address

    async def close(self) -> None:
        """Stop listening and take the address back."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        await runner.cleanup()
        # A second daemon may have published its own address meanwhile: only ours is removed.
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            if msgspec.json.decode(self._file.read_bytes(), type=Address).token == self._token:
                self._file.unlink()

    def _is_known(self, request: web.Request) -> bool:
        sent = request.headers.get("Authorization", "")
        return hmac.compare_digest(sent.encode(), f"Bearer {self._token}".encode())

    async def _status(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return _forbidden()
        return _answer(self._facade.status())

    async def _events(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return _forbidden()
        try:
            after = int(request.query.get("after", "0"))
            limit = int(request.query.get("limit", str(EVENTS_LIMIT)))
        except ValueError:
            return _answer(ErrorBody("after and limit must be whole numbers"), HTTP_BAD_REQUEST)
        limit = max(1, min(limit, EVENTS_LIMIT))
        return _answer(tuple(await self._facade.events(after, limit)))

    async def _epochs(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return _forbidden()
        return _answer(tuple(await self._facade.epochs()))

    async def _trails(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return _forbidden()
        return _answer(tuple(self._facade.trails()))

    async def _control(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return _forbidden()
        try:
            wish = msgspec.json.decode(await request.read(), type=ControlRequest)
        except msgspec.MsgspecError as error:
            return _answer(ErrorBody(f"not understood: {error}"), HTTP_BAD_REQUEST)
        try:
            return _answer(await self._facade.control(wish))
        except ControlRefused as error:
            return _answer(ErrorBody(str(error)), HTTP_REFUSED)


def _answer(content: object, status: int = HTTP_OK) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(content), status=status, content_type="application/json"
    )


def _forbidden() -> web.Response:
    return _answer(ErrorBody("the token is wrong"), HTTP_FORBIDDEN)


def _publish(path: Path, address: Address) -> None:
    """Write the address whole or not at all, and never readable by others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode(address))
    fresh.replace(path)
