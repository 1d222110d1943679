"""Windows of a walk-forward: settings are chosen in one, and judged in the one after it.

Windows are half-open times, so that no moment lies in two. A position belongs to the window in
which it opens and sees no price after that window's end; one that is still open there is closed
at the window's last price. So nothing of a test is known while its settings are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import numpy as np
from msgspec import Struct

from trailstop.domain.policy import Atr, Policy
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.shape import between, moment
from trailstop.lab.entries import NEVER, Entries
from trailstop.lab.series import Bars, Int64

TRAIN_PARTS: Final = 4
"""Without lengths a train window is so many times as long as the test window after it."""
WARM_CANDLES: Final = 10
"""Candles of before, in lengths of the ATR, from which its average has settled."""
MS_PER_MINUTE: Final = 60_000
MS_PER_DAY: Final = 86_400_000


class Fold(Struct, frozen=True):
    """One step of the walk: train in [`train_from_ms`, `test_from_ms`), test until `until_ms`."""

    number: int
    train_from_ms: int
    test_from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """One symbol's bars and the positions that are opened on them."""

    bars: Bars
    entries: Entries
    instrument: Instrument

    @property
    def entry_ms(self) -> Int64:
        """When each position opens."""
        opens: Int64 = self.bars.open_ms[self.entries.index]
        return opens + self.bars.interval_ms if self.entries.at_close else opens


def span_of(markets: Sequence[Market]) -> tuple[int, int]:
    """First and last moment that all markets have. Raises DataError where there is none."""
    if not markets or any(len(market.bars) == 0 for market in markets):
        raise DataError("there are no bars to optimise on; give files of candles")
    first_ms = max(int(market.bars.open_ms[0]) for market in markets)
    until_ms = min(int(market.bars.open_ms[-1]) + market.bars.interval_ms for market in markets)
    if until_ms <= first_ms:
        raise DataError("the files have no time in common; give the same span of every symbol")
    return first_ms, until_ms


def walk(
    first_ms: int,
    until_ms: int,
    *,
    count: int,
    train_ms: int | None = None,
    test_ms: int | None = None,
) -> tuple[Fold, ...]:
    """Folds whose tests follow one another without a gap and end with the data.

    With only one length the other follows from the whole span. Raises ConfigError where they do
    not fit.
    """
    if count < 1:
        raise ConfigError("a walk-forward needs one fold at least")
    span_ms = until_ms - first_ms
    if train_ms is None and test_ms is None:
        test_ms = span_ms // (count + TRAIN_PARTS)
    if test_ms is None:
        assert train_ms is not None, "one of the two is given"
        test_ms = (span_ms - train_ms) // count
    if train_ms is None:
        train_ms = span_ms - count * test_ms
    if test_ms <= 0 or train_ms <= 0 or train_ms + count * test_ms > span_ms:
        lengths = [
            f"{_days(length_ms)} {name}"
            for length_ms, name in ((train_ms, "train"), (test_ms, "test"))
            if length_ms > 0
        ]
        raise ConfigError(
            f"{count} folds of {' and '.join(lengths)} do not fit into "
            f"{_days(span_ms)} of data ({moment(first_ms)} to {moment(until_ms)}): "
            "take fewer or shorter ones"
        )
    return tuple(
        Fold(
            number=number,
            train_from_ms=test_from_ms - train_ms,
            test_from_ms=test_from_ms,
            until_ms=test_from_ms + test_ms,
        )
        for number, test_from_ms in enumerate(
            range(until_ms - count * test_ms, until_ms, test_ms), start=1
        )
    )


def window(market: Market, from_ms: int, until_ms: int, policy: Policy) -> Market:
    """The positions that open in [from, until) and the bars that end by then, and no others.

    Bars of before come along where the policy's ATR needs them to have settled.
    """
    bars, opened = market.bars, market.entry_ms
    first_ms = from_ms - warm_ms(policy)
    cut = between(bars, min(first_ms, from_ms), until_ms - bars.interval_ms + 1)
    offset, last = int(np.searchsorted(bars.open_ms, cut.open_ms[0])), len(cut) - 1
    index = market.entries.index - offset
    # A position that opens with the window's last close has no bar left to live in.
    chosen = (opened >= from_ms) & (opened < until_ms) & (index >= 0)
    chosen &= index < last if market.entries.at_close else index <= last
    return Market(cut, _chosen(market.entries, chosen, offset, last), market.instrument)


def warm_ms(policy: Policy) -> int:
    """Time of before that the policy's own averages want."""
    distance = policy.distance
    if not isinstance(distance, Atr):
        return 0
    return WARM_CANDLES * distance.length * distance.timeframe_minutes * MS_PER_MINUTE


def _chosen(entries: Entries, chosen: np.ndarray, offset: int, last: int) -> Entries:
    exits = entries.exit_index
    if exits is not None:
        moved = np.where(exits == NEVER, NEVER, exits - offset)[chosen]
        # An exit after the window is not known in it.
        exits = np.where(moved > last, NEVER, moved)
    return replace(
        entries,
        index=entries.index[chosen] - offset,
        sign=entries.sign[chosen],
        price=entries.price[chosen],
        exit_index=exits,
        quantities=tuple(compress(entries.quantities, chosen)),
        labels=tuple(compress(entries.labels, chosen)),
    )


def _days(duration_ms: int) -> str:
    return f"{duration_ms / MS_PER_DAY:.1f} days"
