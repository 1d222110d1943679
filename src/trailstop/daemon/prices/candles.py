"""Closed candles for the trails whose distance is an average true range.

At adoption the exchange's list of the past is read, then each candle soon after its end, for all
legs of a symbol at once. Which one a trail was told last is part of its state: after a restart, a
failed read or new settings the next reading begins there, and tells no candle twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import structlog
from msgspec import Struct

from trailstop.clock import MS_PER_SECOND, Clock
from trailstop.daemon.leg import GuardedLeg
from trailstop.domain.policy import Atr
from trailstop.domain.position import Leg
from trailstop.engine import events as ev
from trailstop.errors import ReadFailed
from trailstop.feeds.candles import closed_candles, length_ms, listed_minutes, warm_up_ms
from trailstop.ports import Venue

_log = structlog.get_logger("trailstop.feed")

LOOK_SECONDS: Final = 5.0
SETTLED_MS: Final = 2_000
"""A candle is read so long after its end: by then the exchange lists it, and lists it whole."""
PATIENCE_MS: Final = 15_000
"""A candle that is not listed so long after its end is none: nothing was traded."""
FIRST_SECONDS: Final = 0.5
"""The first price of a position waits so long for its candles, which then come later."""


_Wish = tuple[Leg, int, Atr]
"""An epoch and its settings: new ones begin with candles of their own."""


class Series(Struct, frozen=True):
    """Candles of one kind, as several legs may want them."""

    symbol: str
    minutes: int
    source: Literal["last", "mark"]


class Candles:
    """Tells the trails of one account the candles that they want."""

    def __init__(
        self,
        venue: Venue,
        clock: Clock,
        feed: Callable[[GuardedLeg, ev.Event], None],
        legs: Callable[[], Iterable[GuardedLeg]],
    ) -> None:
        """`feed` advances one trail, `legs` names all that are guarded."""
        self._venue = venue
        self._clock = clock
        self._feed = feed
        self._legs = legs
        self._read_ms: dict[_Wish, int] = {}
        """Until when candles were asked for, whether there were any or not."""

    async def begin(self, guarded: GuardedLeg) -> None:
        """Tell a new trail the candles of before, if they come soon; else `run` does."""
        with contextlib.suppress(TimeoutError, ReadFailed):
            async with asyncio.timeout(FIRST_SECONDS):
                await self._tell(_series(guarded), [guarded])

    async def run(self) -> None:
        """Tell each candle after its end, for ever."""
        while True:
            await self.turn()
            await self._clock.sleep(self._pause_seconds())

    async def turn(self) -> None:
        """Tell what has ended since the last time."""
        behind: dict[Series, list[GuardedLeg]] = {}
        following = [guarded for guarded in self._legs() if follows_candles(guarded)]
        wishes = {_wish(guarded) for guarded in following}
        self._read_ms = {wish: at for wish, at in self._read_ms.items() if wish in wishes}
        for guarded in following:
            if self._is_behind(guarded):
                behind.setdefault(_series(guarded), []).append(guarded)
        for series, legs in behind.items():
            try:
                await self._tell(series, legs)
            except ReadFailed as error:
                _log.warning("candles_unread", symbol=series.symbol, error=str(error))

    def _is_behind(self, guarded: GuardedLeg) -> bool:
        known_ms = max(_told_ms(guarded), self._read_ms.get(_wish(guarded), 0))
        return known_ms < self._over_ms(_atr(guarded))

    async def _tell(self, series: Series, legs: Sequence[GuardedLeg]) -> None:
        """Read what the leg that is farthest behind lacks. Raises: ReadFailed."""
        over_ms = min(self._over_ms(_atr(guarded)) for guarded in legs)
        since_ms = min(_since_ms(guarded, over_ms) for guarded in legs)
        bars = await self._venue.bars(
            series.symbol, listed_minutes(series.minutes), since_ms, over_ms - 1, series.source
        )
        candles = closed_candles(bars, series.minutes, over_ms)
        is_listed = bool(candles) and candles[-1].at_ms == over_ms
        late_ms = self._venue.exchange_ms() - over_ms
        for guarded in legs:
            for candle in candles:
                # Settings, and what was told, may have changed while it was read.
                wanted = follows_candles(guarded) and _series(guarded) == series
                if wanted and candle.at_ms > _told_ms(guarded):
                    self._feed(guarded, candle)
            if follows_candles(guarded) and (is_listed or late_ms > PATIENCE_MS):
                self._read_ms[_wish(guarded)] = over_ms

    def _over_ms(self, atr: Atr) -> int:
        """End of the newest candle that is over and settled."""
        span_ms = length_ms(atr)
        return (self._venue.exchange_ms() - SETTLED_MS) // span_ms * span_ms

    def _pause_seconds(self) -> float:
        """Until the next candle is to be read, or until somebody may have come who wants some."""
        now_ms = self._venue.exchange_ms()
        due = [
            self._over_ms(_atr(guarded)) + length_ms(_atr(guarded)) + SETTLED_MS - now_ms
            for guarded in self._legs()
            if follows_candles(guarded)
        ]
        return min([LOOK_SECONDS, *(wait_ms / MS_PER_SECOND for wait_ms in due)])


def follows_candles(guarded: GuardedLeg) -> bool:
    """Whether the distance of a trail is made of candles."""
    return isinstance(guarded.trail.policy.distance, Atr)


def _atr(guarded: GuardedLeg) -> Atr:
    distance = guarded.trail.policy.distance
    assert isinstance(distance, Atr), "only asked of trails that follow candles"
    return distance


def _series(guarded: GuardedLeg) -> Series:
    trail, minutes = guarded.trail, _atr(guarded).timeframe_minutes
    return Series(trail.leg.symbol, minutes, trail.policy.trigger_price)


def _wish(guarded: GuardedLeg) -> _Wish:
    trail = guarded.trail
    return trail.leg, trail.epoch, _atr(guarded)


def _told_ms(guarded: GuardedLeg) -> int:
    """End of the candle that the trail was told last; long ago where there was none."""
    atr = guarded.trail.atr
    return 0 if atr is None else atr.at_ms


def _since_ms(guarded: GuardedLeg, over_ms: int) -> int:
    """Where the next candle of a trail begins: after the last, or as far back as it wants.

    After a longer absence what was known before weighs nothing any more.
    """
    return max(_told_ms(guarded), over_ms - warm_up_ms(_atr(guarded)))
