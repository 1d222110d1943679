"""The exchange's side of a backtest: which stops rest, what is under way, what a fill costs."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.domain.policy import HUNDRED
from trailstop.domain.position import Role, StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.engine.commands import MoveStop, PlaceStop
from trailstop.engine.trail import NEVER_MS

_OPPOSITE = {Side.LONG: Side.SHORT, Side.SHORT: Side.LONG}


class Request(Struct, frozen=True):
    """A stop that was asked for; it rests from `due_ms` on. `reason` is for the trader."""

    command: PlaceStop | MoveStop
    reason: str
    due_ms: int


class Book:
    """Stops of one position. The working stop and the backstop are the two that can rest."""

    __slots__ = ("_backstop", "_kind", "_requests", "_working", "due_ms", "kind", "level", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._working: Decimal | None = None
        self._kind = StopKind.INITIAL
        self._backstop: Decimal | None = None
        self.level: Decimal | None = None
        """The tightest stop that rests: the one that the exchange fires first."""
        self.kind = StopKind.INITIAL
        """What that stop is for. A backstop, measured from the entry, passes for an initial one."""
        self._requests: list[Request] = []
        self.due_ms = NEVER_MS
        """When the next stop that is under way comes to rest."""

    def ask(self, request: Request) -> None:
        """Send a stop on its way."""
        self._requests.append(request)
        self.due_ms = self._requests[0].due_ms

    def arrive(self) -> Request:
        """Take the stop that is due."""
        request = self._requests.pop(0)
        self.due_ms = self._requests[0].due_ms if self._requests else NEVER_MS
        return request

    def rest(self, command: PlaceStop | MoveStop) -> None:
        """Let a stop rest in place of the one of its role."""
        if isinstance(command, PlaceStop) and command.role is Role.BACKSTOP:
            self._backstop = command.price
        else:
            self._working, self._kind = command.price, command.kind
        working, behind = self._working, self._backstop
        if working is None or (behind is not None and self.side.better(behind, working)):
            self.level, self.kind = behind, StopKind.INITIAL
        else:
            self.level, self.kind = working, self._kind


def fill_price(
    price: Decimal, side: Side, slippage_percent: Decimal, instrument: Instrument
) -> Decimal:
    """What leaving at market at this price brings: so much worse, on the grid, never better.

    Without slippage the price stays as it is, on the grid or not. The least is one tick.
    """
    if not slippage_percent:
        return price
    worse = price - price * slippage_percent / HUNDRED * side.sign
    return max(instrument.snap_stop(worse, _OPPOSITE[side]), instrument.tick_size)
