"""The trader: opens positions at fixed virtual times, so that a run can be repeated exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from trailstop.paper.exchange import Exchange
from trailstop.paper.model import Account, Position, Rejection, RejectKind

US_PER_MS = 1_000


class Leg(Struct, frozen=True, kw_only=True):
    """What is opened: account by name, market, side, and its size where it is not the default."""

    account: str
    symbol: str
    side: Literal["long", "short"]
    quantity: Decimal | None = None


class Schedule(Struct, frozen=True, kw_only=True):
    """When it is opened: first after `first_ms`, then each `every_ms` where the leg is flat."""

    legs: tuple[Leg, ...]
    first_ms: int = 0
    every_ms: int | None = None
    """None opens once."""


class Openings:
    """Plays one schedule; a leg that is not flat is skipped and counted."""

    def __init__(self, exchange: Exchange, schedule: Schedule) -> None:
        self._exchange = exchange
        self._schedule = schedule
        self._timer: asyncio.TimerHandle | None = None
        self.opened = 0
        self.skipped = 0
        self.refused = 0

    @property
    def over(self) -> bool:
        """Whether nothing more will be opened."""
        return self._timer is None

    def start(self) -> None:
        """Begin, counted from now."""
        self._plan(self._schedule.first_ms)

    def close(self) -> None:
        """Open nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self, delay_ms: int) -> None:
        loop = self._exchange.loop
        self._timer = loop.call_at_us(loop.now_us + delay_ms * US_PER_MS, self._open)

    def _open(self) -> None:
        self._timer = None
        world = self._exchange.sync()
        for leg in self._schedule.legs:
            key = account_key(world.accounts, leg.account)
            if any(_is_in_the_way(row, leg) for row in world.positions(key, leg.symbol)):
                self.skipped += 1
                continue
            tag = f"{self._exchange.now_ms}-{leg.side}"
            try:
                world.open_position(key, leg.symbol, leg.side, leg.quantity, tag)
            except Rejection:
                self.refused += 1
            else:
                self.opened += 1
        self._exchange.tell()
        if self._schedule.every_ms is not None:
            self._plan(self._schedule.every_ms)


def _is_in_the_way(row: Position, leg: Leg) -> bool:
    """Whether the position is the one that would be added to, or netted with."""
    return bool(row.amount) and row.position_side in ("BOTH", leg.side.upper())


def account_key(accounts: Mapping[str, Account], name: str) -> str:
    """The API key of the account with this name; a key stands for itself."""
    for key, account in accounts.items():
        if name in {key, account.name}:
            return key
    raise Rejection(RejectKind.UNKNOWN_ACCOUNT, f"there is no account {name!r}")
