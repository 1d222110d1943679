"""What rests of ours on one leg, as far as the exchange has said so. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from trailstop.daemon.writing.orders import Resting
from trailstop.domain.position import Role
from trailstop.domain.price import Side
from trailstop.guard.snapshot import RestingStop


@dataclass
class Standing:
    """Stops of one epoch by client id, and those about to be removed."""

    side: Side
    tag: str
    position_quantity: Callable[[], Decimal]
    resting: dict[str, Resting] = field(default_factory=dict)
    leftovers: dict[str, str] = field(default_factory=dict)
    """Order ids by client id: working stops of ours from an earlier epoch that still rest."""
    cancels: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    """Order id and reason by client id: what is to be removed."""
    ended: set[str] = field(default_factory=set)
    """Client ids of stops that are over: a list that still shows one is late."""

    def missing(self, stops: Iterable[RestingStop]) -> list[str]:
        """Stops that should rest, and that a read does not show."""
        shown = {stop.client_id for stop in stops}
        return [name for name in self.resting if name not in shown and name not in self.cancels]

    def sync(self, stops: Iterable[RestingStop]) -> None:
        """Take what a fresh complete read shows of this leg's stops as what rests."""
        stops = [stop for stop in stops if not self.is_over(stop)]
        self.leftovers = {
            stop.client_id: stop.order_id
            for stop in stops
            if stop.role is Role.WORKING
            and stop.side is self.side
            and not stop.triggered
            and not stop.client_id.startswith(self.tag)
        }
        self.resting = {
            stop.client_id: Resting(
                stop.client_id,
                stop.order_id,
                stop.role,
                stop.price,
                stop.quantity if stop.quantity is not None else self.position_quantity(),
                stop.created_at_ms,
            )
            for stop in stops
            if stop.client_id.startswith(self.tag) and not stop.triggered
        }

    def is_over(self, stop: RestingStop) -> bool:
        """Whether a list shows a stop that is known to rest no more."""
        return stop.client_id in self.ended and not stop.triggered

    def gone(self, name: str) -> bool:
        """A stop of ours no longer rests; True where nobody here asked for that."""
        self.ended.add(name)
        expected = name in self.cancels
        self.cancels.pop(name, None)
        return self.resting.pop(name, None) is not None and not expected

    def drop(self, name: str) -> None:
        """Forget a stop that was removed."""
        self.ended.add(name)
        self.cancels.pop(name, None)
        self.resting.pop(name, None)

    @property
    def backstop(self) -> Resting | None:
        """The tightest backstop that stays."""
        return next(iter(self._of(Role.BACKSTOP)), None)

    @property
    def working(self) -> tuple[Resting, ...]:
        """The working stop that stays: all its parts, which have the tightest price."""
        stops = self._of(Role.WORKING)
        return tuple(stop for stop in stops if stop.price == stops[0].price)

    @property
    def surplus(self) -> tuple[Resting, ...]:
        """Working stops behind the tightest ones, which a move that was cut short left there."""
        stops = self._of(Role.WORKING)
        return tuple(stop for stop in stops if stop.price != stops[0].price)

    def _of(self, role: Role) -> list[Resting]:
        """Stops in a role without those about to be removed, tightest first."""
        chosen = [
            stop
            for stop in self.resting.values()
            if stop.role is role and stop.client_id not in self.cancels
        ]
        return sorted(chosen, key=lambda stop: stop.price * self.side.sign, reverse=True)


def size_of(stops: Iterable[Resting]) -> Decimal:
    """Quantity that these stops hold together."""
    return sum((stop.quantity for stop in stops), Decimal(0))


def parts_of(quantity: Decimal, largest: Decimal | None) -> list[Decimal]:
    """Sizes of the orders that together have this quantity, none above the largest allowed."""
    if largest is None or largest <= 0 or quantity <= largest:
        return [quantity]
    whole, rest = divmod(quantity, largest)
    return [largest] * int(whole) + ([rest] if rest else [])
