"""How an epoch ends: the leg is proven flat, and the exchange's executions say why."""

from __future__ import annotations

import structlog

from trailstop.daemon.account import AccountGuard
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.reading import causes
from trailstop.daemon.reading.proofs import Proofs
from trailstop.daemon.reading.reads import retried
from trailstop.domain.position import Cause
from trailstop.engine import events as ev
from trailstop.errors import ReadFailed
from trailstop.storage.records import Intent

_log = structlog.get_logger("trailstop.guard")


class Endings:
    """Ends the epochs of one account."""

    def __init__(self, account: AccountGuard, proofs: Proofs) -> None:
        self._account = account
        self._proofs = proofs

    def end(self, guarded: GuardedLeg) -> None:
        """The leg is proven flat: end the epoch and find out why."""
        account = self._account
        leg = guarded.trail.leg
        account.remove(leg)
        self._proofs.ended(leg, guarded.flat_ms)
        guarded.finish()
        account.supervisor.spawn(f"end {leg}", self._tell_end(guarded))

    async def _tell_end(self, guarded: GuardedLeg) -> None:
        account, trail = self._account, guarded.trail
        at_ms = account.venue.exchange_ms()
        cause, price = Cause.UNKNOWN, None
        try:
            since_ms = trail.age_from_ms
            executions = await retried(lambda: account.venue.executions(trail.leg, since_ms))
        except ReadFailed as error:
            _log.warning("executions_unread", leg=str(trail.leg), error=str(error))
        else:
            until_ms = guarded.flat_ms or at_ms
            executions = [fill for fill in executions if fill.at_ms <= until_ms]
            fills = causes.closing_fills(executions, trail.position.side)
            intents = await self._intents({fill.client_id for fill in fills[-1:]})
            # In hedge mode no order can turn a leg round.
            one_way = trail.leg.position_side == "both"
            if one_way and causes.turned_round(executions, trail.position):
                cause = Cause.FLIPPED
            else:
                known = causes.Known(
                    intents, frozenset(guarded.foreign_ids), guarded.fired or trail.live_kind
                )
                cause = causes.judge(fills, known)
            price = causes.exit_price(fills)
            at_ms = fills[-1].at_ms if fills else at_ms
        account.feeder.end(guarded, ev.PositionClosed(cause, at_ms, price))

    async def _intents(self, names: set[str]) -> dict[str, Intent]:
        found = {}
        for name in names:
            stored = await self._account.store.intent(name)
            if stored is not None:
                found[name] = stored.intent
        return found
