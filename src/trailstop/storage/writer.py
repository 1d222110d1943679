"""Turning records into rows, in the order in which they were recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, update

from trailstop.domain.policy import Absolute, Atr, Callback, Policy, ProfitShare, Steps
from trailstop.domain.position import Leg, Phase
from trailstop.domain.price import Side
from trailstop.engine.trail import Trail
from trailstop.storage.checksum import checksum
from trailstop.storage.prices import encode_prices
from trailstop.storage.read import PRICES, of_leg, position_id
from trailstop.storage.records import (
    Adopted,
    Alarmed,
    Decided,
    Ended,
    Held,
    Input,
    Intended,
    Moved,
    Noted,
    PhaseChanged,
    QuietEvent,
    Record,
    Settled,
    epoch_of,
    kind_of,
    leg_of,
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
from trailstop.storage.upsert import add, upsert

Epoch = tuple[Leg, int]

USER_ID = 1
"""The one user of an installation without accounts of its own."""

POSITIONS_CACHED_MAX = 10_000
"""Row numbers of epochs kept at hand; far above what can be open at once."""

PERCENT = Decimal(100)
INTENDED = "intended"
CLOSED = Phase.CLOSED.value

_trails = msgspec.json.Encoder()


class Batch:
    """Whole calls of `record` that are written together or not at all.

    A quiet input carries no payload: it joins the run of its epoch. A trail carries the time
    of the record that changed it.
    """

    def __init__(self) -> None:
        self.records: list[tuple[Record, str | None]] = []
        self.trails: dict[Epoch, tuple[Trail, int]] = {}

    def __bool__(self) -> bool:
        return bool(self.records or self.trails)


class Writer:
    """Writes batches; lives in the store's thread."""

    def __init__(self) -> None:
        self._positions: dict[Epoch, int] = {}

    def write(self, connection: Connection, batches: Sequence[Batch]) -> None:
        """Write batches within one transaction."""
        if len(self._positions) > POSITIONS_CACHED_MAX:
            self._positions.clear()
        transaction = _Transaction(connection, self._positions)
        try:
            for batch in batches:
                transaction.take(batch)
            transaction.finish()
        except BaseException:
            # Row numbers of a transaction that failed are worth nothing.
            self._positions.clear()
            raise


class _Transaction:
    """One commit's rows, gathered so that each table is written with few statements."""

    def __init__(self, connection: Connection, positions: dict[Epoch, int]) -> None:
        self._connection = connection
        self._positions = positions
        self._journal: list[dict[str, Any]] = []
        self._moves: list[dict[str, Any]] = []
        self._holds: Counter[tuple[int, str]] = Counter()
        self._counts: Counter[str] = Counter()
        self._trails: dict[Epoch, tuple[Trail, int]] = {}

    def take(self, batch: Batch) -> None:
        """Add one batch. Quiet inputs of an epoch share a row until something else happens."""
        runs: dict[Epoch, list[QuietEvent]] = {}
        for record, payload in batch.records:
            epoch = epoch_of(record)
            key = None if epoch is None else (leg_of(record), epoch)
            if payload is None:
                assert isinstance(record, Input)
                assert isinstance(record.event, QuietEvent)
                runs.setdefault((record.leg, record.epoch), []).append(record.event)
                continue
            if key in runs:
                self._add_run(key, runs.pop(key))
            self._derive(record, payload)
            self._add(record.at_ms, kind_of(record), self._position(key), payload)
        for key, events in runs.items():
            self._add_run(key, events)
        self._trails.update(batch.trails)

    def finish(self) -> None:
        """Write what was gathered."""
        if self._journal:
            self._connection.execute(insert(journal), self._journal)
        if self._moves:
            self._connection.execute(insert(stop_moves), self._moves)
        add(
            self._connection,
            holds,
            "count",
            [
                {"position_id": position, "reason": reason, "count": count}
                for (position, reason), count in self._holds.items()
            ],
        )
        add(
            self._connection,
            counters,
            "value",
            [{"name": name, "value": count} for name, count in self._counts.items()],
        )
        for key, (trail, at_ms) in self._trails.items():
            self._put_trail(self._existing(key), trail, at_ms)

    def _add_run(self, key: Epoch, events: list[QuietEvent]) -> None:
        self._add(events[-1].at_ms, PRICES, self._position(key), encode_prices(events))

    def _add(self, at_ms: int, kind: str, position: int | None, payload: str) -> None:
        self._journal.append(
            {"at": at_ms, "kind": kind, "position_id": position, "payload": payload}
        )
        self._counts[kind] += 1

    def _position(self, key: Epoch | None) -> int | None:
        """The row of an epoch; None where a record speaks of one that was never adopted."""
        if key is None:
            return None
        found = self._positions.get(key)
        if found is None:
            found = position_id(self._connection, *key)
            if found is not None:
                self._positions[key] = found
        return found

    def _existing(self, key: Epoch) -> int:
        found = self._position(key)
        assert found is not None, f"{key[0]} was not adopted"
        return found

    def _derive(self, record: Record, payload: str) -> None:
        match record:
            case Adopted():
                self._adopt(record)
            case Held():
                self._holds[self._existing((record.leg, record.epoch)), record.reason] += 1
            case Intended():
                self._intend(record, payload)
            case Settled():
                self._settle(record)
            case PhaseChanged():
                self._enter(record)
            case Moved():
                self._move(record)
            case Ended():
                self._end(record)
            case Input() | Decided() | Alarmed() | Noted():
                pass

    def _adopt(self, record: Adopted) -> None:
        position = record.position
        key = (record.leg, record.epoch)
        if self._position(key) is not None:
            return
        row = self._connection.execute(
            insert(active_positions).values(
                user_id=USER_ID,
                exchange=record.leg.venue,
                account=record.leg.account,
                symbol=record.leg.symbol,
                position_side=record.leg.position_side,
                epoch=record.epoch,
                direction=position.side.value,
                entry_price=position.entry_price,
                quantity=position.quantity,
                trailing_percent=trailing_percent(record.policy),
                status=Phase.INACTIVE.value,
                phases=f"{Phase.INACTIVE.value} ",
                created_at=record.at_ms,
            )
        )
        assert row.inserted_primary_key is not None
        self._positions[key] = row.inserted_primary_key[0]

    def _intend(self, record: Intended, payload: str) -> None:
        intent = record.intent
        upsert(
            self._connection,
            intents,
            ["client_id"],
            {
                "client_id": intent.client_id,
                **of_leg(intent.leg),
                "epoch": intent.epoch,
                "action": intent.action,
                "role": None if intent.role is None else intent.role.value,
                "price": intent.price,
                "quantity": intent.quantity,
                "generation": intent.generation,
                "state": INTENDED,
                "at": intent.at_ms,
                "payload": payload,
                "checksum": checksum(payload),
            },
        )

    def _settle(self, record: Settled) -> None:
        self._counts[f"settled.{record.state}"] += 1
        values: dict[str, Any] = {"state": record.state, "settled_at": record.at_ms}
        if record.order_id is not None:
            values["order_id"] = record.order_id
        self._connection.execute(
            update(intents).where(intents.c.client_id == record.client_id).values(**values)
        )

    def _enter(self, record: PhaseChanged) -> None:
        self._counts[f"phase_changed.{record.phase.value}"] += 1
        self._connection.execute(
            update(active_positions)
            .where(active_positions.c.id == self._existing((record.leg, record.epoch)))
            .values(phases=active_positions.c.phases + f"{record.phase.value} ")
        )

    def _move(self, record: Moved) -> None:
        self._moves.append(
            {
                "position_id": self._existing((record.leg, record.epoch)),
                "from_price": record.from_price,
                "to_price": record.to_price,
                "reason": record.kind.value,
                "text": record.text,
                "requested_at": record.requested_at_ms,
                "acknowledged_at": record.acknowledged_at_ms,
                "client_order_id": record.client_id,
            }
        )

    def _end(self, record: Ended) -> None:
        self._counts[f"ended.{record.cause.value}"] += 1
        self._connection.execute(
            update(active_positions)
            .where(active_positions.c.id == self._existing((record.leg, record.epoch)))
            .values(
                status=CLOSED,
                close_cause=record.cause.value,
                exit_price=record.exit_price,
                closed_at=record.at_ms,
            )
        )

    def _put_trail(self, position: int, trail: Trail, at_ms: int) -> None:
        is_long = trail.position.side is Side.LONG
        payload = _trails.encode(trail).decode()
        # An epoch that has ended stays so, whatever state came along with its end.
        self._connection.execute(
            update(active_positions)
            .where(active_positions.c.id == position, active_positions.c.closed_at.is_(None))
            .values(
                entry_price=trail.position.entry_price,
                quantity=trail.position.quantity,
                current_stop_loss=trail.live_stop,
                trailing_percent=trailing_percent(trail.policy),
                status=trail.phase.value,
            )
        )
        upsert(
            self._connection,
            trailing_stop_state,
            ["position_id"],
            {
                "position_id": position,
                "symbol": trail.leg.symbol,
                "exchange": trail.leg.venue,
                "is_activated": trail.activated,
                "phase": trail.phase.value,
                "highest_price": trail.peak if is_long else None,
                "lowest_price": None if is_long else trail.peak,
                "current_stop_price": trail.live_stop,
                "activation_price": trail.activation_at,
                "callback_rate": trailing_percent(trail.policy),
                "update_count": trail.moves,
                "last_update_time": trail.moved_at_ms,
                "created_at": trail.adopted_at_ms,
                "updated_at": at_ms,
                "payload": payload,
                "checksum": checksum(payload),
            },
        )


def trailing_percent(policy: Policy) -> Decimal | None:
    """The distance as one percentage for the tables; None for a distance in money.

    For a profit share it is the share kept, for a ladder its first callback.
    """
    match policy.distance:
        case Callback(percent):
            return percent
        case ProfitShare(share):
            return share * PERCENT
        case Steps(rungs):
            return rungs[0].callback_percent
        case Atr():
            return policy.distance.callback_percent
        case Absolute():
            return None
