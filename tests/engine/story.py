"""A small language for stories of one trail: one event a line, what is expected behind it.

    open long 100                       # entry price; size, liq, foreign, opened may follow
    price 100     place 98 backstop 95  # all commands that the event gives, in their order
    ack                                 # the exchange takes what was asked for last
    90s price 101 hold not_activated    # `90s` sets the exchange's clock
    price 102     move 101.49 trail peak 102

Commands (place, backstop, move, close, alarm) must be given completely; a line without any
means that nothing was sent. What may follow as well is one of `LOOKS`. `#` begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from trailstop.domain.policy import Policy
from trailstop.domain.position import Cause, Fees, Leg, Position, Role, StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.commands import Alarm, ClosePosition, Command, MoveStop, PlaceStop
from trailstop.engine.explain import hold_text, move_text
from trailstop.engine.step import step, wake_at
from trailstop.engine.trail import Trail

D = Decimal
LEG = Leg("main", "binance", "BTCUSDT")
NO_FEES = Fees()
TAKER = Fees(D("0.0005"), D("0.0005"))
CLOCK = re.compile(r"(\d+(?:\.\d+)?)s")
COMMANDS = ("place", "backstop", "move", "close", "alarm")
KINDS = {kind.value: kind for kind in StopKind}


def policy(**settings: Any) -> Policy:
    """A policy whose decimal settings may be spelled as text."""
    plain = {"existing_stop", "on_adopt_beyond", "gain_basis", "pacing", "trigger_price"}
    plain |= {"backstop_trigger_price", "on_cross", "basis"}
    spelled: dict[str, Any] = {
        name: D(value) if isinstance(value, str) and name not in plain else value
        for name, value in settings.items()
    }
    return Policy(**spelled)


class Story:
    """One trail, its clock in milliseconds, and the commands of the last event."""

    def __init__(self, settings: Policy, fees: Fees, tick: str) -> None:
        self.settings, self.fees, self.tick = settings, fees, D(tick)
        self.trail: Trail | None = None
        self.now_ms = 0
        self.commands: tuple[Command, ...] = ()

    def tell(self, line: str) -> None:
        """Carry out one line and check what it expects."""
        words = line.split("#", maxsplit=1)[0].split()
        if words and (clock := CLOCK.fullmatch(words[0])):
            self.now_ms = int(D(clock[1]) * 1000)
            words = words[1:]
        if not words:
            return
        verb, rest = words[0], words[1:]
        if verb == "open":
            self._open(rest)
            return
        event, rest = self._event(verb, rest)
        assert self.trail is not None
        before = self.trail
        self.trail, self.commands = step(before, event)
        assert (self.trail, self.commands) == step(before, event), "the same again, the same answer"
        _sane(before, self.trail, self.commands)
        self._expect(rest)

    def _open(self, words: list[str]) -> None:
        side, entry = Side(words[0]), D(words[1])
        more = dict(zip(words[2::2], words[3::2], strict=True))
        foreign, opened = more.get("foreign"), more.get("opened")
        self.trail = begin(
            leg=LEG,
            epoch=1,
            position=Position(
                side,
                entry,
                D(more.get("size", "1")),
                opened_at_ms=None if opened is None else int(opened) * 1000,
                liquidation_price=D(more["liq"]) if "liq" in more else None,
                funding_paid=D(more.get("funding", "0")),
            ),
            instrument=Instrument(LEG.symbol, self.tick, D("0.001")),
            policy=self.settings,
            fees=self.fees,
            at_ms=self.now_ms,
            foreign_stop=None if foreign is None else D(foreign),
        )

    def _event(self, verb: str, words: list[str]) -> tuple[ev.Event, list[str]]:
        assert self.trail is not None, "the story begins with open"
        at, trail = self.now_ms, self.trail
        numbers: list[Decimal] = []
        while words and re.fullmatch(r"-?[\d.]+(E-?\d+)?", words[0]):
            numbers.append(D(words[0]))
            words = words[1:]
        match verb:
            case "price" | "mark_price" | "bar":
                kind = {"price": "trade", "mark_price": "mark", "bar": "bar"}[verb]
                return ev.PriceSeen(numbers[0], at, kind), words  # type: ignore[arg-type]
            case "stale":
                return ev.PriceSeen(numbers[0], at, fresh=False), words
            case "late":
                return ev.PriceSeen(numbers[0], at - 1), words
            case "quote":
                return ev.QuoteSeen(numbers[0], numbers[1], at), words
            case "mark":
                return ev.MarkSeen(numbers[0], at), words
            case "gap":
                return ev.PriceBackfilled(numbers[0], at), words
            case "candle":
                return ev.CandleClosed(numbers[0], numbers[1], numbers[2], at), words
            case "time":
                return ev.TimePassed(at), words
            case "ack":
                if numbers:
                    return ev.StopAcknowledged(numbers[0], trail.position.quantity, at), words
                assert trail.sent is not None, "nothing was asked for"
                return ev.StopAcknowledged(trail.sent.price, trail.sent.quantity, at), words
            case "refused":
                reason, nearest = ev.Refusal(words[0]), None
                if reason is ev.Refusal.BAND:
                    nearest = None if words[1] == "none" else D(words[1])
                    words = words[1:]
                again_ms = None
                if reason is ev.Refusal.FULL and words[1:] and words[1].isdigit():
                    again_ms = int(words[1])
                    words = words[1:]
                return ev.StopRefused(reason, "no", at, nearest, again_ms), words[1:]
            case "unknown":
                return ev.StopUnknown(at), words
            case "triggered":
                return ev.StopTriggered(at), words
            case "rejected":
                return ev.TriggerRejected("no margin", at), words
            case "forgotten":
                return ev.PeakForgotten(at), words
            case "foreign":
                if not numbers:
                    return ev.ForeignStopSeen(None, at), words[1:]
                return ev.ForeignStopSeen(numbers[0], at), words
            case "position":
                return self._position(words, trail, at)
            case "fees":
                return ev.FeesKnown(Fees(numbers[0], numbers[1]), at), words
            case "grid":
                return ev.InstrumentChanged(
                    Instrument(LEG.symbol, numbers[0], D("0.001")), at
                ), words
            case "pause":
                return ev.Paused(at), words
            case "resume":
                return ev.Resumed(at), words
            case "tighten":
                return ev.TightenAsked(numbers[0], at), words
            case "permit":
                return ev.MovePermitted(at), words
            case "please_close":
                return ev.CloseAsked(at), words
            case "closed":
                return ev.PositionClosed(Cause(words[0]), at), words[1:]
        raise AssertionError(f"no such event in the language: {verb}")

    def _position(self, words: list[str], trail: Trail, at: int) -> tuple[ev.Event, list[str]]:
        names = {
            "entry": "entry_price", "size": "quantity", "liq": "liquidation_price",
            "funding": "funding_paid",
        }  # fmt: skip
        changed: dict[str, Decimal] = {}
        while words and words[0] in names:
            changed[names[words[0]]] = D(words[1])
            words = words[2:]
        return ev.PositionChanged(replace(trail.position, **changed), at), words

    def change(self, **settings: Any) -> None:
        """Change settings of the running trail; nothing may be sent by that alone."""
        assert self.trail is not None
        changed = replace(self.trail.policy, **settings)
        before = self.trail
        self.trail, self.commands = step(before, ev.PolicyChanged(changed, self.now_ms))
        _sane(before, self.trail, self.commands)
        assert self.commands == ()

    def _expect(self, words: list[str]) -> None:
        assert self.trail is not None
        said: list[str] = []
        while words:
            name, value, words = words[0], words[1], words[2:]
            if name in COMMANDS:
                said.append(f"{name} {value}")
                if words and words[0] in KINDS:
                    asked = self.commands[len(said) - 1]
                    assert isinstance(asked, PlaceStop | MoveStop)
                    assert asked.kind is KINDS[words[0]], asked
                    words = words[1:]
            else:
                found = LOOKS[name](self.trail)
                assert found == value, f"{name} is {found}, not {value}"
        sent = [_say(command) for command in self.commands]
        assert sent == said, f"sent was {sent}, not {said}"


def _number(value: Decimal | None) -> str:
    return "none" if value is None else f"{value.normalize():f}"


def _wake(trail: Trail) -> str:
    due_ms = wake_at(trail)
    return "never" if due_ms is None else f"{_number(D(due_ms) / 1000)}s"


LOOKS: dict[str, Callable[[Trail], str]] = {
    "phase": lambda trail: trail.phase.value,
    "hold": lambda trail: "none" if trail.hold is None else trail.hold.value,
    "peak": lambda trail: _number(trail.peak),
    "exact": lambda trail: _number(trail.exact_stop),
    "target": lambda trail: _number(trail.target_stop),
    "live": lambda trail: _number(trail.live_stop),
    "own": lambda trail: _number(trail.own_stop),
    "moves": lambda trail: str(trail.moves),
    "covers": lambda trail: "none" if trail.sent is None else _number(trail.sent.quantity),
    "wake": _wake,
    "gap_crossed": lambda trail: "yes" if trail.gap_crossed else "no",
    "backstop_target": lambda trail: _number(trail.backstop),
}


def _say(command: Command) -> str:
    match command:
        case PlaceStop(role=Role.BACKSTOP):
            return f"backstop {_number(command.price)}"
        case PlaceStop():
            return f"place {_number(command.price)}"
        case MoveStop():
            return f"move {_number(command.price)}"
        case ClosePosition():
            return f"close {command.reason.value}"
        case Alarm():
            assert "\n" not in command.text
            return f"alarm {command.code}"
    raise AssertionError(command)


def _sane(before: Trail, after: Trail, commands: tuple[Command, ...]) -> None:
    """What holds in every story: never looser, on the grid, explained in one line."""
    side = after.position.side
    assert "\n" not in hold_text(after)
    for command in commands:
        match command:
            case MoveStop():
                assert not side.better(command.previous, command.price), "a move never loosens"
                assert command.previous in (before.own_stop, after.own_stop)
            case PlaceStop(role=Role.WORKING) if after.live_stop is not None:
                assert not side.better(after.live_stop, command.price), "ours is never looser"
            case _:
                pass
        if isinstance(command, PlaceStop | MoveStop):
            assert command.price > 0
            assert command.price % after.instrument.tick_size == 0, "on the grid"
        if isinstance(command, PlaceStop | MoveStop | ClosePosition):
            assert "\n" not in move_text(after, command)


def check(
    text: str, settings: Policy | None = None, *, fees: Fees = NO_FEES, tick: str = "0.01"
) -> Trail:
    """Tell a story; return the trail at its end."""
    story = Story(policy() if settings is None else settings, fees, tick)
    for number, line in enumerate(text.strip().splitlines(), start=1):
        try:
            story.tell(line)
        except AssertionError as error:
            error.add_note(f"line {number}: {line.strip()}")
            raise
    assert story.trail is not None
    return story.trail
