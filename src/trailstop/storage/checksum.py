"""A sum beside each row that a restart continues from, since SQLite has none of its own.

A bit that flips inside a text leaves the file well-formed: only a sum tells.
https://www.sqlite.org/cksumvfs.html (an extension that Python's SQLite lacks)
"""

from __future__ import annotations

import zlib


def checksum(text: str) -> str:
    """Eight hexadecimal digits for a text."""
    return f"{zlib.crc32(text.encode()):08x}"


def is_sound(text: str, kept: str | None) -> bool:
    """Whether a text is what was written; rows of an older build have no sum and pass."""
    return kept is None or kept == checksum(text)
