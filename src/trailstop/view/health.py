"""How exchange, prices and this machine fare: one line an account, louder where something is wrong."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from trailstop.daemon.talk.status import AccountStatus, Status
from trailstop.feeds.health import FeedHealth
from trailstop.ports import VenueHealth
from trailstop.view.words import clock, span

HUNDRED: Final = 100
LAG_TOLD_MS: Final = 250
"""A price waits as long behind whatever blocks the process."""
SYMBOLS_NAMED: Final = 3


def health_lines(status: Status) -> list[Text]:
    """The lines, quiet ones dim."""
    lines = []
    for account in status.accounts:
        worries = _worries(account)
        text = "; ".join([*worries, *_figures(account)])
        if text:
            style = "bold yellow" if worries else "dim"
            line = Text(f"{account.name} on {account.venue}: {text}", style=style)
            line.no_wrap, line.overflow = True, "ellipsis"
            lines.append(line)
    if status.store_failure is not None:
        lines.append(Text(f"NOTHING IS RECORDED: {status.store_failure}", style="bold red"))
    if status.loop_lag_ms >= LAG_TOLD_MS:
        text = f"this process was held up for {span(status.loop_lag_ms)} within the last minute"
        lines.append(Text(text, style="yellow"))
    return lines


def _worries(account: AccountStatus) -> list[str]:
    exchange, feed = account.exchange, account.feed
    worries = []
    if exchange is not None and exchange.shut_until_ms is not None:
        worries.append(f"the exchange wants silence until {clock(exchange.shut_until_ms)} UTC")
    if exchange is not None and exchange.breaker_open_since_ms is not None:
        since = clock(exchange.breaker_open_since_ms)
        worries.append(f"it answers no reads since {since} UTC ({exchange.last_error})")
    if feed is not None and feed.frozen:
        worries.append(f"stream stands still for {_some(feed.frozen)}")
    if feed is not None and feed.silent:
        worries.append(f"stream is silent for {_some(feed.silent)}")
    if feed is not None and feed.polling and feed.mode == "stream":
        worries.append("prices are asked for")
    return worries


def _figures(account: AccountStatus) -> list[str]:
    figures = []
    if account.feed is not None:
        figures += _prices(account.feed)
    if account.exchange is not None:
        figures += _requests(account.exchange)
    return figures


def _prices(feed: FeedHealth) -> list[str]:
    words = []
    for name, delays in (("stream", feed.delay_stream), ("polling", feed.delay_polling)):
        if delays.mean_ms is not None and delays.max_ms is not None:
            # The exchange's clock is an estimate: what seems to come early comes at once.
            mean, most = (span(max(0, value)) for value in (delays.mean_ms, delays.max_ms))
            words.append(f"{name} {mean} late, at most {most}")
    refused = sum(count for counts in feed.refused.values() for count in counts.values())
    if refused:
        words.append(f"{refused} prices refused")
    return words


def _requests(exchange: VenueHealth) -> list[str]:
    words = [f"weight {_share(exchange.weight_used, exchange.weight_limit)}"]
    if exchange.orders_limit:
        words.append(f"orders {_share(exchange.orders_used, exchange.orders_limit)}")
    offset = exchange.clock_offset_ms
    words.append(f"its clock {offset:+d} ms from ours")
    return words


def _share(used: int, limit: int) -> str:
    return f"{HUNDRED * used // limit if limit else 0} %"


def _some(symbols: tuple[str, ...]) -> str:
    named = ", ".join(symbols[:SYMBOLS_NAMED])
    more = len(symbols) - SYMBOLS_NAMED
    return f"{named} and {more} more" if more > 0 else named
