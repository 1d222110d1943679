"""The nouns of the paper exchange's true state: markets, accounts, positions, orders, fills.

Nothing here knows HTTP or the spelling of one exchange. Prices and money are exact decimals in
the quote currency, quantities are in the base currency, times are integer microseconds since the
Unix epoch. `account` always holds the account's API key, which is the account's identity.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Literal

from msgspec import Struct, field

ZERO = Decimal(0)
LegKey = tuple[str, str]
"""Symbol and position side; within one account it names what one position lives on."""

STOP_TYPES = ("STOP_MARKET", "STOP")
TAKE_PROFIT_TYPES = ("TAKE_PROFIT_MARKET", "TAKE_PROFIT")
TRAILING_TYPE = "TRAILING_STOP_MARKET"
CONDITIONAL_TYPES = (*STOP_TYPES, *TAKE_PROFIT_TYPES, TRAILING_TYPE)
LIVE_CONDITIONAL = ("NEW", "TRIGGERING", "TRIGGERED")
LIVE_ORDER = ("NEW", "PARTIALLY_FILLED")

STOP_LOSS = "stop_loss"
TAKE_PROFIT = "take_profit"
TRAILING_STOP = "trailing_stop"
PARTIAL_STOP_LOSS = "partial_stop_loss"
PARTIAL_TAKE_PROFIT = "partial_take_profit"
FULL_SLOTS = (STOP_LOSS, TAKE_PROFIT, TRAILING_STOP)
"""Places of a position's own stops; each holds at most one, for the whole position."""
PARTIAL_SLOTS = (PARTIAL_STOP_LOSS, PARTIAL_TAKE_PROFIT)
"""Places that hold many, each for a part of the position."""

CLIENT = "client"
USER = "user"
"""Who set an order last: a program over the wire, or the trader by hand."""

TRADING = "TRADING"
HALTED = "HALTED"
SETTLING = "SETTLING"
CLOSED = "CLOSED"
"""A market's status: open; takes no orders for a while; only reduces; over."""


def closing_side(side: str, position_side: str) -> bool:
    """Whether the sides alone say that an order closes: SELL of a LONG, BUY of a SHORT."""
    return (side, position_side) in (("SELL", "LONG"), ("BUY", "SHORT"))


class RejectKind(Enum):
    """Why the exchange refuses a request; a dialect spells each kind in its own codes."""

    WOULD_TRIGGER = "would_trigger"
    NO_POSITION_FOR_CLOSE = "no_position_for_close"
    TWIN_EXISTS = "twin_exists"
    SECOND_STOP_REFUSED = "second_stop_refused"
    REDUCE_ONLY = "reduce_only"
    TOO_MANY_STOPS = "too_many_stops"
    PRECISION = "precision"
    TICK = "tick"
    BAD_PRICE = "bad_price"
    BAD_QUANTITY = "bad_quantity"
    STEP = "step"
    MIN_NOTIONAL = "min_notional"
    MARGIN = "margin"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_ACCOUNT = "unknown_account"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    ORDER_NOT_FOUND = "order_not_found"
    POSITION_SIDE = "position_side"
    BAD_PARAMETER = "bad_parameter"
    BAD_LEVERAGE = "bad_leverage"
    TRAILING_RANGE = "trailing_range"
    TRAILING_WITH_CLOSE = "trailing_with_close"
    CLOSE_WITH_QUANTITY = "close_with_quantity"
    CLOSE_WITH_REDUCE_ONLY = "close_with_reduce_only"
    POST_ONLY = "post_only"
    SAME_MODE = "same_mode"
    MODE_WITH_ORDERS = "mode_with_orders"
    MODE_WITH_POSITION = "mode_with_position"
    NO_PRICE = "no_price"
    NOT_MODIFIED = "not_modified"
    ZERO_POSITION = "zero_position"
    STOP_WRONG_SIDE = "stop_wrong_side"
    TOO_MANY_PARTIALS = "too_many_partials"
    BAND_CAP = "band_cap"
    BAND_FLOOR = "band_floor"
    MARKET_HALTED = "market_halted"
    MARKET_REDUCE_ONLY = "market_reduce_only"
    """The market is being delisted: only what reduces is taken."""
    MARKET_CLOSED = "market_closed"


class Rejection(Exception):
    """The exchange refused a request; nothing has changed.

    `values` are the parts of the text for a dialect that spells it in its own way, numbers without
    exponents. WOULD_TRIGGER: `direction` (rises, falls), `trigger_price`, `reference_price`,
    `source` (last, mark, index). STOP_WRONG_SIDE: `leg` (a slot, or activate_price), `side` (long,
    short), `bound` (lower, higher), `price`, `reference_price`, `source`. BAND_CAP and BAND_FLOOR:
    `trigger_price`, `bound_price`.
    """

    def __init__(self, kind: RejectKind, text: str, values: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.values = values or {}


class Market(Struct, kw_only=True):
    """One perpetual market with its filters. Rates are fractions, not percent."""

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    step_size: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    max_market_quantity: Decimal
    min_notional: Decimal
    price_precision: int
    quantity_precision: int
    maintenance_rate: Decimal
    funding_rate: Decimal
    funding_interval_us: int
    trigger_protect: Decimal
    max_leverage: int
    status: str = TRADING
    """`TRADING`, `HALTED`, `SETTLING` (only reduces) or `CLOSED`."""


class Position(Struct, kw_only=True):
    """One leg's position; flat when `amount` is zero. The money fields belong to the epoch."""

    account: str
    symbol: str
    position_side: str
    amount: Decimal = ZERO
    entry_price: Decimal = ZERO
    epoch: int = 0
    opened_us: int = 0
    updated_us: int = 0
    opened_by: str = ""
    entered_quantity: Decimal = ZERO
    entered_notional: Decimal = ZERO
    exited_quantity: Decimal = ZERO
    exited_notional: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    """Funding received (positive) or paid (negative) in this epoch."""

    @property
    def break_even_price(self) -> Decimal:
        """Price at which the epoch's realised result, fees and funding are just earned back."""
        if not self.amount:
            return ZERO
        return self.entry_price + (self.fees - self.realized - self.funding) / self.amount


class Epoch(Struct, frozen=True, kw_only=True):
    """The closed life of one position, from its first fill to flat."""

    account: str
    symbol: str
    position_side: str
    side: str
    """`long` or `short`."""
    epoch: int
    quantity: Decimal
    """Total quantity that was entered; equals the quantity exited."""
    entry_price: Decimal
    exit_price: Decimal
    opened_us: int
    closed_us: int
    realized: Decimal
    fees: Decimal
    funding: Decimal
    result: Decimal
    """Realised result less fees plus funding, in the quote currency."""
    opened_by: str
    closed_by: str
    """Client id of the order whose fill made the leg flat."""
    closed_kind: str
    """`order`, `conditional`, `liquidation`, `adl` or `settlement`."""
    closed_algo_id: int | None


class Order(Struct, kw_only=True):
    """A plain order. `average_price` is zero until the first fill."""

    order_id: int
    client_id: str
    account: str
    symbol: str
    side: str
    type: str
    position_side: str
    quantity: Decimal
    price: Decimal
    time_in_force: str
    reduce_only: bool
    close_position: bool
    created_us: int
    updated_us: int
    filled: Decimal = ZERO
    filled_notional: Decimal = ZERO
    average_price: Decimal = ZERO
    status: str = "NEW"
    source: str = "plain"
    """`plain`, `conditional` (child of a triggered conditional), `liquidation`, `adl` or
    `settlement`."""
    algo_id: int | None = None
    original_type: str = ""
    """Type of the conditional that this order is the child of, else its own type."""
    cancel_reason: str = ""
    """Why it ended without being asked to; see `Conditional.cancel_reason`."""

    @property
    def live(self) -> bool:
        """Whether the order can still be filled."""
        return self.status in LIVE_ORDER

    @property
    def reduces(self) -> bool:
        """Whether the order can only make a position smaller."""
        return self.reduce_only or closing_side(self.side, self.position_side)


class Conditional(Struct, kw_only=True):
    """A conditional order. `quantity` is None for close-position orders."""

    algo_id: int
    client_id: str
    account: str
    symbol: str
    side: str
    type: str
    position_side: str
    quantity: Decimal | None
    trigger_price: Decimal | None
    price: Decimal | None
    working_type: str
    """`last`, `mark` or `index` (which equals the mark here): the price that the trigger watches."""
    time_in_force: str
    close_position: bool
    reduce_only: bool
    price_protect: bool
    created_us: int
    updated_us: int
    callback_rate: Decimal | None = None
    """Percent of price, for trailing stops."""
    activate_price: Decimal | None = None
    activated: bool = False
    extreme: Decimal | None = None
    """Best price since activation, for trailing stops."""
    status: str = "NEW"
    child_order_id: int | None = None
    child_type: str = ""
    filled: Decimal = ZERO
    average_price: Decimal = ZERO
    reject_reason: str = ""
    triggered_us: int = 0
    slot: str = ""
    """Empty for an ordinary conditional, else its place among the position's own stops: one of
    `FULL_SLOTS` or `PARTIAL_SLOTS`. Orders in slots have no client id, those in full slots no
    quantity: they cover whatever size the position has."""
    distance: Decimal | None = None
    """Absolute distance of a trailing stop, the alternative to `callback_rate`."""
    author: str = CLIENT
    """Who set it last: `client` or `user`."""
    cancel_reason: str = ""
    """Why it ended: empty by request, `position_closed` (also when its partner of a pair fired),
    `replaced`, `liquidation`, `settlement`, `exchange` or `margin`."""
    trigger_rises: bool | None = None
    """Fires at or above its trigger (True) or at or below it (False); None: side and type say."""
    close_on_trigger: bool = False
    pair_id: int | None = None
    """The other order of a partial pair; when one of them fires the other is cancelled."""

    @property
    def live(self) -> bool:
        """Whether the order waits for its trigger, or for its child to end."""
        return self.status in LIVE_CONDITIONAL

    @property
    def reduces(self) -> bool:
        """Whether the order can only make a position smaller."""
        return (
            self.reduce_only
            or self.close_position
            or self.close_on_trigger
            or closing_side(self.side, self.position_side)
        )

    @property
    def watched(self) -> str:
        """The stream of prices that can fire it: `last` or `mark`."""
        return "last" if self.working_type == "last" else "mark"


class Fill(Struct, frozen=True, kw_only=True):
    """One execution. `fee` is what was paid, `realized` excludes the fee."""

    trade_id: int
    order_id: int
    client_id: str
    account: str
    symbol: str
    side: str
    position_side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    realized: Decimal
    maker: bool
    time_us: int


class Income(Struct, frozen=True, kw_only=True):
    """One line of the ledger; `kind` is REALIZED_PNL, COMMISSION, FUNDING_FEE or TRANSFER."""

    income_id: int
    account: str
    symbol: str
    kind: str
    amount: Decimal
    asset: str
    time_us: int
    trade_id: int | None = None


class Kline(Struct, kw_only=True):
    """One candle of prints (or of the mark, then without volume). Times in microseconds."""

    open_us: int
    close_us: int
    """Last microsecond of the candle."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    trades: int = 0
    taker_volume: Decimal = ZERO
    taker_quote_volume: Decimal = ZERO
    first_trade_id: int = 0
    last_trade_id: int = 0


class Book(Struct, frozen=True):
    """Best bid and ask with the quantities shown there."""

    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    time_us: int


class Account(Struct, kw_only=True):
    """One cross-margin account."""

    key: str
    secret: str
    name: str
    wallet: Decimal
    starting_wallet: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    default_leverage: int
    trades: bool = True
    """Whether the key may place orders; else it only reads."""
    withdraws: bool = False
    """Whether money can leave the account with the key."""
    hedge: bool = False
    """Mode of every market without an entry in `hedge_symbols`; ask `hedge_of`."""
    hedge_symbols: dict[str, bool] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    positions: dict[LegKey, Position] = field(default_factory=dict)
    epochs: list[Epoch] = field(default_factory=list)

    def leverage_of(self, symbol: str) -> int:
        """Leverage chosen for a market, else the account's default."""
        return self.leverage.get(symbol, self.default_leverage)

    def hedge_of(self, symbol: str) -> bool:
        """Whether long and short of a market are two positions."""
        return self.hedge_symbols.get(symbol, self.hedge)


class OrderRequest(Struct, kw_only=True):
    """A plain order as a client asks for it."""

    symbol: str
    side: str
    type: str
    position_side: str = "BOTH"
    quantity: Decimal | None = None
    price: Decimal | None = None
    time_in_force: str = "GTC"
    """`GTC`, `IOC`, `FOK` or `GTX` (post only)."""
    reduce_only: bool = False
    client_id: str = ""


class ConditionalRequest(Struct, kw_only=True):
    """A conditional order as a client asks for it."""

    symbol: str
    side: str
    type: str
    position_side: str = "BOTH"
    quantity: Decimal | None = None
    trigger_price: Decimal | None = None
    price: Decimal | None = None
    time_in_force: str = "GTC"
    working_type: str = "last"
    close_position: bool = False
    reduce_only: bool = False
    price_protect: bool = False
    callback_rate: Decimal | None = None
    activate_price: Decimal | None = None
    client_id: str = ""
    distance: Decimal | None = None
    """Absolute distance of a trailing stop, instead of `callback_rate`."""
    trigger_rises: bool | None = None
    """Direction where the client states it; None: side and type say."""
    close_on_trigger: bool = False
    per_symbol_limit: int | None = None
    """Most waiting conditionals of one symbol that the dialect's exchange allows, position stops
    not counted; None takes the setting `max_conditionals_per_symbol`."""
    author: str = CLIENT


class PositionStopRequest(Struct, kw_only=True):
    """Set, move or remove a position's own stops.

    None leaves a leg as it is, 0 removes it. In mode `full` each leg is one stop for the whole
    position, moved in place; in mode `partial` the call adds stops for `size`.
    """

    symbol: str
    position_side: str = "BOTH"
    mode: Literal["full", "partial"] = "full"
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None
    """Absolute distance from the best price since activation."""
    activate_price: Decimal | None = None
    stop_loss_working_type: str = "last"
    take_profit_working_type: str = "last"
    size: Decimal | None = None
    stop_loss_limit: Decimal | None = None
    """Price of the limit order that fires; None fires at market. Partial stops only."""
    take_profit_limit: Decimal | None = None
