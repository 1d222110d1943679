"""What concerns an account or the whole process, told as a position's alarms are told.

A fact has a leg; where no single position is meant its symbol is empty, and where no account is
meant either its account is `trailstop` itself.
"""

from __future__ import annotations

from collections.abc import Callable

from trailstop.domain.position import Leg
from trailstop.observe.hub import FactHub
from trailstop.storage.records import Alarmed, Noted
from trailstop.storage.store import Store

PROCESS = Leg("trailstop", "", "")
"""The process as a whole: its store, its loop."""


def whole_account(account: str, venue: str) -> Leg:
    """All positions of an account."""
    return Leg(account, venue, "")


class Notices:
    """Journals and publishes what no trail can tell."""

    def __init__(self, store: Store, hub: FactHub, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._hub = hub
        self._now_ms = now_ms

    def alarm(self, code: str, text: str, leg: Leg = PROCESS, epoch: int | None = None) -> None:
        """Tell a person at once; `code` is the alarm's stable name."""
        record = Alarmed(leg, epoch, code, text, self._now_ms())
        self._store.record([record])
        self._hub.publish([record])

    def note(self, code: str, text: str, leg: Leg = PROCESS, epoch: int | None = None) -> None:
        """Tell what is worth remembering, mostly the end of what was alarmed."""
        record = Noted(leg, epoch, code, text, self._now_ms())
        self._store.record([record])
        self._hub.publish([record])
