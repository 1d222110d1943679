"""Write docs/settings.md from the settings' own texts: one table a section.

Run it from the checkout: PYTHONPATH=src .env/run/bin/python tools/settings_page.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from trailstop.config.catalog import Setting, section_settings
from trailstop.config.values import describe, show_value

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "settings.md"
SECTIONS: Final = (
    ("trailstop", "trailstop", "The process itself."),
    (
        "accounts.NAME",
        "account",
        (
            "One section for each account; NAME is yours to choose. API keys are not settings: "
            "they come from the environment."
        ),
    ),
    (
        "policy",
        "policy",
        (
            "The trailing rule. `[accounts.NAME.policy]`, `[symbols.SYMBOL]`, "
            '`[accounts.NAME.symbols.SYMBOL]` and `[positions."LEG"]` take the same settings; '
            "the later in this order wins. Fields that end in `_percent` are percent of price."
        ),
    ),
    ("guard", "guard", "What is guarded, and how often it is compared with the exchange."),
    ("feed", "feed", "How prices come in."),
    ("paper", "paper", "The paper exchange, as `paper`, `demo` and a guard linked to it see it."),
)
UNIT_BY_ENDING: Final = {
    "_percent": "%",
    "_percent_per_minute": "% a minute",
    "_seconds": "s",
    "_minutes": "min",
    "_days": "days",
    "_ms": "ms",
    "_mb": "MB",
    "_ticks": "ticks",
    "_fee": "fraction",
}
UNIT_BY_NAME: Final = {
    "policy.activation_price": "quote currency",
    "policy.absolute_distance": "quote currency",
    "policy.profit_share": "fraction",
    "policy.momentum_factor": "factor",
    "policy.atr_multiplier": "factor",
    "policy.atr_length": "candles",
    "policy.steps": "% and %",
    "paper.depth": "quote currency",
    "paper.notional": "quote currency",
    "trailstop.log_files": "files",
}
INTRO: Final = """\
# Settings

Everything that can be set, its unit, its default and what it means. The page is written by
`tools/settings_page.py` from the texts in the code, and a test compares the two.

A setting can be written in four places. The first of these that has it wins:

1. the command line: `--set policy.callback_percent=0.4`
2. the environment: `TRAILSTOP__POLICY__CALLBACK_PERCENT=0.4`
3. the file `trailstop.toml`, or the one that `--config` names
4. the default

`none` switches off what can be switched off. A name that does not exist is an error with a
suggestion. `trailstop config show` prints what is in force and where it comes from,
`trailstop config init` writes a commented file to begin with.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    for title, section, text in SECTIONS:
        parts += [
            f"## [{title}]\n",
            f"{text}\n",
            "| setting | unit | default | meaning |",
            "| --- | --- | --- | --- |",
            *_rows(section),
            "",
        ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _rows(section: str) -> Iterator[str]:
    for setting in section_settings(section).values():
        cells = (f"`{setting.name}`", _unit(section, setting), _default(setting), setting.text)
        escaped = (cell.replace("|", "\\|") for cell in cells)
        yield f"| {' | '.join(escaped)} |"


def _unit(section: str, setting: Setting) -> str:
    """The unit of a number, else what may be written."""
    named = UNIT_BY_NAME.get(f"{section}.{setting.name}")
    if named is not None:
        return named
    for ending, unit in UNIT_BY_ENDING.items():
        if setting.name.endswith(ending):
            return unit
    return describe(setting.kind)


def _default(setting: Setting) -> str:
    value = None if setting.default is msgspec.NODEFAULT else setting.default
    text = show_value(value).strip('"')
    return f"`{text}`"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
