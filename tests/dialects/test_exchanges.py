"""The exchanges' own trailing orders, with the numbers that their pages work through."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest

from trailstop import Policy, TrailingStop
from trailstop.dialects import binance, bybit
from trailstop.domain.position import Phase
from trailstop.errors import ConfigError

D = Decimal
Direction = Literal["long", "short"]


def follow(policy: Policy, direction: Direction, prices: str) -> tuple[Decimal | None, str | None]:
    """The stop at the end of a row of prices, and the price that fired it."""
    trail = TrailingStop("BTCUSDT", 1, direction, policy)
    for price in prices.split():
        if trail.update_price(price).hit:
            return trail.trail.exact_stop, price
    return trail.trail.exact_stop, None


@pytest.mark.parametrize(
    ("direction", "activate", "prices", "stop", "fired"),
    [
        pytest.param("long", None, "100 110 108.901", "108.90", None, id="above 110 × (1 − 1 %)"),
        pytest.param("long", None, "100 110 108.9", "108.90", "108.9", id="at 110 × (1 − 1 %)"),
        pytest.param("long", "105", "100 104.9 90", None, None, id="not activated"),
        pytest.param("long", "105", "100 105 103.95", "103.95", "103.95", id="touch activates"),
        pytest.param("long", "105", "100 106 104.95", "104.94", None, id="from activation on"),
        pytest.param("short", None, "100 90 90.89", "90.90", None, id="below 90 × (1 + 1 %)"),
        pytest.param("short", None, "100 90 90.9", "90.90", "90.9", id="at 90 × (1 + 1 %)"),
        pytest.param("short", "95", "100 95.1 120", None, None, id="short not activated"),
    ],
)
def test_binance_fires_a_callback_rate_from_the_best_price_since_activation(
    direction: Direction, activate: str | None, prices: str, stop: str | None, fired: str | None
) -> None:
    policy = binance.trailing_stop_market(D(1), D(activate) if activate else None)
    assert follow(policy, direction, prices) == (D(stop) if stop else None, fired)


@pytest.mark.parametrize("rate", ["0.09", "20.1", "0"])
def test_binance_refuses_rates_that_the_exchange_refuses(rate: str) -> None:
    with pytest.raises(ConfigError, match="callbackRate"):
        binance.trailing_stop_market(D(rate))


def test_binance_watches_the_mark_price_where_the_order_does() -> None:
    policy = binance.trailing_stop_market(D(1), working_type="MARK_PRICE")
    assert (policy.basis, policy.trigger_price) == ("mark", "mark")
    assert binance.trailing_stop_market(D(1)).trigger_price == "last"


@pytest.mark.parametrize(
    ("direction", "distance", "active", "prices", "stop", "fired"),
    [
        pytest.param("long", 500, None, "8000 7500", 7500, "7500", id="8000 never exceeded"),
        pytest.param("long", 500, None, "8000 9000 8500.5", 8500, None, id="9000 carries it up"),
        pytest.param("long", 500, None, "8000 9000 8500", 8500, "8500", id="a fall of 500"),
        pytest.param("long", 100, 8000, "7000 7999", None, None, id="below the active price"),
        pytest.param("long", 100, 8000, "7000 8000", 7900, None, id="8000 starts it at 7900"),
        pytest.param("short", 100, 6000, "7000 6000 6100", 6100, "6100", id="short mirrored"),
    ],
)
def test_bybit_trails_a_price_distance_from_the_best_since_activation(
    *,
    direction: Direction,
    distance: int,
    active: int | None,
    prices: str,
    stop: int | None,
    fired: str | None,
) -> None:
    policy = bybit.trading_stop(D(distance), D(active) if active else None)
    assert follow(policy, direction, prices) == (D(stop) if stop else None, fired)


def test_bybit_distance_of_nought_is_refused() -> None:
    with pytest.raises(ConfigError, match="distance"):
        bybit.trading_stop(D(0))


def test_a_trailing_order_has_no_stop_before_it_is_active() -> None:
    trail = TrailingStop("BTCUSDT", 100, "long", bybit.trading_stop(D(5), D(110)))
    assert trail.update_price(50).phase is Phase.INACTIVE
    assert trail.trail.live_stop is None
