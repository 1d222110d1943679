"""freqtrade's settings as a policy, and in words what of them it does not carry."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from trailstop.dialects.freqtrade import Stops, stoploss
from trailstop.domain.policy import HUNDRED, Policy
from trailstop.errors import ConfigError
from trailstop.lab.peers.freqtrade.reading import Settings

BACKSTOP_FACTOR: Final = Decimal("1.5")
"""How much farther than the initial stop the backstop lies, where the default would be nearer."""
STOP_INTERVAL_SECONDS: Final = 60
"""`stoploss_on_exchange_interval` unless it is set."""

PLACES_SHOWN: Final = 4
"""Decimals of a number in a sentence; the policy has them all."""

IDLE: Final[dict[str, str]] = {
    "minimal_roi": "Trailstop takes no profit at a target; the trailing stop is what ends a trade",
    "exit_profit_only": "there are no exit signals that it could hold back",
    "exit_profit_offset": "there are no exit signals that it could hold back",
    "ignore_roi_if_entry_signal": "there is no target that it could hold back",
    "position_adjustment_enable": "Trailstop opens and enlarges nothing; it follows what you do",
    "unfilledtimeout": "stops leave at market and do not wait to be filled",
    "protections": "Trailstop opens nothing that they could prevent",
    "use_custom_roi": "Trailstop takes no profit at a target",
}
"""Settings without an equivalent, and why they need none or have none."""
EXIT_SIGNALS: Final = (
    "Trailstop knows no exit signals; let what gives them close the position on the exchange"
)
CUSTOM_STOPLOSS: Final = (
    "the strategy's own method is code and is not carried over; the policy is what freqtrade does "
    "where that method answers the stoploss"
)


class Note(Struct, frozen=True):
    """What became of one setting: taken over, taken over nearly, or without an equivalent."""

    kind: Literal["carried", "near", "none"]
    setting: str
    text: str


class Imported(Struct, frozen=True):
    """A policy for `trailstop.toml`, freqtrade's settings that it was made of, and the notes."""

    policy: Policy
    stops: Stops
    notes: tuple[Note, ...]


def import_settings(settings: Settings, *, leverage: Decimal | None = None) -> Imported:
    """Make a policy of freqtrade's settings.

    `leverage` is what the strategy's method answers, which no file states; else `leverage` of the
    settings, else 1. Raises ConfigError for settings that freqtrade refuses, and where there is
    no stoploss.
    """
    stops = _stops(settings, leverage)
    policy = _guarding(stoploss(stops), settings)
    notes = (*_carried(stops, policy, settings), *_near(stops, policy, settings), *_none(settings))
    return Imported(policy, stops, notes)


def _stops(settings: Settings, leverage: Decimal | None) -> Stops:
    if settings.get("stoploss") is None:
        raise ConfigError(
            "there is no stoploss in the configuration, so that the strategy sets it: add it, or "
            "give the strategy's settings as a second JSON file"
        )
    offset = _number(settings, "trailing_stop_positive_offset")
    own_leverage = _number(settings, "leverage") if leverage is None else leverage
    loss = _number(settings, "stoploss")
    assert loss is not None, "just looked at"
    return Stops(
        stoploss=loss,
        trailing_stop=_flag(settings, "trailing_stop"),
        trailing_stop_positive=_number(settings, "trailing_stop_positive"),
        trailing_stop_positive_offset=Decimal(0) if offset is None else offset,
        trailing_only_offset_is_reached=_flag(settings, "trailing_only_offset_is_reached"),
        use_custom_stoploss=_flag(settings, "use_custom_stoploss"),
        leverage=Decimal(1) if own_leverage is None else own_leverage,
    )


def _guarding(bare: Policy, settings: Settings) -> Policy:
    """The bare policy with what a guarded position has besides: backstop, pacing, rounding."""
    initial = bare.initial_stop_percent
    assert initial is not None, "freqtrade always has a stop"
    usual = Policy()
    backstop = usual.backstop_percent
    if backstop is None or backstop <= initial:
        backstop = min(initial * BACKSTOP_FACTOR, (initial + HUNDRED) / 2)
    orders = _orders(settings)
    on_mark = orders.get("stoploss_price_type") == "mark"
    return replace(
        usual,
        initial_stop_percent=_plain(initial),
        backstop_percent=_plain(backstop),
        activation_percent=bare.activation_percent,
        distance=bare.distance,
        breakeven_at_percent=None,
        gain_basis="net",
        trigger_price="mark" if on_mark else "last",
        update_interval_seconds=_interval(orders, usual),
    )


def _interval(orders: Settings, usual: Policy) -> Decimal:
    """Pause between two moves: freqtrade's own where its stop rests on the exchange too."""
    if not orders.get("stoploss_on_exchange"):
        return usual.update_interval_seconds
    interval = _number(orders, "stoploss_on_exchange_interval")
    return Decimal(STOP_INTERVAL_SECONDS) if interval is None else interval


def _carried(stops: Stops, policy: Policy, settings: Settings) -> Iterator[Note]:
    share = "" if stops.leverage == 1 else f" of price at leverage {_shown(stops.leverage)}"
    initial = policy.initial_stop_percent
    assert initial is not None, "freqtrade always has a stop"
    yield Note(
        "carried",
        "stoploss",
        f"{_shown(stops.stoploss)}: initial stop {_shown(initial)} %{share}, on the exchange from "
        "the first moment",
    )
    if stops.trailing_stop:
        yield Note("carried", "trailing_stop", _trailing(stops))
    else:
        yield Note("carried", "trailing_stop", "off: the stop stays where it was placed")
    fee = _number(settings, "fee")
    if fee is not None:
        yield Note(
            "carried",
            "fee",
            f"{_shown(fee)}: the guard takes the account's own; backtest with --fee {_percent(fee)}",
        )


def _trailing(stops: Stops) -> str:
    wide, positive = _percent(stops.distance), stops.positive
    offset = _percent(stops.trailing_stop_positive_offset / stops.leverage)
    if positive is None:
        begins = f"from a gain of {offset} % on" if stops.waits else "from the entry on"
        return f"{wide} % behind the best price {begins}"
    if stops.waits:
        return f"{_percent(positive)} % behind the best price from a gain of {offset} % on"
    if not stops.trailing_stop_positive_offset:
        return f"{_percent(positive)} % behind the best price from the entry on"
    return f"{wide} % behind the best price, {_percent(positive)} % from a gain of {offset} % on"


def _near(stops: Stops, policy: Policy, settings: Settings) -> Iterator[Note]:
    candle = settings.get("timeframe")
    each = f"a candle ({candle})" if candle else "a candle of its timeframe"
    yield Note(
        "near",
        "timeframe",
        f"freqtrade's backtest moves the stop once {each}, this policy at every price; "
        "`trailstop backtest --rule freqtrade` judges it by candles as freqtrade does",
    )
    if stops.trailing_stop and (stops.waits or stops.positive is not None):
        yield Note(
            "near",
            "trailing_stop_positive_offset",
            "a profit of exactly the offset is enough here; freqtrade takes the nearer distance "
            "only above it",
        )
    if stops.trailing_stop and stops.positive is not None and stops.positive > stops.distance:
        yield Note(
            "near",
            "trailing_stop_positive",
            "it is wider than stoploss: freqtrade goes on trailing by stoploss where a candle's "
            "profit is below the offset, this policy does not",
        )
    if stops.leverage == 1 and settings.get("trading_mode") == "futures":
        yield Note(
            "near",
            "leverage",
            "no file states it and 1 is assumed; freqtrade's ratios are shares of the margin: "
            "give --leverage where the strategy asks for more",
        )
    orders = _orders(settings)
    if not orders.get("stoploss_on_exchange"):
        yield Note(
            "near",
            "order_types.stoploss_on_exchange",
            "off there: freqtrade watches the stop itself; here a reduce-only stop rests on the "
            f"exchange and moves at most every {_shown(policy.update_interval_seconds)} s",
        )
    if orders.get("stoploss") == "limit":
        yield Note(
            "near",
            "order_types.stoploss",
            "limit there: a stop of Trailstop leaves at market, which a limit may fail to do",
        )
    yield Note(
        "near",
        "backstop_percent",
        f"{_shown(policy.backstop_percent or Decimal(0))}: freqtrade has no second stop behind the "
        'first; "none" leaves it out',
    )


def _none(settings: Settings) -> Iterator[Note]:
    if settings.get("use_custom_stoploss"):
        yield Note("none", "use_custom_stoploss", CUSTOM_STOPLOSS)
    # A strategy uses its exit signals unless it is told otherwise.
    if settings.get("use_exit_signal") is not False:
        yield Note("none", "use_exit_signal", EXIT_SIGNALS)
    for name, text in IDLE.items():
        if settings.get(name):
            yield Note("none", name, text)


def _orders(settings: Settings) -> Settings:
    orders = settings.get("order_types")
    return orders if isinstance(orders, dict) else {}


def _number(settings: Settings, name: str) -> Decimal | None:
    value = settings.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ConfigError(f"{name} must be a number, not {value!r}")
    return Decimal(value)


def _flag(settings: Settings, name: str) -> bool:
    value: Any = settings.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false, not {value!r}")
    return value


def _plain(number: Decimal) -> Decimal:
    """The number without trailing zeros or exponent."""
    return Decimal(f"{number.normalize():f}")


def _shown(number: Decimal) -> str:
    """The number for a person, who reads no 28 digits of a third."""
    rounded = round(number, PLACES_SHOWN)
    return f"{_plain(rounded or number):f}"


def _percent(fraction: Decimal) -> str:
    return _shown(fraction * HUNDRED)
