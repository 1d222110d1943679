"""Sockets that are kept open: connect, subscribe, notice silence, reconnect, rotate.

A `Stream` knows nothing of what its frames mean. Whoever owns it gives it an address (asked
for anew at each connect), the subscriptions wanted, and a place for the frames.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
import msgspec
import structlog
from msgspec import Struct

from trailstop.errors import ReadFailed

Text = str | bytes
Socket = aiohttp.ClientWebSocketResponse
NOTHING: Final[frozenset[str]] = frozenset()

BACKOFF_SECONDS_FIRST = 0.25
BACKOFF_SECONDS_MAX = 15.0
"""Four attempts a minute at the end; the exchange allows 300 in five minutes."""
BACKOFF_DOUBLINGS_MAX = 10
STEADY_SECONDS = 60.0
"""A socket that lived this long was a success, and the next failure is a first one."""
RENEW_AGAIN_SECONDS = 10.0
OVERLAP_SECONDS = 1.0
"""How long the old socket is still read after the new one is open: nothing falls between."""
TIMER_SLACK_SECONDS = 0.001
"""A timer may fire a hair before its time; without this it would be set again for ever."""
HEARTBEAT_SECONDS = 20.0
"""Pings of ours; a socket without a pong within half of it is dead."""
CLOSE_SECONDS = 1.0
"""Wait for the other end's goodbye."""
NAMES_PER_MESSAGE = 100
MESSAGE_PAUSE_SECONDS = 0.2
"""The exchange allows 10 messages a second on one connection."""
FRAME_BYTES_MAX = 4 * 1_024 * 1_024

CLOSED_KINDS = frozenset(
    {
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSING,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    }
)


class StreamSettings(Struct, frozen=True):
    """What differs from stream to stream. Seconds throughout."""

    name: str
    connect_seconds: float
    rotate_seconds: float
    silence_seconds: float | None = None
    """Longest time without a frame; None where silence is usual and pings have to do."""
    silence_is_loss: bool = True
    """False where silence may well be the truth: the socket is then only renewed."""
    needs_names: bool = True
    """Whether it has something to say only once there are names to subscribe to."""


class _Line:
    """One open socket and the task that tells it what is wanted."""

    def __init__(self, socket: Socket, subscriber: asyncio.Task[None]) -> None:
        self.socket = socket
        self._subscriber = subscriber

    async def close(self) -> None:
        """Close both; safe to call for a socket that has gone."""
        self._subscriber.cancel()
        await asyncio.gather(self._subscriber, return_exceptions=True)
        await self.socket.close()


class Stream:
    """One subscription to an exchange's pushes, for ever."""

    def __init__(
        self,
        settings: StreamSettings,
        session: aiohttp.ClientSession,
        *,
        address: Callable[[], Awaitable[str]],
        on_frame: Callable[[Text], Awaitable[None]],
        on_state: Callable[[bool, str], Awaitable[None]],
        chance: random.Random,
    ) -> None:
        """Take what the stream needs.

        `address` may raise `ReadFailed`, which counts as a failed connect. `on_state` hears
        of every connect and loss.
        """
        self._settings = settings
        self._session = session
        self._address = address
        self._on_frame = on_frame
        self._on_state = on_state
        self._chance = chance
        self._wanted = NOTHING
        self._changed = asyncio.Event()
        self._renew = False
        self._deadline: asyncio.Timeout | None = None
        self._expected_by: float | None = None
        self._heard_at = 0.0
        self._message_id = 0
        self._log = structlog.get_logger("trailstop.venue").bind(
            venue="binance", stream=settings.name
        )

    def want(self, names: frozenset[str]) -> None:
        """Subscribe to exactly these streams; takes effect by itself."""
        self._wanted = names
        self._changed.set()

    def renew(self) -> None:
        """Open a new socket soon, at a new address, and then drop the present one."""
        self._renew = True
        self._wake_at(0.0)

    def expect_within(self, seconds: float, since: float) -> None:
        """Count the stream as blind if no frame at all comes within this time.

        `since` is the loop's time at which the write was sent: its event may well overtake
        its answer.
        """
        if self._expected_by is None and self._heard_at < since:
            self._expected_by = since + seconds
            self._wake_at(self._expected_by)

    async def run(self) -> None:
        """Keep the stream open until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        successor: _Line | None = None
        while True:
            if successor is None:
                await self._wait_for_names()
            opened_at = loop.time()
            try:
                line = successor or await self._open()
                successor = await self._serve(line)
            except (aiohttp.ClientError, OSError, ReadFailed) as error:
                successor = None
                # A socket that was taken and cut at once is no success.
                failures = 0 if loop.time() - opened_at >= STEADY_SECONDS else failures + 1
                await self._on_state(False, _why(error))
                await asyncio.sleep(self._backoff_s(failures))

    async def _wait_for_names(self) -> None:
        while self._settings.needs_names and not self._wanted:
            self._changed.clear()
            await self._changed.wait()

    async def _open(self) -> _Line:
        self._renew = False
        url = await self._address()
        async with asyncio.timeout(self._settings.connect_seconds):
            socket = await self._session.ws_connect(
                url,
                heartbeat=HEARTBEAT_SECONDS,
                max_msg_size=FRAME_BYTES_MAX,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            )
        self._expected_by = None
        return _Line(socket, asyncio.create_task(self._subscribe(socket)))

    async def _serve(self, line: _Line) -> _Line | None:
        """Read until the socket is lost (raises), replaced (by the one returned) or idle."""
        try:
            await self._on_state(True, "connected")
            renew_at = asyncio.get_running_loop().time() + self._settings.rotate_seconds
            while True:
                await self._read(line.socket, renew_at)
                if self._idle:
                    return None
                try:
                    successor = await self._open()
                except (aiohttp.ClientError, OSError, ReadFailed) as error:
                    # The present socket may still be good; it is given up only when it is lost.
                    self._log.warning("cannot renew the stream yet", reason=_why(error))
                    renew_at = asyncio.get_running_loop().time() + RENEW_AGAIN_SECONDS
                    continue
                try:
                    await self._drain(line.socket)
                except asyncio.CancelledError:
                    await successor.close()
                    raise
                return successor
        finally:
            await line.close()

    @property
    def _idle(self) -> bool:
        return self._settings.needs_names and not self._wanted

    async def _read(self, socket: Socket, renew_at: float) -> None:
        """Hand frames on until the socket is to be renewed, or nothing is wanted from it.

        Raises: ConnectionResetError when it is closed or has been silent for too long.
        """
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        silence = self._settings.silence_seconds
        while not self._renew:
            quiet_until = renew_at if silence is None else heard_at + silence
            if self._expected_by is not None:
                quiet_until = min(quiet_until, self._expected_by)
            try:
                async with asyncio.timeout_at(min(quiet_until, renew_at)) as self._deadline:
                    message = await socket.receive()
            except TimeoutError:
                now = loop.time() + TIMER_SLACK_SECONDS
                overdue = self._expected_by is not None and now >= self._expected_by
                late = silence is not None and now >= heard_at + silence
                quiet = late and not self._settings.silence_is_loss
                if self._idle or quiet or now >= renew_at:
                    return
                if overdue or late:
                    raise ConnectionResetError(f"silent for {now - heard_at:.0f} s") from None
                continue
            finally:
                self._deadline = None
            if message.type in CLOSED_KINDS:
                raise ConnectionResetError(f"closed by the exchange ({message.data})")
            heard_at = self._heard_at = loop.time()
            self._expected_by = None
            await self._on_frame(message.data)

    async def _drain(self, socket: Socket) -> None:
        """Take what the old socket still brings while the new one fills its buffer."""
        try:
            async with asyncio.timeout(OVERLAP_SECONDS):
                while (message := await socket.receive()).type not in CLOSED_KINDS:
                    await self._on_frame(message.data)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return

    async def _subscribe(self, socket: Socket) -> None:
        """Tell this socket what is wanted, now and at each change.

        While one socket replaces another, each of them has such a task.
        """
        sent = NOTHING
        while True:
            wanted = self._wanted
            for method, names in (("SUBSCRIBE", wanted - sent), ("UNSUBSCRIBE", sent - wanted)):
                await self._send_names(socket, method, sorted(names))
            sent = wanted
            while self._wanted == sent:
                self._changed.clear()
                await self._changed.wait()

    async def _send_names(self, socket: Socket, method: str, names: list[str]) -> None:
        for start in range(0, len(names), NAMES_PER_MESSAGE):
            self._message_id += 1
            message = {
                "method": method,
                "params": names[start : start + NAMES_PER_MESSAGE],
                "id": self._message_id,
            }
            try:
                await socket.send_str(msgspec.json.encode(message).decode())
            except (aiohttp.ClientError, OSError):
                # The reader notices the loss, and the next socket is told everything.
                return
            await asyncio.sleep(MESSAGE_PAUSE_SECONDS)

    def _wake_at(self, at: float) -> None:
        """Bring the reader's deadline forward; 0 is at once."""
        deadline = self._deadline
        if deadline is None or deadline.expired():
            return
        when = deadline.when()
        if when is None or at < when:
            deadline.reschedule(max(at, asyncio.get_running_loop().time()))

    def _backoff_s(self, failures: int) -> float:
        """Seconds before the next connect: doubling to a cap, a random half of it taken off."""
        doubled = BACKOFF_SECONDS_FIRST * float(1 << min(failures, BACKOFF_DOUBLINGS_MAX))
        return min(BACKOFF_SECONDS_MAX, doubled) * (1 + self._chance.random()) / 2


def _why(error: Exception) -> str:
    """One line without the address, which may carry a listen key."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status} instead of a stream"
    return str(error) or type(error).__name__
