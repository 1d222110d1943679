"""Sockets that are kept open: connect, subscribe, notice silence, reconnect, rotate.

A `Stream` knows nothing of what its frames mean. Whoever owns it gives it an address (asked
for anew at each connect), the way in which its exchange is spoken to, the subscriptions
wanted, and a place for the frames.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Literal

import aiohttp
import structlog
from msgspec import Struct

from trailstop.errors import ReadFailed
from trailstop.venues.connects import ConnectBudget

Text = str | bytes
Socket = aiohttp.ClientWebSocketResponse
Method = Literal["subscribe", "unsubscribe"]
NOTHING: Final[frozenset[str]] = frozenset()

BACKOFF_SECONDS_FIRST = 0.25
BACKOFF_SECONDS_MAX = 15.0
"""Four attempts a minute at the end; Binance allows 300 in five minutes, Bybit 500."""
BACKOFF_DOUBLINGS_MAX = 10
STEADY_SECONDS = 60.0
"""A socket that lived this long was a success, and the next failure is a first one."""
RENEW_AGAIN_SECONDS = 10.0
ROTATE_SPREAD = 0.1
"""Share of a socket's age that chance takes off, so that those which were opened together are not
replaced together."""
DOUBT_SECONDS = 2.0
"""How much longer a stream may be silent after a read showed what it did not tell."""
DOUBT_SINCE_SECONDS = 5.0
"""A stream that said anything at all within this time is in no doubt: its news may be under way."""
OVERLAP_SECONDS = 1.0
"""How long the old socket is still read after the new one was told what is wanted: nothing falls
between."""
OVERLAP_SECONDS_MAX = 30.0
"""The same where telling it takes long: a hundred symbols on Bybit take five seconds."""
TIMER_SLACK_SECONDS = 0.001
"""A timer may fire a hair before its time; without this it would be set again for ever."""
HEARTBEAT_SECONDS = 20.0
"""Pings of ours; a socket without a pong within half of it is dead."""
CLOSE_SECONDS = 1.0
"""Wait for the other end's goodbye."""
FRAME_BYTES_MAX = 4 * 1_024 * 1_024

CLOSED_KINDS = frozenset(
    {
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSING,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    }
)


class Speech(Struct, frozen=True):
    """How an exchange is spoken to on its sockets. Seconds throughout."""

    venue: str
    """The exchange's name, for the log."""
    messages: Callable[[Method, Sequence[str]], Iterable[str]]
    """What is sent to subscribe to these names, or to give them up."""
    pause_seconds: float
    """Between two messages, so that the exchange's limit for a connection is kept."""
    ping: Callable[[], str] | None = None
    """A keep-alive of the exchange's own, where the protocol's pings are not enough."""
    ping_seconds: float = 20.0


class StreamSettings(Struct, frozen=True):
    """What differs from stream to stream. Seconds throughout."""

    name: str
    connect_seconds: float
    rotate_seconds: float
    silence_seconds: float | None = None
    """Longest time without news; None where silence is usual and pings have to do."""
    silence_is_loss: bool = True
    """False where silence may well be the truth: the socket is then only renewed."""
    needs_names: bool = True
    """Whether it has something to say only once there are names to subscribe to."""


class _Line:
    """One open socket, what it brought while it was greeted, and the tasks that speak to it."""

    def __init__(
        self,
        socket: Socket,
        early: Sequence[Text],
        speakers: Sequence[asyncio.Task[None]],
        told: asyncio.Event,
    ) -> None:
        self.socket = socket
        self.early = early
        self.told = told
        """Set as soon as the exchange was told everything that is wanted."""
        self._speakers = speakers

    async def close(self) -> None:
        """Close all of it; safe to call for a socket that has gone."""
        for speaker in self._speakers:
            speaker.cancel()
        await asyncio.gather(*self._speakers, return_exceptions=True)
        await self.socket.close()


class Stream:
    """One subscription to an exchange's pushes, for ever."""

    def __init__(
        self,
        settings: StreamSettings,
        session: aiohttp.ClientSession,
        speech: Speech,
        *,
        address: Callable[[], Awaitable[str]],
        greet: Callable[[Socket], Awaitable[Sequence[Text]]] | None = None,
        on_frame: Callable[[Text], Awaitable[bool]],
        on_state: Callable[[bool, str], Awaitable[None]],
        chance: random.Random,
        budget: ConnectBudget,
    ) -> None:
        """Take what the stream needs.

        `address` and `greet` may raise `ReadFailed`, which counts as a failed connect.
        `greet` does what has to come before everything else on a new socket and returns the
        frames that it read and that were not for it. `on_frame` says whether a frame was
        news: an answer to us does not break a silence. `on_state` hears of every connect
        and loss. `budget` is shared by all that connect from one address.
        """
        self._settings = settings
        self._session = session
        self._speech = speech
        self._address = address
        self._greet = greet
        self._on_frame = on_frame
        self._on_state = on_state
        self._chance = chance
        self._budget = budget
        self.connects = 0
        """Sockets opened so far, the first one included."""
        self._wanted = NOTHING
        self._changed = asyncio.Event()
        self._renew = False
        self._deadline: asyncio.Timeout | None = None
        self._expected_by: float | None = None
        self._expected_since = 0.0
        self._heard_at = 0.0
        self._log = structlog.get_logger("trailstop.venue").bind(
            venue=speech.venue, stream=settings.name
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
        """Count the stream as blind if no news at all comes within this time.

        `since` is the loop's time at which the write was sent: its event may well overtake
        its answer.
        """
        if self._expected_by is None and self._heard_at < since:
            self._expected_since = since
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
                line = successor or await self._open(first=True)
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

    async def _open(self, *, first: bool) -> _Line:
        """Open a socket: the first one, or one that replaces another which may still be good."""
        self._renew = False
        await self._budget.turn(first=first)
        url = await self._address()
        async with asyncio.timeout(self._settings.connect_seconds):
            socket = await self._session.ws_connect(
                url,
                heartbeat=HEARTBEAT_SECONDS,
                max_msg_size=FRAME_BYTES_MAX,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            )
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                early = await self._greet(socket) if self._greet is not None else ()
        except BaseException:
            await socket.close()
            raise
        self.connects += 1
        self._expected_by = None
        told = asyncio.Event()
        speakers = [asyncio.create_task(self._subscribe(socket, told))]
        if self._speech.ping is not None:
            speakers.append(asyncio.create_task(self._keep_alive(socket, self._speech.ping)))
        return _Line(socket, early, speakers, told)

    async def _serve(self, line: _Line) -> _Line | None:
        """Read until the socket is lost (raises), replaced (by the one returned) or idle."""
        try:
            await self._on_state(True, "connected")
            for frame in line.early:
                await self._on_frame(frame)
            age = self._settings.rotate_seconds * (1 - ROTATE_SPREAD * self._chance.random())
            renew_at = asyncio.get_running_loop().time() + age
            while True:
                await self._read(line.socket, renew_at)
                if self._idle:
                    return None
                try:
                    successor = await self._open(first=False)
                except (aiohttp.ClientError, OSError, ReadFailed) as error:
                    # The present socket may still be good; it is given up only when it is lost.
                    self._log.warning("cannot renew the stream yet", reason=_why(error))
                    renew_at = asyncio.get_running_loop().time() + RENEW_AGAIN_SECONDS
                    continue
                try:
                    await self._drain(line.socket, successor)
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

        Raises: ConnectionResetError when it is closed or has told nothing for too long.
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
            at = loop.time()
            if await self._on_frame(message.data):
                heard_at = self._heard_at = at
                if self._expected_since <= at:
                    self._expected_by = None

    async def _drain(self, socket: Socket, successor: _Line) -> None:
        """Take what the old socket still brings while the new one fills its buffer."""

        async def shorten(limit: asyncio.Timeout) -> None:
            await successor.told.wait()
            limit.reschedule(asyncio.get_running_loop().time() + OVERLAP_SECONDS)

        ending: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(OVERLAP_SECONDS_MAX) as limit:
                ending = asyncio.create_task(shorten(limit))
                while (message := await socket.receive()).type not in CLOSED_KINDS:
                    await self._on_frame(message.data)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return
        finally:
            if ending is not None:
                ending.cancel()

    async def _subscribe(self, socket: Socket, told: asyncio.Event) -> None:
        """Tell this socket what is wanted, now and at each change.

        While one socket replaces another, each of them has such a task.
        """
        sent = NOTHING
        while True:
            wanted = self._wanted
            # One that an exchange refuses is not repeated before the next socket.
            await self._send(socket, "subscribe", wanted - sent)
            await self._send(socket, "unsubscribe", sent - wanted)
            sent = wanted
            told.set()
            while self._wanted == sent:
                self._changed.clear()
                await self._changed.wait()

    async def _send(self, socket: Socket, method: Method, names: frozenset[str]) -> None:
        for message in self._speech.messages(method, sorted(names)):
            try:
                await socket.send_str(message)
            except (aiohttp.ClientError, OSError):
                # The reader notices the loss, and the next socket is told everything.
                return
            await asyncio.sleep(self._speech.pause_seconds)

    async def _keep_alive(self, socket: Socket, ping: Callable[[], str]) -> None:
        """Say something at intervals, since the exchange cuts those who do not."""
        while True:
            await asyncio.sleep(self._speech.ping_seconds)
            try:
                await socket.send_str(ping())
            except (aiohttp.ClientError, OSError):
                return

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
