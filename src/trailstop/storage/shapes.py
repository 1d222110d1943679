"""What the store gives back."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from trailstop.domain.position import Cause, Leg, Phase
from trailstop.domain.price import Side
from trailstop.engine.events import Event
from trailstop.engine.trail import Trail
from trailstop.storage.records import Intent, Record


class PriceRun(Struct, frozen=True, tag="prices"):
    """Consecutive quiet inputs of one epoch, which share a row of the journal."""

    leg: Leg
    epoch: int
    events: tuple[Event, ...]


class StoredRecord(Struct, frozen=True):
    """One row of the journal; `sequence` rises and is never used twice."""

    sequence: int
    at_ms: int
    kind: str
    record: Record | PriceRun


class StoredIntent(Struct, frozen=True):
    """An intent and what is known of it: `intended` until it is settled."""

    intent: Intent
    state: str
    order_id: str | None
    settled_at_ms: int | None


class EpochSummary(Struct, frozen=True):
    """One epoch from adoption to flat; `cause` is None while it is open."""

    leg: Leg
    epoch: int
    side: Side
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    cause: Cause | None
    phases: tuple[Phase, ...]
    moves: int
    holds: Mapping[str, int]
    opened_ms: int
    closed_ms: int | None
    peak: Decimal | None = None


class Loaded(Struct, frozen=True):
    """What a restart continues from.

    `intents` are those whose outcome is not known. `generations` has the highest one that
    any intent of an open epoch used, so that no client id comes twice. `counters` counts the
    records ever written by kind, and `phase_changed.PHASE`, `settled.STATE` one by one.
    `unreadable` are open epochs whose state is damaged: their positions are looked at anew.
    """

    trails: tuple[Trail, ...]
    intents: tuple[StoredIntent, ...]
    generations: Mapping[tuple[Leg, int], int]
    counters: Mapping[str, int]
    last_sequence: int
    unreadable: tuple[tuple[Leg, int], ...] = ()
