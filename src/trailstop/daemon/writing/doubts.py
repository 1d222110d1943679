"""Stops that a list does not show although the exchange has acknowledged them.

A list may be late. Each such stop is asked for by its client id, and counts as resting until the
service that owns it says that it is over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from trailstop.daemon.writing.desk import OrderDesk
from trailstop.daemon.writing.orders import AskForPass, Told
from trailstop.daemon.writing.standing import Standing
from trailstop.errors import ReadFailed
from trailstop.ports import LookedUp, OrderState

_log = structlog.get_logger("trailstop.executor")

LATE_LIST_MS = 15_000
"""For so long what the exchange lists may be older than what it has acknowledged."""
UNREAD_BELIEVED = 2
"""After so many look-ups that failed the list is believed."""


@dataclass
class Doubts:
    """The stops of one epoch that are to be asked for."""

    desk: OrderDesk
    standing: Standing
    tell: Callable[[Told], None]
    ask_for_pass: AskForPass
    _names: list[str] = field(default_factory=list)
    _unread: Counter[str] = field(default_factory=Counter)

    def about(self, names: Iterable[str]) -> None:
        """Have these stops asked for, and no others."""
        self._names = list(names)

    @property
    def any(self) -> bool:
        """Whether there is something to ask."""
        return bool(self._names)

    async def settle_next(self) -> None:
        """Ask for one stop. Where it is over a pass follows, which restores it.

        One that is not known at all may be so new that the look-up is late as well.
        """
        name = self._names.pop(0)
        stop = self.standing.resting.get(name)
        if stop is None:
            return
        found = await self._look_up(name)
        if found is None or found.state is OrderState.RESTING:
            return
        now_ms = self.desk.venue.exchange_ms()
        if found.state is OrderState.ABSENT and now_ms - stop.at_ms < LATE_LIST_MS:
            return
        self.standing.drop(name)
        if found.state in (OrderState.TRIGGERED, OrderState.FILLED):
            self.tell(Told("triggered", None, now_ms))
        self.ask_for_pass("a stop of ours is gone and nothing has told of it")

    async def _look_up(self, name: str) -> LookedUp | None:
        """What the service says; None where the next pass shall ask again."""
        try:
            found = await self.desk.venue.look_up(self.desk.leg, name, "stop")
        except ReadFailed as error:
            self._unread[name] += 1
            _log.warning("look_up_failed", leg=str(self.desk.leg), client_id=name, error=str(error))
            if self._unread[name] < UNREAD_BELIEVED:
                return None
            found = LookedUp(OrderState.REJECTED)
        self._unread.pop(name, None)
        return found
