"""A guard's end: it runs between the exchange's tick and its own word that it is idle."""

from __future__ import annotations

import asyncio
import select
import selectors
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from trailstop.errors import LinkLost
from trailstop.timelink.frames import IDLE, NO_TIMER, PASSIVE, START, TICK, Link
from trailstop.timelink.loop import THREAD_WORK, LoopClock, Ready, VirtualLoop

T = TypeVar("T")

NS_PER_US = 1_000
CONNECT_TIMEOUT_S = 5.0


class LinkedLoop(VirtualLoop):
    """A guard's loop: it runs between the exchange's tick and its own word that it is idle."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket; the exchange's greeting is read at once.

        LinkLost when the exchange closes before it has greeted.
        """
        self._link = Link(sock)
        self._tick = 0
        self._told: tuple[int, int] | None = None
        self._passive = False
        self._lost = False
        self._real_start_ns = 0
        self._on_lost: Callable[[], object] | None = None
        self.real_time = False
        self._frames: list[tuple[bytes, int, int]] = []
        super().__init__(self._greet())
        self._real_start_us = self._now_us
        for frame in self._frames:
            self._take(*frame)
        sock.settimeout(None)
        self._asking.register(sock, selectors.EVENT_READ, self._link)
        self._pipe_fd: int = self._ssock.fileno()  # type: ignore[attr-defined]
        self._strict = select.poll()
        self._strict.register(sock, select.POLLIN)
        self._strict.register(self._pipe_fd, select.POLLIN)

    @classmethod
    def connect(cls, host: str, port: int) -> LinkedLoop:
        """Link to the exchange at this address; LinkLost when nobody answers there."""
        try:
            sock = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
        except OSError as error:
            raise LinkLost(
                f"no paper exchange keeps the time at {host}:{port}; start it first"
            ) from error
        return cls(sock)

    @property
    def now_us(self) -> int:
        """Virtual time, microseconds since the Unix epoch."""
        if self.real_time or self._lost:
            passed_us = (time.monotonic_ns() - self._real_start_ns) // NS_PER_US
            self._now_us = self._real_start_us + passed_us
        return self._now_us

    @property
    def lost(self) -> bool:
        """Whether the exchange has gone; time then runs on by the wall clock."""
        return self._lost

    def on_lost(self, callback: Callable[[], object]) -> None:
        """Name what is called, once, in the loop, when the exchange has gone."""
        self._on_lost = callback
        if self._lost:
            self.call_soon(callback)

    def close(self) -> None:
        """Close the loop and the link."""
        if not self.is_closed():
            self._link.sock.close()
        super().close()

    def _greet(self) -> int:
        try:
            while len(self._frames) < len((START, TICK)):
                self._frames += self._link.receive()
        except OSError as error:
            raise LinkLost("the paper exchange closed the link; see its last lines") from error
        (_, real, start_us), *self._frames = self._frames
        self.real_time = bool(real)
        return start_us

    def _take(self, kind: bytes, number: int, value: int) -> None:
        if kind == PASSIVE:
            self._passive = True
            return
        self._passive = False
        self._tick = number
        self._told = None
        if not self.real_time:
            self._now_us = value
        else:
            self._real_start_us = value
            self._real_start_ns = time.monotonic_ns()

    def _hear(self) -> None:
        try:
            frames = self._link.receive()
        except OSError:
            self._lose()
            return
        for frame in frames:
            self._take(*frame)

    def _lose(self) -> None:
        """Go on by the wall clock, so that everything that waits comes to an end."""
        if self._lost:
            return
        if not self.real_time:
            self._real_start_us = self._now_us
            self._real_start_ns = time.monotonic_ns()
        self._lost = True
        self._asking.unregister(self._link.sock)
        if self._on_lost is not None:
            self.call_soon(self._on_lost)

    def _poll(self, timeout: float | None) -> Ready:
        ready: Ready = []
        for key, mask in self._asking.inner.select(timeout):
            if key.data is self._link:
                self._hear()
            else:
                ready.append((key, mask))
        return ready

    def _wait(self, timeout: float | None) -> Ready:
        if self.real_time or self._lost:
            return self._poll(timeout)
        busy = THREAD_WORK.busy
        ready = self._poll(0.0)
        if ready or self._due(timeout):
            return ready
        if busy:
            return self._poll(None)
        if not self._say_idle():
            return []
        return self._poll(None) if self._passive else self._wait_for_turn()

    def _say_idle(self) -> bool:
        """Tell the exchange, once, that this side is idle; False when there is no exchange."""
        next_us = self._next_timer_us()
        word = (self._tick, NO_TIMER if next_us is None else next_us)
        if not self._lost and word != self._told:
            self._told = word
            try:
                self._link.send(IDLE, *word)
            except OSError:
                self._lose()
        return not self._lost

    def _wait_for_turn(self) -> Ready:
        """Wait for the exchange alone: what it sends before its tick belongs to that tick."""
        fds = {fd for fd, _ in self._strict.poll()}
        if self._link.sock.fileno() in fds:
            self._hear()
            return []
        return [
            (key, mask) for key, mask in self._asking.inner.select(0.0) if key.fd == self._pipe_fd
        ]


def run_linked(main: Callable[[LoopClock], Coroutine[Any, Any, T]], host: str, port: int) -> T:
    """Run a guard on the exchange's virtual time until `main` returns.

    LinkLost when nobody keeps the time there, or when the exchange goes away; `main` is then
    cancelled and may clean up by the wall clock.
    """
    loop = LinkedLoop.connect(host, port)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_until_lost(main, loop))


async def _until_lost(main: Callable[[LoopClock], Coroutine[Any, Any, T]], loop: LinkedLoop) -> T:
    task = asyncio.ensure_future(main(LoopClock(loop)))
    loop.on_lost(task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if not loop.lost:
            raise
        raise LinkLost("the paper exchange has gone; start it again, then the guard") from None
