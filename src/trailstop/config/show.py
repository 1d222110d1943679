"""Configuration as text: what is in force and whence, and a commented file to begin with."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from trailstop.config.catalog import Setting, section_settings
from trailstop.config.config import Config
from trailstop.config.keys import MASK
from trailstop.config.values import describe, show_value

DEFAULT: Final = "default"
COMMENT_COLUMNS: Final = 92
EXAMPLE_ACCOUNT: Final = "main"


class InForce(Struct, frozen=True):
    """One setting in force: its key, its value as TOML writes it, and where it comes from."""

    key: str
    value: str
    source: str


def in_force(config: Config) -> list[InForce]:
    """Everything that is set, secrets masked, in the order of the file."""
    rows = list(_plain(config, ("trailstop",), config.general))
    for account in config.accounts:
        head = ("accounts", account.name)
        told = {"rest_url": account.rest_url, "ws_url": account.ws_url}
        rows += _plain(config, head, msgspec.structs.replace(account.settings, **told), "account")
        for name, source in (
            ("api_key", account.key_source),
            ("api_secret", account.secret_source),
        ):
            shown = MASK if source else "not set"
            rows.append(InForce(".".join((*head, name)), shown, source or "environment"))
    rows += [
        InForce(f"policy.{name}", show_value(value), source)
        for name, (value, source) in config.policies.base().items()
    ]
    rows += [
        InForce(key, show_value(value), source)
        for key, value, source in config.policies.overrides()
    ]
    rows += _plain(config, ("guard",), config.guard)
    rows += _plain(config, ("feed",), config.feed)
    rows += _plain(config, ("paper",), config.paper)
    return rows


def example_file() -> str:
    """A commented `trailstop.toml`: every setting with its default, commented out."""
    parts = [
        "# Settings of Trailstop. A line that begins with # holds the default.",
        "# Any setting can also come from the environment: TRAILSTOP__POLICY__CALLBACK_PERCENT=0.4",
        "# API keys come from the environment alone, never from this file.",
        *_section("[trailstop]", section_settings("trailstop")),
        *_section(f"[accounts.{EXAMPLE_ACCOUNT}]", section_settings("account")),
        *_section("[policy]", section_settings("policy")),
        "",
        "# What differs for one symbol, one account or one position:",
        "#[symbols.BTCUSDT]",
        "#callback_percent = 0.3",
        f"#[accounts.{EXAMPLE_ACCOUNT}.policy]",
        "#initial_stop_percent = 1.0",
        f'#[positions."{EXAMPLE_ACCOUNT}/ETHUSDT"]',
        '#on_cross = "hold"',
        *_section("[guard]", section_settings("guard")),
        *_section("[feed]", section_settings("feed")),
        *_section("[paper]", section_settings("paper")),
    ]
    return "\n".join(parts) + "\n"


def settings_table() -> str:
    """Every setting as a Markdown table, for the documentation."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for title, section in (
        ("trailstop", "trailstop"),
        ("accounts.NAME", "account"),
        ("policy", "policy"),
        ("guard", "guard"),
        ("feed", "feed"),
        ("paper", "paper"),
    ):
        for setting in section_settings(section).values():
            default = show_value(_plain_default(setting)).strip('"')
            text = f"{setting.text} ({describe(setting.kind)})".replace("|", "\\|")
            lines.append(f"| `{title}.{setting.name}` | {default} | {text} |")
    return "\n".join(lines) + "\n"


def _plain(
    config: Config, head: tuple[str, ...], section: Struct, name: str | None = None
) -> Iterator[InForce]:
    for setting in section_settings(name or head[0]).values():
        key = ".".join((*head, setting.name))
        value = show_value(getattr(section, setting.name))
        yield InForce(key, value, config.sources.get(key, DEFAULT))


def _section(title: str, settings: dict[str, Setting]) -> Iterator[str]:
    yield ""
    yield title
    for setting in settings.values():
        yield from textwrap.wrap(
            setting.text, COMMENT_COLUMNS, initial_indent="# ", subsequent_indent="# "
        )
        yield f"#{setting.name} = {show_value(_plain_default(setting))}"


def _plain_default(setting: Setting) -> Any:
    return None if setting.default is msgspec.NODEFAULT else setting.default
