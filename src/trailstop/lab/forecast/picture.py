"""Forecasts as one page that opens in any browser: price, stops and what they lock in."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

from trailstop.engine.explain import price_text
from trailstop.lab.forecast.fan import Fan
from trailstop.lab.forecast.forecast import Forecast
from trailstop.lab.report.page import facts, page, warnings_box, write_page
from trailstop.lab.report.words import plain, policy_words

ASSUMED = (
    "a straight line between two prices, no slippage, and an exchange that takes every stop at once"
)


def write_picture(found: Sequence[Forecast | Fan], file: Path) -> None:
    """Write the page. Raises: DataError where it cannot be written."""
    write_page(forecast_page(found), file)


def forecast_page(found: Sequence[Forecast | Fan]) -> str:
    """The page: a picture and the terms for each position."""
    body = [
        "<header><h1>Forecast</h1><p>What the rule would do, not what the price will.</p></header>"
    ]
    body += [_section(number, one) for number, one in enumerate(found)]
    data = [_fan(one) if isinstance(one, Fan) else _single(one) for one in found]
    return page("Trailstop forecast", "\n".join(body), data=data, script="forecast.js")


def _section(number: int, found: Forecast | Fan) -> str:
    name = found.symbol if found.leg is None else str(found.leg)
    rows: list[tuple[str, str | list[str]]] = [
        ("Position", f"{plain(found.quantity)} at {price_text(found.entry_price)}"),
        ("Policy", policy_words(found.policy)),
        ("Fees", f"{plain(found.fees.entry * 100)} % in, {plain(found.fees.exit * 100)} % out"),
    ]
    if isinstance(found, Fan):
        rows.append(("Paths", f"{found.paths}: {found.method}"))
    else:
        rows += [("Assumed", ASSUMED), ("Notes", list(found.notes))]
    return (
        f"<section><h2>{escape(found.side.value)} {escape(name)}</h2>"
        f"{warnings_box(found.alarms)}"
        f'<p class="note" id="end-{number}"></p><div class="chart" id="chart-{number}"></div>'
        f'{facts(rows)}<div class="scroll" id="rows-{number}"></div></section>'
    )


def _single(found: Forecast) -> dict[str, Any]:
    return {
        "kind": "path",
        "entry": _number(found.entry_price),
        "rows": found.rows,
        "end": found.end,
        "path": [(point.at_ms, _number(point.price)) for point in found.path],
    }


def _fan(found: Fan) -> dict[str, Any]:
    return {
        "kind": "fan",
        "entry": _number(found.entry_price),
        "rows": [
            {
                "at_ms": row.at_ms,
                "price": [_number(price) for price in row.price],
                "stop": None if row.live_stop is None else [_number(s) for s in row.live_stop],
                "open_percent": row.open_percent,
            }
            for row in found.rows
        ],
        "ends": found.ends,
        "no_loss_percent": found.no_loss_percent,
        "mean_net_percent": found.mean_net_percent,
        "net_percent": found.net_percent,
    }


def _number(price: Decimal) -> float:
    """A price for the picture alone."""
    return float(price)
