"""The pages as the tests read them: code blocks, links and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "GLOSSARY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)
README: Final = ROOT / "README.md"
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_PROGRAM: Final = re.compile(r"^(?:\.\./trailstop|\.)/trailstop +")
_MENTIONED: Final = re.compile(r"`(?:\./)?trailstop ([a-z][^`]*)`")
_REDIRECT: Final = re.compile(r" *[>&].*$")


class Block(Struct, frozen=True):
    """One fenced block: its language and its text."""

    language: str
    text: str


def read(page: Path) -> str:
    """The page's text."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The texts of the blocks in one language, in order."""
    return [text for kind, text in _BLOCK.findall(read(page)) if kind == language]


def prose(page: Path) -> str:
    """The page without its blocks."""
    return _BLOCK.sub("", read(page))


def links(page: Path) -> list[str]:
    """Where the page points to."""
    return _LINK.findall(prose(page))


def commands(page: Path) -> Iterator[str]:
    """Arguments of each `./trailstop` that a block shows, without redirections."""
    for text in blocks(page, "sh"):
        for line in text.splitlines():
            begin = _PROGRAM.match(line)
            if begin is not None:
                yield _REDIRECT.sub("", line[begin.end() :])


def mentioned(page: Path) -> list[str]:
    """Arguments of each `trailstop` command that a sentence names."""
    return _MENTIONED.findall(prose(page))


def table(page: Path, head: str) -> list[list[str]]:
    """The cells of the rows of the first table whose head begins with this cell."""
    lines = iter(read(page).splitlines())
    for line in lines:
        if line.startswith(f"| {head} |"):
            break
    next(lines)
    rows: list[list[str]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows
