"""`trailstop forecast`: where the stop would be if the price went along a path."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

import enum
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from trailstop.commands.forecast_paths import Drawn
from trailstop.commands.lab_options import (
    FEE_USUAL,
    FeeOption,
    HtmlOption,
    number,
    policy_of,
    progress_bar,
)
from trailstop.commands.options import ConfigOption, JsonOption, SetOption, load
from trailstop.commands.times import US_PER_MS, duration_us
from trailstop.domain.position import Phase

if TYPE_CHECKING:
    from trailstop.engine.trail import Trail
    from trailstop.lab.forecast import Fan, Forecast
    from trailstop.lab.series import Bars

PERCENT: Final = Decimal("0.01")
ENDING: Final = (Phase.TRIGGERED, Phase.CLOSED)
DEFAULT_OVER: Final = "4h"
DEFAULT_SEED: Final = 1


class SideChoice(enum.StrEnum):
    """Which way the position earns."""

    LONG = "long"
    SHORT = "short"


class Method(enum.StrEnum):
    """How chance draws the paths of --simulate."""

    WALK = "walk"
    BLOCKS = "blocks"


def forecast(
    *,
    symbol: Annotated[str | None, typer.Option("--symbol", help="BTCUSDT.")] = None,
    side: Annotated[SideChoice, typer.Option("--side", help="Of the position.")] = SideChoice.LONG,
    entry: Annotated[
        str | None, typer.Option("--entry", metavar="PRICE", help="Average entry price.")
    ] = None,
    quantity: Annotated[str, typer.Option("--quantity", help="Size in base currency.")] = "1",
    now: Annotated[
        str | None,
        typer.Option(
            "--now", metavar="PRICE", help="Where the price stands; the entry unless given."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="PRICE", help="Go to a price, or +5% from now.")
    ] = None,
    peak: Annotated[
        str | None, typer.Option("--peak", metavar="PRICE", help="Go there first, then --back.")
    ] = None,
    back: Annotated[
        str | None, typer.Option("--back", metavar="PRICE", help="Where the price comes back to.")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option("--prices", metavar="FILE", help="A price a line, or time,price."),
    ] = None,
    simulate: Annotated[
        int | None, typer.Option("--simulate", metavar="N", help="So many paths by chance.", min=1)
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Recorded bars that --simulate draws from."),
    ] = None,
    method: Annotated[
        Method,
        typer.Option(help="walk: random walk of recent volatility; blocks: recorded returns."),
    ] = Method.WALK,
    seed: Annotated[int, typer.Option(help="Of --simulate.")] = DEFAULT_SEED,
    over: Annotated[
        str, typer.Option("--over", metavar="DURATION", help="How long it takes: 90s, 4h, 3d.")
    ] = DEFAULT_OVER,
    fee: FeeOption = FEE_USUAL,
    tick: Annotated[
        str | None, typer.Option("--tick", metavar="SIZE", help="Price grid of the symbol.")
    ] = None,
    running: Annotated[
        bool, typer.Option("--running", help="For the open positions of the running guard.")
    ] = False,
    leg: Annotated[
        str | None,
        typer.Option("--leg", metavar="LEG", help="With --running: only ACCOUNT/VENUE/SYMBOL."),
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
) -> int:
    """Tell where the stop would be, and what it would lock in, along a path of the price.

    Without a path the price goes 5 % in the position's favour and back. A percentage is one of
    the price of now: --to=-2% goes down.

    Example: trailstop forecast --symbol BTCUSDT --side long --entry 65000 --peak 68000 --back 66000

    Example: trailstop forecast --running --to +3% --over 1h
    """
    drawn = Drawn(
        to=to,
        peak=peak,
        back=back,
        prices=prices,
        simulate=simulate,
        over_ms=duration_us(over) // US_PER_MS,
    )
    drawn.check()
    if (simulate is None) != (data is None):
        raise typer.BadParameter("--simulate and --data go together: how many paths, and of what")
    if running:
        if entry is not None or symbol is not None:
            raise typer.BadParameter("--running takes symbol and entry from the guard; use --leg")
        trails = _running(config, settings, leg)
    elif symbol is None or entry is None:
        raise typer.BadParameter("give --symbol and --entry, or --running")
    else:
        trails = [
            _new(
                symbol,
                side=side,
                entry=entry,
                quantity=quantity,
                now=now,
                fee=fee,
                tick=tick,
                config=config,
                settings=settings,
            )
        ]
    recorded = None if data is None else _read(data, side)
    found = [
        _along(trail, price, at_ms, drawn)
        if recorded is None
        else _fan(
            trail,
            price,
            at_ms,
            bars=_bars_for(trail, recorded, running=running),
            drawn=drawn,
            method=method,
            seed=seed,
        )
        for trail, price, at_ms in trails
    ]
    if html is not None:
        from trailstop.lab.forecast.picture import write_picture

        write_picture(found, html)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(found if running else found[0]).decode())
    else:
        from trailstop.view.forecast import print_forecasts

        print_forecasts(found)
    return 0


def _new(
    symbol: str,
    *,
    side: SideChoice,
    entry: str,
    quantity: str,
    now: str | None,
    fee: str,
    tick: str | None,
    config: Path | None,
    settings: list[str] | None,
) -> tuple[Trail, Decimal, int]:
    """A position that opens at this moment, with the settings in force for its symbol."""
    from trailstop.clock import SystemClock
    from trailstop.config.legs import normal_symbol
    from trailstop.domain.position import Fees, Position
    from trailstop.domain.price import Side
    from trailstop.lab.forecast import new_trail

    name = normal_symbol(symbol)
    rate = number(fee, "--fee", zero=True) * PERCENT
    position = Position(Side(side.value), number(entry, "--entry"), number(quantity, "--quantity"))
    at_ms = SystemClock().wall_ms()
    trail = new_trail(
        name,
        position,
        policy_of(name, config, settings),
        tick_size=None if tick is None else number(tick, "--tick"),
        fees=Fees(rate, rate),
        at_ms=at_ms,
    )
    return trail, position.entry_price if now is None else number(now, "--now"), at_ms


def _running(
    config: Path | None, settings: list[str] | None, leg: str | None
) -> list[tuple[Trail, Decimal, int]]:
    """The trails of the running guard that have seen a price. Raises: NotRunning, ConfigError."""
    from trailstop.config import parse_leg
    from trailstop.daemon.talk.client import DaemonClient
    from trailstop.errors import ConfigError

    client = DaemonClient(load(config, settings).data_dir)
    pattern = None if leg is None else parse_leg(leg)
    open_now = client.trails()
    fitting = [now for now in open_now if pattern is None or pattern.fits(now.trail.leg)]
    if not fitting:
        known = ", ".join(str(now.trail.leg) for now in open_now) or "none"
        raise ConfigError(f"no guarded position fits {leg or 'a forecast'}; there are: {known}")
    trails = []
    for now in fitting:
        trail, price = now.trail, now.trail.price
        if price is not None and trail.phase not in ENDING:
            trails.append((trail, price, max(now.now_ms, trail.price_at_ms)))
    if not trails:
        raise ConfigError("these positions have seen no price yet, or are being closed; ask again")
    return trails


def _along(trail: Trail, price: Decimal, at_ms: int, drawn: Drawn) -> Forecast:
    from trailstop.lab.forecast import forecast_trail

    return forecast_trail(trail, drawn.path(price, at_ms, trail.position.side))


def _fan(
    trail: Trail, price: Decimal, at_ms: int, *, bars: Bars, drawn: Drawn, method: Method, seed: int
) -> Fan:
    from trailstop.lab.forecast import bootstrap, fan, random_walk

    count = drawn.simulate
    assert count is not None, "data and simulate go together"
    tick = trail.instrument.tick_size
    over_ms = drawn.over_ms
    if method is Method.WALK:
        words = "a random walk with the volatility of the last bars, no drift"
        paths = random_walk(bars, price, at_ms, over_ms, count=count, seed=seed, tick_size=tick)
    else:
        words = "blocks of the recorded returns, drawn by chance"
        paths = bootstrap(bars, price, at_ms, over_ms, count=count, seed=seed, tick_size=tick)
    words += f" (seed {seed}; straight lines between the points)"
    with progress_bar("walking the paths", wanted=True) as shown:
        return fan(
            trail,
            paths,
            method=words,
            progress=None if shown is None else lambda done: shown(done, count),
        )


def _read(files: list[Path], side: SideChoice) -> dict[str, Bars]:
    """The recorded bars of each symbol. Raises: DataError."""
    from trailstop.domain.price import Side
    from trailstop.errors import DataError
    from trailstop.lab.data.history import read_histories

    histories = read_histories(files, quoted=Side(side.value))
    found = {history.symbol: history.bars for history in histories}
    bars = {symbol: one for symbol, one in found.items() if one is not None}
    if not bars:
        raise DataError(f"{files[0]} holds no bars; --simulate draws from bars")
    return bars


def _bars_for(trail: Trail, recorded: dict[str, Bars], *, running: bool) -> Bars:
    """The bars of the position's symbol; whoever thinks of a position may give another's."""
    from trailstop.errors import DataError

    symbol = trail.leg.symbol
    if symbol in recorded:
        return recorded[symbol]
    if len(recorded) == 1 and not running:
        return next(iter(recorded.values()))
    raise DataError(f"no bars of {symbol} in --data, only of {', '.join(recorded)}; add its file")
