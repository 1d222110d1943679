"""What a process needs as time goes on: memory, descriptors, tasks, journal; and its failures."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
from collections import Counter
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec import Struct, structs

HOUR_MS = 3_600_000
WARM_UP_MS = 2 * HOUR_MS
"""Slopes are judged after this time."""
SLOPE_PERCENT = 1.0
"""Most that a level may rise in an hour, in percent of its mean."""
FEWEST_SAMPLES = 6
SAMPLES = "samples.jsonl"
"""Where the guard's process writes what it has seen, in the folder of its data."""
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
FIRST_NAMED = 20
DIGITS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class Sample(Struct, frozen=True, kw_only=True):
    """One look at the guard's process; times since its start, virtual."""

    at_ms: int
    rss_kib: int
    descriptors: int
    tasks: int
    objects: int
    journal_kib: int
    cpu_s: float


def sample(at_ms: int, data: Path) -> Sample:
    """Look at this process now."""
    gc.collect()
    used = os.times()
    files = [path for path in data.iterdir() if path.is_file()]
    return Sample(
        at_ms=at_ms,
        rss_kib=rss_kib(),
        descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names are not wanted
        tasks=len(asyncio.all_tasks()),
        objects=len(gc.get_objects()),
        journal_kib=sum(path.stat().st_size for path in files) // 1024,
        cpu_s=round(used.user + used.system, 1),
    )


def read_samples(data: Path) -> list[Sample]:
    """What the guard's process has written so far."""
    file = data / SAMPLES
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [msgspec.json.decode(line, type=Sample) for line in lines]


def rss_kib(pid: str = "self") -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KIB


def slope_percent(samples: Sequence[Sample], name: str) -> float | None:
    """Least-squares slope after the warm-up, percent of the mean an hour; None if too short."""
    rows = [row for row in samples if row.at_ms >= WARM_UP_MS]
    if len(rows) < FEWEST_SAMPLES:
        return None
    hours = [row.at_ms / HOUR_MS for row in rows]
    values = [float(structs.asdict(row)[name]) for row in rows]
    mean_h, mean = sum(hours) / len(hours), sum(values) / len(values)
    spread = sum((hour - mean_h) ** 2 for hour in hours)
    slope = sum((h - mean_h) * (v - mean) for h, v in zip(hours, values, strict=True)) / spread
    return round(100 * slope / mean, 3)


class Failures(logging.Handler):
    """Counts what is logged, and keeps the first words of what nobody had foreseen.

    An error of the product's own tree is foreseen; any other one that ends a task, reaches the
    event loop, or is logged by a library as an error, is not.
    """

    def __init__(self, *, passing_on: bool = False) -> None:
        """Take the place of the log, or stand before the one that is configured."""
        super().__init__(logging.ERROR)
        self._passing_on = passing_on
        after = structlog.get_config()["processors"] if passing_on else ()
        self.lines: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.unforeseen = 0
        self.first: list[str] = []
        structlog.configure(processors=[self._take, *after], cache_logger_on_first_use=False)
        logging.getLogger().addHandler(self)

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear what no task has caught."""
        loop.set_exception_handler(self._on_loop)

    def emit(self, record: logging.LogRecord) -> None:
        """An error of the standard library's log; those of the product came by `_take`."""
        if record.name.startswith("trailstop"):
            return
        self.note(f"log of {record.name}: {record.getMessage()} {record.exc_info or ''}")

    def _take(self, _logger: Any, level: str, event: MutableMapping[str, Any]) -> Any:
        text = _shape(str(event.get("event", "")))
        self.lines[level] += 1
        if level in ("error", "critical"):
            self.errors[text] += 1
            unknown = event.get("exc_info")
            if unknown is not None:
                self.note(f"{event.get('task')}: {unknown!r} {_where(unknown)}")
        elif level == "warning":
            self.errors[f"warning: {text}"] += 1
        if self._passing_on:
            return event
        raise structlog.DropEvent

    def _on_loop(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        where = _where(error) if isinstance(error, BaseException) else ""
        self.note(f"loop: {context.get('message')} {error!r} {where}")

    def note(self, text: str) -> None:
        """Keep a failure that nobody had foreseen."""
        self.unforeseen += 1
        if len(self.first) < FIRST_NAMED:
            self.first.append(text)


def _shape(text: str) -> str:
    """A line without its figures and its leg, so that alike lines are counted together."""
    if text.startswith("ALARM "):
        _, _, text = text.partition(":")
        text = f"ALARM{DIGITS.sub('#', text)}"
    return text[:90]


def _where(error: BaseException) -> str:
    """The innermost frames of an error, short."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(frames[-4:]))
