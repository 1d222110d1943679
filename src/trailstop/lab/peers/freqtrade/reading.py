"""Reading freqtrade's configuration files and the parameter files of its strategies.

Source: https://www.freqtrade.io/en/stable/configuration/ (JSON with comments and trailing commas)
and https://www.freqtrade.io/en/stable/hyperopt/ (a strategy's exported parameters).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from trailstop.errors import ConfigError

Settings = Mapping[str, Any]
"""Settings under freqtrade's names; numbers are int or Decimal."""

_PARTS: Final = re.compile(
    r'(?P<text>"(?:\\.|[^"\\])*")|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<comma>,)(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])',
    re.DOTALL,
)
"""What is left as it is, what is a comment, and a comma before a closing bracket."""


def read_settings(files: Sequence[Path]) -> Settings:
    """Settings of all files; a later file counts before an earlier one.

    Raises ConfigError naming file and line for what is no JSON object.
    """
    merged: dict[str, Any] = {}
    for file in files:
        merged |= _flat(_read(file))
    return merged


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is no text in UTF-8: give a freqtrade config.json") from None
    try:
        document = json.loads(_without_comments(text), parse_float=Decimal)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file}:{error.lineno}: no JSON: {error.msg}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{file} holds no JSON object: give a freqtrade config.json")
    return document


def _without_comments(text: str) -> str:
    """Plain JSON with the lines where they were."""

    def kept(found: re.Match[str]) -> str:
        return found["text"] or "\n" * found[0].count("\n")

    return _PARTS.sub(kept, text)


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    """Settings by name; those of a strategy's parameter file lie in groups."""
    groups = document.get("params")
    if not isinstance(groups, dict):
        return document
    settings: dict[str, Any] = {}
    for name in ("stoploss", "trailing"):
        group = groups.get(name)
        if isinstance(group, dict):
            settings |= group
    if "roi" in groups:
        settings["minimal_roi"] = groups["roi"]
    return settings
