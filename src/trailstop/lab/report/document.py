"""A backtest as one document: JSON that another program, or a later version, reads.

Prices, money and settings are strings, `_ms` are Unix milliseconds or durations, `_percent`
percent; what is computed for people to compare is a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from trailstop.domain.policy import Policy
from trailstop.domain.price import Instrument
from trailstop.errors import DataError
from trailstop.lab.data.shape import holes_in_words
from trailstop.lab.report.statistics import Statistics, describe, moves_after_first
from trailstop.lab.report.words import interval_words, prices_words, rule_words
from trailstop.lab.series import Bars, Funding, Quotes
from trailstop.lab.series import Trades as Prints
from trailstop.lab.terms import Costs, ExitCause, FillRule
from trailstop.lab.trades import Result, Trade

SCHEMA_VERSION: Final = 1
"""Rises when a field changes its meaning or goes; new fields alone do not raise it."""

UNFINISHED_SHARE: Final = Decimal("0.1")
"""From this share of positions on that say nothing of the rule, the reader is told."""
PERCENT_PLACES: Final = 6
"""Places of a trade's own percentages, which are computed."""


class Data(Struct, frozen=True, kw_only=True):
    """What the positions were tried on.

    `interval_ms` is None for trades and quotes. `first_ms` is the first time in the data and
    `last_ms` the end of its last bar. `files` are its sources, `refused` the rows left out,
    `notes` what else a reader of results should know of them.
    """

    symbol: str
    prices: str
    count: int
    interval_ms: int | None
    first_ms: int | None
    last_ms: int | None
    files: tuple[str, ...]
    refused: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Document(Struct, frozen=True, kw_only=True):
    """One backtest. `rule_text` says in words what `rule` assumes inside a bar.

    `schema_version` is `SCHEMA_VERSION` of the version that wrote it.
    """

    schema_version: int
    data: Data
    instrument: Instrument
    policy: Policy
    rule: FillRule
    rule_text: str
    costs: Costs
    engine: str
    warnings: tuple[str, ...]
    statistics: Statistics
    trades: tuple[Trade, ...]


def document(result: Result) -> Document:
    """Everything there is to say about a backtest."""
    trades = tuple(result.trades)
    return Document(
        schema_version=SCHEMA_VERSION,
        data=data_of(result.prices, result.beside),
        instrument=result.instrument,
        policy=result.policy,
        rule=result.rule,
        rule_text=rule_words(result.prices, result.rule),
        costs=result.costs,
        engine=result.engine,
        warnings=(*result.warnings, *_unfinished(trades, result.costs)),
        statistics=describe(trades),
        trades=trades,
    )


def warnings_of(warnings: Sequence[str], data: Data, refused_most: int) -> list[str]:
    """Everything that a reader must know before the figures, a line each.

    Of the rows left out of the data at most `refused_most` are told, and how many there are.
    """
    lines = [*dict.fromkeys((*warnings, *data.notes))]
    refused = data.refused
    if refused:
        more = len(refused) - refused_most
        tail = f" and {more} more" if more > 0 else ""
        lines.append(
            f"rows of the data left out: {len(refused)} ({'; '.join(refused[:refused_most])}{tail})"
        )
    return lines


def data_of(prices: Bars | Prints | Quotes, beside: Sequence[Bars | Quotes | Funding] = ()) -> Data:
    """What there is to say about recorded prices, and of files beside them; holes are a note."""
    interval_ms = prices.interval_ms if isinstance(prices, Bars) else None
    times_ms = prices.open_ms if isinstance(prices, Bars) else prices.time_ms
    some = len(prices) > 0
    told = [prices, *(one for one in beside if not isinstance(one, Funding))]
    return Data(
        symbol=prices.symbol,
        prices=prices_words(prices),
        count=len(prices),
        interval_ms=interval_ms,
        first_ms=int(times_ms[0]) if some else None,
        last_ms=int(times_ms[-1]) + (interval_ms or 0) if some else None,
        files=tuple(name for one in (prices, *beside) for name in one.source),
        refused=tuple(line for one in told for line in one.refused),
        notes=tuple(note for one in told for note in _notes(one)),
    )


def _notes(series: Bars | Prints | Quotes) -> list[str]:
    holes = holes_in_words(series) if isinstance(series, Bars) and len(series) else None
    if holes is None:
        return [*series.notes]
    assert isinstance(series, Bars), "only bars have holes"
    return [*series.notes, f"the bars of {interval_words(series.interval_ms)} have {holes}"]


def _unfinished(trades: Sequence[Trade], costs: Costs) -> list[str]:
    """Where many positions say nothing of the rule, since the data ended before it could act."""
    told = []
    least = len(trades) * UNFINISHED_SHARE
    still_open = sum(trade.cause is ExitCause.END_OF_DATA for trade in trades)
    if still_open > least:
        told.append(
            f"{still_open} of {len(trades)} positions were still open when the data ended: what "
            "became of them is not known"
        )
    bare = sum(trade.exit_ms - trade.entry_ms < costs.latency_ms for trade in trades)
    if bare > least:
        told.append(
            f"{bare} of {len(trades)} positions were over within the latency of "
            f"{costs.latency_ms} ms, before a stop could rest"
        )
    return told


def derived(trade: Trade) -> dict[str, Any]:
    """What follows from a trade's own fields, under the names of the document."""
    return {
        "net_percent": round(float(trade.net_percent), PERCENT_PLACES),
        "left_percent": round(float(trade.left_percent), PERCENT_PLACES),
        "at_risk_ms": trade.at_risk_ms,
        "stop_moves": moves_after_first(trade),
    }


def as_json(report: Document) -> bytes:
    """The document as one JSON object; each trade tells what follows from it as well."""
    fields = {name: getattr(report, name) for name in report.__struct_fields__}
    fields["trades"] = [
        {name: getattr(trade, name) for name in trade.__struct_fields__} | derived(trade)
        for trade in report.trades
    ]
    return msgspec.json.encode(fields)


def write_json(report: Document, file: Path) -> None:
    """Write the document. Raises: DataError where the file cannot be written."""
    write(file, as_json(report))


def read_json(file: Path) -> Document:
    """Read a document that `write_json` wrote. Raises: DataError naming the file."""
    try:
        report = msgspec.json.decode(file.read_bytes(), type=Document)
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror})") from None
    except msgspec.DecodeError as error:
        raise DataError(f"{file} is no backtest of this program ({error})") from None
    if report.schema_version > SCHEMA_VERSION:
        raise DataError(
            f"{file} was written by a later version (schema {report.schema_version}, this one "
            f"reads up to {SCHEMA_VERSION}); update trailstop"
        )
    return report


def write(file: Path, content: bytes) -> None:
    """Write a file of results. Raises: DataError that says why not."""
    try:
        file.write_bytes(content)
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror})") from None
