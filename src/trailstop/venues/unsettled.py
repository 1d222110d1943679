"""Writes whose outcome is not known, and the moment from which their absence is a proof."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from trailstop.clock import MS_PER_SECOND
from trailstop.engine.events import Refusal
from trailstop.ports import Refused, Unknown
from trailstop.venues.sending import Failure, FailureKind

_WITHOUT_EFFECT = {
    FailureKind.TRANSIENT: Refusal.TRANSIENT,
    FailureKind.NO_TURN: Refusal.BUDGET,
    FailureKind.FULL: Refusal.FULL,
}
UNSETTLED_MAX = 1_000
"""Writes that are remembered; older ones have long settled."""


class _Write(Struct, frozen=True):
    settles_at_ms: int
    price: Decimal | None


class Unsettled:
    """Remembers by client id until when a lost write may still arrive."""

    def __init__(self, window_ms: int, now_ms: Callable[[], int]) -> None:
        """Take the receive window of writes and the exchange's clock."""
        self._window_ms = window_ms
        self._now_ms = now_ms
        self._writes: dict[str, _Write] = {}

    def note(self, client_id: str, sent_at_ms: int, price: Decimal | None = None) -> None:
        """The write that was signed at this time of the exchange has an unknown outcome.

        `price` is what it asked for, where that tells its effect from that of another.
        """
        while len(self._writes) >= UNSETTLED_MAX:
            self._writes.pop(next(iter(self._writes)))
        self._writes[client_id] = _Write(sent_at_ms + self._window_ms, price)

    def asked_for(self, client_id: str, price: Decimal | None) -> bool:
        """Whether this is the price that the write asked for: it has arrived."""
        write = self._writes.get(client_id)
        return write is not None and write.price is not None and write.price == price

    async def wait(self, client_id: str) -> bool:
        """Wait until the write can no longer arrive; False where there was nothing to wait for."""
        write = self._writes.get(client_id)
        wait_ms = write.settles_at_ms - self._now_ms() if write is not None else 0
        if wait_ms <= 0:
            return False
        await asyncio.sleep(wait_ms / MS_PER_SECOND)
        return True

    def failed(
        self,
        failure: Failure,
        client_id: str,
        refused: Callable[[int, str, int | None], Refused],
        price: Decimal | None = None,
    ) -> Refused | Unknown:
        """A failed write as an outcome, noted where that is not known; see `note`.

        `refused` reads the exchange's own codes.
        """
        if failure.kind is FailureKind.UNKNOWN:
            self.note(client_id, failure.sent_at_ms, price)
        return _outcome(failure, refused)


def _outcome(
    failure: Failure, refused: Callable[[int, str, int | None], Refused]
) -> Refused | Unknown:
    match failure.kind:
        case FailureKind.REFUSED:
            return refused(failure.code, failure.text, failure.retry_after_ms)
        case FailureKind.TRANSIENT | FailureKind.NO_TURN | FailureKind.FULL:
            return Refused(
                _WITHOUT_EFFECT[failure.kind],
                failure.code,
                failure.text,
                retry_after_ms=failure.retry_after_ms,
            )
        case FailureKind.UNKNOWN:
            return Unknown(failure.text)
