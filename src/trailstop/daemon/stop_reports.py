"""What the account stream tells of stops: ours, the position's shared one, and those of others."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING

from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.reading.ownership import has_fired, is_ours, kind_at
from trailstop.domain.position import Role
from trailstop.engine import events as ev
from trailstop.errors import ReadFailed
from trailstop.ports import OrderState, StopReport

if TYPE_CHECKING:
    from trailstop.daemon.account import AccountGuard


class StopReports:
    """Takes the reports of one account; what rests in the end a pass sees."""

    def __init__(self, account: AccountGuard) -> None:
        self._account = account

    def take(self, report: StopReport) -> None:
        """Sort one report to the leg that it concerns."""
        account = self._account
        stop = report.stop
        guarded = account.legs.get(stop.leg)
        if stop.shared:
            self._on_shared_stop(report, guarded)
            return
        if stop.role is Role.FOREIGN:
            if guarded is not None:
                guarded.foreign_ids.add(stop.client_id)
                account.ask_for_pass("a stop that is not ours changed", symbol=stop.leg.symbol)
            return
        if guarded is None or not stop.client_id.startswith(guarded.executor.tag):
            if report.state in (OrderState.TRIGGERED, OrderState.REJECTED):
                account.without_trail(stop.leg, f"a stop of ours is {report.state.value}")
            return
        match report.state:
            case OrderState.TRIGGERED:
                guarded.executor.standing.gone(stop.client_id)
                account.feed(guarded, ev.StopTriggered(report.at_ms))
            case OrderState.REJECTED:
                guarded.executor.standing.gone(stop.client_id)
                account.feed(guarded, ev.TriggerRejected(report.text, report.at_ms))
            case OrderState.CANCELLED | OrderState.FILLED:
                if guarded.executor.standing.gone(stop.client_id):
                    guarded.event_ms = account.venue.exchange_ms()
                    text = "a stop of ours went without our asking"
                    account.ask_for_pass(text, symbol=stop.leg.symbol)

    def _on_shared_stop(self, report: StopReport, guarded: GuardedLeg | None) -> None:
        """The position's one stop fired, was moved, or is gone; a pass sees to the rest."""
        price = report.stop.price
        if guarded is None:
            text = "the stop of a position that is not guarded changed"
            self._account.ask_for_pass(text, symbol=report.stop.leg.symbol)
            return
        match report.state:
            case OrderState.TRIGGERED:
                guarded.fired = kind_at(price, guarded)
                self._account.feed(guarded, ev.StopTriggered(report.at_ms))
            case OrderState.REJECTED if has_fired(price, guarded):
                self._account.feed(guarded, ev.TriggerRejected(report.text, report.at_ms))
            case OrderState.REJECTED:
                work = self._judge_rejection(guarded, report)
                self._account.supervisor.spawn(f"rejected stop {report.stop.leg}", work)
            case OrderState.CANCELLED:
                guarded.event_ms = self._account.venue.exchange_ms()
                if price == guarded.trail.live_stop:
                    guarded.shared_stop = "gone"
                self._account.ask_for_pass(
                    "the position's stop is gone", symbol=report.stop.leg.symbol
                )
            case OrderState.RESTING if not is_ours(price, guarded):
                self._moved_by_others(guarded, price, report.at_ms)

    async def _judge_rejection(self, guarded: GuardedLeg, report: StopReport) -> None:
        """Tell a stop whose order was refused from one that was never really taken.

        The price may be on its way to us. A stop that is rejected before its trigger is set again.
        """
        price: Decimal | None = None
        with contextlib.suppress(ReadFailed):
            price = await self._account.venue.last_price(report.stop.leg.symbol)
        if guarded.ended:
            return
        side, stop = guarded.trail.position.side, report.stop.price
        if has_fired(stop, guarded) or (price is not None and side.touches(price, stop)):
            self._account.feed(guarded, ev.TriggerRejected(report.text, report.at_ms))
            return
        guarded.event_ms = self._account.venue.exchange_ms()
        guarded.stop_rejected, guarded.put_back_from_ms = True, 0
        if stop == guarded.trail.live_stop:
            guarded.shared_stop = "gone"
        self._account.ask_for_pass(
            "the position's stop was rejected", symbol=report.stop.leg.symbol
        )
        text = f"the exchange took the stop at {report.stop.price} and rejected it ({report.text})"
        self._account.feeder.alarm(guarded.trail, "stop_rejected", text, report.at_ms)

    def _moved_by_others(self, guarded: GuardedLeg, price: Decimal, at_ms: int) -> None:
        """Take a tighter price as the floor at once: a write of ours under way may undo it."""
        trail = guarded.trail
        if trail.live_stop is not None and trail.position.side.better(price, trail.live_stop):
            self._account.feed(guarded, ev.ForeignStopSeen(price, at_ms))
        if guarded.executor.pending:
            guarded.executor.pass_when_idle = True
            return
        guarded.event_ms = self._account.venue.exchange_ms()
        self._account.ask_for_pass("somebody moved the position's stop")
