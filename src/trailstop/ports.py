"""What the daemon needs of an exchange, of a store and of an observer.

One venue serves one account on one exchange. Writes return an `Outcome`, never raise;
reads raise `ReadFailed` (partial counts as failed) or return the whole truth.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Literal, Protocol

from msgspec import Struct

from trailstop.domain.position import Fees, Leg, Role
from trailstop.domain.price import Instrument, Side
from trailstop.engine.events import Refusal
from trailstop.guard.snapshot import RestingStop, Snapshot


# --- writes -----------------------------------------------------------------------------
class StopRequest(Struct, frozen=True):
    """One stop to rest. A backstop closes the whole position and carries no quantity."""

    leg: Leg
    side: Side
    role: Role
    price: Decimal
    quantity: Decimal
    trigger: Literal["last", "mark"]
    client_id: str
    can_wait: bool = False
    """A move of a stop that holds the whole position: it leaves the reserve of the exchange's
    limits to requests that nothing protects meanwhile."""


class CloseRequest(Struct, frozen=True):
    """One reduce-only market order that closes (part of) the position."""

    leg: Leg
    side: Side
    quantity: Decimal
    client_id: str


class Acknowledged(Struct, frozen=True, tag=True):
    """The exchange took the write; `at_ms` is the time that it states."""

    order_id: str
    at_ms: int


class Refused(Struct, frozen=True, tag=True):
    """The write certainly had no effect. `code` is the exchange's own, `text` its words.

    `overlap` is true where the exchange refuses because another stop of the same form
    already rests (so that the executor must cancel first, beneath the backstop).
    `retry_after_ms` is set where the exchange (or our governor) asks us to wait.
    """

    reason: Refusal
    code: int
    text: str
    overlap: bool = False
    retry_after_ms: int | None = None
    nearest: Decimal | None = None
    """Where the price lies outside the exchange's band: the nearest one that it takes now."""


class Unknown(Struct, frozen=True, tag=True):
    """The write may have had effect: look it up, never repeat it blindly."""

    text: str


Outcome = Acknowledged | Refused | Unknown


class Gone(Struct, frozen=True, tag=True):
    """A cancel found nothing to cancel: triggered, filled or cancelled before; read again."""

    code: int
    text: str


CancelOutcome = Acknowledged | Gone | Refused | Unknown


class OrderState(enum.Enum):
    """What became of one write of ours."""

    RESTING = "resting"
    TRIGGERED = "triggered"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ABSENT = "absent"


class LookedUp(Struct, frozen=True):
    """The answer of the service that owns the id. `ABSENT` is a definite statement of it."""

    state: OrderState
    order_id: str | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    at_ms: int | None = None
    filled: Decimal = Decimal(0)
    average_price: Decimal | None = None


# --- reads ------------------------------------------------------------------------------
class Origin(enum.Enum):
    """What brought an execution about, as far as the exchange itself says so."""

    ORDER = "order"
    """An order of somebody: the client id tells whose."""
    POSITION_STOP = "position_stop"
    """The position's one stop, which has no client id (`RestingStop.shared`)."""
    FOREIGN_STOP = "foreign_stop"
    """A stop that cannot be ours: a native trailing stop, a partial stop of the position."""
    LIQUIDATION = "liquidation"
    ADL = "adl"
    SETTLEMENT = "settlement"


class Execution(Struct, frozen=True):
    """One fill. `fee` is positive when paid. `client_id` is that of its order."""

    execution_id: str
    order_id: str
    client_id: str
    symbol: str
    position_side: str
    direction: Literal["buy", "sell"]
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    realized: Decimal
    at_ms: int
    origin: Origin = Origin.ORDER


class Bar(Struct, frozen=True):
    """One candle; times are Unix ms of its open."""

    at_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    closed: bool


class Trade(Struct, frozen=True):
    """One public (aggregate) trade."""

    trade_id: int
    price: Decimal
    at_ms: int


# --- what a venue tells by itself ---------------------------------------------------------
class LastPrice(Struct, frozen=True, tag=True):
    """A public trade. `trade_id` rises; a repeat or a step back is late or doubled.

    It is None where the price was asked for: the newest trade's, of which no number is told.
    """

    symbol: str
    price: Decimal
    trade_id: int | None
    at_ms: int


class Quote(Struct, frozen=True, tag=True):
    """Best bid and ask."""

    symbol: str
    bid: Decimal
    ask: Decimal
    at_ms: int


class MarkPrice(Struct, frozen=True, tag=True):
    """The mark price."""

    symbol: str
    mark: Decimal
    at_ms: int


class UnusablePrice(Struct, frozen=True, tag=True):
    """What should be a price of a symbol is none; `text` is what came instead."""

    symbol: str
    text: str


class PositionReport(Struct, frozen=True, tag=True):
    """The account stream says a leg's size or average changed; quantity 0 is flat.

    `quantity` is signed: above zero long, below short. `cause` names the stream's reason
    (order, funding, ...).
    """

    leg: Leg
    quantity: Decimal
    entry_price: Decimal
    cause: str
    at_ms: int


class FundingBooked(Struct, frozen=True, tag=True):
    """Funding paid (positive) or received (negative) on a symbol, quote currency."""

    leg: Leg
    paid: Decimal
    at_ms: int


class StopReport(Struct, frozen=True, tag=True):
    """The account stream says what became of a conditional order, ours or not.

    `state` RESTING (acknowledged), TRIGGERED, FILLED, CANCELLED or REJECTED; `text` is the
    exchange's reason for a rejection at the trigger.
    """

    stop: RestingStop
    state: OrderState
    text: str
    at_ms: int


class ExecutionReport(Struct, frozen=True, tag=True):
    """The account stream tells a fill on a leg."""

    leg: Leg
    execution: Execution


class InstrumentChanged(Struct, frozen=True, tag=True):
    """The exchange changed a symbol's grid, limits or status since it was read last.

    `status` is `trading`, `halted` (for a while), `settling` (it is being delisted) or
    `closed`; `text` is the exchange's own word for it.
    """

    symbol: str
    instrument: Instrument
    status: Literal["trading", "halted", "settling", "closed"]
    text: str


class StreamState(Struct, frozen=True, tag=True):
    """A stream connected or was lost; after `up` of a private stream a full pass is due."""

    stream: Literal["private", "market"]
    up: bool
    text: str


VenueEvent = (
    LastPrice
    | Quote
    | MarkPrice
    | UnusablePrice
    | PositionReport
    | FundingBooked
    | StopReport
    | ExecutionReport
    | InstrumentChanged
    | StreamState
)


class StreamCounts(Struct, frozen=True):
    """What the sockets of an account have been through since the start."""

    connects: dict[str, int]
    """Sockets opened, by stream."""
    recent_connects: int
    """Connections tried in the last five minutes by all accounts behind our address."""
    conflated: int
    """Prices told by others of their symbol, since we were slower than the stream."""
    waiting: int
    """Events that are not taken yet."""


class VenueHealth(Struct, frozen=True):
    """How requests to an exchange fare. Times are the exchange's, Unix ms; None is never."""

    breaker_open_since_ms: int | None
    """Since when reads are only tried now and then, since too many failed in a row."""
    failures: int
    """Reads that failed since something was last answered."""
    last_success_ms: int | None
    """The last request with our key that was answered as asked."""
    last_error: str
    weight_used: int
    weight_limit: int
    """Of the address, in the present window."""
    orders_used: int
    orders_limit: int
    """Of the account, in the window of orders that is fullest."""
    shut_until_ms: int | None
    """Until then nothing is sent, because the exchange said so."""
    clock_offset_ms: int
    """How far the exchange's clock is before this machine's."""
    clock_corrections: int
    """Refusals by the clock that reading it anew has answered."""


class StopForm(enum.Enum):
    """How an exchange holds our stops."""

    TWO_LAYERS = "two_layers"
    """A sized working stop in front of a whole-position backstop, each an order of ours."""
    POSITION_STOP = "position_stop"
    """The position's one stop, moved in place and shared with everybody on the account."""


class Past(Protocol):
    """Lists of what was on an exchange; each is whole or fails."""

    async def executions(self, leg: Leg, since_ms: int) -> Sequence[Execution]:
        """Own fills on the leg's symbol since then, oldest first. Raises: ReadFailed."""
        ...

    async def trades(self, symbol: str, since_ms: int, until_ms: int) -> Sequence[Trade]:
        """Public trades of a span, oldest first, all pages. Raises: ReadFailed."""
        ...

    async def bars(
        self,
        symbol: str,
        minutes: int,
        since_ms: int,
        until_ms: int,
        source: Literal["last", "mark"],
    ) -> Sequence[Bar]:
        """Candles that open in a span, oldest first, all pages. Raises: ReadFailed."""
        ...


class Venue(Past, Protocol):
    """One account on one exchange."""

    @property
    def name(self) -> str:
        """The exchange's name in lower case, `binance`."""
        ...

    @property
    def account(self) -> str:
        """The account's name in our settings."""
        ...

    @property
    def stop_form(self) -> StopForm:
        """How stops of ours rest on this exchange."""
        ...

    async def start(self, *, may_be_blind: bool = False) -> None:
        """Connect, read the clock and the instruments.

        With `may_be_blind` a stream that does not open keeps nothing from starting: it comes
        later, and passes see to the positions meanwhile. Raises: Unreachable, BadCredentials.
        """
        ...

    async def close(self) -> None:
        """Close sockets; touches no order."""
        ...

    def exchange_ms(self) -> int:
        """The exchange's time now, by our clock and the estimated offset, Unix ms."""
        ...

    def instrument(self, symbol: str) -> Instrument:
        """The grid and limits of a symbol. Raises: KeyError for a symbol not listed."""
        ...

    def health(self) -> VenueHealth:
        """How requests fare: failures, budgets used, the clock. Asks nothing."""
        ...

    async def resync(self) -> None:
        """Read the clock at once and open the streams anew, after this process stood still.

        Raises: ReadFailed where the clock cannot be read; the streams are renewed all the same.
        """
        ...

    def move_wait_ms(self, leg: Leg, *, ahead: int = 0, beside: int = 0) -> int:
        """Milliseconds until one more move of a stop may go out; 0 now.

        It then leaves the reserve for protection untouched. Asking counts nothing. `ahead` writes
        of this account, and `beside` of others behind its address, are about to leave before it
        and may not be counted yet.
        """
        ...

    def pass_seconds(self, symbols: int) -> float:
        """Least time between two passes over so many symbols; 0 where the limits are wide.

        Where accounts share the limits of an address they have to look more rarely.
        """
        ...

    @property
    def full_pass_seconds(self) -> float:
        """Least time between two reads of everything that are repeated; 0 where limits are wide."""
        ...

    def watch(self, symbols: frozenset[str]) -> None:
        """Choose whose prices `events` carries; takes effect by itself."""
        ...

    def renew_market(self) -> None:
        """Open the sockets of prices anew, since they do not tell what they should."""
        ...

    def doubt_account(self) -> None:
        """A read showed what the account stream did not tell.

        Where it told nothing at all of late, and stays silent for a moment longer, it counts as
        lost and is opened anew.
        """
        ...

    def stream_counts(self) -> StreamCounts:
        """What the sockets have been through."""
        ...

    def events(self) -> AsyncIterator[VenueEvent]:
        """Prices of watched symbols and the account's own events, reconnecting for ever."""
        ...

    async def snapshot(self, symbols: frozenset[str] | None, *, urgent: bool = False) -> Snapshot:
        """Positions and conditional orders, of everything (None) or of some symbols.

        `urgent` where a position may wait for its stop: it may use what is kept in reserve.
        Raises: ReadFailed.
        """
        ...

    async def fees(self, symbol: str) -> Fees:
        """Taker rate in and out. Raises: ReadFailed."""
        ...

    async def last_price(self, symbol: str) -> Decimal:
        """Price of the newest trade as of now. Raises: ReadFailed."""
        ...

    async def prices(self, symbols: frozenset[str]) -> Sequence[LastPrice | MarkPrice | Quote]:
        """Last price, mark and book of these symbols, by asking for them all at once.

        A symbol of which the exchange says nothing usable is left out. Raises: ReadFailed.
        """
        ...

    async def place_stop(self, request: StopRequest) -> Outcome:
        """Rest one stop."""
        ...

    async def cancel_stop(self, leg: Leg, order_id: str | None, client_id: str) -> CancelOutcome:
        """Cancel one conditional order of ours."""
        ...

    async def close_position(self, request: CloseRequest) -> Outcome:
        """Send one reduce-only market order."""
        ...

    async def look_up(
        self, leg: Leg, client_id: str, service: Literal["stop", "order"]
    ) -> LookedUp:
        """Ask the service that owns the id. Raises: ReadFailed.

        Where stops have the form of a position stop, `stop` answers with what rests there
        now, whoever put it there: RESTING with its price, or ABSENT.
        """
        ...
