"""What the daemon shows and takes through its socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from trailstop.clock import Clock
from trailstop.daemon.account import AccountGuard
from trailstop.daemon.talk.status import (
    VERSION,
    AccountStatus,
    ControlAnswer,
    ControlRefused,
    ControlRequest,
    EpochSummary,
    Fact,
    Status,
    TrailNow,
)
from trailstop.engine import events as ev
from trailstop.observe.facts import tell
from trailstop.storage.records import Record, epoch_of, leg_of
from trailstop.storage.shapes import Loaded, PriceRun
from trailstop.storage.store import Store

RECENT_LINES = 8
EPOCHS_LIMIT = 100_000
TOLD_KINDS = ("adopted", "moved", "phase_changed", "held", "ended", "alarmed", "noted")


class Facade:
    """Status, events, epochs and control of one daemon."""

    def __init__(
        self,
        accounts: Sequence[AccountGuard],
        store: Store,
        clock: Clock,
        mode: str,
        loaded: Loaded,
        *,
        loop_lag_ms: Callable[[], int],
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._clock = clock
        self._mode = mode
        self._loop_lag_ms = loop_lag_ms
        self._started_ms = clock.wall_ms()
        self._recent: deque[str] = deque(maxlen=RECENT_LINES)
        # Totals go on over restarts: the journal's counts are where they begin.
        self._counters: dict[str, int] = dict(loaded.counters)

    def on_record(self, record: Record) -> None:
        """Count a fact and keep its line."""
        kind = str(record.__struct_config__.tag)
        self._counters[kind] = self._counters.get(kind, 0) + 1
        line = tell(record)
        if line is not None:
            self._recent.append(line)

    def status(self) -> Status:
        """The state at this moment; no I/O."""
        now_ms, failure = self._clock.wall_ms(), self._store.failure
        return Status(
            version=VERSION,
            mode=self._mode,
            now_ms=now_ms,
            started_at_ms=self._started_ms,
            accounts=tuple(
                AccountStatus(
                    name=account.venue.account,
                    venue=account.venue.name,
                    connected=account.streams.get("private", False),
                    streams=dict(account.streams),
                    not_guarded=tuple(str(leg) for leg in sorted(account.not_guarded)),
                    exchange=account.venue.health(),
                    feed=account.feed_health(),
                )
                for account in self._accounts
            ),
            legs=tuple(status for account in self._accounts for status in account.leg_statuses()),
            counters=dict(self._counters),
            loop_lag_ms=self._loop_lag_ms(),
            store_failure=None if failure is None else str(failure),
            recent=tuple(self._recent),
        )

    async def events(self, after: int, limit: int) -> Sequence[Fact]:
        """Facts with a sequence above `after`, oldest first, at most `limit`."""
        facts = []
        for row in await self._store.events(after, limit, TOLD_KINDS):
            assert not isinstance(row.record, PriceRun)
            text = tell(row.record)
            if text is not None:
                facts.append(
                    Fact(
                        sequence=row.sequence,
                        at_ms=row.at_ms,
                        kind=row.kind,
                        text=text,
                        leg=leg_of(row.record),
                        epoch=epoch_of(row.record),
                    )
                )
        return facts

    async def epochs(self) -> Sequence[EpochSummary]:
        """Every epoch, ended or open, oldest first."""
        return [
            EpochSummary(
                leg=epoch.leg,
                epoch=epoch.epoch,
                side=epoch.side,
                entry_price=epoch.entry_price,
                quantity=epoch.quantity,
                opened_at_ms=epoch.opened_ms,
                closed_at_ms=epoch.closed_ms,
                exit_price=epoch.exit_price,
                cause=epoch.cause,
                phases=epoch.phases,
                moves=epoch.moves,
                holds=dict(epoch.holds),
                peak=epoch.peak,
            )
            for epoch in await self._store.epochs(limit=EPOCHS_LIMIT)
        ]

    def trails(self) -> Sequence[TrailNow]:
        """The trails of the open positions at this moment; no I/O."""
        return [
            TrailNow(trail=account.legs[leg].trail, now_ms=account.venue.exchange_ms())
            for account in self._accounts
            for leg in sorted(account.legs)
        ]

    async def control(self, request: ControlRequest) -> ControlAnswer:
        """Put a person's wish into the leg's queue. Raises: ControlRefused."""
        leg = request.leg
        for account in self._accounts:
            guarded = account.legs.get(leg)
            if guarded is None:
                continue
            now_ms = account.venue.exchange_ms()
            before = guarded.trail
            match request.action:
                case "pause":
                    account.feed(guarded, ev.Paused(now_ms))
                    return ControlAnswer(text=f"{leg}: paused, the stop stays")
                case "resume":
                    account.feed(guarded, ev.Resumed(now_ms))
                    return ControlAnswer(text=f"{leg}: trailing goes on")
                case "tighten" if request.price is not None:
                    account.feed(guarded, ev.TightenAsked(request.price, now_ms))
                    if guarded.trail.exact_stop == before.exact_stop:
                        raise ControlRefused(
                            f"{leg}: {request.price} is not tighter than {before.exact_stop}, or "
                            f"is through the price; choose one between stop and price"
                        )
                    return ControlAnswer(text=f"{leg}: stop goes to {guarded.trail.exact_stop}")
                case "close":
                    account.feed(guarded, ev.CloseAsked(now_ms))
                    return ControlAnswer(text=f"{leg}: closing at market")
                case _:
                    raise ControlRefused(
                        f"{leg}: {request.action} cannot be done here; set guard.ignore and restart"
                    )
        raise ControlRefused(f"{leg} is not guarded; `trailstop status` lists the legs")
