"""Closing at market: reduce-only, at once, whatever else is under way on the leg."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trailstop.clock import MS_PER_SECOND, Clock
from trailstop.daemon.writing.answers import Answers
from trailstop.daemon.writing.desk import OrderDesk
from trailstop.daemon.writing.orders import AskForPass, Lookup
from trailstop.daemon.writing.standing import parts_of
from trailstop.engine.commands import CloseReason
from trailstop.engine.events import Refusal
from trailstop.ports import Acknowledged, Refused, Unknown

CLOSE_TRIES = 3


@dataclass
class Closes:
    """Sends the market orders that close one position; `kick` has look-ups carried out."""

    desk: OrderDesk
    answers: Answers
    clock: Clock
    ask_for_pass: AskForPass
    kick: Callable[[], None]

    async def close(self, quantity: Decimal, reason: CloseReason) -> None:
        """Close at market, in as many orders as the exchange's largest one makes necessary."""
        largest = self.desk.venue.instrument(self.desk.leg.symbol).max_market_quantity
        for size in parts_of(quantity, largest):
            if not await self._close_part(size, reason):
                return
        self.ask_for_pass("closed at market")

    async def _close_part(self, quantity: Decimal, reason: CloseReason) -> bool:
        """Send one reduce-only market order; an unknown one is looked up, never repeated.

        True where the exchange took it.
        """
        for attempt in range(CLOSE_TRIES):
            if any(lookup.intent.action == "close" for lookup in self.answers.lookups.values()):
                return False
            intent, outcome = await self.desk.close(quantity, reason, attempt)
            match outcome:
                case Acknowledged():
                    return True
                case Unknown():
                    self.answers.lookups[intent.client_id] = Lookup(intent, self.desk.settled_ms)
                    self.kick()
                    return False
                case Refused(why, _, text):
                    self.ask_for_pass(text)
                    if why not in (Refusal.TRANSIENT, Refusal.FULL):
                        return False
                    wait_ms = outcome.retry_after_ms or MS_PER_SECOND
                    await self.clock.sleep(wait_ms / MS_PER_SECOND)
        return False
