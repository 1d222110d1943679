"""The sections of `trailstop.toml`, each setting with its unit, default and reason.

The texts below the settings are what `trailstop config init` and `config list` print. The `[policy]` section is `trailstop.domain.policy.Policy`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from trailstop.domain.policy import Atr, Callback, ProfitShare, Steps

VenueName = Literal["binance", "bybit"]
PAPER_PORTS: dict[VenueName, int] = {"binance": 9580, "bybit": 9583}
"""Where `trailstop paper` serves each protocol when it is not told otherwise."""


class General(Struct, frozen=True, kw_only=True):
    """`[trailstop]`: the process itself."""

    mode: str = "paper"
    """What is at stake. `paper`, the local exchange, is the only mode of this version."""

    data_dir: str = "~/.local/share/trailstop"
    """Folder of the database, the socket's address file and the log. `~` is your home."""

    database: str | None = None
    """Database file; none: `trailstop-MODE.db` in the data folder, one for each mode."""

    journal_retention_days: int = 30
    """Days that recorded prices are kept. Moves, orders and executions stay for good."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""

    log_format: Literal["text", "json"] = "text"
    """`text` for people, `json` for machines: one object a line."""

    log_file: str | None = None
    """File that the log is written to as well; none: standard error alone. With the live
    view, which needs the terminal, `trailstop.log` in the data folder."""

    log_max_mb: int = 10
    """Size at which the log file is put aside and a new one begun, megabytes."""

    log_files: int = 5
    """Log files kept beside the present one, so that a disk never fills up."""


class AccountSection(Struct, frozen=True, kw_only=True):
    """`[accounts.NAME]`: one account on one exchange. NAME is yours to choose.

    Its keys come from the environment, never from this file.
    """

    venue: VenueName = "binance"
    """Exchange whose protocol is spoken there. On bybit the guard takes over the position's one
    stop and shares it with you; there is no backstop behind it."""

    rest_url: str | None = None
    """Address for requests; loopback only in paper mode. none: that of `trailstop paper`, port
    9580 for binance and 9583 (`--bybit-port 9583`) for bybit."""

    ws_url: str | None = None
    """Address for streams; loopback only in paper mode. none: as for requests."""

    api_key_env: str | None = None
    """Environment variable of the API key; none: TRAILSTOP_PAPER_KEY_NAME, else
    BINANCE_API_KEY or BYBIT_API_KEY. With _FILE appended it names a file that holds the key."""

    api_secret_env: str | None = None
    """Environment variable of the secret; none: TRAILSTOP_PAPER_SECRET_NAME, else
    BINANCE_API_SECRET or BYBIT_API_SECRET. With _FILE appended it names a file that holds the
    secret."""


class Guard(Struct, frozen=True, kw_only=True):
    """`[guard]`: what is guarded, and how often the exchange is compared with it."""

    adopt: Literal["all", "none"] | tuple[str, ...] = "all"
    """Positions that are guarded: `all`, `none`, or a list of legs such as ["BTCUSDT",
    "main/ETHUSDT"]. What is left out is listed as not guarded, never silently."""

    ignore: tuple[str, ...] = ()
    """Legs that are left alone although `adopt` names them."""

    reconcile_seconds: Decimal = Decimal(5)
    """Time between two comparisons of the guarded symbols with the exchange, seconds."""

    full_pass_seconds: Decimal = Decimal(60)
    """Time between two comparisons of whole accounts, seconds. New positions are found by
    the account stream at once, and by this where the stream is down."""

    no_contact_minutes: Decimal = Decimal(2)
    """Time without any answered request of an account, and beyond `full_pass_seconds` without a
    comparison of all of it, after which an alarm says so, minutes. A short outage mends itself."""


class Feed(Struct, frozen=True, kw_only=True):
    """`[feed]`: how prices come in."""

    mode: Literal["stream", "poll"] = "stream"
    """`stream` hears every trade, and asks only where its stream is silent. `poll` always asks and
    opens no stream of prices; a stop then follows a peak between two polls up to a minute later,
    by the minute's closed candle. The account's own stream stays in both."""

    poll_seconds: Decimal = Decimal(5)
    """Time between two requests for prices, seconds, while they are asked for. On binance one costs
    4 of the 2400 a minute for one symbol and 17 for any number, on bybit a single request."""

    cross_check_seconds: Decimal = Decimal(30)
    """Time between two comparisons of the stream with what the exchange answers, seconds; each
    costs what a poll does."""

    deviation_percent: Decimal = Decimal("0.5")
    """How far a price that rests on the stream may lie from the answers, percent. Farther off in
    two comparisons in a row its stream counts as frozen: it is opened anew, and asked instead."""


class Paper(Struct, frozen=True, kw_only=True):
    """`[paper]`: the local exchange, as `paper`, `demo` and a guard linked to it see it."""

    link: str | None = None
    """HOST:PORT of the paper exchange's virtual clock; none: real time. `trailstop paper`
    prints it."""

    latency_ms: int | None = None
    """Time from sending a request to its effect, and again to its answer, milliseconds of
    virtual time, ± 50 % by chance; none: 50, a common server's way to an exchange."""

    taker_fee: Decimal | None = None
    """Fee of a market order, fraction of notional; none: 0.0005, Binance's first level."""

    maker_fee: Decimal | None = None
    """Fee of a resting limit order, fraction of notional; none: 0.0002."""

    second_reduce_only_stop: Literal["allow", "refuse"] | None = None
    """Whether two full-size reduce-only stops may rest together; none: `allow`. Binance's answer
    is unconfirmed, so both can be tried; on bybit the position's one stop is moved in place."""

    flat_reduce_only_stop: Literal["accept", "refuse"] | None = None
    """Whether a sized reduce-only stop is taken while there is no position; none: `accept`.
    Reports from the real exchange differ."""

    price_protect_outcome: Literal["stay", "reject"] | None = None
    """What a price-protected order does when mark and last are too far apart at its trigger;
    none: `stay`. Unconfirmed. Our own stops never ask for price protection."""

    tick_check: bool | None = None
    """Whether a price off the tick is refused; none: true. The testnet took such prices."""

    slippage_percent: Decimal | None = None
    """How much worse than the book every market order fills, percent of price; none: 0.01."""

    spread_ticks: int | None = None
    """Distance of best ask and best bid where a file has no book, ticks; none: 1."""

    depth: Decimal | None = None
    """Size of the book that fills at its best price, quote currency; none: 100 000."""

    notional: Decimal | None = None
    """Size of a position that the demo opens, quote currency; none: 1 000."""


class DistanceSettings(Struct, frozen=True, kw_only=True):
    """The part of `[policy]` that says how far behind the peak the stop stays.

    `[policy.distance]` as a table is understood as well.
    """

    distance: Literal["callback", "profit_share", "steps", "atr", "absolute"] = "callback"
    """How far behind the peak the stop stays; each kind has its own settings below."""

    callback_percent: Decimal = Callback().callback_percent
    """Distance `callback`: percent of the peak. It also holds for `atr` until its candles
    are there. 0.5 lets a liquid coin breathe and gives back little."""

    profit_share: Decimal = ProfitShare().share
    """Distance `profit_share`: fraction of the peak's gain that is kept, between 0 and 1."""

    steps: tuple[tuple[Decimal, Decimal], ...] = tuple(
        (rung.gain_percent, rung.callback_percent) for rung in Steps().rungs
    )
    """Distance `steps`: pairs of the peak's gain and the callback from there on, percent.
    Below the first gain the first callback holds."""

    atr_length: int = Atr().length
    """Distance `atr`: candles in Wilder's average true range."""

    atr_timeframe_minutes: int = Atr().timeframe_minutes
    """Distance `atr`: length of a candle, minutes."""

    atr_multiplier: Decimal = Atr().multiplier
    """Distance `atr`: how many ranges the stop stays away."""

    absolute_distance: Decimal | None = None
    """Distance `absolute`: price distance from the peak, quote currency; needed for it."""
