"""Files that tests write, and texts of them."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from trailstop.lab.series import Bars, Int64

BARS = "open_time_ms,open,high,low,close,volume\n"
BAR_ROWS = "1700000040000,10.5,10.70,10.4,10.6,4\n1700000100000,10.6,10.6,10.25,10.3,12\n"
START_MS = 1_700_000_040_000
MINUTE_MS = 60_000


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inside.csv", text)
    else:
        path.write_text(text)
    return path


def decimals(column: Int64, unit: Decimal) -> list[Decimal]:
    return [value * unit for value in column.tolist()]


def rows_of(bars: Bars) -> list[tuple[Decimal, ...]]:
    columns = (bars.open, bars.high, bars.low, bars.close)
    return list(zip(*(decimals(column, bars.unit) for column in columns), strict=True))


def minutes(closes: Sequence[str], *, start_ms: int = START_MS, skip: Sequence[int] = ()) -> str:
    """A file of minutes: each opens at the close before; those of `skip` are not there."""
    lines = [BARS]
    before = closes[0]
    for number, close in enumerate(closes):
        if number not in skip:
            high, low = max(before, close, key=Decimal), min(before, close, key=Decimal)
            lines.append(f"{start_ms + MINUTE_MS * number},{before},{high},{low},{close},1\n")
        before = close
    return "".join(lines)
