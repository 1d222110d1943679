"""The journal's vocabulary: everything that is worth remembering, in the order it happened.

A record is encoded as one JSON object with a `type`; prices and quantities are strings, so
that decoding gives equal values back. Times are Unix milliseconds. An `epoch` is the Unix
millisecond of the position's opening fill or adoption, unique on its leg.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct

from trailstop.domain.policy import Policy
from trailstop.domain.position import Cause, Fees, Leg, Phase, Position, Role, StopKind
from trailstop.domain.price import Instrument
from trailstop.engine.begin import begin
from trailstop.engine.commands import Command
from trailstop.engine.events import (
    Event,
    MarkSeen,
    PriceBackfilled,
    PriceSeen,
    QuoteSeen,
    TimePassed,
)
from trailstop.engine.trail import Trail

QuietEvent = PriceSeen | QuoteSeen | MarkSeen | PriceBackfilled | TimePassed
"""Inputs that come in masses: without consequences they may wait a moment for the disk."""


class Adopted(Struct, frozen=True, tag="adopted"):
    """A position is guarded from now on; the first record of its epoch.

    With it and the inputs that follow the epoch can be replayed: `foreign_stop` is the stop
    of somebody else that was found at adoption. `midway` marks one that was written anew, from
    what was left of a lost file: what the epoch was told before is not in this journal.
    """

    leg: Leg
    epoch: int
    position: Position
    instrument: Instrument
    policy: Policy
    fees: Fees
    at_ms: int
    foreign_stop: Decimal | None = None
    midway: bool = False

    def begin(self) -> Trail:
        """The trail as it was then."""
        return begin(
            leg=self.leg,
            epoch=self.epoch,
            position=self.position,
            instrument=self.instrument,
            policy=self.policy,
            fees=self.fees,
            at_ms=self.at_ms,
            foreign_stop=self.foreign_stop,
        )


class Input(Struct, frozen=True, tag="input"):
    """What `step` was told; its time is the event's."""

    leg: Leg
    epoch: int
    event: Event

    @property
    def at_ms(self) -> int:
        """Time of the event."""
        return self.event.at_ms


class Decided(Struct, frozen=True, tag="decided"):
    """What `step` answered to the input before."""

    leg: Leg
    epoch: int
    commands: tuple[Command, ...]
    at_ms: int


class Held(Struct, frozen=True, tag="held"):
    """A better stop is not sent, for this reason; recorded when the reason changes."""

    leg: Leg
    epoch: int
    reason: str
    text: str
    at_ms: int


class Intent(Struct, frozen=True):
    """One write to an exchange, on record before it leaves.

    `client_id` names the write and is used once: a stop and a close have it on the exchange,
    a cancel has a name of its own and tells in `replaces` whose stop it removes. A placement
    that takes the place of an older stop names that one in `replaces`. `undurable` marks a
    write that left while the store did not answer.
    """

    client_id: str
    leg: Leg
    epoch: int
    action: Literal["place", "cancel", "close"]
    role: Role | None
    price: Decimal | None
    quantity: Decimal | None
    kind: StopKind | None
    reason: str
    replaces: str | None
    generation: int
    attempt: int
    at_ms: int
    undurable: bool = False


class Intended(Struct, frozen=True, tag="intended"):
    """A write is about to leave."""

    intent: Intent

    @property
    def at_ms(self) -> int:
        """Time of the intent."""
        return self.intent.at_ms


class Settled(Struct, frozen=True, tag="settled"):
    """What became of an intent; `unknown` is not the end and a later one follows."""

    client_id: str
    leg: Leg
    epoch: int
    state: Literal["acknowledged", "refused", "unknown", "absent", "cancelled", "gone"]
    order_id: str | None
    text: str
    at_ms: int


class PhaseChanged(Struct, frozen=True, tag="phase_changed"):
    """The trail entered this phase, at this price where a price did it."""

    leg: Leg
    epoch: int
    phase: Phase
    price: Decimal | None
    at_ms: int


class Moved(Struct, frozen=True, tag="moved"):
    """The exchange holds the working stop at a new price; `text` explains it to a trader."""

    leg: Leg
    epoch: int
    from_price: Decimal | None
    to_price: Decimal
    kind: StopKind
    text: str
    requested_at_ms: int
    acknowledged_at_ms: int
    client_id: str

    @property
    def at_ms(self) -> int:
        """Time of the acknowledgement."""
        return self.acknowledged_at_ms


class Ended(Struct, frozen=True, tag="ended"):
    """The position is flat; the epoch is over."""

    leg: Leg
    epoch: int
    cause: Cause
    exit_price: Decimal | None
    text: str
    at_ms: int


class Alarmed(Struct, frozen=True, tag="alarmed"):
    """A person was told at once; `code` is the alarm's stable name."""

    leg: Leg
    epoch: int | None
    code: str
    text: str
    at_ms: int


class Noted(Struct, frozen=True, tag="noted"):
    """Worth remembering, without consequences; `code` is the note's stable name."""

    leg: Leg
    epoch: int | None
    code: str
    text: str
    at_ms: int


Record = (
    Adopted
    | Input
    | Decided
    | Held
    | Intended
    | Settled
    | PhaseChanged
    | Moved
    | Ended
    | Alarmed
    | Noted
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode(record: Record) -> str:
    """One line of JSON."""
    return _encoder.encode(record).decode()


def decode(payload: str) -> Record:
    """The record of a line. Raises: msgspec.ValidationError when it is none."""
    return _decoder.decode(payload)


def kind_of(record: Record) -> str:
    """The name under which the journal files a record: its tag."""
    return str(record.__struct_config__.tag)


def leg_of(record: Record) -> Leg:
    """The leg that a record is about."""
    return record.intent.leg if isinstance(record, Intended) else record.leg


def epoch_of(record: Record) -> int | None:
    """The epoch that a record is about, None where it has none."""
    return record.intent.epoch if isinstance(record, Intended) else record.epoch


def is_quiet(record: Record) -> bool:
    """Whether a record may wait for company before it is written."""
    return isinstance(record, Input) and isinstance(record.event, QuietEvent)
