"""The exchange's end: it owns virtual time and moves it when everybody is idle."""

from __future__ import annotations

import asyncio
import selectors
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from trailstop.errors import PortInUse
from trailstop.timelink.frames import NO_TIMER, PASSIVE, START, TICK, Link
from trailstop.timelink.loop import THREAD_WORK, US_PER_SECOND, Ready, VirtualLoop

T = TypeVar("T")

NS_PER_US = 1_000
GRACE_S = 1.0
"""A guard may be busy this long before the exchange serves other clients meanwhile."""
CATCH_UP_S = 0.1
"""Lateness that a paced run makes up for; anything beyond is forgotten, never a burst."""
REAL_TIME_SPEED = 1.0
LISTEN_BACKLOG = 8


class Pace:
    """How fast virtual time may run against the wall clock; an upper bound, never a burst."""

    def __init__(self, speed: float) -> None:
        """Take virtual seconds per second; 0 sets no bound."""
        self.speed = speed
        self._anchor: tuple[float, int] | None = None

    def wait_s(self, now_us: int, target_us: int) -> float:
        """Seconds of the wall clock until `target_us` may begin; 0 when it may begin now."""
        if self.speed <= 0:
            return 0.0
        wall_s = time.monotonic()
        if self._anchor is None:
            self._anchor = (wall_s, now_us)
        anchor_s, anchor_us = self._anchor
        due_s = anchor_s + (target_us - anchor_us) / US_PER_SECOND / self.speed
        if wall_s < due_s:
            return due_s - wall_s
        late = wall_s - due_s > CATCH_UP_S
        self._anchor = (wall_s if late else due_s, target_us)
        return 0.0


class HostLoop(VirtualLoop):
    """The exchange's loop: it owns virtual time and moves it when everybody is idle."""

    def __init__(self, start_us: int, speed: float = 0.0, waits_for_guard: bool = False) -> None:
        """Take the start in microseconds and the speed: 0 unbounded, 1 the wall clock itself.

        With `waits_for_guard` time stands still while no guard is linked, but for what
        `grant` allows.
        """
        self.speed = speed
        self.real_time = speed == REAL_TIME_SPEED
        self.waits_for_guard = waits_for_guard
        self._real_start_ns = time.monotonic_ns()
        self._pace = Pace(speed)
        self._links: list[Link] = []
        self._listener: socket.socket | None = None
        self._tick = 0
        self._settled = False
        self._told_passive = False
        self._holds = 0
        self._granted_until_us = start_us
        self._on_links: Callable[[int], object] | None = None
        self._quiet: list[asyncio.Future[None]] = []
        super().__init__(start_us)

    @property
    def now_us(self) -> int:
        """Virtual time, microseconds since the Unix epoch."""
        if self.real_time:
            passed_us = (time.monotonic_ns() - self._real_start_ns) // NS_PER_US
            self._now_us = self.start_us + passed_us
        return self._now_us

    @property
    def links(self) -> int:
        """How many guards are linked."""
        return len(self._links)

    def listen(self, host: str, port: int) -> int:
        """Accept guards at this address and return the port; PortInUse when it is taken."""
        try:
            listener = socket.create_server((host, port), backlog=LISTEN_BACKLOG)
        except OSError as error:
            raise PortInUse(f"port {port} is in use; choose another or 0 for a free one") from error
        listener.setblocking(False)
        self.add_reader(listener, self._accept)
        self._listener = listener
        chosen: int = listener.getsockname()[1]
        return chosen

    def on_links(self, callback: Callable[[int], object]) -> None:
        """Name what is called in the loop with the number of guards whenever it changes."""
        self._on_links = callback

    def hold(self) -> None:
        """Let time stand still until as many releases have come."""
        self._holds += 1

    def release(self) -> None:
        """Take one hold back."""
        self._holds -= 1

    def let_go(self) -> None:
        """The run is over: unlink every guard and let time wait for nobody any more.

        What still waits in virtual time, such as a request on its way, comes to its end.
        """
        self.waits_for_guard = False
        self._holds = 0
        self._pace = Pace(0)
        for link in list(self._links):
            self._unlink(link)

    async def quiet(self) -> None:
        """Return when, at this virtual time, neither side has anything left to do."""
        if not self.real_time:
            waiter: asyncio.Future[None] = self.create_future()
            self._quiet.append(waiter)
            await waiter

    async def grant(self, duration_us: int) -> None:
        """Let so much virtual time pass, also while time is held; return when it has."""
        until_us = self.now_us + duration_us
        self._granted_until_us = max(self._granted_until_us, until_us)
        passed: asyncio.Future[None] = self.create_future()
        self.call_at_us(until_us, passed.set_result, None)
        await passed
        await self.quiet()

    def close(self) -> None:
        """Close the loop and every link."""
        if not self.is_closed():
            if self._listener is not None:
                self.remove_reader(self._listener)
                self._listener.close()
            for link in list(self._links):
                self._unlink(link)
        super().close()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.settimeout(GRACE_S)
        link = Link(sock)
        self._links.append(link)
        self._tell_links()
        self._asking.register(sock, selectors.EVENT_READ, link)
        self._settled = False
        self._send(link, START, int(self.real_time), self.start_us)
        self._send(link, TICK, self._tick, self.now_us)

    def _send(self, link: Link, kind: bytes, number: int, value: int) -> None:
        try:
            link.send(kind, number, value)
        except OSError:
            self._unlink(link)

    def _unlink(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)
            self._asking.unregister(link.sock)
            link.sock.close()
            self._tell_links()

    def _tell_links(self) -> None:
        if self._on_links is not None and not self.is_closed():
            self.call_soon(self._on_links, len(self._links))

    def _hear(self, link: Link) -> None:
        """Take in a guard's answers; TimeoutError when none came within the grace."""
        try:
            for _, number, value in link.receive():
                link.answered = number
                link.next_us = None if value == NO_TIMER else value
        except TimeoutError:
            raise
        except OSError:
            self._unlink(link)

    def _poll(self, timeout: float | None) -> Ready:
        """Real waiting: sockets of the exchange are returned, links are heard."""
        ready: Ready = []
        for key, mask in self._asking.inner.select(timeout):
            if isinstance(key.data, Link):
                if key.data in self._links:
                    self._hear(key.data)
            else:
                ready.append((key, mask))
        return ready

    def _wait(self, timeout: float | None) -> Ready:
        if self.real_time:
            return self._poll(timeout)
        # The count is read before the sockets: a thread that ends in between has already
        # written to the loop's own pipe.
        busy = THREAD_WORK.busy
        ready = self._poll(0.0)
        if ready or self._due(timeout) or busy:
            self._settled = False
            return ready if ready or not busy or self._due(timeout) else self._poll(None)
        if self._links and not self._settled:
            if not self._settle():
                return self._poll(0.0)
            ready = self._poll(0.0)
            if ready:
                return ready
            self._settled = True
        if self._quiet:
            for waiter in self._quiet:
                if not waiter.done():
                    waiter.set_result(None)
            self._quiet.clear()
            self._settled = False
            return []
        return self._move_on()

    def _settle(self) -> bool:
        """Ask every guard and wait until all are idle; False when the grace is over first."""
        self._tick += 1
        self._told_passive = False
        for link in list(self._links):
            self._send(link, TICK, self._tick, self._now_us)
        for link in list(self._links):
            while link in self._links and link.answered < self._tick:
                try:
                    self._hear(link)
                except TimeoutError:
                    return False
        return True

    def _move_on(self) -> Ready:
        target_us = self._target_us()
        if target_us is None:
            return self._wait_really(None)
        wait_s = self._pace.wait_s(self._now_us, target_us)
        if wait_s > 0:
            return self._wait_really(wait_s)
        self._now_us = target_us
        self._settled = False
        return []

    def _target_us(self) -> int | None:
        """Where time may go next; None where it has to stand still."""
        timers = [self._next_timer_us(), *(link.next_us for link in self._links)]
        due = [at_us for at_us in timers if at_us is not None]
        target_us = min(due) if due else None
        if self._holds > 0 or (self.waits_for_guard and not self._links):
            limit_us = self._granted_until_us
            target_us = limit_us if target_us is None else min(target_us, limit_us)
            return target_us if target_us > self._now_us else None
        return None if target_us is None else max(target_us, self._now_us)

    def _wait_really(self, wait_s: float | None) -> Ready:
        if not self._told_passive:
            for link in list(self._links):
                self._send(link, PASSIVE, self._tick, self._now_us)
            self._told_passive = True
        ready = self._poll(wait_s)
        self._settled = False
        return ready


def run_hosted(main: Callable[[HostLoop], Coroutine[Any, Any, T]], loop: HostLoop) -> T:
    """Run the exchange on its own virtual time until `main` returns."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))
