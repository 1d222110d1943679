"""A forecast on the terminal: one row a moment, then how it would end."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from trailstop.domain.position import Leg
from trailstop.domain.price import Side
from trailstop.lab.forecast.fan import PERCENTILES, Fan
from trailstop.lab.forecast.forecast import End, Forecast
from trailstop.view.show import PLAIN_COLUMNS
from trailstop.view.words import NOTHING, PHASES, average, percent, span

CENT: Final = Decimal("0.01")
CAUSES: Final = {
    "initial_stop": "initial stop",
    "breakeven": "breakeven stop",
    "trail": "trailing stop",
    "foreign_stop": "another's stop",
    "user_stop": "stop set by hand",
    "backstop": "backstop",
    "open": "still open",
}
ROW_HEADS: Final = ("after", "price", "gain", "phase", "exact stop", "live stop", "locked in")
FAN_HEADS: Final = ("after", "open", "price 5 %", "50 %", "95 %", "stop 5 %", "50 %", "95 %")
LOW, MIDDLE, HIGH = 0, 2, 4
"""Where percentiles 5, 50 and 95 stand."""


def print_forecasts(found: Sequence[Forecast | Fan], console: Console | None = None) -> None:
    """Print each on standard output."""
    shown = console or Console()
    if not shown.is_terminal:
        shown = Console(width=PLAIN_COLUMNS)
    for one in found:
        shown.print(render_fan(one) if isinstance(one, Fan) else render_forecast(one))


def render_forecast(found: Forecast) -> RenderableType:
    """Rows along the path, how it ends, and what was taken for granted."""
    start_ms = found.rows[0].at_ms
    table = _table(ROW_HEADS)
    table.add_column("what the rule does", overflow="fold")
    for row in found.rows:
        table.add_row(
            _after(row.at_ms - start_ms),
            average(row.price),
            percent(row.gain_percent, signed=True),
            PHASES[row.phase],
            average(row.exact_stop),
            average(row.live_stop),
            _money(row.locked_in, row.locked_in_percent),
            # The stop itself stands beside it.
            row.told[-1].partition("; stop")[0] if row.told else "",
        )
    return Group(
        _head(found.leg, found.symbol, found.side, found.entry_price, found.quantity),
        Text(),
        table,
        Text(),
        Text(_end_words(found.end, start_ms), style="bold"),
        Text(f"best price {average(found.peak)}, {found.moves} moves of the stop", style="dim"),
        *_notes(found.alarms, found.notes),
        Text(
            "Assumed: a straight line between two prices, no slippage, and an exchange that takes "
            "every stop at once.",
            style="dim",
        ),
    )


def render_fan(found: Fan) -> RenderableType:
    """Percentiles of price and stop, how the paths end, and the results."""
    start_ms = found.rows[0].at_ms
    table = _table(FAN_HEADS)
    for row in found.rows:
        stops = row.live_stop or (None,) * len(PERCENTILES)
        table.add_row(
            _after(row.at_ms - start_ms),
            percent(row.open_percent),
            *(average(row.price[rank]) for rank in (LOW, MIDDLE, HIGH)),
            *(average(stops[rank]) for rank in (LOW, MIDDLE, HIGH)),
        )
    causes = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    causes.add_column("ends by", no_wrap=True)
    for head in ("paths", "share", "mean result"):
        causes.add_column(head, justify="right", no_wrap=True)
    for end in found.ends:
        causes.add_row(
            CAUSES[end.cause],
            str(end.count),
            percent(end.share_percent),
            percent(end.mean_net_percent, signed=True),
        )
    results = ", ".join(
        f"{rank} %: {percent(value, signed=True)}"
        for rank, value in zip(PERCENTILES, found.net_percent, strict=True)
    )
    return Group(
        _head(found.leg, found.symbol, found.side, found.entry_price, found.quantity),
        Text(f"{found.paths} paths: {found.method}", style="dim"),
        Text(),
        table,
        Text(),
        causes,
        Text(),
        Text(
            f"result after fees: mean {percent(found.mean_net_percent, signed=True)}, "
            f"{percent(found.no_loss_percent)} of the paths lose nothing",
            style="bold",
        ),
        Text(f"percentiles of the result: {results}"),
        Text(f"open for {span(found.mean_hold_ms)} on average", style="dim"),
        *_notes(found.alarms, ()),
    )


def _table(heads: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in heads:
        table.add_column(head, justify="left" if head == "phase" else "right", no_wrap=True)
    return table


def _head(
    leg: Leg | None, symbol: str, side: Side, entry_price: Decimal, quantity: Decimal
) -> Text:
    name = symbol if leg is None else str(leg)
    return Text.assemble(
        (f"{side.value} {name}", "bold"),
        f"  {quantity.normalize():f} at {average(entry_price)}",
    )


def _after(duration_ms: int) -> str:
    return span(duration_ms) if duration_ms else "now"


def _money(amount: Decimal | None, share: Decimal | None) -> str:
    if amount is None:
        return NOTHING
    return f"{amount.quantize(CENT):+,f} ({percent(share, signed=True)})".replace(",", " ")


def _end_words(end: End, start_ms: int) -> str:
    result = f"result after fees {_money(end.net, end.net_percent)}"
    if end.cause == "open":
        return f"still open at {average(end.price)}: {result}"
    crossed = (
        ", at market, since the stop had not been moved there yet (pacing)" if end.crossed else ""
    )
    return (
        f"ends after {span(end.at_ms - start_ms)} at {average(end.price)} by the "
        f"{CAUSES[end.cause]}{crossed}: {result}"
    )


def _notes(alarms: Sequence[str], notes: Sequence[str]) -> list[Text]:
    return [
        *(Text(text, style="bold yellow") for text in alarms),
        *(Text(text, style="dim") for text in notes),
    ]
