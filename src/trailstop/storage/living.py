"""What a new file must hold if the present one is lost: open epochs, open writes, what rests."""

from __future__ import annotations

from collections.abc import Sequence

from trailstop.domain.position import Leg, Phase
from trailstop.engine.trail import Trail
from trailstop.storage.records import (
    Adopted,
    Ended,
    Intended,
    PhaseChanged,
    Record,
    Settled,
    encode,
)
from trailstop.storage.shapes import Loaded
from trailstop.storage.writer import Batch

Epoch = tuple[Leg, int]

RESTING_MAX = 50
"""Placements kept for an epoch. More than two rest where a large position has its stop in parts;
where a stop is moved in place, every move is a placement and only the last ones matter."""


class Living:
    """Follows the records; holds a trail for each open epoch, and the writes that matter still."""

    def __init__(self) -> None:
        self.newest_ms = 0
        self._trails: dict[Epoch, tuple[Trail, int]] = {}
        self._intents: dict[str, Intended] = {}
        """Writes of which it is not known what became of them."""
        self._resting: dict[Epoch, dict[str, tuple[Intended, Settled]]] = {}
        """Stops that may rest, so that they are known as ours when they are found."""

    def begin(self, loaded: Loaded) -> None:
        """Take what the file holds at the start."""
        for trail in loaded.trails:
            self._trails[trail.leg, trail.epoch] = trail, trail.adopted_at_ms
        for stored in loaded.intents:
            self._intents[stored.intent.client_id] = Intended(stored.intent)

    def take(self, records: Sequence[Record], trail: Trail | None) -> None:
        """Take what is recorded now."""
        for record in records:
            self.newest_ms = max(self.newest_ms, record.at_ms)
            match record:
                case Intended(intent):
                    self._intents[intent.client_id] = record
                case Settled() if record.state != "unknown":
                    self._settle(record)
        if trail is not None:
            self._trails[trail.leg, trail.epoch] = trail, records[-1].at_ms
        for record in records:
            if isinstance(record, Ended):
                self._trails.pop((record.leg, record.epoch), None)
                self._resting.pop((record.leg, record.epoch), None)

    def _settle(self, settled: Settled) -> None:
        intended = self._intents.pop(settled.client_id, None)
        key = (settled.leg, settled.epoch)
        if intended is None or key not in self._trails:
            return
        intent, resting = intended.intent, self._resting.setdefault(key, {})
        if intent.action == "cancel" and intent.replaces is not None:
            resting.pop(intent.replaces, None)
        elif intent.action == "place" and settled.state == "acknowledged":
            resting[settled.client_id] = intended, settled
            if len(resting) > RESTING_MAX:
                del resting[next(iter(resting))]

    def batch(self, following: Sequence[Batch]) -> Batch:
        """Everything that a new file needs before these batches are written into it."""
        told = [record for batch in following for record, _ in batch.records]
        begun = {(record.leg, record.epoch) for record in told if isinstance(record, Adopted)}
        # An epoch that ends in what follows has to be there to be ended.
        ended = {(record.leg, record.epoch) for record in told if isinstance(record, Ended)}
        batch = Batch()
        for key, (trail, at_ms) in self._trails.items():
            if key in begun:
                continue
            batch.records += [(record, encode(record)) for record in _begin(trail)]
            batch.trails[key] = trail, at_ms
        for resting in self._resting.values():
            for pair in resting.values():
                batch.records += [(record, encode(record)) for record in pair]
        for intended in self._intents.values():
            batch.records.append((intended, encode(intended)))
        for key in ended - begun - self._trails.keys():
            last = next(b.trails[key] for b in reversed(following) if key in b.trails)
            batch.records += [(record, encode(record)) for record in _begin(last[0])]
            batch.trails[key] = last
        return batch


def _begin(trail: Trail) -> list[Record]:
    """The first records of an epoch, as far as its state still tells them."""
    begin: list[Record] = [
        Adopted(
            trail.leg,
            trail.epoch,
            trail.position,
            trail.instrument,
            trail.policy,
            trail.fees,
            trail.adopted_at_ms,
            trail.foreign_stop,
            midway=True,
        )
    ]
    if trail.phase is not Phase.INACTIVE:
        changed = PhaseChanged(
            trail.leg, trail.epoch, trail.phase, trail.price, trail.adopted_at_ms
        )
        begin.append(changed)
    return begin
