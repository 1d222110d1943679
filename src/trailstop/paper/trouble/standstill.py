"""Prices that stand still in messages whose times go on."""

from __future__ import annotations

import re
from typing import Any

NUMBER = re.compile(r"-?\d+(\.\d+)?")
"""Both exchanges send prices and quantities as texts, times and counts as numbers."""
SYMBOL_NAMES = ("s", "symbol")
DELTA = "delta"

Path = tuple[str, ...]
Name = tuple[int, str]
"""A fault and a stream."""


class Standstill:
    """Remembers the prices of each stream's messages and puts them into later ones."""

    def __init__(self) -> None:
        self._known: dict[Name, dict[Path, str]] = {}

    def remember(self, name: Name, content: Any) -> None:
        """These are the stream's prices now."""
        self._known.setdefault(name, {}).update(_prices((), content))

    def hold(self, name: Name, content: Any) -> Any:
        """The message with the stream's prices of before; what was never seen stays as it is."""
        known = self._known.setdefault(name, {})
        known.update({path: text for path, text in _prices((), content) if path not in known})
        return _held(known, (), content)


def _prices(path: Path, content: Any) -> list[tuple[Path, str]]:
    if isinstance(content, str):
        return [(path, content)] if NUMBER.fullmatch(content) else []
    return [row for inner, value in _parts(path, content) for row in _prices(inner, value)]


def _held(known: dict[Path, str], path: Path, content: Any) -> Any:
    if isinstance(content, str):
        return known.get(path, content)
    if isinstance(content, dict):
        # A book that stands still has no levels that change.
        still = content.get("type") == DELTA and _is_book(content.get("data"))
        if still:
            return content | {"data": content["data"] | {"b": [], "a": []}}
        return {
            name: _held(known, inner, content[name])
            for name, (inner, _) in zip(content, _parts(path, content), strict=True)
        }
    if isinstance(content, list):
        return [_held(known, inner, value) for inner, value in _parts(path, content)]
    return content


def _parts(path: Path, content: Any) -> list[tuple[Path, Any]]:
    """What a message holds, each part with a name that is the same in the next message."""
    if isinstance(content, dict):
        market = next((str(content[name]) for name in SYMBOL_NAMES if name in content), "")
        return [((*path, market, name), value) for name, value in content.items()]
    if isinstance(content, list):
        # Rows of a message are told apart by their symbols, levels of a book by their places.
        return [
            (path if isinstance(value, dict) else (*path, str(place)), value)
            for place, value in enumerate(content)
        ]
    return []


def _is_book(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("b"), list)
