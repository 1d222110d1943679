"""One account under guard: its legs, what its venue tells, and what is done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Literal

import structlog
from msgspec.structs import replace

from trailstop.clock import MS_PER_SECOND, Clock
from trailstop.config import Config
from trailstop.daemon.feeder import Feeder
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.prices.candles import Candles, follows_candles
from trailstop.daemon.prices.market import MarketSide
from trailstop.daemon.process.supervisor import Supervisor
from trailstop.daemon.reading.passes import Wishes
from trailstop.daemon.reading.reads import retried
from trailstop.daemon.stop_reports import StopReports
from trailstop.daemon.talk.status import LegStatus
from trailstop.daemon.writing.answers import Answers
from trailstop.daemon.writing.budget import MoveBudget
from trailstop.daemon.writing.desk import OrderDesk
from trailstop.daemon.writing.executor import LegExecutor
from trailstop.daemon.writing.ids import epoch_tag
from trailstop.daemon.writing.orders import AccountTraits, Told
from trailstop.daemon.writing.standing import Standing
from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees, Leg, Phase, Position
from trailstop.domain.price import Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.explain import hold_text
from trailstop.engine.trail import Trail
from trailstop.feeds.health import FeedHealth
from trailstop.observe.hub import FactHub
from trailstop.ports import (
    FundingBooked,
    InstrumentChanged,
    LastPrice,
    MarkPrice,
    PositionReport,
    Quote,
    StopForm,
    StopReport,
    StreamState,
    UnusablePrice,
    Venue,
    VenueEvent,
)
from trailstop.storage.records import Adopted
from trailstop.storage.store import Store

_log = structlog.get_logger("trailstop.guard")

ASSUMED_FEES = Fees(Decimal("0.0005"), Decimal("0.0005"))
"""Binance's first taker level, until the account's own rates have been read."""

SETTLED_MS = 10_000
"""A stream that came up less long ago may know nothing yet of what was there before."""

BLIND_MARGIN_MS = 15_000
"""A stream that was found silent may have missed what happened before that was noticed."""


class AccountGuard:
    """Guards every position of one account; nothing here writes to the exchange itself."""

    def __init__(
        self,
        venue: Venue,
        *,
        store: Store,
        clock: Clock,
        supervisor: Supervisor,
        config: Config,
        hub: FactHub,
        moves: MoveBudget,
    ) -> None:
        self.venue = venue
        self.store = store
        self.clock = clock
        self.supervisor = supervisor
        self.config = config
        self.hub = hub
        self.moves = moves
        self.legs: dict[Leg, GuardedLeg] = {}
        self._by_symbol: dict[str, list[GuardedLeg]] = {}
        self.not_guarded: set[Leg] = set()
        self.streams: dict[str, bool] = {}
        self.traits = AccountTraits()
        self.missing_trails = 0
        self.blind_since_ms: int | None = None
        self.feeder = Feeder(store, hub, venue.exchange_ms)
        self.wishes = Wishes()
        self._stop_reports = StopReports(self)
        self.market = MarketSide(self.feed, self.on, venue.exchange_ms)
        self.candles = Candles(venue, clock, self.feed, lambda: list(self.legs.values()))
        self._opened_ms: dict[Leg, int] = {}
        self._flat_ms: dict[Leg, int] = {}
        self._fees: dict[str, Fees] = {}
        self._last_epoch: dict[Leg, int] = {}
        self._sweepers: dict[Leg, LegExecutor] = {}

    # --- the life of a leg ---------------------------------------------------------------
    def adopt(
        self, leg: Leg, position: Position, foreign_stop: Decimal | None, at_ms: int
    ) -> GuardedLeg:
        """Begin the trail of a position that was found without one."""
        opened_ms = self._opened_ms.pop(leg, None)
        if opened_ms is not None:
            position = replace(position, opened_at_ms=opened_ms)
        epoch = max(position.opened_at_ms or at_ms, self._last_epoch.get(leg, 0) + 1)
        trail = begin(
            leg=leg,
            epoch=epoch,
            position=position,
            instrument=self.venue.instrument(leg.symbol),
            policy=self._policy_for(leg),
            fees=self._fees.get(leg.symbol, ASSUMED_FEES),
            at_ms=at_ms,
            foreign_stop=foreign_stop,
        )
        adopted = Adopted(
            leg, epoch, position, trail.instrument, trail.policy, trail.fees, at_ms, foreign_stop
        )
        self.store.record([adopted], trail=trail)
        self.hub.publish([adopted])
        guarded = self.restore(trail, generation=0)
        self.supervisor.spawn(f"first price {leg}", self._first_price(guarded))
        return guarded

    def _policy_for(self, leg: Leg) -> Policy:
        """The settings of a leg, without a backstop where the exchange has one stop only."""
        policy = self.config.policy_for(leg)
        if self.venue.stop_form is StopForm.POSITION_STOP:
            return replace(policy, backstop_percent=None)
        return policy

    def restore(self, trail: Trail, *, generation: int) -> GuardedLeg:
        """Take a trail under guard, new or from the store."""
        leg, policy = trail.leg, trail.policy
        executor = self._executor(
            leg,
            trail.epoch,
            trail.position.side,
            generation,
            triggers=(policy.trigger_price, policy.backstop_trigger_price),
        )
        guarded = GuardedLeg(trail, executor)
        self.legs[leg] = guarded
        self._last_epoch[leg] = trail.epoch
        self.watch()
        return guarded

    def skip_epoch(self, leg: Leg, epoch: int) -> None:
        """The next epoch of a leg comes after this one, whatever became of it."""
        self._last_epoch[leg] = max(epoch, self._last_epoch.get(leg, 0))

    def sweeper(self, leg: Leg, side: Side) -> LegExecutor:
        """The executor that removes stops of ours from a leg that has no trail."""
        if leg not in self._sweepers:
            # The time names its writes, so that no restart repeats an id.
            now_ms = self.venue.exchange_ms()
            self._sweepers[leg] = self._executor(leg, now_ms, side, 0, ("last", "mark"))
        return self._sweepers[leg]

    @property
    def opened_legs(self) -> frozenset[Leg]:
        """Legs on which a position was opened and not adopted yet."""
        return frozenset(self._opened_ms)

    def flat_since(self, leg: Leg, asked_at_ms: int) -> bool:
        """Whether a leg without a trail was said to be flat after a read was asked for."""
        return self._flat_ms.get(leg, 0) >= asked_at_ms

    def _executor(
        self,
        leg: Leg,
        epoch: int,
        side: Side,
        generation: int,
        triggers: tuple[Literal["last", "mark"], Literal["last", "mark"]],
    ) -> LegExecutor:
        def current() -> GuardedLeg | None:
            guarded = self.legs.get(leg)
            return guarded if guarded is not None and guarded.trail.epoch == epoch else None

        def tell(told: Told) -> None:
            guarded = current()
            if guarded is None:
                self.feeder.settle_alone(told)
            else:
                self.feed_told(guarded, told)

        def quantity() -> Decimal:
            guarded = current()
            return Decimal(0) if guarded is None else guarded.trail.position.quantity

        def closing() -> bool:
            guarded = current()
            if guarded is None or guarded.flat_ms is not None:
                return True
            return guarded.trail.phase is Phase.TRIGGERED

        desk = OrderDesk(
            leg=leg,
            epoch=epoch,
            side=side,
            tag=epoch_tag(self.store.installation, leg, epoch),
            venue=self.venue,
            store=self.store,
            triggers=triggers,
            generation=generation,
        )
        standing = Standing(side, desk.tag, quantity)
        ask_for_pass = partial(self.ask_for_pass, symbol=leg.symbol)
        return LegExecutor(
            desk=desk,
            clock=self.clock,
            supervisor=self.supervisor,
            traits=self.traits,
            tell=tell,
            ask_for_pass=ask_for_pass,
            standing=standing,
            answers=Answers(desk, standing, self.traits, tell, ask_for_pass),
            closing=closing,
        )

    async def _first_price(self, guarded: GuardedLeg) -> None:
        """Have a price at once: the next trade may be long in coming."""
        leg = guarded.trail.leg
        asked = retried(lambda: self.venue.last_price(leg.symbol))
        if follows_candles(guarded):
            price, _ = await asyncio.gather(asked, self.candles.begin(guarded))
        else:
            price = await asked
        if guarded.trail.price is None:
            self.market.spread_seen(guarded)
            self.feed(guarded, ev.PriceSeen(price, self.venue.exchange_ms()))
        if leg.symbol not in self._fees:
            self._fees[leg.symbol] = await retried(lambda: self.venue.fees(leg.symbol))
        fees = self._fees[leg.symbol]
        if fees != guarded.trail.fees and not guarded.ended:
            self.feed(guarded, ev.FeesKnown(fees, self.venue.exchange_ms()))

    def leg_statuses(self) -> list[LegStatus]:
        """The guarded legs as people see them at this moment, in their order."""
        now_ms, pass_every_ms = self.venue.exchange_ms(), self.pass_every_ms
        return [self.legs[leg].status(now_ms, pass_every_ms) for leg in sorted(self.legs)]

    @property
    def pass_every_ms(self) -> int:
        """Time between two passes over the guarded symbols, as set or as the limits allow."""
        least_seconds = self.venue.pass_seconds(len(self._by_symbol))
        seconds = max(float(self.config.guard.reconcile_seconds), least_seconds)
        return int(seconds * MS_PER_SECOND)

    def finish(self) -> None:
        """Write and wake no more, since the daemon ends; what rests stays."""
        for guarded in self.legs.values():
            guarded.finish()

    def watch(self) -> None:
        """Watch the prices of every guarded symbol."""
        by_symbol: dict[str, list[GuardedLeg]] = {}
        for leg, guarded in self.legs.items():
            by_symbol.setdefault(leg.symbol, []).append(guarded)
        self._by_symbol = by_symbol
        symbols = frozenset(by_symbol)
        self.market.watch(symbols)
        if self.config.feed.mode == "stream":
            self.venue.watch(symbols)

    def on(self, symbol: str) -> Sequence[GuardedLeg]:
        """The guarded legs of a symbol; every price asks."""
        return self._by_symbol.get(symbol, ())

    def remove(self, leg: Leg) -> None:
        """Guard a leg no more."""
        del self.legs[leg]
        self.watch()

    def untold(self) -> None:
        """Doubt the account stream: a read shows what it, up for a while, has not told."""
        private = self.market.streams.get("private")
        now_ms = self.venue.exchange_ms()
        if private is not None and private.up and now_ms - private.since_ms >= SETTLED_MS:
            self.venue.doubt_account()

    def feed_health(self) -> FeedHealth:
        """How the prices of this account come in at this moment."""
        return self.market.health(self.config.feed.mode, self.venue.stream_counts())

    # --- events ----------------------------------------------------------------------------
    def feed(self, guarded: GuardedLeg, event: ev.Event) -> None:
        """Tell one trail one event and carry out what it commands; a failure stays its own."""
        if guarded.ended:
            return
        self.supervisor.guarded(f"leg {guarded.trail.leg}", lambda: self._feed(guarded, event))

    def _feed(self, guarded: GuardedLeg, event: ev.Event) -> None:
        self.feeder.feed(guarded, event)
        guarded.arm(self.venue.exchange_ms(), lambda: self._wake(guarded))
        self.moves.weigh(self, guarded)

    def _wake(self, guarded: GuardedLeg) -> None:
        guarded.timer = None
        now_ms, late_ms = self.venue.exchange_ms(), guarded.late_ms
        if late_ms is not None and now_ms >= late_ms:
            guarded.late_told = True
            text = f"still without its first stop: it {hold_text(guarded.trail, now_ms)}"
            self.feeder.alarm(guarded.trail, "first_stop_late", text, now_ms)
        self.feed(guarded, ev.TimePassed(now_ms))

    def feed_told(self, guarded: GuardedLeg, told: Told) -> None:
        """Tell a trail what became of its stop."""
        if guarded.ended:
            self.feeder.settle_alone(told)
            return
        first = guarded.trail.own_stop is None
        if told.what == "acknowledged":
            guarded.shared_stop = "as_set"
            guarded.confirmed_ms = self.venue.exchange_ms()
        self.supervisor.guarded(
            f"leg {guarded.trail.leg}", lambda: self.feeder.feed_told(guarded, told)
        )
        beside = first or guarded.executor.standing.leftovers
        if beside and guarded.trail.own_stop is not None:
            # Now that this epoch is covered, what an earlier one left behind may go.
            leg = guarded.trail.leg
            self.ask_for_pass(f"the first stop of {leg} rests", symbol=leg.symbol)
        guarded.arm(self.venue.exchange_ms(), lambda: self._wake(guarded))
        self.moves.weigh(self, guarded)

    async def listen(self) -> None:
        """Take what the venue tells, for ever."""
        async for event in self.venue.events():
            self.supervisor.guarded("event", partial(self.on_event, event))

    def on_event(self, event: VenueEvent) -> None:
        """Sort one event of the venue to the legs that it concerns."""
        match event:
            case LastPrice() | Quote() | MarkPrice():
                self.market.take(event)
            case UnusablePrice():
                self.market.unusable(event)
            case PositionReport():
                self._on_position(event)
            case FundingBooked(leg, paid, at_ms):
                self._on_funding(leg, paid, at_ms)
            case StopReport():
                self._stop_reports.take(event)
            case InstrumentChanged():
                self._on_instrument(event)
            case StreamState(stream, up, text):
                self._on_stream(stream, up, text)

    def _on_position(self, report: PositionReport) -> None:
        leg, quantity = report.leg, report.quantity
        guarded = self.legs.get(leg)
        if guarded is None:
            if quantity:
                self._opened_ms.setdefault(leg, report.at_ms)
                self.ask_for_pass(f"position on {leg}", symbol=leg.symbol)
            else:
                self._opened_ms.pop(leg, None)
                self._flat_ms[leg] = report.at_ms
            return
        if report.at_ms < guarded.read_ms:
            # Told late, at the start: the read that proved this position has it already.
            return
        now_ms = self.venue.exchange_ms()
        position = guarded.trail.position
        guarded.event_ms = now_ms
        if not quantity:
            guarded.flat_ms = report.at_ms
            self.ask_for_pass(f"{leg} is said to be flat", symbol=leg.symbol)
            return
        side = Side.LONG if quantity > 0 else Side.SHORT
        if guarded.flat_ms is not None or side is not position.side:
            guarded.flat_ms = guarded.flat_ms or report.at_ms
            self._opened_ms[leg] = report.at_ms
            self.ask_for_pass(f"{leg} was opened anew", symbol=leg.symbol)
            return
        changed = replace(position, quantity=abs(quantity))
        if report.entry_price > 0:
            changed = replace(changed, entry_price=report.entry_price, entry_known=True)
        if changed != position:
            self.feed(guarded, ev.PositionChanged(changed, report.at_ms))

    def _on_funding(self, leg: Leg, paid: Decimal, at_ms: int) -> None:
        guarded = self.legs.get(leg)
        if guarded is None:
            return
        position = guarded.trail.position
        funded = replace(position, funding_paid=position.funding_paid + paid)
        self.feed(guarded, ev.PositionChanged(funded, at_ms))

    def _on_instrument(self, changed: InstrumentChanged) -> None:
        """Go by the symbol's new grid; tell of a market that no longer trades."""
        now_ms = self.venue.exchange_ms()
        for guarded in self.on(changed.symbol):
            if changed.instrument != guarded.trail.instrument:
                self.feed(guarded, ev.InstrumentChanged(changed.instrument, now_ms))
            if changed.status != "trading":
                text = f"{changed.symbol} is {changed.status} ({changed.text}): the stop stays"
                self.feeder.alarm(guarded.trail, f"market_{changed.status}", text, now_ms)
        self.ask_for_pass(f"{changed.symbol} was changed by the exchange", symbol=changed.symbol)

    def without_trail(self, leg: Leg, text: str) -> None:
        """What concerns a leg without a trail is never a silent return."""
        self.missing_trails += 1
        _log.error(
            "leg_without_trail",
            account=leg.account,
            venue=leg.venue,
            symbol=leg.symbol,
            side=leg.position_side,
            what=text,
        )
        self.ask_for_pass(text, symbol=leg.symbol)

    def _on_stream(self, stream: str, up: bool, text: str) -> None:
        self.streams[stream] = up
        self.market.stream_changed(stream, up)
        if stream == "private" and not up and self.blind_since_ms is None:
            # What happens now is not told: the next full pass asks the executions.
            self.blind_since_ms = self.venue.exchange_ms() - BLIND_MARGIN_MS
        level = _log.info if up else _log.warning
        level("stream", account=self.venue.account, stream=stream, up=up, text=text)
        if stream == "private":
            self.ask_for_pass(f"the account stream is {'up' if up else 'down'}", full=True)

    # --- passes ----------------------------------------------------------------------------
    def ask_for_pass(self, why: str, *, symbol: str | None = None, full: bool = False) -> None:
        """Have the exchange compared with the targets as soon as possible.

        `symbol` where nothing else matters, `full` where all of the account does.
        """
        _log.debug("pass_wanted", account=self.venue.account, why=why)
        self.wishes.ask(symbol=symbol, full=full)
