"""The closing summary of a demo: what became of each position, and the clocks in words."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from trailstop.demo.result import DemoResult, PositionResult, VenueResult
from trailstop.domain.position import Cause
from trailstop.view.words import CAUSES, NOTHING, average, percent, price, span

SHOWN_ROWS: Final = 20
"""Lives that are shown one by one; of more, the last ones and the sums."""
CENT: Final = Decimal("0.01")
MS_PER_SECOND: Final = 1_000


def print_summary(result: DemoResult, console: Console | None = None) -> None:
    """Print the summary on standard output."""
    (console or Console()).print(render_summary(result))


def render_summary(result: DemoResult) -> RenderableType:
    """Lives, sums and clocks."""
    return Group(Text(), _lives(result), *_sums(result), *_clocks(result), *_terms(result))


def _lives(result: DemoResult) -> Table:
    several = len(result.venues) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("position", no_wrap=True)
    if several:
        table.add_column("venue", no_wrap=True)
        table.add_column("account", no_wrap=True)
    for head in ("entry", "exit"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("ended by")
    for head in ("moves", "best price", "result after fees"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in result.positions[-SHOWN_ROWS:]:
        table.add_row(
            f"{row.side} {row.symbol}",
            *((row.venue, row.account) if several else ()),
            average(row.entry),
            average(row.exit),
            _cause_words(row.cause),
            str(row.moves),
            price(row.peak),
            _outcome(row),
        )
    return table


def _cause_words(cause: str) -> str:
    return "still open" if cause == "open" else CAUSES[Cause(cause)]


def _outcome(row: PositionResult) -> str:
    if row.result_after_fees is None:
        return NOTHING
    return f"{row.result_after_fees.quantize(CENT):+f} ({percent(row.result_percent, signed=True)})"


def _sums(result: DemoResult) -> list[Text]:
    lines: list[Text] = []
    if len(result.positions) > SHOWN_ROWS:
        left = len(result.positions) - SHOWN_ROWS
        lines.append(Text(f"... and {left} positions before these", style="dim"))
    causes = Counter(_cause_words(row.cause) for row in result.positions)
    counted = ", ".join(f"{count} × {cause}" for cause, count in causes.most_common())
    done = [row.result_after_fees for row in result.positions if row.result_after_fees is not None]
    moves = sum(row.moves for row in result.positions)
    lines.append(
        Text(
            f"{_count(len(result.positions), 'position')} ({counted or 'none'}), {_count(moves, 'move')} of stops, "
            f"result after fees {sum(done, Decimal(0)).quantize(CENT):+f}"
        )
    )
    if result.skipped:
        lines.append(Text(f"{result.skipped} openings skipped: the leg was not flat", style="dim"))
    if result.refused:
        lines.append(Text(f"{result.refused} openings refused by the exchange", style="dim"))
    return lines


def _clocks(result: DemoResult) -> list[Text]:
    """The four clocks and the three counts, as the exchange measured them."""
    if len(result.venues) == 1:
        return _clock_lines(result, "")
    return [line for venue in result.venues for line in _clock_lines(venue, f"{venue.venue}: ")]


def _clock_lines(clocks: DemoResult | VenueResult, where: str) -> list[Text]:
    fine = not (clocks.unprotected_ms or clocks.loosened_ms or clocks.orphans)
    first = NOTHING if clocks.first_stop_ms is None else span(clocks.first_stop_ms)
    lag = clocks.size_lag_ms
    grown = f"; a size increase was covered within {span(lag)}" if lag else ""
    return [
        Text(
            f"{where}{clocks.unprotected_ms} ms without a stop, {clocks.loosened_ms} ms with a "
            f"looser stop than before, {_count(clocks.orphans, 'stop')} left behind",
            style="bold green" if fine else "bold red",
        ),
        Text(
            f"{where}the first stop rested at most {first} after the fill{grown}; "
            f"{_count(clocks.loosened, 'stop')} loosened, {_count(clocks.duplicates, 'duplicate')}"
        ),
    ]


def _terms(result: DemoResult) -> list[Text]:
    """Under which terms all this holds."""
    prices = ", ".join(result.data) or "none"
    delay = (
        "no latency"
        if result.latency_ms == 0
        else f"latency {result.latency_ms} ms ± 50 % each way"
    )
    speed = "as fast as it goes" if result.speed == 0 else f"{result.speed:g} ×"
    over = span(result.virtual_seconds * MS_PER_SECOND)
    exchange = (
        f"paper exchange: {delay}, taker fee {result.taker_fee * 100:f} %, slippage "
        f"{result.slippage_percent} %, spread {_count(result.spread_ticks, 'tick')}, depth {result.depth:f}, "
        f"second reduce-only stop: {result.second_reduce_only_stop}, mark price: "
        f"{result.mark_source}"
    )
    source = f"prices: {prices}; {over} of them, {speed}"
    return [Text(source, style="dim"), Text(exchange, style="dim")]


def _count(number: int, thing: str) -> str:
    """A number and what it counts: 1 move, 2 moves."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
