"""Settings of the paper exchange's world; latency and faults belong to its server."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US


class WorldSettings(Struct, frozen=True, kw_only=True):
    """How the world behaves. Every field is shown in the result of a run."""

    seed: int = 0
    """Names the accounts' keys; prices have the seed of their generator."""
    wallet: Decimal = Decimal(100_000)
    """Starting cross wallet of each account, in the quote currency."""
    leverage: int = 5
    notional: Decimal = Decimal(1_000)
    """Size of a position that is opened without a quantity, in the quote currency."""
    taker_fee: Decimal = Decimal("0.0005")
    """Fraction of notional; the usual lowest tier."""
    maker_fee: Decimal = Decimal("0.0002")
    spread_ticks: int = 1
    """Distance of ask from bid where the data has no book. With an even number the last price
    lies in the middle; the odd tick is on the ask's side."""
    depth: Decimal = Decimal(100_000)
    """Notional that the book takes at the touch. Each further started `depth` of one order
    costs the whole order another `slippage_percent`."""
    slippage_percent: Decimal = Decimal("0.01")
    """Percent of price by which every taker fill is worse than the touch."""
    funding_rate: Decimal = Decimal("0.0001")
    """Fraction of notional at each settlement, where the data has no funding."""
    funding_interval_us: int = 8 * HOUR_US
    """Settlements are at whole multiples of this since the Unix epoch: 00, 08 and 16 UTC."""
    mark_window_us: int = 30 * SECOND_US
    """The mark is the time-weighted mean of the last price over this window."""
    tick_check: bool = True
    """Refuse prices off the tick; seen accepted on the testnet (2026-09-12), so switchable."""
    second_reduce_only_stop: Literal["allow", "refuse"] = "allow"
    """Whether two sized reduce-only stops of one side may rest together. Unconfirmed."""
    flat_reduce_only_stop: Literal["accept", "refuse"] = "accept"
    """Whether a sized reduce-only stop is accepted while flat. Reports differ."""
    price_protect_outcome: Literal["stay", "reject"] = "stay"
    """What a protected order does when mark and last are too far apart. Unconfirmed."""
    max_conditionals: int = 200
    """Resting conditional orders of one account over all symbols."""
    max_conditionals_per_symbol: int | None = None
    """Waiting conditional orders of one account and symbol, position stops not counted, where the
    request does not bring a limit of its own; None: as many as the account may have."""
    zero_position_ms: int = 0
    """For so long after its opening fill a position cannot be given stops of its own."""
    trigger_band: Decimal | None = None
    """Largest distance of a trigger from the mark, as a fraction; position stops are free."""
    guard_prefix: str = ""
    """Client-id prefix of the guard's orders; empty takes every sized reduce-only stop as a
    working stop. Only the clocks look at it."""
