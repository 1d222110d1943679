"""Moments and durations as people type them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import typer

US_PER_SECOND: Final = 1_000_000
US_PER_MS: Final = 1_000
SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
DURATION: Final = re.compile(r"(\d+)\s*(s|min|m|h|d)", re.ASCII)
EPOCH_MS: Final = re.compile(r"\d{12,14}", re.ASCII)


def moment_us(text: str) -> int:
    """A UTC moment as microseconds: 2021-05-19, 2021-05-19 12:00, ...T12:00Z, or Unix ms."""
    text = text.strip()
    if EPOCH_MS.fullmatch(text):
        return int(text) * US_PER_MS
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"'{text}' is no time; write 2021-05-19 or 2021-05-19T12:00 (UTC)"
        ) from None
    at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at
    return (at - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1)


def duration_us(text: str) -> int:
    """A duration as microseconds: 90s, 40m, 12h, 3d or sums of them such as 1h30m."""
    parts = DURATION.findall(text.strip().lower())
    if not parts or DURATION.sub("", text.strip().lower()).strip():
        raise typer.BadParameter(f"'{text}' is no duration; write 90s, 40m, 12h, 3d or 1h30m")
    total_us = sum(int(count) * SECONDS[unit] for count, unit in parts) * US_PER_SECOND
    if total_us <= 0:
        raise typer.BadParameter("a duration is above 0")
    return total_us
