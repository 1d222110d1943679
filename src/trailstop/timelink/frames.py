"""What the two ends of a link say to each other: fixed frames over a loopback socket."""

from __future__ import annotations

import socket
import struct

FRAME = struct.Struct("<cqq")
"""Kind, tick number, value: the only form on the wire, 17 bytes."""
START = b"S"  # host: number = 1 for real time; value = start of the run in microseconds
TICK = b"T"  # host: value = now in microseconds
PASSIVE = b"P"  # host: it waits for the wall clock or for a person; no answer is due
IDLE = b"I"  # guard: value = its next timer in microseconds, or NO_TIMER
NO_TIMER = -1
READ_BYTES = FRAME.size * 64


class Link:
    """One end of the connection: fixed frames over a loopback socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.answered = 0
        self.next_us: int | None = None
        self._rest = b""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, kind: bytes, number: int, value: int) -> None:
        """Send one frame; OSError when the other end has gone."""
        self.sock.sendall(FRAME.pack(kind, number, value))

    def receive(self) -> list[tuple[bytes, int, int]]:
        """Frames that have arrived, at least one.

        ConnectionError when the other end has gone, TimeoutError after the socket's time-out.
        """
        frames: list[tuple[bytes, int, int]] = []
        while not frames:
            data = self.sock.recv(READ_BYTES)
            if not data:
                raise ConnectionResetError
            data = self._rest + data
            whole = len(data) - len(data) % FRAME.size
            frames = list(FRAME.iter_unpack(data[:whole]))
            self._rest = data[whole:]
        return frames
