"""One router of facts: whatever was journaled is handed to every subscriber.

A subscriber that fails loses its own events, visibly, and delays nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from trailstop.storage.records import Record

_log = structlog.get_logger("trailstop.facts")


class FactHub:
    """Hands records to subscribers in the order in which they were journaled."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[str, Callable[[Record], None]]] = []
        self.lost: dict[str, int] = {}

    def subscribe(self, name: str, subscriber: Callable[[Record], None]) -> None:
        """Add a subscriber under a name that its losses are counted by."""
        self._subscribers.append((name, subscriber))

    def publish(self, records: Iterable[Record]) -> None:
        """Hand records to every subscriber."""
        for record in records:
            for name, subscriber in self._subscribers:
                try:
                    subscriber(record)
                except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
                    self.lost[name] = self.lost.get(name, 0) + 1
                    _log.error("subscriber_failed", subscriber=name, error=repr(error))
