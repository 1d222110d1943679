"""What a run found: failures by kind, each with one line that says where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal[
    "lost",
    "duplicated",
    "loosened",
    "unprotected",
    "peaks",
    "events",
    "intents",
    "stuck",
    "foreign_touched",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass
class Verdict:
    """Counts of what must be 0, with one line for each."""

    failures: Counter[Kind] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def fail(self, kind: Kind, line: str, count: int = 1) -> None:
        """Something that must not be."""
        self.failures[kind] += count
        self.lines.append(f"{kind}: {line}")

    @property
    def clean(self) -> bool:
        """Whether nothing failed."""
        return not any(self.failures.values())
