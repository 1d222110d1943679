"""The exchange's last state and the guard's memory as one result."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from trailstop.daemon.talk.status import EpochSummary
from trailstop.demo.result import DemoResult, VenueResult, join_positions
from trailstop.demo.settings import DemoSettings

MARK_FILE: Final = "-mark"
US_PER_SECOND: Final = 1_000_000


def make_result(
    settings: DemoSettings, state: dict[str, Any], began_us: int, epochs: Sequence[EpochSummary]
) -> DemoResult:
    """Join the two; the exchange's figures are the truth."""
    clocks, terms, openings = state["clocks"], state["settings"], state["openings"]
    window_s = terms["mark_window_us"] // US_PER_SECOND
    has_marks = any(MARK_FILE in source for source in state["sources"])
    return DemoResult(
        mode="paper",
        data=tuple(state["sources"]),
        generated=not settings.data,
        positions=join_positions(state["accounts"], settings.accounts, epochs),
        skipped=openings["skipped"],
        refused=openings["refused"],
        ended_by=_ending(state),
        unprotected_ms=clocks["unprotected_ms"],
        loosened_ms=clocks["loosened_ms"],
        first_stop_ms=clocks["first_stop_ms"],
        size_lag_ms=clocks["size_lag_ms"],
        loosened=clocks["loosened"],
        duplicates=clocks["duplicates"],
        orphans=sum(_orphans(account) for account in state["accounts"].values()),
        venues=tuple(_venue(venue, settings, state) for venue in settings.venues),
        hedge=settings.hedge,
        latency_ms=state["latency_ms"],
        seed=settings.seed,
        speed=settings.speed,
        every=settings.every,
        second_reduce_only_stop=terms["second_reduce_only_stop"],
        mark_source="file" if has_marks else f"{window_s} s mean of the last price",
        taker_fee=Decimal(terms["taker_fee"]),
        maker_fee=Decimal(terms["maker_fee"]),
        slippage_percent=Decimal(terms["slippage_percent"]),
        spread_ticks=terms["spread_ticks"],
        depth=Decimal(terms["depth"]),
        notional=Decimal(terms["notional"]),
        funding_rate=Decimal(terms["funding_rate"]),
        refused_rows=sum(market["refused_rows"] for market in state["markets"].values()),
        virtual_seconds=(state["now_us"] - began_us) // US_PER_SECOND,
        incidents=tuple(state["incidents"]),
    )


def _venue(venue: str, settings: DemoSettings, state: dict[str, Any]) -> VenueResult:
    """Sums over the legs of a venue's accounts; first stop and size lag are maxima."""
    names = {name for name, own in settings.accounts.items() if own == venue}
    legs = [leg for leg in state["legs"] if leg["account"] in names]
    first = [leg["first_stop_ms"] for leg in legs if leg["first_stop_ms"] is not None]
    return VenueResult(
        venue=venue,
        unprotected_ms=sum(leg["unprotected_ms"] for leg in legs),
        loosened_ms=sum(leg["loosened_ms"] for leg in legs),
        first_stop_ms=max(first, default=None),
        size_lag_ms=max((leg["size_lag_ms"] for leg in legs), default=0),
        loosened=sum(leg["loosened"] for leg in legs),
        duplicates=sum(leg["duplicates"] for leg in legs),
        orphans=sum(_orphans(state["accounts"][name]) for name in names),
    )


def _orphans(account: dict[str, Any]) -> int:
    """Stops that outlived their position. In a demo nobody but the guard places any."""
    held = {(row["symbol"], row["position_side"]) for row in account["positions"]}
    rows = account["open_conditionals"]
    return sum((row["symbol"], row["position_side"]) not in held for row in rows)


def _ending(state: dict[str, Any]) -> str:
    """Why the story ended: its prices are over, everything is closed, or its time has passed."""
    if state["data_over"]:
        return "data_over"
    still_open = any(account["positions"] for account in state["accounts"].values())
    return "time_over" if still_open else "all_closed"
