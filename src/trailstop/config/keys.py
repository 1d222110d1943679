"""API keys, from the environment alone; a secret never shows itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trailstop.errors import ConfigError

MASK: Final = "********"
FILE_SUFFIX: Final = "_FILE"
SECRET_NAMES: Final = frozenset(
    {"api_key", "api_secret", "apikey", "apisecret", "key", "secret", "secret_key", "password"}
)
"""Settings that people try to put into the file; they are told where keys belong."""


class Secret:
    """A text that is masked wherever it might be shown."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for signing only."""
        return self._text

    def __repr__(self) -> str:
        """Never the text."""
        return MASK

    def __eq__(self, other: object) -> bool:
        """Equal where the texts are."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """Fit for sets and dicts."""
        return hash(self._text)


def _env_tail(account: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", account.upper())


def own_key_name(account: str) -> str:
    """Variable of the API key of one account of the paper exchange."""
    return f"TRAILSTOP_PAPER_KEY_{_env_tail(account)}"


def own_secret_name(account: str) -> str:
    """Variable of the secret of one account of the paper exchange."""
    return f"TRAILSTOP_PAPER_SECRET_{_env_tail(account)}"


def key_names(account: str, venue: str, chosen: str | None) -> tuple[str, ...]:
    """Variables that may hold the account's API key, the first one preferred."""
    return (chosen,) if chosen else (own_key_name(account), f"{venue.upper()}_API_KEY")


def secret_names(account: str, venue: str, chosen: str | None) -> tuple[str, ...]:
    """Variables that may hold the account's secret, the first one preferred."""
    return (chosen,) if chosen else (own_secret_name(account), f"{venue.upper()}_API_SECRET")


def find_secret(names: tuple[str, ...], environ: Mapping[str, str]) -> tuple[Secret, str] | None:
    """The first of these variables that is set (or its _FILE form), and where it was.

    Raises: ConfigError when a named file cannot be read.
    """
    for name in names:
        if text := environ.get(name, "").strip():
            return Secret(text), name
        if file := environ.get(name + FILE_SUFFIX, "").strip():
            try:
                text = Path(file).expanduser().read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(
                    f"{name}{FILE_SUFFIX} names {file}, which cannot be read ({error})"
                ) from None
            if not text:
                raise ConfigError(f"{name}{FILE_SUFFIX} names {file}, which is empty")
            return Secret(text), name + FILE_SUFFIX
    return None
