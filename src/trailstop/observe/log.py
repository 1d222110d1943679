"""The log: lines for people or JSON for machines, secrets masked, files bounded in size.

Everything that structlog or the standard library logs in this process passes through here.
Event names are stable; the values that differ follow them. Warnings and errors that repeat are
logged once a minute with the number that was left out.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import logging.handlers
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import structlog
from msgspec import Struct
from structlog.typing import EventDict, Processor

from trailstop.errors import StoreError
from trailstop.observe.thinning import Thinning

MASK: Final = "********"
NS_PER_MS: Final = 1_000_000
MS_PER_SECOND: Final = 1_000
BYTES_PER_MB: Final = 1_000_000
MIN_SECRET_LENGTH: Final = 6
"""Shorter texts are no keys, and would blank half of every line."""
SECRET_FIELDS: Final = re.compile(
    r"api_?key|secret|signature|token|authorization|password|listen_?key", re.IGNORECASE
)
SECRET_PARAMETERS: Final = re.compile(r"(?i)\b(signature|listenKey|token|apiKey)=[^&\s\"']+")
QUIET_LOGGERS: Final = ("asyncio", "aiohttp", "alembic", "sqlalchemy")
META: Final = ("timestamp_ms", "logger", "level", "event", "exception", "stack")

Level = Literal["debug", "info", "warning", "error"]


class LogSettings(Struct, frozen=True, kw_only=True):
    """Where the log goes and how much of it; `file_max_mb` × (`files` + 1) bounds the disk."""

    level: Level = "info"
    format: Literal["text", "json"] = "text"
    file: Path | None = None
    file_max_mb: int = 10
    files: int = 5
    console: bool = True


def configure(
    settings: LogSettings,
    *,
    secrets: Iterable[str] = (),
    now_ms: Callable[[], int] | None = None,
    stream: TextIO | None = None,
) -> None:
    """Set the log up for the whole process; a second call takes the place of the first.

    `secrets` are texts that never appear. `now_ms` gives the time of a line, Unix
    milliseconds (the wall clock where it is None; a guard on virtual time passes its own).
    Raises: StoreError when the log file cannot be written.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        _stamp(now_ms or _wall_ms),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _mask({text for text in secrets if len(text) >= MIN_SECRET_LENGTH}),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            render_json if settings.format == "json" else render_text,
        ],
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    thinning = Thinning(now_ms or _wall_ms)
    for handler in _handlers(settings, stream or sys.stderr):
        handler.setFormatter(formatter)
        handler.addFilter(thinning)
        root.addHandler(handler)
    root.setLevel(settings.level.upper())
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def render_text(_logger: Any, _method: str, event: EventDict) -> str:
    """`2026-11-20 07:14:50,123 - name - LEVEL - message key=value`, times in UTC."""
    at_ms = int(event["timestamp_ms"])
    when = dt.datetime.fromtimestamp(at_ms // MS_PER_SECOND, dt.UTC)
    values = " ".join(f"{key}={_plain(event[key])}" for key in event if key not in META)
    line = (
        f"{when:%Y-%m-%d %H:%M:%S},{at_ms % MS_PER_SECOND:03d} - {event.get('logger', 'trailstop')}"
        f" - {str(event.get('level', 'info')).upper()} - {event.get('event', '')}"
    )
    tail = "".join(f"\n{event[key]}" for key in ("exception", "stack") if event.get(key))
    return f"{line} {values}{tail}" if values else f"{line}{tail}"


def render_json(_logger: Any, _method: str, event: EventDict) -> str:
    """One object a line; what JSON does not know is written as text."""
    at_ms = int(event["timestamp_ms"])
    when = dt.datetime.fromtimestamp(at_ms // MS_PER_SECOND, dt.UTC)
    at = f"{when:%Y-%m-%dT%H:%M:%S}.{at_ms % MS_PER_SECOND:03d}Z"
    rest = {key: value for key, value in event.items() if key != "timestamp_ms"}
    return json.dumps({"at": at, **rest}, default=str, ensure_ascii=False)


def _handlers(settings: LogSettings, stream: TextIO) -> list[logging.Handler]:
    handlers: list[logging.Handler] = []
    if settings.console:
        handlers.append(logging.StreamHandler(stream))
    if settings.file is not None:
        try:
            settings.file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(
                logging.handlers.RotatingFileHandler(
                    settings.file,
                    maxBytes=settings.file_max_mb * BYTES_PER_MB,
                    backupCount=settings.files,
                    encoding="utf-8",
                )
            )
        except OSError as error:
            raise StoreError(
                f"cannot write the log {settings.file} ({error.strerror}); "
                f"choose another trailstop.log_file"
            ) from error
    return handlers or [logging.NullHandler()]


def _stamp(now_ms: Callable[[], int]) -> Processor:
    def stamp(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["timestamp_ms"] = now_ms()
        return event

    return stamp


def _mask(secrets: set[str]) -> Processor:
    """Blank fields that are secret by their name, and known secrets wherever they stand."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            for secret in secrets:
                value = value.replace(secret, MASK)
            return SECRET_PARAMETERS.sub(lambda match: f"{match[1]}={MASK}", value)
        if isinstance(value, dict):
            return {key: blank(key, inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(inner) for inner in value]
        if isinstance(value, (int, float, type(None))):
            return value
        return clean(str(value))

    def blank(key: Any, value: Any) -> Any:
        return MASK if SECRET_FIELDS.search(str(key)) else clean(value)

    def mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
        for key in event:
            # The formatter's own fields are objects that it still needs, and no text.
            if not key.startswith("_"):
                event[key] = blank(key, event[key])
        return event

    return mask


def _plain(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text


def _wall_ms() -> int:
    return time.time_ns() // NS_PER_MS
