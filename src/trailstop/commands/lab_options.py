"""Options that the commands of the lab share: prices, positions, costs, rule, ranges."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from trailstop.commands.options import load
from trailstop.commands.times import US_PER_MS, moment_us
from trailstop.lab.terms import Costs, FillRule

if TYPE_CHECKING:
    from trailstop.domain.policy import Policy, Steps
    from trailstop.domain.price import Side
    from trailstop.lab.data import History

PERCENT: Final = Decimal("0.01")
RANGE_PARTS: Final = 3
RANGE_MOST: Final = 100_000
NONE_WORDS: Final = frozenset({"none", "off"})
RANGE_EXAMPLE: Final = "0.5:3.0:0.25 (from:to:step), or 0.5,1,2"


DataArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA",
        help="Files of one symbol's prices: bars, trades, best bid and ask, funding; CSV "
        "(also .gz, .zip) as Binance and Bybit publish them or plain, or Parquet.",
    ),
]
RuleOption = Annotated[
    FillRule | None,
    typer.Option(
        "--rule",
        help="In which order the prices inside a bar come; worst_case, or finer where finer bars "
        "are given.",
    ),
]
SymbolOption = Annotated[
    str | None,
    typer.Option("--symbol", help="Which one, where the files hold several or do not say."),
]
FinerOption = Annotated[
    Path | None,
    typer.Option(
        "--finer", metavar="FILE", help="Bars of a finer timeframe: what happened inside a bar."
    ),
]
FeeOption = Annotated[
    str, typer.Option("--fee", metavar="PERCENT", help="Fee of each way, percent of the value.")
]
SlippageOption = Annotated[
    str,
    typer.Option(
        "--slippage", metavar="PERCENT", help="How much worse a market order fills, percent."
    ),
]
LatencyOption = Annotated[
    int, typer.Option("--latency-ms", help="From a decision to the stop that rests, ms.", min=0)
]
TickOption = Annotated[
    str | None,
    typer.Option(
        "--tick", metavar="SIZE", help="Price grid; unless given the finest price in the data."
    ),
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Leave out what is before (UTC).")
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Leave out what is after (UTC).")
]
SkipBadOption = Annotated[
    bool,
    typer.Option(
        "--skip-bad", help="Leave out rows that contradict themselves, and say so, not fail."
    ),
]
ProgressOption = Annotated[bool, typer.Option("--no-progress", help="Draw no progress bar.")]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page for a browser, all in one file."),
]
BID_ASK_ALONE: Final = "only bid and ask are recorded: the stop watches these, not the last price"
FEE_USUAL: Final = "0.05"
SLIPPAGE_USUAL: Final = "0"
LATENCY_USUAL_MS: Final = Costs().latency_ms


def costs_of(fee: str, slippage: str, latency_ms: int) -> Costs:
    """What trading costs, both ways alike."""
    rate = number(fee, "--fee", zero=True) * PERCENT
    return Costs(
        entry_fee=rate,
        exit_fee=rate,
        slippage_percent=number(slippage, "--slippage", zero=True),
        latency_ms=latency_ms,
    )


def policy_of(symbol: str, config: Path | None, settings: list[str] | None) -> Policy:
    """The trailing settings in force for a symbol. Raises: ConfigError."""
    from trailstop.domain.position import Leg
    from trailstop.library import OWN_BOOK

    return load(config, settings).policy_for(Leg(OWN_BOOK, OWN_BOOK, symbol))


def fitted(policy: Policy, history: History) -> tuple[Policy, tuple[str, ...]]:
    """The policy on the prices that there are, and what has to be said of it.

    Of best bid and ask alone no last price is known; the stop then watches the side at which the
    position would leave.
    """
    from msgspec.structs import replace

    from trailstop.lab.series import Quotes

    if not isinstance(history.prices, Quotes) or policy.basis != "last":
        return policy, ()
    return replace(policy, basis="bid_ask"), (BID_ASK_ALONE,)


def number(text: str, option: str, *, zero: bool = False) -> Decimal:
    """A number above zero, or zero where that is one; a percent sign may stand behind it."""
    try:
        value = Decimal(text.strip().removesuffix("%"))
    except InvalidOperation:
        raise typer.BadParameter(f"{option} must be a number, not '{text}'") from None
    if not (value.is_finite() and (value > 0 or (zero and value == 0))):
        least = "0 or above" if zero else "above 0"
        raise typer.BadParameter(f"{option} must be {least}, not {text}")
    return value


def numbers(text: str, option: str) -> tuple[Decimal, ...]:
    """A range with both ends (0.5:3.0:0.25) or a list (0.5,1,2), each value 0 or above."""
    if ":" not in text:
        listed = tuple(number(part, option, zero=True) for part in text.split(","))
        return tuple(dict.fromkeys(listed))
    parts = [number(part, option, zero=True) for part in text.split(":")]
    if len(parts) != RANGE_PARTS or parts[2] == 0 or parts[1] < parts[0]:
        raise typer.BadParameter(f"{option} must be like {RANGE_EXAMPLE}; not '{text}'")
    first, last, step = parts
    count = int((last - first) / step) + 1
    if count > RANGE_MOST:
        raise typer.BadParameter(f"{option} has {count} values; take a wider step")
    return tuple(first + step * place for place in range(count))


def numbers_or_none(text: str | None, option: str) -> tuple[Decimal | None, ...] | None:
    """As `numbers`, and `none` (or `off`) may be among a list; None for an option not given."""
    if text is None:
        return None
    words = [word.strip().lower() for word in text.split(",")]
    left = ",".join(word for word in words if word not in NONE_WORDS)
    found = numbers(left, option) if left else ()
    return found if len(words) == len(left.split(",")) and left else (None, *found)


def ladder(text: str, option: str) -> Steps:
    """A ladder of gain:callback, percent. Raises: ConfigError where it does not rise."""
    from trailstop.domain.policy import Rung, Steps

    rungs = []
    for part in text.split(","):
        gain, colon, callback = part.partition(":")
        if not colon:
            raise typer.BadParameter(f"{option} must be gain:callback,..., not '{text}'")
        rungs.append(Rung(number(gain, option, zero=True), number(callback, option)))
    return Steps(tuple(rungs))


def moment_ms(text: str | None) -> int | None:
    """A moment as Unix milliseconds."""
    return None if text is None else moment_us(text) // US_PER_MS


def rule_of(rule: FillRule | None, history: History) -> FillRule:
    """The order inside a bar: what is recorded more finely needs no assumption."""
    if rule is not None:
        return rule
    return FillRule.WORST_CASE if history.finer is None else FillRule.FINER


def read_prices(
    data: list[Path],
    *,
    symbol: str | None,
    quoted: Side | None,
    finer: Path | None,
    tick: str | None,
    start: str | None,
    until: str | None,
    skip_bad: bool,
) -> History:
    """All files of one symbol; `quoted` as `Wanted` has it. Raises: DataError, ConfigError."""
    from trailstop.lab.data import read_history

    return read_history(
        [*data, *([] if finer is None else [finer])],
        symbol=None if symbol is None else symbol.upper(),
        instrument_overrides={} if tick is None else {"tick_size": number(tick, "--tick")},
        from_ms=moment_ms(start),
        until_ms=moment_ms(until),
        skip_bad=skip_bad,
        quoted=quoted,
    )


@contextmanager
def progress_bar(title: str, *, wanted: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on the terminal where there is one; the function is told how many of how many."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not wanted or not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
