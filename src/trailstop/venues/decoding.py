"""What every exchange's payloads need: a base, a lenient decoder, and numbers in texts."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")
ZERO = Decimal(0)


class Payload(Struct, frozen=True, rename="camel"):
    """Base of what exchanges spell in camelCase; fields not named here are ignored."""


class Decoder(Generic[T]):
    """Reads one kind of payload; lenient where number and text are exchanged for another."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind, strict=False)

    def __call__(self, body: bytes | str | msgspec.Raw) -> T:
        """Raises: msgspec.DecodeError for anything that is not this payload."""
        return self._decoder.decode(body)


def number(text: str | None, what: str) -> Decimal:
    """A number that the exchange leaves empty where there is none; 0 then.

    Raises: ValueError, whose text names `what`.
    """
    if not text:
        return ZERO
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{what} {text!r} is no number") from error
    if not value.is_finite():
        raise ValueError(f"{what} {text!r} is no number")
    return value


def stated(text: str | None) -> Decimal | None:
    """A price that the exchange states; None where it is empty, 0, or no price at all."""
    try:
        value = number(text, "price")
    except ValueError:
        return None
    return value if value > 0 else None


def whole(text: str | int | None) -> int | None:
    """A whole number of 0 or above, such as a time; None for anything else."""
    if isinstance(text, int):
        return text if text >= 0 else None
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def plain(value: Decimal) -> str:
    """A number as exchanges take it, never with an exponent."""
    return format(value, "f")


def shortest(grid: Decimal) -> Decimal:
    """`0.10` as 0.1, without an exponent, so that a power of ten is seen as one."""
    return Decimal(plain(grid.normalize()))
