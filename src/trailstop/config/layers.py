"""Settings as they are written: file, environment and command line, laid over each other.

Each layer is a flat table from a key's path to its value and its source. The later layer
wins: file, then environment (`TRAILSTOP__SECTION__KEY`), then command line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from trailstop.config.catalog import (
    ALL_SECTIONS,
    NAMED_SECTIONS,
    did_you_mean,
    section_settings,
)
from trailstop.config.keys import SECRET_NAMES, own_key_name, own_secret_name
from trailstop.config.legs import normal_symbol, parse_leg
from trailstop.errors import ConfigError

ENV_PREFIX: Final = "TRAILSTOP__"
ENV_SEPARATOR: Final = "__"
COMMAND_LINE: Final = "command line"
_DISTANCE_TABLE: Final = {
    "kind": "distance",
    "type": "distance",
    "callback_percent": "callback_percent",
    "share": "profit_share",
    "profit_share": "profit_share",
    "rungs": "steps",
    "steps": "steps",
    "length": "atr_length",
    "timeframe_minutes": "atr_timeframe_minutes",
    "multiplier": "atr_multiplier",
    "distance": "absolute_distance",
    "absolute_distance": "absolute_distance",
}
"""`[policy.distance]` as a table is the same as its flat spelling."""

Path_ = tuple[str, ...]


class Written(Struct, frozen=True):
    """A value as it was written, and where."""

    value: Any
    source: str


Layer = dict[Path_, Written]


def file_layer(path: Path) -> Layer:
    """Read one TOML file. Raises: ConfigError naming the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; write one with: trailstop config init") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error})") from None
    try:
        # A price written 0.1 is a tenth, which no binary float is.
        tree = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    layer: Layer = {}
    for keys, value in _leaves(tree):
        _refuse_secret(keys, str(path))
        _put(layer, keys, Written(value, str(path)))
    return layer


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Read `TRAILSTOP__SECTION__KEY` variables; names in any case."""
    layer: Layer = {}
    for name in sorted(environ):
        if name.upper().startswith(ENV_PREFIX):
            keys = tuple(name[len(ENV_PREFIX) :].lower().split(ENV_SEPARATOR))
            _put(layer, keys, Written(environ[name], name))
    return layer


def command_layer(settings: Sequence[str]) -> Layer:
    """Read `section.key=value` texts of the command line."""
    layer: Layer = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or "." not in key:
            raise ConfigError(f"--set {text}: write it as section.key=value")
        keys = tuple(part.strip() for part in key.split("."))
        _refuse_secret(keys, COMMAND_LINE)
        _put(layer, keys, Written(value.strip(), f"--set {key.strip()}"))
    return layer


def lay_over(*layers: Layer) -> Layer:
    """One table of all layers, the later winning; account names meet in any case."""
    merged: Layer = {}
    for layer in layers:
        known = {path[1].lower(): path[1] for path in merged if path[0] == "accounts"}
        for path, written in layer.items():
            spelled = path
            if path[0] == "accounts":
                spelled = ("accounts", known.get(path[1].lower(), path[1]), *path[2:])
            merged[spelled] = written
    return merged


def _leaves(tree: Mapping[str, Any], above: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            if not value and len(above) == 1 and above[0] in NAMED_SECTIONS:
                yield (*above, key), None
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _refuse_secret(keys: Path_, source: str) -> None:
    """Keys in a file end up in backups and screenshots; the value is not repeated here."""
    if keys[-1].lower() not in SECRET_NAMES:
        return
    account = keys[1] if keys[0] == "accounts" and len(keys) > 1 else "main"
    is_key = keys[-1].lower() in ("api_key", "apikey", "key")
    name = (own_key_name if is_key else own_secret_name)(account)
    raise ConfigError(
        f"{source}: {'.'.join(keys)} does not belong there; "
        f"put it into the environment as {name} (or {name}_FILE, naming a file)"
    )


def _put(layer: Layer, keys: Path_, written: Written) -> None:
    """Judge a key's path, bring it to its one spelling and keep it."""
    path = _spelled(keys, written)
    if path in layer:
        raise ConfigError(
            f"{written.source}: {'.'.join(path)} is given twice, as {layer[path].source} too; "
            f"keep one"
        )
    layer[path] = written


def _spelled(keys: Path_, written: Written) -> Path_:
    section, rest = keys[0], keys[1:]
    if section not in ALL_SECTIONS:
        raise ConfigError(
            f"{written.source}: unknown section {section}; {did_you_mean(section, ALL_SECTIONS)}"
        )
    if section in NAMED_SECTIONS and rest:
        return _spelled_named(section, rest, written)
    if not rest:
        raise ConfigError(f"{written.source}: {section} is a section; write {section}.KEY")
    return (section, *_setting(section, rest, keys, written))


def _spelled_named(section: str, rest: Path_, written: Written) -> Path_:
    name, inner = rest[0], rest[1:]
    if section == "symbols":
        name = normal_symbol(name)
    elif section == "positions":
        name = str(parse_leg(name))
    head = (section, name)
    if not inner:
        if written.value is None:
            return head
        raise ConfigError(
            f"{written.source}: {section}.{name} is a section; write {section}.{name}.KEY"
        )
    if section != "accounts":
        return (*head, *_setting("policy", inner, (*head, *inner), written))
    if inner[0] == "policy" and len(inner) > 1:
        return (*head, "policy", *_setting("policy", inner[1:], (*head, *inner), written))
    if inner[0] == "symbols" and inner[2:]:
        symbol = normal_symbol(inner[1])
        setting = _setting("policy", inner[2:], (*head, *inner), written)
        return (*head, "symbols", symbol, *setting)
    return (*head, *_setting("account", inner, (*head, *inner), written))


def _setting(section: str, rest: Path_, keys: Path_, written: Written) -> Path_:
    if section == "policy" and rest[0] == "distance" and len(rest) > 1:
        flat = _DISTANCE_TABLE.get(".".join(rest[1:]))
        if flat is None:
            raise ConfigError(
                f"{written.source}: unknown setting {'.'.join(keys)}; "
                f"{did_you_mean(rest[-1], _DISTANCE_TABLE)}"
            )
        return (flat,)
    known = section_settings(section)
    if len(rest) != 1 or rest[0] not in known:
        raise ConfigError(
            f"{written.source}: unknown setting {'.'.join(keys)}; "
            f"{did_you_mean('.'.join(rest), known)}"
        )
    return rest
