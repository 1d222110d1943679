"""Queries; each answers within the transaction that it is given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, func, select

from trailstop.domain.position import Cause, Leg, Phase
from trailstop.domain.price import Side
from trailstop.engine.events import Event
from trailstop.engine.trail import Trail
from trailstop.errors import StoreError
from trailstop.storage.checksum import is_sound
from trailstop.storage.prices import decode_prices
from trailstop.storage.records import Input, Intended, Record, decode
from trailstop.storage.shapes import (
    EpochSummary,
    Loaded,
    PriceRun,
    StoredIntent,
    StoredRecord,
)
from trailstop.storage.tables import (
    active_positions,
    counters,
    holds,
    intents,
    journal,
    stop_moves,
    trailing_stop_state,
)
from trailstop.storage.types import Money

AnyRow = Row[*tuple[Any, ...]]

PRICES = "prices"
IDS_AT_ONCE = 500
"""Ids that one query asks for, below what any database takes in a statement."""
UNSETTLED = ("intended", "unknown")

_trails = msgspec.json.Decoder(Trail)
_EPOCH_COLUMNS = tuple(
    active_positions.c[name] for name in ("account", "exchange", "symbol", "position_side", "epoch")
)


def of_leg(leg: Leg) -> dict[str, str]:
    """A leg as columns."""
    return {
        "account": leg.account,
        "exchange": leg.venue,
        "symbol": leg.symbol,
        "position_side": leg.position_side,
    }


def position_id(connection: Connection, leg: Leg, epoch: int) -> int | None:
    """The row of an epoch, None where it was never adopted."""
    wanted = of_leg(leg) | {"epoch": epoch}
    return connection.execute(
        select(active_positions.c.id).where(
            and_(*(active_positions.c[name] == value for name, value in wanted.items()))
        )
    ).scalar_one_or_none()


def open_epochs(connection: Connection) -> tuple[tuple[Leg, int], ...]:
    """Epochs that have not ended."""
    rows = connection.execute(
        select(active_positions).where(active_positions.c.closed_at.is_(None))
    )
    return tuple((_leg(row), row.epoch) for row in rows)


def load(connection: Connection) -> Loaded:
    """What a restart continues from; what is damaged of it is left out and named.

    Raises: StoreError for a trail of another build.
    """
    rows = connection.execute(
        select(
            *_EPOCH_COLUMNS,
            trailing_stop_state.c.payload,
            trailing_stop_state.c.checksum,
        )
        .outerjoin_from(active_positions, trailing_stop_state)
        .where(active_positions.c.closed_at.is_(None))
        .order_by(active_positions.c.id)
    )
    found = [((_leg(row), row.epoch), _trail(row)) for row in rows]
    unsettled = connection.execute(
        select(intents).where(intents.c.state.in_(UNSETTLED)).order_by(intents.c.at)
    )
    open_ = {key for key, _ in found}
    leg_columns = [intents.c[name] for name in ("account", "exchange", "symbol", "position_side")]
    highest = connection.execute(
        select(*leg_columns, intents.c.epoch, func.max(intents.c.generation).label("highest"))
        .where(intents.c.epoch.in_({epoch for _, epoch in open_}))
        .group_by(*leg_columns, intents.c.epoch)
    )
    sound = [row for row in unsettled if is_sound(row.payload, row.checksum)]
    return Loaded(
        trails=tuple(trail for _, trail in found if trail is not None),
        intents=tuple(_intent(row) for row in sound),
        generations={
            (_leg(row), row.epoch): row.highest
            for row in highest
            if (_leg(row), row.epoch) in open_
        },
        counters={row.name: row.value for row in connection.execute(select(counters))},
        last_sequence=connection.execute(select(func.max(journal.c.sequence))).scalar_one() or 0,
        unreadable=tuple(key for key, trail in found if trail is None),
    )


def events(
    connection: Connection, after: int, limit: int, kinds: Collection[str] | None
) -> list[StoredRecord]:
    """Rows of the journal after a sequence number, oldest first.

    Without `kinds` the price runs, which are most of the journal, are left out.
    """
    wanted: ColumnElement[bool] = (
        journal.c.kind != PRICES if kinds is None else journal.c.kind.in_(kinds)
    )
    rows = connection.execute(
        select(journal, *_EPOCH_COLUMNS)
        .outerjoin_from(journal, active_positions)
        .where(journal.c.sequence > after, wanted)
        .order_by(journal.c.sequence)
        .limit(limit)
    )
    return [StoredRecord(row.sequence, row.at, row.kind, _record(row)) for row in rows]


def inputs(connection: Connection, leg: Leg, epoch: int) -> list[Event]:
    """Everything that `step` was told in an epoch, in its order, as far as it is kept."""
    rows = connection.execute(
        select(journal, *_EPOCH_COLUMNS)
        .join_from(journal, active_positions)
        .where(
            journal.c.position_id == position_id(connection, leg, epoch),
            journal.c.kind.in_([PRICES, "input"]),
        )
        .order_by(journal.c.sequence)
    )
    told: list[Event] = []
    for row in rows:
        record = _record(row)
        if isinstance(record, PriceRun):
            told.extend(record.events)
        elif isinstance(record, Input):
            told.append(record.event)
    return told


def intent(connection: Connection, client_id: str) -> StoredIntent | None:
    """The intent of a client id, None where none was ever recorded."""
    row = connection.execute(select(intents).where(intents.c.client_id == client_id)).one_or_none()
    return None if row is None else _intent(row)


def known(connection: Connection, client_ids: Collection[str]) -> set[str]:
    """Those of these client ids that have an intent."""
    found: set[str] = set()
    ids = sorted(client_ids)
    for begin in range(0, len(ids), IDS_AT_ONCE):
        some = ids[begin : begin + IDS_AT_ONCE]
        rows = connection.execute(select(intents.c.client_id).where(intents.c.client_id.in_(some)))
        found.update(row.client_id for row in rows)
    return found


def epochs(connection: Connection, limit: int) -> list[EpochSummary]:
    """The newest epochs, open and closed, oldest first."""
    newest = select(active_positions).order_by(active_positions.c.id.desc()).limit(limit).subquery()
    state = trailing_stop_state
    peak = func.coalesce(state.c.highest_price, state.c.lowest_price, type_=Money).label("peak")
    rows = connection.execute(
        select(newest, peak)
        .outerjoin_from(newest, state, state.c.position_id == newest.c.id)
        .order_by(newest.c.id)
    ).all()
    wanted = select(newest.c.id)
    moved = (
        select(stop_moves.c.position_id, func.count().label("moves"))
        .where(stop_moves.c.position_id.in_(wanted))
        # The first placement is no move.
        .where(stop_moves.c.from_price.is_not(None))
        .group_by(stop_moves.c.position_id)
    )
    moves = {row.position_id: row.moves for row in connection.execute(moved)}
    held: dict[int, dict[str, int]] = {}
    counted = select(holds.c.position_id, holds.c.reason, holds.c["count"].label("held"))
    for row in connection.execute(counted.where(holds.c.position_id.in_(wanted))):
        held.setdefault(row.position_id, {})[row.reason] = row.held
    return [_summary(row, moves.get(row.id, 0), held.get(row.id, {})) for row in rows]


def _leg(row: AnyRow) -> Leg:
    return Leg(row.account, row.exchange, row.symbol, row.position_side)


def _trail(row: AnyRow) -> Trail | None:
    """The state of an epoch, None where it is not what was written.

    Raises: StoreError for one of another build.
    """
    if row.payload is None or not is_sound(row.payload, row.checksum):
        return None
    try:
        trail = _trails.decode(row.payload)
    except msgspec.ValidationError as error:
        raise StoreError(
            f"the trail of {row.account} {row.symbol} was written by another build ({error}); "
            "start the build that wrote it, or another database"
        ) from error
    except msgspec.DecodeError:
        return None
    return trail if (trail.leg, trail.epoch) == (_leg(row), row.epoch) else None


def _record(row: AnyRow) -> Record | PriceRun:
    if row.kind == PRICES:
        return PriceRun(_leg(row), row.epoch, decode_prices(row.payload))
    try:
        return decode(row.payload)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"journal row {row.sequence} is damaged or of another build ({error}); read it with that"
        ) from error


def _intent(row: AnyRow) -> StoredIntent:
    record = decode(row.payload)
    assert isinstance(record, Intended)
    return StoredIntent(record.intent, row.state, row.order_id, row.settled_at)


def _summary(row: AnyRow, moves: int, held: Mapping[str, int]) -> EpochSummary:
    return EpochSummary(
        leg=_leg(row),
        epoch=row.epoch,
        side=Side(row.direction),
        quantity=row.quantity,
        entry_price=row.entry_price,
        exit_price=row.exit_price,
        cause=None if row.close_cause is None else Cause(row.close_cause),
        phases=tuple(Phase(name) for name in row.phases.split()),
        moves=moves,
        holds=held,
        opened_ms=row.created_at,
        closed_ms=row.closed_at,
        peak=row.peak,
    )
