"""One written value into one typed value, with an error that a person can act on."""

from __future__ import annotations

import types
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, Union, get_args, get_origin

from trailstop.config.layers import Written
from trailstop.errors import ConfigError

NONE_WORDS: Final = frozenset({"none", "off", "null", ""})
TRUE_WORDS: Final = frozenset({"true", "yes", "on", "1"})
PERCENT_SIGN: Final = "%"
PERCENT_ENDINGS: Final = ("_percent", "_percent_per_minute", "steps")
"""How keys end whose numbers are percent."""
FALSE_WORDS: Final = frozenset({"false", "no", "off", "0"})


class _Misfit(Exception):
    """The value is none of this kind."""


def read_value(key: str, kind: Any, written: Written) -> Any:
    """The value as `kind`: texts of environment and command line are understood as well.

    A percent sign is understood where the key says percent, and nowhere else: 0.05% of a
    fraction would be read as 5 %.

    Raises: ConfigError naming source and key, and what was expected.
    """
    if _is_number(kind) and _has_percent(written.value) and not _says_percent(key):
        raise ConfigError(
            f"{written.source}: {key} is not in percent: write {describe(kind)} without %, not "
            f"{str(written.value)!r}"
        )
    try:
        return _read(kind, written.value)
    except _Misfit:
        raise ConfigError(
            f"{written.source}: {key} must be {describe(kind)}, not {str(written.value)!r}"
        ) from None


def _is_number(kind: Any) -> bool:
    return kind in (int, Decimal) or any(_is_number(one) for one in get_args(kind))


def _has_percent(value: Any) -> bool:
    return isinstance(value, str) and value.rstrip().endswith(PERCENT_SIGN)


def _says_percent(key: str) -> bool:
    return key.endswith(PERCENT_ENDINGS)


def describe(kind: Any) -> str:
    """A type in words."""
    if kind is type(None):
        return "none"
    if get_origin(kind) is Literal:
        return " or ".join(get_args(kind))
    if isinstance(kind, types.UnionType) or get_origin(kind) is Union:
        return " or ".join(describe(one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        if get_origin(inner) is tuple:
            return "a list of pairs [gain, callback], as text 1.0:0.5, 2.0:0.3"
        return "a list"
    if issubclass(kind, bool):
        return "true or false"
    return {int: "a whole number", Decimal: "a number", str: "a text"}.get(
        kind,
        " or ".join(str(one.value) for one in kind) if hasattr(kind, "__members__") else "text",
    )


def show_value(value: Any) -> str:
    """A value the way it is written in TOML; none is a text there."""
    match value:
        case None:
            return '"none"'
        case bool():
            return str(value).lower()
        case int() | Decimal():
            return f"{value:f}" if isinstance(value, Decimal) else str(value)
        case tuple():
            return f"[{', '.join(show_value(one) for one in value)}]"
        case _:
            text = str(getattr(value, "value", value)).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{text}"'


def _read(kind: Any, value: Any) -> Any:
    if isinstance(kind, types.UnionType) or get_origin(kind) is Union:
        return _read_union(get_args(kind), value)
    if get_origin(kind) is Literal:
        return _read_choice({one: one for one in get_args(kind)}, value)
    if get_origin(kind) is tuple:
        return _read_list(get_args(kind)[0], value)
    if kind is type(None):
        if isinstance(value, str) and value.strip().lower() in NONE_WORDS:
            return None
        raise _Misfit
    if hasattr(kind, "__members__"):
        return _read_choice({str(one.value): one for one in kind}, value)
    return _read_plain(kind, value)


def _read_plain(kind: Any, value: Any) -> Any:
    if kind is bool:
        return _read_flag(value)
    if isinstance(value, bool):
        raise _Misfit
    if kind is Decimal:
        return _read_decimal(value)
    if kind is int:
        number = _read_decimal(value)
        if number != number.to_integral_value():
            raise _Misfit
        return int(number)
    if isinstance(value, str):
        return value
    raise _Misfit


def _read_union(kinds: tuple[Any, ...], value: Any) -> Any:
    # None first: "off" and "none" are texts, too.
    for kind in sorted(kinds, key=lambda one: (one is not type(None), describe(one) == "a list")):
        try:
            return _read(kind, value)
        except _Misfit:
            continue
    raise _Misfit


def _read_choice(choices: dict[Any, Any], value: Any) -> Any:
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in choices:
        raise _Misfit
    return choices[word]


def _read_flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in TRUE_WORDS | FALSE_WORDS:
        return value.strip().lower() in TRUE_WORDS
    raise _Misfit


def _read_decimal(value: Any) -> Decimal:
    if not isinstance(value, (int, Decimal, str)):
        raise _Misfit
    try:
        number = Decimal(
            value.strip().rstrip(PERCENT_SIGN).rstrip() if isinstance(value, str) else value
        )
    except InvalidOperation:
        raise _Misfit from None
    if not number.is_finite():
        raise _Misfit
    return number


def _read_list(inner: Any, value: Any) -> tuple[Any, ...]:
    if get_origin(inner) is tuple:
        return tuple(_read_pair(get_args(inner), one) for one in _items(value))
    return tuple(_read(inner, one) for one in _items(value))


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        body = value.strip().removeprefix("[").removesuffix("]")
        return [part.strip().strip("\"'") for part in body.split(",") if part.strip()]
    raise _Misfit


def _read_pair(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    parts = value.split(":") if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) != len(kinds):
        raise _Misfit
    return tuple(_read(kind, part) for kind, part in zip(kinds, parts, strict=True))
