"""What the executor keeps in mind of its stops, and what it tells its leg."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol

from trailstop.domain.position import Role, StopKind
from trailstop.engine.events import Refusal
from trailstop.storage.records import Intent, Settled

MOVES_AT_ONCE = 10
"""Each needs a conditional order beside the one that it replaces, and so many are kept free: 5 % of
Binance's 200 an account (design, section 5)."""


@dataclass(slots=True)
class Resting:
    """One stop of ours that the exchange has acknowledged and that may still rest."""

    client_id: str
    order_id: str
    role: Role
    price: Decimal
    quantity: Decimal
    at_ms: int


@dataclass(slots=True)
class Wanted:
    """The newest working stop that was asked for and is not yet sent."""

    price: Decimal
    quantity: Decimal
    kind: StopKind
    asked_ms: int
    text: str = ""
    at_once: bool = False


@dataclass(slots=True, frozen=True)
class Told:
    """What the executor tells its leg about a working stop, with the record that settles it.

    `exposed`: a move takes so long that the position stands on its backstop alone.
    """

    what: Literal["acknowledged", "refused", "unknown", "triggered", "exposed"]
    settled: Settled | None
    at_ms: int
    price: Decimal = Decimal(0)
    quantity: Decimal = Decimal(0)
    previous: Decimal | None = None
    kind: StopKind = StopKind.INITIAL
    client_id: str = ""
    asked_ms: int = 0
    reason: Refusal = Refusal.OTHER
    text: str = ""
    nearest: Decimal | None = None
    retry_after_ms: int | None = None


@dataclass(slots=True)
class AccountTraits:
    """What the legs of one account share.

    `overlap` is what was learned: whether two working stops may rest together. `turns` are the
    replacements that may be under way at once.
    """

    overlap: bool = True
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOVES_AT_ONCE))


@dataclass(slots=True)
class Lookup:
    """A write of which the outcome is not known; `sent_ms` is when it may have left."""

    intent: Intent
    sent_ms: int
    tries: int = 0


class AskForPass(Protocol):
    """Have the exchange compared with the targets as soon as possible."""

    def __call__(self, why: str, *, full: bool = False) -> None:
        """Say why; `full` where all of the account matters."""
        ...
