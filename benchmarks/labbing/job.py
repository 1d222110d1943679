"""The jobs: made-up minutes and bids, the same for everyone, as columns and as files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from trailstop.domain.policy import Callback, Policy
from trailstop.domain.price import Rounding
from trailstop.lab.data.synthetic import synthetic_bars
from trailstop.lab.entries import Entries
from trailstop.lab.series import Bars, Int64, Quotes

APART = 1_000
"""Bars from one entry to the next; each is closed after one less at the latest."""
TICK_SIGMA = 1e-4
TICK_MS = 1_000
OPENED_MS = 1_735_689_600_000


@dataclass(frozen=True, slots=True, eq=False)
class BarJob:
    """Bars with an entry at the close of every thousandth, held for 999 bars at the most."""

    bars: Bars
    entries: Entries
    exits: Int64

    def floats(self) -> dict[str, np.ndarray]:
        """Prices as others take them."""
        unit = float(self.bars.unit)
        names = ("open", "high", "low", "close")
        return {name: np.round(getattr(self.bars, name) * unit, 1) for name in names}

    def write(self, folder: Path) -> None:
        """Put it where a process of another environment reads it."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, column in self.floats().items():
            np.save(folder / f"{name}.npy", column)
        np.save(folder / "entries.npy", self.entries.index)
        np.save(folder / "exits.npy", self.exits)
        (folder / "job.json").write_text(json.dumps({"unit": 1}))


def bar_job(count: int, seed: int = 1, sign: int = 1) -> BarJob:
    """The job on so many minutes."""
    return with_entries(synthetic_bars(seed, count), sign)


def with_entries(bars: Bars, sign: int = 1) -> BarJob:
    """The job on these bars."""
    count = len(bars)
    index = np.arange(0, count - 1, APART, dtype=np.int64)
    exits = np.minimum(index + APART - 1, count - 1)
    entries = Entries(
        index=index,
        sign=np.full(len(index), sign, dtype=np.int8),
        price=bars.close[index],
        exit_index=exits,
    )
    return BarJob(bars, entries, exits)


@dataclass(frozen=True, slots=True, eq=False)
class TickJob:
    """Best bids and asks with an entry at every thousandth bid."""

    quotes: Quotes
    entries: Entries
    exits: Int64

    def write(self, folder: Path, few: int) -> None:
        """Put it where others read it; `few` ticks are enough for the slow one."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "bid.npy", self.quotes.bid)
        np.save(folder / "ask.npy", self.quotes.ask)
        facts = {"unit": float(self.quotes.unit), "hold": APART, "nautilus_ticks": few}
        (folder / "job.json").write_text(json.dumps(facts))

    def first(self, count: int) -> TickJob:
        """The same, cut after so many ticks."""
        quotes, inside = self.quotes, self.exits < count
        return TickJob(
            Quotes(
                quotes.symbol,
                quotes.unit,
                quotes.time_ms[:count],
                quotes.bid[:count],
                quotes.ask[:count],
            ),
            Entries(
                index=self.entries.index[inside],
                sign=self.entries.sign[inside],
                price=self.entries.price[inside],
                exit_index=self.exits[inside],
            ),
            self.exits[inside],
        )


def tick_job(count: int, seed: int = 2) -> TickJob:
    """The job on so many ticks, a second apart."""
    chance = np.random.default_rng(seed)
    bid = np.rint(600_000 * np.exp(np.cumsum(chance.normal(0, TICK_SIGMA, count)))).astype(np.int64)
    ask = bid + chance.integers(1, 4, count)
    times = OPENED_MS + np.arange(count, dtype=np.int64) * TICK_MS
    index = np.arange(0, count - 1, APART, dtype=np.int64)
    exits = np.minimum(index + APART - 1, count - 1)
    entries = Entries(
        index=index, sign=np.ones(len(index), dtype=np.int8), price=bid[index], exit_index=exits
    )
    return TickJob(Quotes("BTCUSDT", Decimal("0.1"), times, bid, ask), entries, exits)


def plain(activation: str, distance: str, basis: str = "last") -> Policy:
    """The rule that everybody has: a callback behind the peak, from an activation on."""
    return Policy(
        initial_stop_percent=None,
        backstop_percent=None,
        breakeven_at_percent=None,
        activation_percent=Decimal(activation),
        distance=Callback(Decimal(distance)),
        pacing="none",
        rounding=Rounding.NONE,
        basis=basis,  # type: ignore[arg-type]
    )
