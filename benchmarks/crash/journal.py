"""What the killed guard has written down, held against itself.

Everything is told once per epoch and kind, and nothing is missing.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from trailstop.domain.position import Leg, Phase
from trailstop.domain.price import Side
from trailstop.storage.read import PRICES
from trailstop.storage.records import (
    Adopted,
    Alarmed,
    Ended,
    Moved,
    PhaseChanged,
    Record,
    Settled,
    decode,
    epoch_of,
    leg_of,
)

PHASES = (Phase.WAITING, Phase.ACTIVE, Phase.TRIGGERED)
Epoch = tuple[Leg, int]


@dataclass
class Told:
    """The facts of one epoch in the order of the journal."""

    adopted: list[Adopted] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    moves: list[Moved] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    alarms: list[tuple[str, str, int]] = field(default_factory=list)
    """Code, text and time."""
    removed: set[str] = field(default_factory=set, compare=False)
    """Client ids of stops that a look-up did not find: it was never known that they rested."""


@dataclass(frozen=True)
class Written:
    """One write that was put down before it was sent."""

    epoch: Epoch
    action: str
    price: Decimal | None
    at_ms: int


@dataclass
class Journal:
    """The durable state of one database."""

    epochs: dict[Epoch, Told]
    sequences: list[int]
    kinds: Counter[str]
    counters: dict[str, int]
    intents: dict[str, Written]
    """By client id."""
    stop_moves: Counter[str]
    """Rows of the table of moves by client id."""
    installation: str


def read_journal(file: Path) -> Journal:
    """Read a database that nobody uses."""
    with closing(sqlite3.connect(file)) as base:
        epochs: dict[Epoch, Told] = {}
        sequences, kinds = [], Counter[str]()
        for sequence, kind, payload in base.execute(
            "select sequence, kind, payload from journal order by sequence"
        ):
            sequences.append(sequence)
            kinds[kind] += 1
            if kind != PRICES:
                _tell(epochs, decode(payload))
        return Journal(
            epochs=epochs,
            sequences=sequences,
            kinds=kinds,
            counters=dict(base.execute("select name, value from counters")),
            intents={
                name: Written(
                    (Leg(*leg), epoch), action, None if price is None else Decimal(price), at_ms
                )
                for name, *leg, epoch, action, price, at_ms in base.execute(
                    "select client_id, account, exchange, symbol, position_side, epoch, action,"
                    " price, at from intents"
                )
            },
            stop_moves=Counter(
                name for (name,) in base.execute("select client_order_id from stop_moves")
            ),
            installation=base.execute(
                "select value from meta where key = 'installation'"
            ).fetchone()[0],
        )


def _tell(epochs: dict[Epoch, Told], record: Record) -> None:
    epoch = epoch_of(record)
    if epoch is None:
        return
    told = epochs.setdefault((leg_of(record), epoch), Told())
    match record:
        case Adopted():
            told.adopted.append(record)
        case PhaseChanged():
            told.phases.append(record.phase)
        case Moved():
            told.moves.append(record)
        case Ended():
            told.ended.append(record)
        case Settled(name, state="gone" | "absent"):
            told.removed.add(name)
        case Alarmed():
            told.alarms.append((record.code, record.text, record.at_ms))
        case _:
            pass


def event_findings(journal: Journal, open_epochs: int) -> Iterator[str]:
    """What was told twice, not at all, or otherwise than the tables have it."""
    first, last = journal.sequences[0], journal.sequences[-1]
    if journal.sequences != list(range(first, last + 1)):
        yield "the journal's sequence has gaps"
    for kind, count in journal.kinds.items():
        if journal.counters.get(kind) != count:
            yield f"{count} records {kind}, counted {journal.counters.get(kind)}"
    adopted = [(leg, epoch) for (leg, epoch), told in journal.epochs.items() if told.adopted]
    still = sum(not told.ended for told in journal.epochs.values() if told.adopted)
    if still != open_epochs:
        yield f"{still} epochs of {len(adopted)} are told as open, {open_epochs} positions are"
    moved = Counter(move.client_id for told in journal.epochs.values() for move in told.moves)
    if moved != journal.stop_moves:
        yield "the moves of the journal are not those of the table"
    for (leg, epoch), told in journal.epochs.items():
        # Removing what is left on a flat leg has an epoch of its own and no facts.
        for finding in _epoch_findings(told) if told != Told() else ():
            yield f"{leg} epoch {epoch}: {finding}"


def _epoch_findings(told: Told) -> Iterator[str]:
    if len(told.adopted) != 1:
        yield f"adopted {len(told.adopted)} times"
        return
    if len(told.ended) > 1:
        yield f"ended {len(told.ended)} times"
    if len(set(told.phases)) != len(told.phases):
        yield f"phases {[phase.value for phase in told.phases]}"
    if sorted(told.phases, key=PHASES.index) != told.phases:
        yield f"phases out of order: {[phase.value for phase in told.phases]}"
    for (code, text, _), count in Counter(told.alarms).items():
        if count > 1:
            yield f"alarm {code} told {count} times: {text}"
    yield from _move_findings(told.adopted[0].position.side, told.moves)


def _move_findings(side: Side, moves: list[Moved]) -> Iterator[str]:
    named = [move.client_id for move in moves if move.client_id]
    if len(set(named)) != len(named):
        yield "one order is told as two moves"
    before: Decimal | None = None
    for move in moves:
        if move.from_price != before:
            yield f"a move from {move.from_price}, the one before went to {before}"
        if before is not None and not side.better(move.to_price, before):
            yield f"a move from {before} to {move.to_price}"
        before = move.to_price
